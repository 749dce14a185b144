"""EmbeddingScores: Frechet distance, R-precision and their kin, gathered over processes and repeated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from lightning_modules.metrics.clip_metric import ClipMetric
from lightning_modules.metrics.dynamics import DYNAMICS_GROUPS
from lightning_modules.metrics.embedding_distances import (
    Embeddings,
    frechet_distance,
    measure_diversity,
    measure_multimodality,
    retrieval_scores,
)
from lightning_modules.metrics.motion_quality import REAL


@dataclass(frozen=True)
class EmbeddingOptions:
    """How embeddings are compared; the defaults are those of the published evaluation (Guo et al., CVPR 2022).

    Attributes:
        pool_size: pairs of text and motion among which R-precision looks for the right one.
        diversity_pairs: pairs of motions behind the diversity.
        multimodality_texts: texts that several motions are generated for; 0 leaves multimodality out.
        multimodality_samples: motions of each of them.
        multimodality_pairs: pairs of motions of each of them.

    Raises:
        ValueError: a number is out of range.
    """

    pool_size: int = 32
    diversity_pairs: int = 300
    multimodality_texts: int = 100
    multimodality_samples: int = 30
    multimodality_pairs: int = 10

    def __post_init__(self) -> None:
        if (
            min(self.pool_size, self.multimodality_samples) < 2
            or min(self.diversity_pairs, self.multimodality_pairs) < 1
        ):
            raise ValueError(
                f"pool_size is {self.pool_size} and multimodality_samples {self.multimodality_samples}, expected at "
                f"least 2; diversity_pairs is {self.diversity_pairs} and multimodality_pairs "
                f"{self.multimodality_pairs}, expected at least 1"
            )
        if self.multimodality_texts < 0:
            raise ValueError(f"multimodality_texts is {self.multimodality_texts}, expected 0 (leave out) or more")


class EmbeddingTable(NamedTuple):
    """Embeddings of clips, sorted by clip and slot.

    Attributes:
        sample_id: number of each row's clip ``(N,)``.
        slot: which of the clip's motions it is ``(N,)``.
        group: index of the clip's group ``(N,)``; below 0 is in none.
        embedding: ``(N, ...)``.
    """

    sample_id: NDArray[np.int64]
    slot: NDArray[np.int64]
    group: NDArray[np.int64]
    embedding: Embeddings


class EmbeddingRows(ClipMetric):
    """Embeddings of texts or motions, gathered from all processes."""

    def __init__(self) -> None:
        super().__init__(["group", "embedding"])

    def update(self, embedding: Tensor, *, sample_id: Tensor, group: Tensor | None = None, slot: int = 0) -> None:
        """Add embeddings ``(B, ...)`` of clips; without a group they are in none."""
        groups = -sample_id.new_ones(len(sample_id)) if group is None else group
        self.add_rows({"group": groups, "embedding": embedding.float()}, slot=slot, sample_id=sample_id)

    def compute(self) -> EmbeddingTable:
        """Return the table, each clip and slot once."""
        rows = {name: values.cpu().numpy() for name, values in self.gather_rows().items()}
        sample_id, slot, group = (rows[name].astype(np.int64) for name in ("sample_id", "slot", "group"))
        return EmbeddingTable(sample_id, slot, group, rows["embedding"].astype(np.float64))


class EmbeddingScores(nn.Module):
    """Embeddings of texts, of real and of generated motions, and the scores that rest on them.

    Attributes:
        texts: embeddings ``(B, D)`` of the texts of clips, once a clip.
        motions: embeddings ``(B, D)`` of motions; the slot is :data:`REAL` or the number of the replication.
        repeated: embeddings ``(B, K, D)`` of K motions for each of some texts; the slot is that of the replication.

    Args:
        options: pools and numbers of pairs.
        seed: what is drawn at random follows from it and the replication's number.
    """

    def __init__(self, options: EmbeddingOptions, *, seed: int) -> None:
        super().__init__()
        self.options = options
        self.seed = seed
        self.texts = EmbeddingRows()
        self.motions = EmbeddingRows()
        self.repeated = EmbeddingRows()

    def compute(self) -> dict[int, dict[str, float]]:
        """Return the scores of each slot: of real motions (:data:`REAL`) and of each replication.

        The text of a motion is that of its clip's number; motions of which a text is missing are not matched.
        """
        texts, motions = self.texts.compute(), self.motions.compute()
        repeated = self.repeated.compute() if self.repeated.update_called else None
        place = {number: row for row, number in enumerate(texts.sample_id.tolist())}
        theirs = motions.embedding[motions.slot == REAL]
        scores: dict[int, dict[str, float]] = {}
        for slot in np.unique(motions.slot).tolist():
            chosen = motions.slot == slot
            ours, numbers = motions.embedding[chosen], motions.sample_id[chosen].tolist()
            generator = np.random.default_rng([self.seed, slot - REAL])
            found = {"diversity": measure_diversity(ours, pairs=self.options.diversity_pairs, generator=generator)}
            if slot != REAL and min(len(ours), len(theirs)) > 1:
                found["frechet"] = frechet_distance(ours, theirs)
            if all(number in place for number in numbers):
                own = texts.embedding[[place[number] for number in numbers]]
                found |= retrieval_scores(own, ours, pool_size=self.options.pool_size, generator=generator)
                found |= _match_by_group(own, ours, motions.group[chosen])
            if repeated is not None and (repeated.slot == slot).any():
                several = repeated.embedding[repeated.slot == slot]
                pairs = self.options.multimodality_pairs
                found["multimodality"] = measure_multimodality(several, pairs=pairs, generator=generator)
            scores[slot] = found
        return scores

    def describe(self) -> dict[str, int]:
        """Return what the scores rest on: texts, how many of them differ, and the size of a pool."""
        texts = self.texts.compute().embedding
        size = min(self.options.pool_size, len(texts))
        return {"texts": len(texts), "distinct_texts": len(np.unique(texts, axis=0)), "pool_size": size}

    def choose_repeated(self) -> set[int]:
        """Return the numbers of the clips whose texts get several motions: the same on every process."""
        known = self.texts.compute().sample_id
        chosen: list[int] = (
            np.random.default_rng(self.seed).permutation(known)[: self.options.multimodality_texts].tolist()
        )
        return set(chosen)

    def reset(self) -> None:
        """Start from nothing."""
        for metric in (self.texts, self.motions, self.repeated):
            metric.reset()


def _match_by_group(texts: Embeddings, motions: Embeddings, group: NDArray[np.int64]) -> dict[str, float]:
    distance = np.linalg.norm(texts - motions, axis=-1)
    return {
        f"matching_score/{name}": float(distance[group == number].mean())
        for number, name in enumerate(DYNAMICS_GROUPS)
        if (group == number).any()
    }
