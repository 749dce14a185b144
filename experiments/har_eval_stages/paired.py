"""The paired acceleration error of an arm: one-step predictions of held-out clips, with the same noise for every arm.

DESIGN.md section 5: fixed time steps (5, 25, 50, 75 and 95% of the schedule), RMSE and MSE in SI units. Kept for each
clip, so that changes relative to another arm get an interval by resampling clips.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from datamodules.batches import MotionBatch
from datamodules.motion import MotionDataModule
from datamodules.motion_windows import hash_sample
from experiments.har_eval_stages.arms import FineTune, load_arm
from experiments.stages import Inputs, Task
from lightning_modules import MotionDiffusion
from lightning_modules.denoiser import mask_frames_of
from lightning_modules.losses import Prediction, stencil_mask
from lightning_modules.randomness import paired_noise
from lightning_modules.scores import PAIRED_FRACTIONS
from sim.conventions import FEATURE_FPS

ERRORS = "errors.npz"


@dataclass(frozen=True)
class PairedError(Task):
    """Squared acceleration errors of one arm on the test split: ``errors.npz``.

    ``squared (N, L)`` holds sums over frames and joints of squared distances [(m/s^2)^2] for each window and
    noise level, ``counts (N,)`` the number of vectors behind each, ``activity (N,)`` the name and ``recording (N,)``
    what the window was cut from: windows of one recording are not independent.

    Attributes:
        arm: name of the arm, for the reader; weights alone count.
        checkpoint: weights, from a file or from training.
        window_s: length of the held-out windows [s].
        motion_root: folder of motion files whose test split joins the embedded clips'.
        cache_dir: folder of stage results; converted clips and text embeddings are kept there too.
    """

    stage: ClassVar[str] = "paired"
    doing: ClassVar[str] = "measuring paired errors"
    arm: str = field(metadata={"key": False})
    checkpoint: Path | FineTune
    window_s: float
    motion_root: Path | None
    cache_dir: Path = field(metadata={"key": False})

    @property
    def unit(self) -> str:
        """The arm, and the seed where it was trained here."""
        return self.checkpoint.unit if isinstance(self.checkpoint, FineTune) else self.arm

    def run(self, inputs: Inputs, output: Path) -> None:
        """Denoise the held-out clips in one step from each noise level."""
        model = load_arm(self.checkpoint, inputs, cache_dir=self.cache_dir)
        sources = ["embedded", *([] if self.motion_root is None else [str(self.motion_root)])]
        data = MotionDataModule(sources, window_s=self.window_s, mirror=False, cache_dir=str(self.cache_dir / "motion"))
        data.prepare_data()
        data.setup("test")
        squared: list[Tensor] = []
        counts: list[Tensor] = []
        activity: list[str] = []
        recording: list[str] = []
        recordings = _recordings(data, self.window_s)
        for batch in data.test_dataloader():
            errors, vectors = paired_errors(model, batch)
            squared.append(errors)
            counts.append(vectors)
            recording.extend(recordings[number] for number in batch.sample_id.tolist())
            activity.extend(data.activities[index] for index in batch.activity.tolist())
        with (output / ERRORS).open("wb") as file:
            np.savez(
                file,
                squared=torch.cat(squared).numpy(),
                counts=torch.cat(counts).numpy(),
                activity=np.array(activity, dtype=np.str_),
                recording=np.array(recording, dtype=np.str_),
            )


def _recordings(data: MotionDataModule, window_s: float) -> dict[int, str]:
    """Return the recording behind the number of each window of the test split."""
    step = round(window_s * FEATURE_FPS)
    return {
        hash_sample(clip.name, start, False): clip.item.group
        for clip in data.library.side("test", looped=False)
        for start in range(0, len(clip.features), step)
    }


@torch.no_grad()
def paired_errors(model: MotionDiffusion, batch: MotionBatch) -> tuple[Tensor, Tensor]:
    """Return squared distances of predicted from true joint accelerations, summed over each clip.

    Args:
        model: the prior; its averaged weights predict.
        batch: clips of raw features.

    Returns:
        Sums ``(B, L)`` [(m/s^2)^2] for each noise level, and the number of vectors in each sum ``(B,)``; float64.
    """
    lengths = batch.lengths.tolist()
    mask = mask_frames_of(batch.lengths, batch.features.shape[1])
    clean = model.statistics.normalise(batch.features, mask)
    text = model.texts(batch.captions)
    inside = stencil_mask(mask, 2)
    levels = []
    for level, fraction in enumerate(PAIRED_FRACTIONS):
        steps = torch.full((len(lengths),), round(fraction * (model.schedule.num_steps - 1)))
        noise = paired_noise(batch.sample_id.tolist(), lengths, *clean.shape[1:], level=level)
        noisy = model.schedule.add_noise(clean, steps, noise)
        timesteps = model.schedule.timestep_map[steps]
        predicted = model.average(noisy, timesteps, text.embedding, batch.lengths, text_mask=text.mask)
        pair = Prediction(predicted, clean, mask, model.statistics.mean, model.statistics.std)
        distance = (pair.predicted_acceleration - pair.target_acceleration).double().square().sum(dim=-1)
        levels.append(torch.where(inside[..., None], distance, 0.0).sum(dim=(1, 2)))
    joints = pair.target_acceleration.shape[2]
    return torch.stack(levels, dim=1), inside.sum(dim=1).double() * joints
