"""What happens beside training: a figure of generated against real acceleration, and generated motions on disk."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_info
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from datamodules.batches import MotionBatch, PromptBatch
from lightning_modules.distribution_metrics import acceleration_distance, mean_spectrum
from lightning_modules.generation import GeneratedMotions
from sim.conventions import FEATURE_FPS, JOINT_INDEX
from sim.features import features_to_joints, features_to_motion


@runtime_checkable
class MotionGenerator(Protocol):
    """A module that turns prompts into features, as MotionDiffusion does."""

    def generate(
        self,
        texts: Sequence[str],
        *,
        num_frames: int | Sequence[int],
        guidance: float = 2.5,
        sampler: str = "ddpm",
        steps: int | None = None,
        seeds: Sequence[int] | None = None,
    ) -> Tensor:
        """Return de-normalised features ``(B, T, 263)``."""
        ...


def joint_magnitudes(features: Tensor, lengths: Sequence[int], *, joint: str) -> list[NDArray[np.float64]]:
    """Return the magnitude of one joint's acceleration over time, one array a clip ``(length - 2,)`` [m/s^2].

    Args:
        features: de-normalised features ``(B, T, 263)`` at 20 fps.
        lengths: valid frames of each clip; clips of under three frames have no second difference.
        joint: one of ``sim.conventions.JOINT_NAMES``.
    """
    with torch.no_grad():
        positions = features_to_joints(features.double().cpu())[..., JOINT_INDEX[joint], :]
    acceleration = positions.diff(n=2, dim=1) * FEATURE_FPS**2
    norms = acceleration.norm(dim=-1).numpy()
    return [norm[: max(0, length - 2)] for norm, length in zip(norms, lengths, strict=True)]


class AccelerationFigure(Callback):
    """Draws generated against real acceleration of one joint for TensorBoard, and logs how far apart they are.

    After the validation of every n-th epoch the captions of the first validation clips are generated anew, each with
    its own length and a fixed seed, so that pictures of different epochs compare. The first process draws.

    Args:
        every_n_epochs: epochs from one figure to the next.
        num_clips: validation clips used.
        joint: whose acceleration; one of ``sim.conventions.JOINT_NAMES``.
        sampling_steps: network calls per motion; None takes all of the schedule.
        guidance: classifier-free guidance scale.

    Raises:
        ValueError: a number is below one or there is no such joint.
    """

    def __init__(
        self,
        *,
        every_n_epochs: int = 10,
        num_clips: int = 16,
        joint: str = "left_wrist",
        sampling_steps: int | None = None,
        guidance: float = 2.5,
    ) -> None:
        if min(every_n_epochs, num_clips) < 1:
            raise ValueError(f"every_n_epochs is {every_n_epochs} and num_clips {num_clips}, expected at least 1")
        if joint not in JOINT_INDEX:
            raise ValueError(f"joint {joint!r} is unknown, must be one of {list(JOINT_INDEX)}")
        self.every_n_epochs = every_n_epochs
        self.num_clips = num_clips
        self.joint = joint
        self.sampling_steps = sampling_steps
        self.guidance = guidance
        self._real: list[Tensor] = []
        self._captions: list[str] = []

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the clips of the last epoch."""
        self._real, self._captions = [], []

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: MotionBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the first clips that are long enough for a spectrum."""
        if not self._is_due(trainer):
            return
        for features, length, caption in zip(batch.features, batch.lengths.tolist(), batch.captions, strict=True):
            if len(self._real) < self.num_clips and length >= FEATURE_FPS:
                self._real.append(features[:length].cpu())
                self._captions.append(caption)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Generate, draw and log."""
        if not (self._is_due(trainer) and self._real and isinstance(pl_module, MotionGenerator)):
            return
        lengths = [len(features) for features in self._real]
        generated = pl_module.generate(
            self._captions,
            num_frames=lengths,
            guidance=self.guidance,
            steps=self.sampling_steps,
            sampler="ddpm" if self.sampling_steps is None else "ddim",
            seeds=list(range(len(lengths))),
        )
        real = torch.nn.utils.rnn.pad_sequence(self._real, batch_first=True)
        ours = joint_magnitudes(generated, lengths, joint=self.joint)
        theirs = joint_magnitudes(real, lengths, joint=self.joint)
        distance = acceleration_distance(ours, theirs, fps=FEATURE_FPS).as_dict()
        for logger in trainer.loggers:
            logger.log_metrics({f"generated/{key}": value for key, value in distance.items()}, trainer.global_step)
            if isinstance(logger, TensorBoardLogger):
                figure = draw_accelerations(ours, theirs, title=f"{self.joint}: {self._captions[0]}")
                logger.experiment.add_figure("generated/acceleration", figure, trainer.global_step)

    def _is_due(self, trainer: Trainer) -> bool:
        due = (trainer.current_epoch + 1) % self.every_n_epochs == 0
        return due and trainer.is_global_zero and not trainer.sanity_checking and bool(trainer.loggers)


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


