"""The paired acceleration error of an arm: one-step predictions of held-out clips, with the same noise for every arm.

docs/architecture.md, science rule 1: fixed time steps (5, 25, 50, 75 and 95% of the schedule), RMSE and MSE in SI
units. Kept for each clip, so that changes relative to another arm get an interval by resampling clips.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from experiments.arms.clips import HeldOut
from experiments.arms.fine_tune import FineTune, load_arm
from experiments.arms.paired_errors import paired_errors
from experiments.pipeline.files import save_arrays
from experiments.pipeline.tasks import Inputs, Task

ERRORS = "errors.npz"


@dataclass(frozen=True)
class PairedError(Task):
    """Squared acceleration errors of one arm on the test split: ``errors.npz``.

    ``squared (N, L)`` holds sums over frames and joints of squared distances [(m/s^2)^2] for each window and noise
    level, decoded consistently, ``squared_positions`` the same by positions alone, ``counts (N,)`` the number of
    vectors behind each, ``activity (N,)`` the name and ``recording (N,)`` what the window was cut from: windows of one
    recording are not independent.

    Attributes:
        arm: name of the arm, for the reader; weights alone count.
        checkpoint: weights, from a file or from training.
        window_s: length of the held-out windows [s].
        motion_root: folder of motion files whose test split joins the embedded clips'.
        cache_dir: folder of stage results; converted clips and text embeddings are kept there too.
    """

    stage: ClassVar[str] = "paired"
    stage_title: ClassVar[str] = "measuring paired errors"
    arm: str = field(metadata={"key": False})
    checkpoint: Path | FineTune
    window_s: float
    motion_root: Path | None
    cache_dir: Path = field(metadata={"key": False})

    @property
    def title(self) -> str:
        """The arm, and the seed where it was trained here."""
        return self.checkpoint.title if isinstance(self.checkpoint, FineTune) else self.arm

    def run(self, inputs: Inputs, output: Path) -> None:
        """Denoise the held-out clips in one step from each noise level."""
        model = load_arm(self.checkpoint, inputs, cache_dir=self.cache_dir)
        windows = HeldOut("test", self.window_s, self.motion_root)
        found: dict[str, list[Tensor]] = {"squared": [], "squared_positions": [], "counts": []}
        names: dict[str, list[str]] = {"activity": [], "recording": []}
        for batch, activity, recording in windows.batches(self.cache_dir):
            errors = paired_errors(model, batch)
            found["squared"].append(errors["acc_joints"].sums)
            found["squared_positions"].append(errors["acc_joints_positions"].sums)
            found["counts"].append(errors["acc_joints"].counts)
            names["activity"] += activity
            names["recording"] += recording
        numbers = {name: torch.cat(parts).numpy() for name, parts in found.items()}
        save_arrays(output / ERRORS, numbers | {name: np.array(value, dtype=np.str_) for name, value in names.items()})
