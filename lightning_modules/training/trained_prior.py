"""What every trained model of motion has in common: averaged weights, its optimiser, statistics and scores."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Self

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer

from datamodules.batches import MotionBatch
from lightning_modules.losses import Prediction
from lightning_modules.metrics.denoising_scores import DenoisingScores
from lightning_modules.objective import LossOptions, Objective, gradient_norms, is_due, sum_shares
from lightning_modules.text.lookup import TextLookup
from lightning_modules.training.ema import ramp_decay, update_average
from lightning_modules.training.feature_statistics import FeatureStatistics, MotionData
from lightning_modules.training.hyper_parameters import PlainHyperParameters
from lightning_modules.training.optimisation import OptimiserOptions, make_optimisers
from lightning_modules.training.randomness import TrainingDraw, draw_training_step
from lightning_modules.training.recipes import list_trainable, skip_of


class TrainedPrior(PlainHyperParameters):
    """A module that is trained on clips and evaluated with its averaged weights; who inherits it sets the attributes.

    Attributes:
        average: the averaged network.
        statistics: of the features.
        texts: embeddings of captions; None where the model takes no text.
        activity_names: what the activities in a batch are called; empty before :meth:`setup`.
        scores: what validation and test add up.
        losses: what is minimised.
        objective: the same, ready to be computed.
        optimiser: how.
        ema_decay: of the average.
        train_seed: seed of the training randomness.
        network_name: the attribute that holds the network that is trained.
    """

    average: nn.Module
    statistics: FeatureStatistics
    texts: TextLookup | None
    scores: DenoisingScores
    losses: LossOptions
    objective: Objective
    optimiser: OptimiserOptions
    ema_decay: float
    train_seed: int
    activity_names: Sequence[str] = ()
    network_name: ClassVar[str] = "denoiser"

    @property
    def trained(self) -> nn.Module:
        """The network that is trained."""
        return self.get_submodule(self.network_name)

    @abstractmethod
    def make_scores(self, activities: Sequence[str]) -> DenoisingScores:
        """Return empty scores for those activities."""

    @abstractmethod
    def score(self, batch: MotionBatch) -> None:
        """Add what the averaged network makes of a batch to the scores."""

    def train(self, mode: bool = True) -> Self:
        """Set training mode; the averaged network always stays in evaluation mode."""
        super().train(mode)
        self.average.eval()
        return self

    def setup(self, stage: str) -> None:
        """Take statistics (if none came with weights), activities and captions from the data module."""
        if stage == "predict":
            return
        data = getattr(self.trainer, "datamodule", None)
        if isinstance(data, MotionData):
            if not self.statistics.known:
                self.statistics.set(*data.feature_statistics())
            if self.texts is not None:
                self.texts.encode_ahead(data.captions())
            self.activity_names = list(data.activities)
            self.scores = self.make_scores(data.activities)
        self.statistics.require()

    def on_train_start(self) -> None:
        """Log how many parameters are trained."""
        self._clips_seen = False
        count = sum(value.numel() for value in list_trainable(self.trained))
        self.log("trainable_parameters", float(count), sync_dist=True)

    def on_train_batch_start(self, batch: MotionBatch, batch_idx: int) -> None:
        """Refuse, with the first batch, clips that are too short for a loss."""
        if not self._clips_seen:
            self.objective.check_clips(batch.features.shape[1])
            self._clips_seen = True

    def pair(
        self,
        predicted: Tensor,
        clean: Tensor,
        mask: Tensor,
        *,
        activity: Tensor,
        signal_to_noise: Tensor | None = None,
    ) -> Prediction:
        """Return what the losses see of a batch.

        Args:
            predicted: normalised features ``(B, T, 263)``.
            clean: the truth, same shape.
            mask: frames inside each clip ``(B, T)``, bool.
            activity: number of each clip's activity ``(B,)``.
            signal_to_noise: of the time step of each clip ``(B,)``.
        """
        statistics, objective = self.statistics, self.objective
        return Prediction(
            predicted.float(), clean, mask, statistics.mean, statistics.std, objective.sensors,
            signal_to_noise=signal_to_noise, activity=activity, spectra=objective.spectra,
            frequency=objective.frequency, decoder=objective.decoder,
        )  # fmt: skip

    def draw_step(self, shape: Sequence[int], batch_idx: int, *, num_steps: int, noisier: float = 0.0) -> TrainingDraw:
        """Return the randomness of this training step, a function of seed, step, batch of it and nothing else.

        The batches of a step are counted over accumulated ones and ranks: two processes draw what one does that
        accumulates two (decision 074).

        Args:
            shape: of the noise.
            batch_idx: as Lightning counts.
            num_steps: of the noise schedule.
            noisier: how much more often noisy steps are drawn.
        """
        keys = self.name_batch(batch_idx)
        return draw_training_step(keys, torch.Size(shape), num_steps=num_steps, device=self.device, noisier=noisier)

    def name_step(self, batch_idx: int) -> tuple[int, ...]:
        """Return what names this training step: seed, step, batch of those that are accumulated, rank."""
        accumulated = batch_idx % self.trainer.accumulate_grad_batches
        return self.train_seed, self.global_step, accumulated, self.global_rank

    def name_batch(self, batch_idx: int) -> tuple[int, ...]:
        """Return what names this batch: seed, step, which of all that accumulation and ranks make of the step."""
        *step, accumulated, rank = self.name_step(batch_idx)
        return (*step, accumulated * self.trainer.world_size + rank, 0)

    def finish_step(self, terms: Mapping[str, Tensor], shares: Mapping[str, Tensor]) -> Tensor:
        """Return the objective of a training step, and log it, its terms and, when due, their gradient norms.

        Args:
            terms: each loss of each clip ``(B,)`` by name, before its weight.
            shares: what each adds to the objective ``(B,)`` by name.
        """
        loss = sum_shares(shares).mean()
        scalars = {f"train/{name}": value.detach().mean() for name, value in terms.items()}
        if is_due(self.global_step, every=self.losses.log_gradient_norms_every):
            scalars |= gradient_norms(shares, self.trained.parameters())
        clips = len(next(iter(terms.values())))
        self.log_dict({"train/loss": loss.detach(), **scalars}, batch_size=clips)
        return loss

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Optimizer | LightningOptimizer,
        optimizer_closure: Callable[[], object] | None = None,
    ) -> None:
        """Step, then move the averaged weights."""
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        update_average(self.average, self.trained, ramp_decay(self.ema_decay, self.global_step))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return AdamW with warm-up and the chosen schedule, moved every step."""
        steps = self.trainer.estimated_stepping_batches
        skip = skip_of(self.trained)
        faster = [] if skip is None else skip.parameters()
        return make_optimisers(list_trainable(self.trained), self.optimiser, total_steps=steps, skip=faster)

    def validation_step(self, batch: MotionBatch, batch_idx: int) -> None:
        """Add the batch to the scores."""
        self.score(batch)

    test_step = validation_step

    def on_validation_epoch_end(self) -> None:
        """Log the validation scores."""
        self._log_scores("val")

    def on_test_epoch_end(self) -> None:
        """Log the test scores."""
        self._log_scores("test")

    def _log_scores(self, prefix: str) -> None:
        # The score of an activity without clips is no number, and a curve of it would be empty.
        scores: dict[str, Tensor] = {
            f"{prefix}/{name}": value
            for name, value in self.scores.compute().items()
            if not (name.rpartition("/")[2] in self.activity_names and bool(value.isnan()))
        }
        # Metrics have summed over ranks already; averaging equal values only keeps Lightning from warning.
        self.log_dict(scores, sync_dist=True)
        self.scores.reset()
