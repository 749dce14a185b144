"""Sets of motions beside recorded ones: what sensors read, sliding feet, texts found again, how much alike they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from experiments.prior.quality.generated import Motions
from lightning_modules.evaluation.evaluators import Evaluator
from lightning_modules.metrics.distribution_table import DistributionTable
from lightning_modules.metrics.embedding_distances import measure_diversity, retrieval_scores
from lightning_modules.metrics.motion_quality import measure_skating
from lightning_modules.metrics.sensor_quantities import BANDS_HZ
from sim.features import features_to_joints

COUNTED: Final = ("std", "p99", *BANDS_HZ)
"""Quantities whose ratios are counted."""

RANGES: Final = ((0.8, 1.25), (0.9, 1.1))
"""Ratios of generated over recorded that pass: what is asked for, and the goal."""

POOL: Final = 32


@dataclass(frozen=True)
class Scores:
    """What is measured of a set of motions.

    Attributes:
        skating: share of steps in which a foot slides, of consistently decoded joints.
        skating_positions: the same of joints by positions alone, as published figures are.
        r_precision: share of texts whose motion is the nearest of 32; nan without an evaluator.
        r_precision_top3: among the three nearest.
        diversity: mean distance of embeddings of two motions; nan without an evaluator.
        nearest_m: distance of each motion from the nearest training clip [m].
    """

    skating: float
    skating_positions: float
    r_precision: float
    r_precision_top3: float
    diversity: float
    nearest_m: list[float]


def count_inside(table: DistributionTable, activity: str | None = None) -> tuple[list[int], int]:
    """Return how many ratios of :data:`COUNTED` lie in each of :data:`RANGES`, and how many there are.

    Args:
        table: ratios by activity, placement and quantity.
        activity: of this alone; None counts all.
    """
    values = [
        row.value
        for row in table.rows
        if row.quantity in COUNTED and activity in (None, row.activity) and np.isfinite(row.value)
    ]
    return [sum(low <= value <= high for value in values) for low, high in RANGES], len(values)


def share_of_sliding(motions: Motions, std: Tensor | None) -> tuple[float, float]:
    """Return the share of steps in which a foot slides, decoded consistently and by positions."""
    shares = []
    for decoder in ("consistent", "positions"):
        joints = features_to_joints(motions.features.float(), decoder, std=std, lengths=motions.lengths)
        found = measure_skating(joints, motions.lengths)
        shares.append(float(found.sliding.sum() / found.steps.sum()))
    return shares[0], shares[1]


@torch.no_grad()
def score_motions(
    motions: Motions,
    captions: Sequence[str],
    *,
    std: Tensor | None,
    evaluator: Evaluator | None,
    nearest_m: list[float],
    seed: int = 0,
) -> Scores:
    """Measure motions; ``captions`` are what each was made from or is called by."""
    retrieval, diversity = {"r_precision_top1": np.nan, "r_precision_top3": np.nan}, float("nan")
    if evaluator is not None and len(captions) > 1:
        texts = evaluator.embed_texts(captions).double().cpu().numpy()
        embedded = evaluator.embed_motions(motions.features.float(), motions.lengths).double().cpu().numpy()
        retrieval = retrieval_scores(texts, embedded, pool_size=POOL, generator=np.random.default_rng(seed))
        diversity = measure_diversity(embedded, pairs=300, generator=np.random.default_rng(seed))
    return Scores(
        *share_of_sliding(motions, std),
        retrieval["r_precision_top1"],
        retrieval["r_precision_top3"],
        diversity,
        nearest_m,
    )
