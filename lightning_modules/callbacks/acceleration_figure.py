"""A figure of generated against real acceleration, drawn while training."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.strategies import FSDPStrategy, ModelParallelStrategy
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from datamodules.batches import MotionBatch
from lightning_modules.metrics.acceleration_distance import acceleration_distance, mean_spectrum
from lightning_modules.sampling.motion_generator import GeneratesMotion
from lightning_modules.training.feature_statistics import find_std
from sim.conventions import FEATURE_FPS, JOINT_INDEX
from sim.features import DECODERS, Decoder, features_to_joints
from sim.names import check_name


def joint_magnitudes(
    features: Tensor,
    lengths: Sequence[int],
    *,
    joint: str,
    decoder: Decoder = "consistent",
    std: Tensor | None = None,
) -> list[NDArray[np.float64]]:
    """Return the magnitude of one joint's acceleration over time, one array a clip ``(length - 2,)`` [m/s^2].

    Args:
        features: de-normalised features ``(B, T, 263)`` at 20 fps.
        lengths: valid frames of each clip; clips of under three frames have no second difference.
        joint: one of ``sim.conventions.JOINT_NAMES``.
        decoder: as in :func:`sim.features.features_to_joints`.
        std: as in :func:`sim.features.features_to_joints`.
    """
    weighed = None if std is None else std.double().cpu()
    with torch.no_grad():
        joints = features_to_joints(features.double().cpu(), decoder, std=weighed, lengths=torch.tensor(lengths))
    positions = joints[..., JOINT_INDEX[joint], :]
    acceleration = positions.diff(n=2, dim=1) * FEATURE_FPS**2
    norms = acceleration.norm(dim=-1).numpy()
    return [norm[: max(0, length - 2)] for norm, length in zip(norms, lengths, strict=True)]


class AccelerationFigure(Callback):
    """Draws generated against real acceleration of one joint for TensorBoard, and logs how far apart they are.

    After a run's first validation, and after that of every n-th epoch, the captions of some validation clips are
    generated anew, activities in turn, each with its own length and a fixed seed, so that pictures of different epochs
    compare. The first process draws.

    Args:
        every_n_epochs: epochs from one figure to the next.
        num_clips: validation clips used.
        joint: whose acceleration; one of ``sim.conventions.JOINT_NAMES``.
        sampling_steps: network calls per motion; None takes all of the schedule.
        guidance: classifier-free guidance scale; None takes the weights' own.
        decoder: how what is generated becomes joints, ``consistent`` or ``positions``; recorded clips are the same.

    Raises:
        ValueError: a number is below one, or there is no such joint or decoder.
    """

    def __init__(
        self,
        *,
        every_n_epochs: int = 10,
        num_clips: int = 16,
        joint: str = "left_wrist",
        sampling_steps: int | None = None,
        guidance: float | None = None,
        decoder: Decoder = "consistent",
    ) -> None:
        check_name(decoder, DECODERS, "decoder")
        if min(every_n_epochs, num_clips) < 1:
            raise ValueError(f"every_n_epochs is {every_n_epochs} and num_clips {num_clips}, expected at least 1")
        if joint not in JOINT_INDEX:
            raise ValueError(f"joint {joint!r} is unknown, must be one of {list(JOINT_INDEX)}")
        self.every_n_epochs = every_n_epochs
        self.num_clips = num_clips
        self.joint = joint
        self.sampling_steps = sampling_steps
        self.guidance = guidance
        self.decoder: Decoder = decoder
        self._clips: dict[int, list[tuple[Tensor, str]]] = {}
        self._drawn = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the first time; a run that goes on has its first figure."""
        self._drawn = trainer.global_step > 0

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the clips of the last epoch."""
        self._clips = {}

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: MotionBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the first clips of each activity that are long enough for a spectrum."""
        if not (self._is_due(trainer) and trainer.is_global_zero):
            return
        rows = zip(batch.features, batch.lengths.tolist(), batch.captions, batch.activity.tolist(), strict=True)
        for features, length, caption, activity in rows:
            clips = self._clips.setdefault(activity, [])
            if len(clips) < self.num_clips and length >= FEATURE_FPS:
                clips.append((features[:length].cpu(), caption))

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Generate, draw and log."""
        in_turn = [clip for clips in itertools.zip_longest(*self._clips.values()) for clip in clips if clip is not None]
        cut_up = isinstance(trainer.strategy, (FSDPStrategy, ModelParallelStrategy))
        if not (
            self._is_due(trainer) and (trainer.is_global_zero or cut_up) and isinstance(pl_module, GeneratesMotion)
        ):
            return
        if cut_up:  # runs on all processes or on none
            in_turn = trainer.strategy.broadcast(in_turn)
        if not in_turn:
            return
        self._drawn = True
        real_clips, captions = zip(*in_turn[: self.num_clips], strict=True)
        lengths = [len(features) for features in real_clips]
        generated = pl_module.generate(
            captions,
            num_frames=lengths,
            guidance=self.guidance,
            steps=self.sampling_steps,
            sampler="ddpm" if self.sampling_steps is None else "ddim",
            seeds=list(range(len(lengths))),
        )
        if not trainer.is_global_zero:
            return
        real = torch.nn.utils.rnn.pad_sequence(list(real_clips), batch_first=True)
        std = find_std(pl_module)
        ours, theirs = (
            joint_magnitudes(features, lengths, joint=self.joint, decoder=self.decoder, std=std)
            for features in (generated, real)
        )
        distance = acceleration_distance(ours, theirs, fps=FEATURE_FPS).as_dict()
        for logger in trainer.loggers:
            logger.log_metrics({f"generated/{key}": value for key, value in distance.items()}, trainer.global_step)
            if isinstance(logger, TensorBoardLogger):
                figure = draw_accelerations(ours, theirs, title=f"{self.joint}, {self.decoder}: {captions[0]}")
                logger.experiment.add_figure("generated/acceleration", figure, trainer.global_step)

    def _is_due(self, trainer: Trainer) -> bool:
        due = (trainer.current_epoch + 1) % self.every_n_epochs == 0 or not self._drawn
        return due and not trainer.sanity_checking and bool(trainer.loggers)


def draw_accelerations(
    generated: Sequence[NDArray[np.floating]], real: Sequence[NDArray[np.floating]], *, title: str
) -> Figure:
    """Draw magnitudes as a histogram, as a mean spectrum and, of the first clip, over time.

    Args:
        generated: magnitudes over time at 20 fps [m/s^2], one array a motion.
        real: the same of the real motions.
        title: of the panel over time.
    """
    figure = Figure(figsize=(13, 3.6), layout="constrained")
    histogram, spectrum, trace = figure.subplots(1, 3)
    bins = np.linspace(0, max(float(np.concatenate([*generated, *real]).max()), 1e-3), 40)
    for label, series in (("real", real), ("generated", generated)):
        histogram.hist(np.concatenate(series), bins=bins, density=True, histtype="step", label=label)
        frequency, density = mean_spectrum(series, fps=FEATURE_FPS)
        spectrum.semilogy(frequency[1:], np.maximum(density[1:], 1e-8), label=label)
        trace.plot(np.arange(len(series[0])) / FEATURE_FPS, series[0], label=label)
    histogram.set(xlabel="|acceleration| [m/s²]", ylabel="density", yscale="log")
    spectrum.set(xlabel="frequency [Hz]", ylabel="PSD [(m/s²)²/Hz]")
    trace.set(xlabel="time [s]", ylabel="|acceleration| [m/s²]", title=title[:60])
    histogram.legend()
    return figure