class MotionWriter(BasePredictionWriter):
    """Writes each generated motion as a Motion ``.npz`` as soon as it exists, and a manifest per process.

    Files lie in ``<output_dir>/<hash>/``; the hash is that of weights, hyper-parameters and prompts, so that motions of
    two configurations never mix and a repeated run overwrites only what is equal. Each process writes its own motions,
    named by their running number, and at the end ``manifest-<rank>.json``.

    Args:
        output_dir: where to write.
    """

    def __init__(self, output_dir: str = "runs/generate") -> None:
        super().__init__(write_interval="batch")
        self.output_dir = Path(output_dir)
        self.config_hash = ""
        self._entries: list[dict[str, str | int]] = []

    @property
    def folder(self) -> Path:
        """Where the motions of this run lie; known once prediction has started."""
        return self.output_dir / self.config_hash

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Name the folder after what decides the motions."""
        data = getattr(trainer, "datamodule", None)
        self.config_hash = hash_configuration(pl_module, {} if data is None else dict(data.hparams))
        self._entries = []
        self.folder.mkdir(parents=True, exist_ok=True)

    def write_on_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: GeneratedMotions,
        batch_indices: Sequence[int] | None,
        batch: PromptBatch,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Fit poses to the batch's features and write one file a motion."""
        features, lengths = prediction.features.cpu(), prediction.lengths.tolist()
        for row, (index, length) in enumerate(zip(prediction.index.tolist(), lengths, strict=True)):
            name = f"{index:06d}_{re.sub(r'[^A-Za-z0-9]+', '_', batch.activities[row])}.npz"
            motion = features_to_motion(features[row, :length], text=batch.texts[row])
            # Written aside and renamed: a killed run leaves whole files only.
            partial = self.folder / f".{name}.{os.getpid()}"
            motion.save(partial)
            partial.replace(self.folder / name)
            self._entries.append(
                {
                    "index": index,
                    "file": name,
                    "text": batch.texts[row],
                    "activity": batch.activities[row],
                    "seed": batch.seeds[row],
                    "num_frames": length,
                }
            )

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the manifest of this process and say where the motions are."""
        manifest = {"config_hash": self.config_hash, "rank": trainer.global_rank, "motions": self._entries}
        path = self.folder / f"manifest-{trainer.global_rank}.json"
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        partial.replace(path)
        rank_zero_info(f"{len(self._entries)} motions written to {self.folder}")


def hash_configuration(module: LightningModule, data_hparams: dict[str, object]) -> str:
    """Return 16 hex digits that stand for a module's weights, its hyper-parameters and the data module's."""
    hparams = {key: value for key, value in module.hparams.items() if not str(key).startswith("_")}
    digest = hashlib.sha256(json.dumps([hparams, data_hparams], sort_keys=True, default=str).encode())
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
