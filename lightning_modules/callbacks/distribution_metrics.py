"""DistributionMetrics: in `lightning test`, does what is generated read on sensors like recorded motion?"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor

from datamodules.batches import MotionBatch
from lightning_modules.metrics.clip_metric import ClipMetric
from lightning_modules.metrics.distribution_table import DistributionTable
from lightning_modules.metrics.motion_quality import REAL
from lightning_modules.metrics.sensor_distributions import DECIDING_PLACEMENTS, SensorDistributions
from lightning_modules.sampling.motion_generator import GeneratesMotion
from lightning_modules.sampling.normalised import SamplingOptions
from lightning_modules.training.feature_statistics import FeatureStatistics
from lightning_modules.training.randomness import derive_seed
from sim.conventions import FEATURE_FPS
from sim.features import DECODERS, Decoder, features_to_joints
from sim.names import check_name

TABLE = "distribution.csv"
_BATCH = 32  # motions generated at once


class _Prompt(NamedTuple):
    """What a motion is generated from: a clip's number, caption, length in frames and activity."""

    sample_id: int
    caption: str
    frames: int
    activity: int


class _ClipNumbers(ClipMetric):
    """Which clips there are on all processes, and of which activities."""

    def __init__(self) -> None:
        super().__init__(["activity"])

    def update(self, activity: Tensor, sample_id: Tensor) -> None:
        self.add_rows({"activity": activity}, slot=0, sample_id=sample_id)

    def compute(self) -> dict[str, Tensor]:
        return self.gather_rows()


