"""What is measured of a prior: paired errors in every space, accelerations of generated beside recorded motion."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.motion import MotionDataModule
from datamodules.splits import Split
from experiments.arms.fine_tune import FineTune, load_arm
from experiments.arms.paired_errors import SPACES, name_recordings, paired_errors_in_all_spaces
from experiments.pipeline.tasks import Inputs, Task
from lightning_modules.losses import joint_acceleration
from lightning_modules.metrics.dynamics import measure_peak_acceleration
from lightning_modules.training.randomness import derive_seed
from sim.conventions import FEATURE_FPS

MEASURED: Final = "measured.npz"


@dataclass(frozen=True)
class ClipWindows:
    """Which windows are looked at.

    Attributes:
        split: ``val`` or ``test``.
        window_s: length [s].
        motion_root: folder of motion files besides the embedded clips.
        ships_only: leave out clips that the original was not trained on.
    """

    split: Split
    window_s: float
    motion_root: Path | None
    ships_only: bool = True

    def open(self, cache_dir: Path) -> MotionDataModule:
        """Return the data module of the windows, set up."""
        sources = ["embedded", *([] if self.motion_root is None else [str(self.motion_root)])]
        data = MotionDataModule(
            sources,
            window_s=self.window_s,
            mirror=False,
            ships_only=self.ships_only,
            cache_dir=str(cache_dir / "motion"),
        )
        data.prepare_data()
        data.setup("test")
        return data


@dataclass(frozen=True)
class Sampling:
    """How motions are generated; as in AccelerationConfig."""

    samples: int
    guidance: float
    sampler: str
    steps: int | None


@dataclass(frozen=True)
class Measure(Task):
    """One arm on the windows of a split: ``measured.npz``, N windows, L noise levels, K samples.

    ``<space>`` ``(N, L)`` and ``<space>_count (N,)`` are the squared errors of :mod:`experiments.arms.paired_errors`;
    ``peak (N,)`` the measured peak acceleration of the recorded window [m/s^2], ``activity`` and ``recording`` names,
    ``length (N,)`` its frames; ``generated (N, K, T-2, 22)`` and ``recorded (N, T-2, 22)`` magnitudes of joint
    accelerations [m/s^2], nan beyond the length. Seeds of generated motions depend on window and sample alone, so that
    arms differ in their weights.

    Attributes:
        arm: name of the arm, for the reader; weights alone count.
        checkpoint: weights, from a file or from training.
        windows: which.
        sampling: how motions are generated.
        cache_dir: folder of stage results; converted clips and text embeddings are kept there too.
    """

    stage: ClassVar[str] = "measure"
    doing: ClassVar[str] = "measuring accelerations"
    arm: str = field(metadata={"key": False})
    checkpoint: Path | FineTune
    windows: ClipWindows
    sampling: Sampling
    cache_dir: Path = field(metadata={"key": False})

    @property
    def unit(self) -> str:
        """The arm, its seed where it was trained here, and the split."""
        name = self.checkpoint.unit if isinstance(self.checkpoint, FineTune) else self.arm
        return f"{name} on {self.windows.split}"

    def run(self, inputs: Inputs, output: Path) -> None:
        """Denoise and generate, batch by batch."""
        model = load_arm(self.checkpoint, inputs, cache_dir=self.cache_dir)
        data = self.windows.open(self.cache_dir)
        recordings = name_recordings(data, self.windows.split, window_s=self.windows.window_s)
        loader = data.val_dataloader() if self.windows.split == "val" else data.test_dataloader()
        parts: dict[str, list[Tensor]] = {}
        names: dict[str, list[str]] = {"activity": [], "recording": []}
        for batch in loader:
            found = {"length": batch.lengths, "peak": measure_peak_acceleration(batch.features, batch.lengths)}
            for name, squares in paired_errors_in_all_spaces(model, batch).items():
                found |= {name: squares.sums, f"{name}_count": squares.counts}
            found["recorded"] = _magnitudes(batch.features, batch.lengths)
            samples = []
            for sample in range(self.sampling.samples):
                features = model.generate(
                    batch.captions,
                    num_frames=batch.lengths.tolist(),
                    guidance=self.sampling.guidance,
                    sampler=self.sampling.sampler,
                    steps=self.sampling.steps,
                    seeds=[derive_seed(number, sample) % 2**62 for number in batch.sample_id.tolist()],
                )
                padded = torch.zeros_like(batch.features)
                padded[:, : features.shape[1]] = features
                samples.append(_magnitudes(padded, batch.lengths))
            found["generated"] = torch.stack(samples, dim=1)
            for name, value in found.items():
                parts.setdefault(name, []).append(value)
            names["activity"] += [data.activities[index] for index in batch.activity.tolist()]
            names["recording"] += [recordings[number] for number in batch.sample_id.tolist()]
        arrays = {name: torch.cat(values).numpy() for name, values in parts.items()}
        with (output / MEASURED).open("wb") as file:
            np.savez(file, **arrays, **{name: np.array(value, dtype=np.str_) for name, value in names.items()})  # type: ignore[arg-type]  # numpy's stub takes every keyword for allow_pickle


def _magnitudes(features: Tensor, lengths: Tensor) -> Tensor:
    """Return magnitudes of joint accelerations ``(B, T-2, 22)`` [m/s^2], nan beyond each length."""
    size = joint_acceleration(features, fps=FEATURE_FPS).norm(dim=-1)
    inside = torch.arange(size.shape[1]) < (lengths - 2)[:, None]
    return torch.where(inside[..., None], size, torch.nan)


@dataclass(frozen=True)
class Measured:
    """What :class:`Measure` wrote, as arrays; see there for names and shapes."""

    squares: dict[str, NDArray[np.float64]]
    counts: dict[str, NDArray[np.float64]]
    peak: NDArray[np.float32]
    length: NDArray[np.int64]
    activity: NDArray[np.str_]
    recording: NDArray[np.str_]
    generated: NDArray[np.float32]
    recorded: NDArray[np.float32]


def read_measured(folder: Path) -> Measured:
    """Read what :class:`Measure` wrote."""
    with np.load(folder / MEASURED, allow_pickle=False) as data:
        plain = {name: data[name] for name in ("peak", "length", "activity", "recording", "generated", "recorded")}
        return Measured(
            {name: data[name] for name in SPACES}, {name: data[f"{name}_count"] for name in SPACES}, **plain
        )
