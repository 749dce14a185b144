"""The contrastive evaluator: its loss against a sum by hand, and that it learns which text goes with which motion."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningDataModule, Trainer, seed_everything
from torch.utils.data import DataLoader

from datamodules.batches import MotionBatch
from lightning_modules.contrastive_evaluator import ContrastiveEvaluator, info_nce
from lightning_modules.evaluation.evaluators import load_evaluator

CAPTIONS = ["a person walks forward.", "someone jumps up high.", "a man lies on the floor.", "a dancer spins around."]
SMALL = {"width": 16, "num_layers": 1, "num_heads": 2, "dim": 8, "warmup_steps": 1, "lr": 5e-3}


def test_info_nce_equals_a_sum_by_hand() -> None:
    generator = torch.Generator().manual_seed(0)
    motions, texts = torch.nn.functional.normalize(torch.randn(2, 4, 6, generator=generator), dim=-1)
    alike = torch.zeros(4, 4, dtype=torch.bool)
    alike[0, 2] = alike[2, 0] = True
    total = 0.0
    for row in range(4):
        others = [column for column in range(4) if column == row or not alike[row, column]]
        for one, other in ((motions, texts), (texts, motions)):
            weights = [math.exp(float(one[row] @ other[column]) / 0.1) for column in others]
            total -= math.log(math.exp(float(one[row] @ other[row]) / 0.1) / sum(weights))
    assert info_nce(motions, texts, alike, temperature=0.1).item() == pytest.approx(total / 8, rel=1e-5)
    everything = torch.ones(4, 4, dtype=torch.bool)  # no negatives are left
    assert info_nce(motions, texts, everything, temperature=0.1).item() == 0


class Pairs(LightningDataModule):
    """Four kinds of motion, noise around a centre each, with a caption each."""

    def __init__(self) -> None:
        super().__init__()
        self.activities = ["any"]
        self.centres = torch.randn(4, 1, 263, generator=torch.Generator().manual_seed(1))

    def feature_statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(263), torch.ones(263)

    def captions(self) -> list[str]:
        return CAPTIONS

    def batches(self, count: int, *, seed: int) -> DataLoader[MotionBatch]:
        generator = torch.Generator().manual_seed(seed)
        made = []
        for number in range(count):
            features = self.centres + 0.5 * torch.randn(4, 24, 263, generator=generator)
            made.append(
                MotionBatch(
                    features,
                    torch.tensor([24, 12, 20, 24]),
                    CAPTIONS,
                    torch.zeros(4, dtype=torch.int64),
                    4 * number + torch.arange(4),
                )
            )
        return DataLoader(made, batch_size=None)

    def train_dataloader(self) -> DataLoader[MotionBatch]:
        return self.batches(20, seed=2)

    def val_dataloader(self) -> DataLoader[MotionBatch]:
        return self.batches(3, seed=3)


def fit(folder: Path, cache_dir: Path) -> tuple[ContrastiveEvaluator, Path, dict[str, float]]:
    seed_everything(7)
    evaluator = ContrastiveEvaluator(**SMALL, cache_dir=str(cache_dir / "text"))
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=3,
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(evaluator, Pairs())
    path = folder / "evaluator.ckpt"
    trainer.save_checkpoint(path)
    return evaluator, path, {name: float(value) for name, value in trainer.callback_metrics.items()}


def test_it_learns_and_loads_and_repeats(tmp_path: Path, cache_dir: Path) -> None:
    evaluator, path, scores = fit(tmp_path, cache_dir)
    # Of the pool's twelve motions three are of each text, so that one in three is the best to be had by rank one.
    assert scores["val/r_precision_top3"] > 0.8
    assert scores["val/loss"] < 0.5 * math.log(4)
    assert scores["val/matching_score"] < 0.6

    loaded = load_evaluator(path, data=None, cache_dir=str(cache_dir / "text"))
    assert loaded.name == "contrastive"
    (batch,) = list(Pairs().batches(1, seed=9))
    motions, texts = loaded.embed_motions(batch.features, batch.lengths), loaded.embed_texts(CAPTIONS)
    torch.testing.assert_close(motions, evaluator.eval().embed_motions(batch.features, batch.lengths).detach())
    assert (torch.cdist(texts, motions).argmin(dim=1) == torch.arange(4)).all()
    torch.testing.assert_close(motions.norm(dim=1), torch.ones(4))

    again, _, _ = fit(tmp_path, cache_dir)
    for name, value in evaluator.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_an_embedding_does_not_depend_on_the_padding(cache_dir: Path) -> None:
    torch.manual_seed(0)
    evaluator = ContrastiveEvaluator(**SMALL, cache_dir=str(cache_dir / "text")).eval()
    features = torch.randn(2, 40, 263)
    both = evaluator.embed_motions(features, torch.tensor([40, 25]))
    torch.testing.assert_close(both[1:], evaluator.embed_motions(features[1:, :25], torch.tensor([25])))


def test_bad_options_and_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="temperature is 0"):
        ContrastiveEvaluator(temperature=0.0)
    with pytest.raises(ValueError, match="width is 10, expected a multiple of num_heads, which is 4"):
        ContrastiveEvaluator(width=10)
    with pytest.raises(FileNotFoundError, match=r"evaluator .*none\.ckpt not found; train one with"):
        load_evaluator(tmp_path / "none.ckpt", data=None, cache_dir="")
    torch.save({"state_dict": {}, "hyper_parameters": {"width": 3}}, tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match="is no checkpoint of ContrastiveEvaluator"):
        load_evaluator(tmp_path / "other.ckpt", data=None, cache_dir="")
