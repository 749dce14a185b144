"""MotionEvaluation: generated motion beside real motion in `lightning test`, for any module that generates.

For each test clip a motion of the same caption and length is generated, once in each replication, from a seed of its
own; docs/evaluation.md defines every number. It asks nothing of a module but ``generate``, so that all of the family
are evaluated alike, and a folder of motions by ``GeneratedMotionEvaluator``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from torch import Tensor

from datamodules.batches import MotionBatch
from lightning_modules.callbacks.motion_writer import hash_configuration
from lightning_modules.evaluation.evaluators import Evaluator, load_evaluator
from lightning_modules.evaluation.report import EvaluationReport, Score, summarise
from lightning_modules.generated_motion_evaluator import GENERATED_LOADER, GeneratedMotionEvaluator
from lightning_modules.metrics.denoising_scores import DenoisingScores
from lightning_modules.metrics.dynamics import HIGH_DYNAMICS_M_S2, group_dynamics, measure_peak_acceleration
from lightning_modules.metrics.embedding_scores import EmbeddingOptions, EmbeddingScores
from lightning_modules.metrics.motion_quality import REAL, MotionQuality
from lightning_modules.sampling.motion_generator import GeneratesMotion
from lightning_modules.sampling.normalised import SamplingOptions
from lightning_modules.training.feature_statistics import find_std
from lightning_modules.training.randomness import derive_seed
from sim.features import Decoder


class _Prompt(NamedTuple):
    """A clip's number, caption and length in frames."""

    sample_id: int
    caption: str
    frames: int


