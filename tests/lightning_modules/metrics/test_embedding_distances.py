"""Distances between embeddings against closed forms, scipy and a second way to count."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import linalg, stats

from lightning_modules.metrics.embedding_distances import (
    frechet_distance,
    measure_diversity,
    measure_multimodality,
    retrieval_scores,
)
from lightning_modules.metrics.embedding_scores import EmbeddingOptions, EmbeddingScores
from lightning_modules.metrics.motion_quality import REAL


def frechet_by_scipy(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The formula as Heusel et al. write it, with the general matrix root."""
    first, second = np.cov(ours, rowvar=False), np.cov(theirs, rowvar=False)
    root = linalg.sqrtm(first @ second)
    shift = ours.mean(axis=0) - theirs.mean(axis=0)
    return float(shift @ shift + np.trace(first + second - 2 * np.real(root)))


def test_frechet_of_shifted_and_scaled_sets_has_a_closed_form() -> None:
    rng = np.random.default_rng(0)
    real = rng.normal(size=(500, 6)) @ rng.normal(size=(6, 6))
    shift = rng.normal(size=6)
    assert frechet_distance(real + shift, real) == pytest.approx(shift @ shift)
    spread = np.trace(np.cov(real, rowvar=False))
    centred = real - real.mean(axis=0)
    # Of N(0, S) and N(0, a^2 S): tr(S) (1 - a)^2.
    assert frechet_distance(0.25 * centred, centred) == pytest.approx(spread * 0.75**2)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-9)


def test_frechet_of_diagonal_gaussians() -> None:
    rng = np.random.default_rng(1)
    first, second = np.array([1.0, 2.0, 0.5]), np.array([3.0, 1.0, 0.5])
    ours, theirs = rng.normal(0, first, (400_000, 3)), rng.normal(1.0, second, (400_000, 3))
    assert frechet_distance(ours, theirs) == pytest.approx(3 + ((first - second) ** 2).sum(), rel=0.02)


@pytest.mark.parametrize("count", [300, 12])
def test_frechet_equals_scipy_also_with_fewer_embeddings_than_dimensions(count: int) -> None:
    rng = np.random.default_rng(2)
    ours, theirs = rng.normal(size=(count, 16)), rng.gamma(2.0, size=(count + 5, 16))
    assert frechet_distance(ours, theirs) == pytest.approx(frechet_by_scipy(ours, theirs), rel=1e-6, abs=1e-5)


def test_frechet_refuses_what_has_no_covariance() -> None:
    with pytest.raises(ValueError, match="N and M at least 2"):
        frechet_distance(np.zeros((1, 4)), np.zeros((5, 4)))
    with pytest.raises(ValueError, match=r"expected \(N, D\) and \(M, D\)"):
        frechet_distance(np.zeros((5, 3)), np.zeros((5, 4)))


def test_retrieval_equals_a_count_by_argsort() -> None:
    """Guo et al.'s way: sort the distances of each text and look whether its own motion is among the first k."""
    rng = np.random.default_rng(3)
    texts = rng.normal(size=(70, 4))
    motions = texts + rng.normal(0, 0.6, size=texts.shape)
    scores = retrieval_scores(texts, motions, pool_size=32, generator=np.random.default_rng(5))
    pools = np.random.default_rng(5).permutation(70)[:64].reshape(2, 32)
    hits = np.zeros(3)
    for pool in pools:
        distance = np.sqrt(((texts[pool][:, None] - motions[pool][None]) ** 2).sum(axis=-1))
        ranked = np.argsort(distance, axis=1, kind="stable")
        for k in range(3):
            hits[k] += (ranked[:, : k + 1] == np.arange(32)[:, None]).any(axis=1).sum()
    assert [scores[f"r_precision_top{k}"] for k in (1, 2, 3)] == pytest.approx(hits / 64)
    assert 0.05 < scores["r_precision_top1"] < 0.95
    assert scores["matching_score"] == pytest.approx(np.linalg.norm(texts - motions, axis=1).mean())


def test_retrieval_of_perfect_and_of_constant_embeddings() -> None:
    texts = np.eye(40)
    perfect = retrieval_scores(texts, texts, pool_size=32, generator=np.random.default_rng(0))
    assert perfect == {"r_precision_top1": 1, "r_precision_top2": 1, "r_precision_top3": 1, "matching_score": 0}
    # Motions that are all alike carry nothing: each rank is right by chance, ties do not count as hits.
    same = retrieval_scores(texts, np.zeros_like(texts), pool_size=20, generator=np.random.default_rng(0))
    assert [same[f"r_precision_top{k}"] for k in (1, 2, 3)] == pytest.approx([1 / 20, 2 / 20, 3 / 20])


def test_diversity_and_multimodality_of_gaussians() -> None:
    """The distance of two independent normal vectors in D dimensions is sqrt(2) times a chi variable."""
    rng = np.random.default_rng(4)
    expected = math.sqrt(2) * stats.chi(5).mean()
    motions = 3 * rng.normal(size=(6000, 5))
    assert measure_diversity(motions, pairs=3000, generator=rng) == pytest.approx(3 * expected, rel=0.03)
    # Motions of one text lie 0.1 apart around centres that are far from each other.
    several = 50 * rng.normal(size=(400, 1, 5)) + 0.1 * rng.normal(size=(400, 30, 5))
    same_place = 1 / 30  # of two random subsets without repetition a pair can be one motion twice
    assert measure_multimodality(several, pairs=10, generator=rng) == pytest.approx(
        0.1 * expected * (1 - same_place), rel=0.1
    )
    assert measure_diversity(motions[:7], pairs=300, generator=rng) > 0  # fewer motions than pairs


def rows(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    texts, motions = torch.randn(2, count, 8, generator=torch.Generator().manual_seed(seed))
    return texts, texts + 0.5 * motions, torch.arange(count) * 7 + 3


def test_scores_do_not_depend_on_batches_or_on_padding() -> None:
    texts, motions, ids = rows(50, 0)
    _, generated, _ = rows(50, 1)
    group = ids % 2
    whole, split = (EmbeddingScores(EmbeddingOptions(pool_size=16), seed=4) for _ in range(2))
    for scores, shares in ((whole, [slice(None)]), (split, [slice(30, 50), slice(0, 32)])):
        for share in shares:
            scores.texts.update(texts[share], sample_id=ids[share])
            scores.motions.update(motions[share], sample_id=ids[share], group=group[share], slot=REAL)
            for slot in range(2):
                moved = generated[share] + slot
                scores.motions.update(moved, sample_id=ids[share], group=group[share], slot=slot)
                scores.repeated.update(moved[:, None].repeat(1, 4, 1), sample_id=ids[share], slot=slot)
    expected, found = whole.compute(), split.compute()
    assert expected == found
    assert set(expected) == {REAL, 0, 1}
    assert {"frechet", "multimodality", "matching_score/high_dynamics"} <= expected[1].keys()
    assert "frechet" not in expected[REAL]
    assert expected[1]["frechet"] > expected[0]["frechet"]
    assert expected[0]["multimodality"] == 0
    assert whole.choose_repeated() == split.choose_repeated()
    assert whole.describe() == {"texts": 50, "distinct_texts": 50, "pool_size": 16}
    by_hand = (texts - motions).norm(dim=1)[group == 1].mean().item()
    assert expected[REAL]["matching_score/high_dynamics"] == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize(
    "options", [{"pool_size": 1}, {"multimodality_samples": 1}, {"diversity_pairs": 0}, {"multimodality_texts": -1}]
)
def test_embedding_options_name_bad_numbers(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        EmbeddingOptions(**options)
