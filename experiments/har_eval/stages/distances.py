"""How far virtual signals are from real ones, per activity: magnitudes, spectrum, peaks; and each sensor's windows.

The real side is the training people, and everybody where each is tested in turn. Nothing is fitted on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from datamodules.har.windows.window_set import WindowSet
from experiments.har_eval.stages.real import RealWindows, draw_per_class, load_real
from experiments.har_eval.stages.simulate import Simulate, load_virtual
from experiments.pipeline.files import Json, write_json
from experiments.pipeline.tasks import Inputs, Task
from lightning_modules.metrics.acceleration_distance import acceleration_distance, mean_spectrum
from lightning_modules.metrics.signal_fidelity import compare_signals

DISTANCES = "distances.json"
COMPARED_PER_CLASS = 300
"""Windows of each class and side that are compared: distributions do not sharpen beyond that."""
FIDELITY_PER_CLASS = 200
"""The same for what compares each window with each other."""


@dataclass(frozen=True)
class Distances(Task):
    """Distances of one arm's virtual windows from a real set's training people: ``distances.json``.

    Attributes:
        virtual: the arm's windows.
        real: the set.
    """

    stage: ClassVar[str] = "distances"
    stage_title: ClassVar[str] = "measuring distributions"
    virtual: Simulate
    real: RealWindows

    @property
    def title(self) -> str:
        """The set, the arm and the seed."""
        return f"{self.real.title}, {self.virtual.motions.title}"

    def run(self, inputs: Inputs, output: Path) -> None:
        """Compare the magnitudes of each activity."""
        everything = load_virtual(inputs[self.virtual], self.real.classes), load_real(inputs[self.real])[0]
        virtual, real = (
            draw_per_class(windows, COMPARED_PER_CLASS, generator=np.random.default_rng(0)) for windows in everything
        )
        table: dict[str, Json] = {}
        for label, activity in enumerate(real.classes):
            ours, theirs = (magnitudes(side, label) for side in (virtual, real))
            if not ours or not theirs:
                table[activity] = None
                continue
            distance = acceleration_distance(ours, theirs, fps=real.rate_hz)
            # Peaks of the moving part: with gravity in it, a ratio of magnitudes would say little.
            moving, reference_moving = (np.concatenate([s - s.mean() for s in side]) for side in (ours, theirs))
            peaks = [np.percentile(np.abs(side), 99) for side in (moving, reference_moving)]
            frequency, density = mean_spectrum(ours, fps=real.rate_hz)
            _, expected = mean_spectrum(theirs, fps=real.rate_hz)
            table[activity] = {
                "fidelity": _compare_sensors(virtual, real, label),
                "wasserstein_m_s2": distance.wasserstein_m_s2,
                "psd_log10": distance.psd_log10,
                "peak_m_s2": float(peaks[0]),
                "real_peak_m_s2": float(peaks[1]),
                "peak_ratio": float(peaks[0] / peaks[1]),
                "spectrum": {
                    "frequency_hz": frequency.tolist(),
                    "virtual_density": density.tolist(),
                    "real_density": expected.tolist(),
                },
            }
        write_json(table, output / DISTANCES)


def _compare_sensors(virtual: WindowSet, real: WindowSet, label: int) -> dict[str, Json]:
    """Compare windows of a class sensor by sensor, such as ``accel`` or ``chest.gyro``: measure -> value, low, high."""
    generator = np.random.default_rng(1)
    sides = [
        draw_per_class(windows.select(windows.labels == label), FIDELITY_PER_CLASS, generator=generator)
        for windows in (virtual, real)
    ]
    table: dict[str, Json] = {}
    for start, name in enumerate(real.channels[::3]):
        part = slice(3 * start, 3 * start + 3)
        one = [
            WindowSet(
                side.signals[..., part],
                side.labels,
                side.subjects,
                side.recording,
                side.classes,
                side.channels[part],
                side.rate_hz,
            )
            for side in sides
        ]
        found = compare_signals(one[0], one[1])
        table[name.removesuffix("_x")] = {
            measure: None if estimate is None else list(estimate) for measure, estimate in found.items()
        }
    return table


def magnitudes(windows: WindowSet, label: int) -> list[NDArray[np.float64]]:
    """Return the acceleration magnitude of each window of a class, ``(T,)`` each [m/s^2]; of several sites the first's.

    Raises:
        ValueError: the windows hold no acceleration.
    """
    columns = [index for index, name in enumerate(windows.channels) if "accel_" in name][:3]
    if len(columns) != 3:
        raise ValueError(f"channels are {windows.channels}, expected an acceleration among them")
    chosen = windows.signals[windows.labels == label][:, :, columns].astype(np.float64)
    return list(np.linalg.norm(chosen, axis=-1))
