"""The weights that ship: small enough, trained on what may train them, and never on a test clip."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest
import torch

from datamodules import MotionDataModule
from datamodules.clips.embedded import embedded_split, load_embedded
from lightning_modules.checkpoints import load_card, load_prior
from lightning_modules.weights import find_weights

NAMES = ("prior", "continued", "acc")


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_at_most_twenty_megabytes(name: str) -> None:
    assert find_weights(name).stat().st_size <= 20_000_000


@pytest.mark.parametrize("name", NAMES)
def test_no_embedded_test_clip_was_trained_on(name: str) -> None:
    trained_on = set(load_card(name)["data"]["clips"])
    held_out = {clip.name for clip in load_embedded() if embedded_split(clip.name) != "train"}
    assert {"run", "jump", "walk_forward"} <= held_out
    assert not trained_on & held_out


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_no_test_clip_of_the_whole_collection_was_trained_on(name: str, shared: Path, tmp_path: Path) -> None:
    module = MotionDataModule(["embedded", str(shared / "data" / "mocap")], ships_only=True, cache_dir=str(tmp_path))
    module.prepare_data()
    module.setup()
    trained_on = set(load_card(name)["data"]["clips"])
    assert trained_on  # and every one of them may ship: ships_only left the others out of the module
    assert trained_on <= {clip.name for side in ("train", "val", "test") for clip in module.clips(side)}
    assert not trained_on & {clip.name for clip in module.clips("test")}


def test_arms_differ_in_the_acceleration_loss_and_nothing_else() -> None:
    control, acc = (dict(load_card(name)["training"]) for name in ("continued", "acc"))
    assert set(acc.pop("loss_weights")) == {"reconstruction", "acc_joints"}
    assert control.pop("loss_weights") == {"reconstruction": 1.0}
    control.pop("snr_weighted")  # of the acceleration loss, which the control has not
    assert acc.pop("snr_weighted") == ["acc_joints"]
    assert control == acc
    assert acc["init_from"] == "prior"
    assert load_card("continued")["data"] == load_card("acc")["data"]


def test_the_packaged_prior_walks_a_plausible_way() -> None:
    pytest.importorskip("transformers", reason='prompts need the extra: pip install "imuforge[text]"')
    features = load_prior("prior").generate(["a person walks forward."] * 4, num_frames=80, seeds=range(4))
    speed = torch.linalg.vector_norm(features[..., 1:3], dim=-1).mean() * 20  # root velocity [m/frame] at 20 fps
    assert 0.5 < speed < 2.0
    height = features[..., 3].mean()
    assert 0.7 < height < 1.1


def test_assets_carry_their_notices() -> None:
    for room in ("sim", "datamodules", "lightning_modules"):
        assert resources.files(room).joinpath("assets/NOTICE.md").is_file()
