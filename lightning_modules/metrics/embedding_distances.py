"""Distances between embeddings of texts and motions, as text-to-motion papers report them.

Guo et al., "Generating Diverse and Natural 3D Human Motions from Text", CVPR 2022, section 5.1 and their published
evaluation: Frechet distance (after Heusel et al. 2017, arXiv:1706.08500, eq. 6), R-precision, matching score (there
"multimodal distance"), diversity and multimodality. What is drawn at random there is drawn here from a generator.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Embeddings = NDArray[np.float64]

TOP_K: Final = 3
"""R-precision is reported for the first one to so many ranks."""


def frechet_distance(ours: Embeddings, theirs: Embeddings) -> float:
    """Return the Frechet distance between Gaussians fitted to two sets, ``|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^1/2)``.

    The trace of the root is the sum of roots of the eigenvalues of ``S1^1/2 S2 S1^1/2``, which is symmetric, so that
    fewer embeddings than dimensions (singular covariances) need no care. Few embeddings bias the distance upwards:
    compare only distances from as many.

    Args:
        ours: embeddings ``(N, D)``.
        theirs: embeddings ``(M, D)``.

    Raises:
        ValueError: a set has fewer than two embeddings, or other dimensions.
    """
    if min(len(ours), len(theirs)) < 2 or ours.shape[1:] != theirs.shape[1:]:
        raise ValueError(
            f"embeddings are {ours.shape} and {theirs.shape}, expected (N, D) and (M, D) with N and M at least 2"
        )
    shift = ours.mean(axis=0) - theirs.mean(axis=0)
    first, second = (np.atleast_2d(np.cov(side, rowvar=False)) for side in (ours, theirs))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0.0)).sum()
    return float(max(0.0, shift @ shift + np.trace(first) + np.trace(second) - 2 * cross))


def retrieval_scores(
    texts: Embeddings, motions: Embeddings, *, pool_size: int, generator: np.random.Generator
) -> dict[str, float]:
    """Return R-precision (top 1 to 3) of finding each text's motion, and the matching score.

    Pairs are dealt into pools at random, and what is left over after the last full pool does not count, as in the
    published evaluation. Within a pool each text ranks the motions by Euclidean distance; a rank counts if the text's
    own motion is there. The matching score is the mean distance of a text from its own motion, over all pairs.

    Args:
        texts: embeddings of texts ``(N, D)``.
        motions: embeddings of their motions ``(N, D)``.
        pool_size: pairs in a pool; all N if there are fewer.
        generator: deals the pools.
    """
    size = min(pool_size, len(texts))
    order = generator.permutation(len(texts))[: len(texts) // size * size].reshape(-1, size)
    hits = np.zeros(TOP_K)
    for pool in order:
        distance = np.linalg.norm(texts[pool][:, None] - motions[pool][None], axis=-1)
        own = distance.diagonal()[:, None]
        # Motions that are nearer than the own one come before it; at equal distance the earlier in the pool does.
        earlier = (distance == own) & (np.arange(size)[None] < np.arange(size)[:, None])
        rank = ((distance < own) | earlier).sum(axis=1)
        hits += [(rank < k).sum() for k in range(1, TOP_K + 1)]
    scores = {f"r_precision_top{k}": float(hits[k - 1] / order.size) for k in range(1, TOP_K + 1)}
    return scores | {"matching_score": float(np.linalg.norm(texts - motions, axis=-1).mean())}


def measure_diversity(motions: Embeddings, *, pairs: int, generator: np.random.Generator) -> float:
    """Return the mean distance between two random subsets of ``pairs`` motions each, pair by pair.

    Args:
        motions: embeddings ``(N, D)``.
        pairs: motions in a subset; N if there are fewer.
        generator: draws the subsets, each without repetition.
    """
    first, second = (generator.choice(len(motions), min(pairs, len(motions)), replace=False) for _ in range(2))
    return float(np.linalg.norm(motions[first] - motions[second], axis=-1).mean())


def measure_multimodality(motions: Embeddings, *, pairs: int, generator: np.random.Generator) -> float:
    """Return the mean distance between motions of one text: two random subsets of its motions, pair by pair.

    Args:
        motions: embeddings of K motions for each of M texts ``(M, K, D)``.
        pairs: motions in a subset; K if there are fewer.
        generator: draws the subsets, the same for all texts, each without repetition.
    """
    count = motions.shape[1]
    first, second = (generator.choice(count, min(pairs, count), replace=False) for _ in range(2))
    return float(np.linalg.norm(motions[:, first] - motions[:, second], axis=-1).mean())