class MotionEvaluation(Callback):
    """Evaluates generated motion during `lightning test` and writes ``evaluation.json`` and ``evaluation.md``.

    Args:
        evaluator: a checkpoint of ``ContrastiveEvaluator``, or the folder of the published evaluators of HumanML3D;
            None leaves out what rests on embeddings (Frechet distance, R-precision, diversity and their kin).
        replications: how often everything is generated and dealt into pools anew; intervals are over them.
        seed: all generation and all pools follow from it.
        sampling: guidance, sampler and steps to generate with.
        embedding: sizes of pools and numbers of pairs.
        high_dynamics_m_s2: peak acceleration of a real clip from which on it counts as of high dynamics [m/s^2].
        decoder: how accelerations and jerks are decoded, ``consistent`` (by the model's own statistics) or
            ``positions``; see :mod:`lightning_modules.metrics.motion_quality` for what each score rests on.
        cache_dir: where the evaluator's text embeddings are kept.

    Raises:
        ValueError: a number is out of range, or the decoder is unknown.
    """

    def __init__(
        self,
        *,
        evaluator: str | None = None,
        replications: int = 20,
        seed: int = 0,
        sampling: SamplingOptions | None = None,
        embedding: EmbeddingOptions | None = None,
        high_dynamics_m_s2: float = HIGH_DYNAMICS_M_S2,
        decoder: Decoder = "consistent",
        cache_dir: str = "runs/cache/text",
    ) -> None:
        if replications < 1 or seed < 0:
            raise ValueError(f"replications is {replications} and seed {seed}, expected at least 1 and 0")
        if not high_dynamics_m_s2 > 0:
            raise ValueError(f"high_dynamics_m_s2 is {high_dynamics_m_s2}, expected above 0")
        self.evaluator_path = evaluator
        self.replications = replications
        self.seed = seed
        self.sampling = sampling or SamplingOptions()
        self.embedding = embedding or EmbeddingOptions()
        self.high_dynamics_m_s2 = high_dynamics_m_s2
        self.cache_dir = cache_dir
        self.quality = MotionQuality(decoder)
        self.embeddings = EmbeddingScores(self.embedding, seed=seed)
        self.evaluator: Evaluator | None = None
        self.report: EvaluationReport | None = None
        self._prompts: list[_Prompt] = []

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Load the evaluator and start from nothing.

        Raises:
            ValueError: the module generates nothing, or the evaluator is damaged.
            FileNotFoundError: there is no such evaluator.
        """
        if not isinstance(pl_module, GeneratesMotion | GeneratedMotionEvaluator):
            raise ValueError(
                f"MotionEvaluation needs a module that generates motion, {type(pl_module).__name__} does not; "
                "use MotionDiffusion, or GeneratedMotionEvaluator for a folder of motions"
            )
        self._prompts = []
        self.quality.reset()
        self.quality.to(pl_module.device)
        self.embeddings.reset()
        self.embeddings.to(pl_module.device)
        for module in pl_module.modules():
            if isinstance(module, DenoisingScores):
                module.high_dynamics_m_s2 = self.high_dynamics_m_s2
        if self.evaluator_path is None:
            rank_zero_warn(
                "no evaluator: Frechet distance, R-precision and their kin are left out; see docs/evaluation.md"
            )
            return
        data = getattr(trainer, "datamodule", None)
        self.evaluator = load_evaluator(self.evaluator_path, data=data, cache_dir=self.cache_dir).to(pl_module.device)

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: MotionBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Add the batch's motions, and generate one beside each of them in every replication."""
        if self.evaluator is not None:
            self.embeddings.texts.update(self.evaluator.embed_texts(batch.captions), sample_id=batch.sample_id)
        if not isinstance(pl_module, GeneratesMotion):
            # Generated motions have no real clip beside them, so nothing says which of them ought to be dynamic.
            slot = 0 if dataloader_idx == GENERATED_LOADER else REAL
            self._add(batch.features, batch, group=torch.full_like(batch.sample_id, -1), slot=slot, std=None)
            return
        peaks = measure_peak_acceleration(batch.features, batch.lengths)
        group = group_dynamics(peaks, self.high_dynamics_m_s2)
        std = find_std(pl_module)
        self._add(batch.features, batch, group=group, slot=REAL, std=std)
        rows = zip(batch.sample_id.tolist(), batch.captions, batch.lengths.tolist(), strict=True)
        prompts = [_Prompt(*row) for row in rows]
        self._prompts += prompts
        for slot in range(self.replications):
            seeds = [derive_seed(self.seed, 0, slot, prompt.sample_id) for prompt in prompts]
            self._add(self._generate(pl_module, prompts, seeds), batch, group=group, slot=slot, std=std)

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Generate several motions for some of the texts, then compute and log every score."""
        quality = self.quality.compute()
        scores = summarise(quality, real=REAL, prefix="generated")
        notes = [] if self.evaluator is None else list(self.evaluator.notes)
        facts: dict[str, str | int | float | None] = {"evaluator": None, **self._describe(trainer, pl_module)}
        if self.evaluator is not None:
            if self.embedding.multimodality_texts and isinstance(pl_module, GeneratesMotion):
                self._repeat(pl_module, self.evaluator)
            scores += summarise(self.embeddings.compute(), real=REAL, prefix=self.evaluator.name)
            counts = self.embeddings.describe()
            facts |= {"evaluator": self.evaluator.name, **counts}
            if counts["distinct_texts"] < counts["texts"]:
                notes.append("captions occur more than once, and one that does in a pool cannot be told from itself")
        if self.evaluator is None:
            notes.append("no evaluator was given, so what rests on embeddings is left out")
        if REAL not in quality:
            notes.append("no real motion was given, so distances are left out")
        self.report = EvaluationReport(scores, facts=facts, notes=notes)
        # Every process has computed the same numbers; averaging them only keeps Lightning from warning.
        pl_module.log_dict({f"test/{name}": value for name, value in _flatten(scores)}, sync_dist=True)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the table and write the files, with the module's own one-step errors."""
        folder = Path(trainer.log_dir or trainer.default_root_dir)  # asks all processes, so before the first goes alone
        if self.report is None or not trainer.is_global_zero:
            return
        paired = {
            name.removeprefix("test/"): float(value)
            for name, value in trainer.callback_metrics.items()
            if name.startswith("test/paired_")
        }
        self.report = EvaluationReport(self.report.scores, paired, self.report.facts, self.report.notes)
        self.report.print()
        self.report.write(folder)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_text("evaluation", self.report.to_markdown(), trainer.global_step)
        rank_zero_info(f"evaluation written to {folder}/evaluation.json and evaluation.md")

    def _add(self, features: Tensor, batch: MotionBatch, *, group: Tensor, slot: int, std: Tensor | None) -> None:
        self.quality.update(features, batch.lengths, sample_id=batch.sample_id, group=group, slot=slot, std=std)
        if self.evaluator is not None:
            embedding = self.evaluator.embed_motions(features, batch.lengths)
            self.embeddings.motions.update(embedding, sample_id=batch.sample_id, group=group, slot=slot)

    def _generate(self, module: GeneratesMotion, prompts: Sequence[_Prompt], seeds: Sequence[int]) -> Tensor:
        return module.generate(
            [prompt.caption for prompt in prompts],
            num_frames=[prompt.frames for prompt in prompts],
            guidance=self.sampling.guidance,
            sampler=self.sampling.sampler,
            steps=self.sampling.steps,
            seeds=seeds,
        )

    def _repeat(self, module: GeneratesMotion, evaluator: Evaluator) -> None:
        """Generate several motions for each of the chosen texts; every process those of its own clips."""
        chosen = self.embeddings.choose_repeated()
        own = list({prompt.sample_id: prompt for prompt in self._prompts if prompt.sample_id in chosen}.values())
        count = self.embedding.multimodality_samples
        for slot in range(self.replications):
            several = [torch.stack(list(self._embed_several(module, evaluator, prompt, slot))) for prompt in own]
            ids = torch.tensor([prompt.sample_id for prompt in own], dtype=torch.int64)
            dim = self.embeddings.motions.compute().embedding.shape[1]
            # A process without such a clip adds no rows, but has to take part in the gathering.
            rows = torch.stack(several) if several else torch.empty(0, count, dim)
            self.embeddings.repeated.update(rows, sample_id=ids, slot=slot)

    def _embed_several(
        self, module: GeneratesMotion, evaluator: Evaluator, prompt: _Prompt, slot: int
    ) -> Iterator[Tensor]:
        count = self.embedding.multimodality_samples
        seeds = [derive_seed(self.seed, 1, slot, prompt.sample_id, number) for number in range(count)]
        features = self._generate(module, [prompt] * count, seeds)
        yield from evaluator.embed_motions(features, torch.full((count,), prompt.frames, device=features.device))

    def _describe(self, trainer: Trainer, module: LightningModule) -> dict[str, str | int | float | None]:
        data = getattr(trainer, "datamodule", None)
        facts: dict[str, str | int | float | None] = {
            "module": type(module).__name__,
            "configuration": hash_configuration(
                module, {} if data is None else dict(data.hparams), decoder=self.quality.decoder
            ),
            "decoder": self.quality.decoder,
            "data": type(data).__name__,
            "high_dynamics_m_s2": self.high_dynamics_m_s2,
        }
        if isinstance(module, GeneratesMotion):
            facts |= {"replications": self.replications, "seed": self.seed, "guidance": self.sampling.guidance}
            facts |= {"sampler": self.sampling.sampler, "steps": self.sampling.steps}
        return facts


def _flatten(scores: Sequence[Score]) -> Iterator[tuple[str, float]]:
    for score in scores:
        yield score.name, score.mean
        if score.half_width is not None:
            yield f"{score.name}/half_width", score.half_width
        if score.real is not None:
            prefix, _, name = score.name.partition("/")
            yield f"{prefix}_of_real/{name}", score.real
