"""Sets of motions: what is copied is near, cells are counted by range, a page plays every motion that it lists."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from datamodules import MotionDataModule
from experiments.prior.quality.compare import COUNTED, count_inside, score_motions
from experiments.prior.quality.generated import Motions
from experiments.prior.quality.nearest import TrainingCrops
from experiments.prior.quality.recorded import cut_recorded
from experiments.prior.quality.samples import write_samples
from lightning_modules.metrics.distribution_table import DistributionRow, DistributionTable
from sim.features import features_to_motion


class Names:
    """An evaluator to whom a motion is the number in its first feature, and a caption the number that it is."""

    name = "names"
    notes: tuple[str, ...] = ()

    def embed_motions(self, features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return features[:, 0, :1]

    def embed_texts(self, captions: list[str]) -> torch.Tensor:
        return torch.tensor([[float(caption)] for caption in captions])


def test_training_clips_are_at_no_distance_from_themselves(recorded: MotionDataModule) -> None:
    crops = TrainingCrops(recorded)
    walk = next(clip for clip in recorded.library.side("train", looped=False) if clip.activity == "walking")
    own, mirrored = torch.from_numpy(walk.features[:40]), torch.from_numpy(walk.mirrored[:40])
    raised = own.clone()
    raised[:, 3] += 0.22  # of 22 joints only the root's height is its own; the others stay
    found = crops.distances([own, mirrored, raised, own[:10]])
    assert len(found) == 3
    assert found[:2] == pytest.approx([0.0, 0.0], abs=2e-3)
    assert 0.0 < found[2] <= 0.22 / 22**0.5 + 1e-4
    test = cut_recorded(recorded, "test", window_s=2.0).only(["walking"])
    assert min(crops.distances(test.features)) > 0.01


def test_motions_that_are_what_their_texts_say_are_found() -> None:
    features = torch.zeros(40, 12, 263)
    features[:, 0, 0] = torch.arange(40.0)
    motions = Motions(features, torch.full((40,), 12))
    right = score_motions(motions, [str(n) for n in range(40)], std=None, evaluator=Names(), nearest_m=[])
    wrong = score_motions(motions, [str(39 - n) for n in range(40)], std=None, evaluator=Names(), nearest_m=[])
    assert (right.r_precision, right.r_precision_top3) == (1.0, 1.0)
    assert wrong.r_precision < 0.2
    assert right.diversity > 1
    assert right.skating == 0
    assert torch.isnan(torch.tensor(score_motions(motions, [], std=None, evaluator=None, nearest_m=[]).diversity))


def test_cells_are_counted_by_their_range() -> None:
    values = [1.0, 1.1, 0.81, 1.3, float("nan")]
    rows = [
        DistributionRow("walking", f"place{n}", COUNTED[0], value, 1.0, 1.0, 2, 2, 8.0, 8.0)
        for n, value in enumerate(values)
    ]
    table = DistributionTable([*rows, rows[0]._replace(quantity="p95"), rows[0]._replace(activity="running")])
    assert count_inside(table, "walking") == ([3, 2], 4)
    assert count_inside(table) == ([4, 3], 5)


def test_a_page_holds_every_motion(tmp_path: Path, recorded: MotionDataModule) -> None:
    clips = recorded.library.side("train", looped=False)
    motions = {
        name: features_to_motion(torch.from_numpy(clip.features[:20]), text=f"<{name}> & co")
        for name, clip in (("walking", clips[0]), ("sitting", clips[-1]))
    }
    page = tmp_path / "samples.html"
    write_samples(motions, page, title="tiny")
    text = page.read_text(encoding="utf-8")
    for name in motions:
        block = re.search(rf'<script id="sample-{name}" type="application/json">(.*?)</script>', text, re.DOTALL)
        assert block is not None
        data = json.loads(block[1])
        assert data["title"] == f"tiny: {name} (“<{name}> & co”)"
        assert data["arrays"]["joint_poses"]["shape"][1:] == [22, 12]
        assert f'href="#{name}"' in text
    # What the address names has to be in place before anything reads it.
    assert text.index('id="data"') < text.index("location.hash") < text.index('getElementById("data").textContent);')
    with pytest.raises(ValueError, match="no motion to show"):
        write_samples({}, page, title="none")