class DistributionMetrics(Callback):
    """Generates motions of the test captions and compares what sensors read of them with recorded test motion.

    All test clips of an activity are the recorded side. Of each activity the clips of the lowest numbers lend caption
    and length, each several times where they are too few; every motion has a seed of its own. Logs
    ``test/distribution/<activity>/<placement>/<quantity>``, prints a table and writes ``distribution.csv``;
    docs/evaluation.md defines the quantities. It asks nothing of a module but ``generate``.

    Args:
        motions_per_activity: motions generated for each activity.
        activities: which; None takes all that the test clips have.
        placements: presets of :mod:`sim.placements.presets`, each once.
        rate_hz: output rate of the virtual sensors [Hz].
        sampling: guidance, sampler and steps to generate with.
        decoder: of generated features, as in :func:`sim.features.features_to_joints`.
        seed: all generation follows from it.
        validate_every: the same after every n-th epoch's validation, as ``val/distribution/...``; 0 leaves it out.

    Raises:
        ValueError: a number is out of range, or a name is unknown.
    """

    def __init__(
        self,
        *,
        motions_per_activity: int = 8,
        activities: list[str] | None = None,
        placements: list[str] | None = None,
        rate_hz: float = FEATURE_FPS,
        sampling: SamplingOptions | None = None,
        decoder: Decoder = "consistent",
        seed: int = 0,
        validate_every: int = 0,
    ) -> None:
        if motions_per_activity < 1 or min(seed, validate_every) < 0:
            raise ValueError(
                f"motions_per_activity is {motions_per_activity}, seed {seed} and validate_every {validate_every}, "
                "expected at least 1, 0 and 0"
            )
        check_name(decoder, DECODERS, "decoder")
        self.placements = tuple(DECIDING_PLACEMENTS if placements is None else placements)
        SensorDistributions([], placements=self.placements, rate_hz=rate_hz)  # refuses what it does not know
        self.motions_per_activity = motions_per_activity
        self.activities = activities
        self.rate_hz = rate_hz
        self.sampling = sampling or SamplingOptions()
        self.decoder: Decoder = decoder
        self.seed = seed
        self.validate_every = validate_every
        self.table: DistributionTable | None = None
        self._metric = SensorDistributions([])
        self._numbers = _ClipNumbers()
        self._prompts: list[_Prompt] = []

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start from nothing.

        Raises:
            ValueError: the module generates nothing, or an activity is none of the data's.
        """
        self._start(trainer, pl_module)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The same before a validation that is due."""
        if self._is_due(trainer):
            self._start(trainer, pl_module)

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: MotionBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Simulate the recorded clips, and remember their captions."""
        self._add_recorded(batch)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: MotionBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """The same in a validation that is due."""
        if self._is_due(trainer):
            self._add_recorded(batch)

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Generate, simulate, compare and log."""
        self._finish(pl_module, prefix="test")

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The same after a validation that is due."""
        if self._is_due(trainer):
            self._finish(pl_module, prefix="val")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the table and write the file."""
        folder = Path(trainer.log_dir or trainer.default_root_dir)  # asks all processes, so before the first goes alone
        if self.table is None or not trainer.is_global_zero:
            return
        self.table.print()
        self.table.write_csv(folder / TABLE)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_text("distribution", self.table.to_markdown(), trainer.global_step)
        rank_zero_info(f"distributions of sensor output written to {folder / TABLE}")

    def _is_due(self, trainer: Trainer) -> bool:
        if not self.validate_every or trainer.sanity_checking:
            return False
        return (trainer.current_epoch + 1) % self.validate_every == 0

    def _start(self, trainer: Trainer, module: LightningModule) -> None:
        if not isinstance(module, GeneratesMotion):
            raise ValueError(
                f"DistributionMetrics needs a module that generates motion, {type(module).__name__} does not; "
                "use MotionDiffusion, or lightning_modules.metrics.compare_distributions for motions that lie in files"
            )
        names: list[str] = list(getattr(getattr(trainer, "datamodule", None), "activities", []))
        for name in self.activities or []:
            check_name(name, names, "activity")
        self._metric = SensorDistributions(names, placements=self.placements, rate_hz=self.rate_hz).to(module.device)
        self._numbers = _ClipNumbers().to(module.device)
        self._prompts = []
        self.table = None

    def _add_recorded(self, batch: MotionBatch) -> None:
        joints = features_to_joints(batch.features.float())  # recorded features are the same by either decoder
        self._metric.update(joints, batch.lengths, activity=batch.activity, slot=REAL, sample_id=batch.sample_id)
        self._numbers.update(batch.activity, batch.sample_id)
        rows = zip(
            batch.sample_id.tolist(), batch.captions, batch.lengths.tolist(), batch.activity.tolist(), strict=True
        )
        self._prompts += [_Prompt(*row) for row in rows]

    def _finish(self, module: LightningModule, *, prefix: str) -> None:
        if not isinstance(module, GeneratesMotion):  # refused before anything began
            return
        copies = self._choose()
        own = {prompt.sample_id: prompt for prompt in self._prompts if prompt.sample_id in copies}
        work = [(prompt, slot) for prompt in own.values() for slot in range(copies[prompt.sample_id])]
        for start in range(0, len(work), _BATCH):
            self._add_generated(module, work[start : start + _BATCH])
        self.table = DistributionTable(self._metric.compute())
        # Every process has computed the same numbers; averaging them only keeps Lightning from warning.
        values = {f"{prefix}/distribution/{name}": value for name, value in self.table.flatten().items()}
        module.log_dict(values, sync_dist=True)

    def _choose(self) -> dict[int, int]:
        """Return how many motions the clip of each number lends its caption to; the same on every process."""
        rows = self._numbers.compute()
        by_activity: dict[int, list[int]] = {}
        for number, activity in zip(rows["sample_id"].tolist(), rows["activity"].tolist(), strict=True):
            if self.activities is None or self._metric.activities[activity] in self.activities:
                by_activity.setdefault(activity, []).append(number)
        copies: dict[int, int] = {}
        for numbers in by_activity.values():
            for turn in range(self.motions_per_activity):
                number = numbers[turn % len(numbers)]
                copies[number] = copies.get(number, 0) + 1
        return copies

    def _add_generated(self, module: GeneratesMotion, work: list[tuple[_Prompt, int]]) -> None:
        prompts = [prompt for prompt, _ in work]
        lengths = torch.tensor([prompt.frames for prompt in prompts])
        features = module.generate(
            [prompt.caption for prompt in prompts],
            num_frames=lengths.tolist(),
            guidance=self.sampling.guidance,
            sampler=self.sampling.sampler,
            steps=self.sampling.steps,
            seeds=[derive_seed(self.seed, 2, slot, prompt.sample_id) for prompt, slot in work],
        )
        statistics = getattr(module, "statistics", None)
        std = statistics.std.to(features.device) if isinstance(statistics, FeatureStatistics) else None
        joints = features_to_joints(features.float(), self.decoder, std=std, lengths=lengths.to(features.device))
        for row, (prompt, slot) in enumerate(work):
            self._metric.update(
                joints[row : row + 1],
                lengths[row : row + 1],
                activity=torch.tensor([prompt.activity]),
                slot=slot,
                sample_id=torch.tensor([prompt.sample_id]),
            )
