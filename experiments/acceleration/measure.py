"""What is measured of a prior: paired errors in every space, accelerations of generated beside recorded motion."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from experiments.acceleration.sensors import Sensed, sense
from experiments.arms.clips import HeldOut
from experiments.arms.fine_tune import FineTune, load_arm
from experiments.arms.paired_errors import SPACES, paired_errors_in_all_spaces
from experiments.pipeline.files import save_arrays
from experiments.pipeline.tasks import Inputs, Task
from lightning_modules.decoded_motion import joint_acceleration
from lightning_modules.metrics.dynamics import measure_peak_acceleration
from lightning_modules.sampling.normalised import SamplingOptions
from lightning_modules.training.randomness import derive_seed
from sim.conventions import FEATURE_FPS

MEASURED: Final = "measured.npz"


@dataclass(frozen=True)
class Measure(Task):
    """One arm on the windows of a split: ``measured.npz``, N windows, L noise levels, K samples.

    ``<space>`` ``(N, L)`` and ``<space>_count (N,)`` are the squared errors of :mod:`experiments.arms.paired_errors`;
    ``peak (N,)`` the measured peak acceleration of the recorded window [m/s^2], ``activity`` and ``recording`` names,
    ``length (N,)`` its frames; ``generated (N, K, T-2, 22)`` and ``recorded (N, T-2, 22)`` magnitudes of joint
    accelerations [m/s^2], nan beyond the length; the arrays of :class:`experiments.acceleration.sensors.Sensed` what
    sensors read of both. Seeds of generated motions depend on window and sample alone, so that arms differ in their
    weights. Joints of both are decoded consistently, generated ones by the prior's statistics.

    Attributes:
        arm: name of the arm, for the reader; weights alone count.
        checkpoint: weights, from a file or from training.
        windows: which.
        samples: motions generated for each window.
        sampling: how they are generated.
        placements: where sensors are simulated.
        cache_dir: folder of stage results; converted clips and text embeddings are kept there too.
    """

    stage: ClassVar[str] = "measure"
    stage_title: ClassVar[str] = "measuring accelerations"
    arm: str = field(metadata={"key": False})
    checkpoint: Path | FineTune
    windows: HeldOut
    samples: int
    sampling: SamplingOptions
    placements: tuple[str, ...]
    cache_dir: Path = field(metadata={"key": False})

    @property
    def title(self) -> str:
        """The arm, its seed where it was trained here, and the split."""
        name = self.checkpoint.title if isinstance(self.checkpoint, FineTune) else self.arm
        return f"{name} on {self.windows.split}"

    def run(self, inputs: Inputs, output: Path) -> None:
        """Denoise and generate, batch by batch."""
        model = load_arm(self.checkpoint, inputs, cache_dir=self.cache_dir)
        read = partial(sense, placements=self.placements, std=model.statistics.std)
        parts: dict[str, list[Tensor]] = {}
        names: dict[str, list[str]] = {"activity": [], "recording": [], "placements": list(self.placements)}
        for batch, activity, recording in self.windows.batches(self.cache_dir):
            found = {"length": batch.lengths, "peak": measure_peak_acceleration(batch.features, batch.lengths)}
            for name, squares in paired_errors_in_all_spaces(model, batch).items():
                found |= {name: squares.sums, f"{name}_count": squares.counts}
            found["recorded"] = _magnitudes(batch.features, batch.lengths)
            found["force_recorded"], found["rate_recorded"] = read(batch.features, batch.lengths)
            samples, sensed = [], []
            for sample in range(self.samples):
                features = model.generate(
                    batch.captions,
                    num_frames=batch.lengths.tolist(),
                    **asdict(self.sampling),
                    seeds=[derive_seed(number, sample) % 2**62 for number in batch.sample_id.tolist()],
                )
                padded = torch.zeros_like(batch.features)
                padded[:, : features.shape[1]] = features
                samples.append(_magnitudes(padded, batch.lengths, std=model.statistics.std))
                sensed.append(read(padded, batch.lengths))
            found["generated"] = torch.stack(samples, dim=1)
            for name, values in zip(("force_generated", "rate_generated"), zip(*sensed, strict=True), strict=True):
                found[name] = torch.stack(values, dim=1)
            for name, value in found.items():
                parts.setdefault(name, []).append(value)
            names["activity"] += activity
            names["recording"] += recording
        numbers = {name: torch.cat(values).numpy() for name, values in parts.items()}
        save_arrays(
            output / MEASURED, numbers | {name: np.array(value, dtype=np.str_) for name, value in names.items()}
        )


def _magnitudes(features: Tensor, lengths: Tensor, *, std: Tensor | None = None) -> Tensor:
    """Return magnitudes of joint accelerations ``(B, T-2, 22)`` [m/s^2], nan beyond each length."""
    size = joint_acceleration(features, fps=FEATURE_FPS, std=std, lengths=lengths).norm(dim=-1)
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
    sensed: Sensed


def read_measured(folder: Path) -> Measured:
    """Read what :class:`Measure` wrote."""
    with np.load(folder / MEASURED, allow_pickle=False) as data:
        plain = {name: data[name] for name in ("peak", "length", "activity", "recording", "generated", "recorded")}
        return Measured(
            {name: data[name] for name in SPACES},
            {name: data[f"{name}_count"] for name in SPACES},
            **plain,
            sensed=Sensed.from_arrays(data),
        )
