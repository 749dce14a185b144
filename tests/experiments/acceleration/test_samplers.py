"""Samplers beside recorded motion on little work: recorded motion is right, noise and damping are not; any weights."""

from __future__ import annotations

import argparse
import csv
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from datamodules.motion import MotionDataModule
from experiments.acceleration.judge_samplers import Side, load_recorded, read_prompts
from experiments.acceleration.samplers import main, mean_ratio, parse_options
from lightning_modules import MotionDiffusion
from lightning_modules.checkpoints import save_prior
from lightning_modules.metrics.distribution_table import DistributionTable, tabulate
from lightning_modules.virtual_sensors import VirtualSensors
from sim.features import features_to_joints, joints_to_features


@pytest.fixture(scope="module")
def options(cache_dir: Path) -> argparse.Namespace:
    return parse_options(["--cache", str(cache_dir), "--motions", "2", "--calls", "2", "3", "--samplers", "ddim"])


@pytest.fixture(scope="module")
def recorded(options: argparse.Namespace) -> dict[str, list[Tensor]]:
    """The embedded test clips."""
    return load_recorded(options)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Path:
    torch.manual_seed(0)
    model = MotionDiffusion(width=16, num_layers=1, num_heads=2, feedforward=16, num_steps=10)
    data = MotionDataModule(["embedded"], cache_dir=str(cache_dir / "motion"))
    data.prepare_data()
    data.setup("fit")
    model.statistics.set(*data.feature_statistics())
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_prior(model, path, {})
    return path


def judge(motions: dict[str, list[Tensor]], recorded: dict[str, list[Tensor]]) -> tuple[Side, DistributionTable]:
    sensors = VirtualSensors(placements=("waist", "left_wrist"), rate_hz=20.0)
    sides = [Side.of(clips, "consistent", None, sensors) for clips in (motions, recorded)]
    return sides[0], tabulate(sides[0].sensors, sides[1].sensors, sensors.placements)


def test_recorded_motion_is_right_and_what_is_slowed_is_tamer(recorded: dict[str, list[Tensor]]) -> None:
    assert {"walking", "standing"} <= set(recorded)
    some = {name: clips[:3] for name, clips in recorded.items()}
    same, table = judge(some, some)
    assert table.summary() == 0
    assert mean_ratio(table.rows, "std") == pytest.approx(1)
    # Every second frame held back: half as fast, a quarter of the acceleration.
    slow = {name: [_slow_down(clip) for clip in clips] for name, clips in some.items()}
    slower, table = judge(slow, some)
    assert slower.acceleration < 0.6 * same.acceleration
    assert mean_ratio(table.rows, "p99", activity="walking") < 0.6
    assert table.summary() > 0.3


def _slow_down(clip: Tensor) -> Tensor:
    """Return features of the first half of a clip at half the speed."""
    joints = features_to_joints(clip)[: len(clip) // 2]
    stretched = torch.nn.functional.interpolate(
        joints.flatten(1).T[None], size=2 * len(joints), mode="linear", align_corners=True
    )
    # Linear in between would jerk at each frame: average three.
    smooth = torch.nn.functional.avg_pool1d(stretched, 3, stride=1)[0].T.unflatten(1, (22, 3))
    return joints_to_features(smooth)


def test_the_command_takes_any_weights_and_writes_every_ratio(
    weights: Path, options: argparse.Namespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--out", str(tmp_path / "samplers.md"), "--csv", str(tmp_path / "ratios.csv")]
    sizes = ["--motions", "2", "--calls", "2", "3", "--samplers", "ddpm", "dpm++", "--placements", "waist"]
    assert main(["--weights", str(weights), "--cache", str(options.cache), *sizes, *where]) == 0
    text = (tmp_path / "samplers.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    first = [tuple(line.split(" | ")[:2]) for line in lines[1:6]]
    assert first == [("| recorded", ""), ("| ddpm", "2"), ("| dpm++", "2"), ("| ddpm", "3"), ("| dpm++", "3")]
    assert "weights `tiny.safetensors`, decoder `consistent`" in text
    with (tmp_path / "ratios.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {(row["sampler"], row["calls"]) for row in rows} == {(s, c) for s in ("ddpm", "dpm++") for c in "23"}
    assert {row["placement"] for row in rows} == {"waist"}
    assert "Samplers beside recorded motion" in capsys.readouterr().out


def test_the_prompts_are_those_of_an_experiment() -> None:
    prompts = read_prompts(Path("experiments/dsads.yaml"))
    assert len(prompts["jumping"]) >= 3
    with pytest.raises(ValueError, match=r"prior\.yaml has no generation\.prompts"):
        read_prompts(Path("experiments/prior.yaml"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--samplers", "dim"], "sampler 'dim' is unknown.*did you mean"),
        (["--weights", "nowhere"], "nowhere"),
        (["--motions", "0"], "--motions is 0, expected > 0"),
        (["--activities", "flying"], "no held-out recorded motion of flying; give --motion-root"),
        (["--decoder", "both"], "invalid choice: 'both'"),
    ],
)
def test_bad_input_is_one_line(
    wrong: list[str], message: str, options: argparse.Namespace, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--cache", str(options.cache), *wrong])
    error = capsys.readouterr().err
    assert left.value.code == 2
    (line,) = [line for line in error.splitlines() if line.startswith("error: ")]
    assert re.search(message, line), line
