"""How far virtual accelerations are from real ones, per activity: magnitudes, spectrum, peaks.

The real side is the training people; nobody from the test set is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from datamodules.har.window_set import WindowSet
from experiments.har_eval_stages.files import Json, load_windows, write_json
from experiments.har_eval_stages.real import RealWindows, load_real
from experiments.har_eval_stages.simulate import WINDOWS, Simulate
from experiments.stages import Inputs, Task
from lightning_modules.distribution_metrics import acceleration_distance, mean_spectrum

DISTANCES = "distances.json"


@dataclass(frozen=True)
class Distances(Task):
    """Distances of one arm's virtual windows from a real set's training people: ``distances.json``.

    Attributes:
        virtual: the arm's windows.
        real: the set.
    """

    stage: ClassVar[str] = "distances"
    doing: ClassVar[str] = "measuring distributions"
    virtual: Simulate
    real: RealWindows

    @property
    def unit(self) -> str:
        """The set, the arm and the seed."""
        return self.virtual.unit

    def run(self, inputs: Inputs, output: Path) -> None:
        """Compare the magnitudes of each activity."""
        virtual = load_windows(inputs[self.virtual] / WINDOWS)
        real, _ = load_real(inputs[self.real])
        table: dict[str, Json] = {}
        for label, activity in enumerate(real.classes):
            ours, theirs = (magnitudes(side, label) for side in (virtual, real))
            if not ours or not theirs:
                table[activity] = None
                continue
            distance = acceleration_distance(ours, theirs, fps=real.rate_hz)
            frequency, density = mean_spectrum(ours, fps=real.rate_hz)
            _, reference = mean_spectrum(theirs, fps=real.rate_hz)
            table[activity] = {
                **distance.as_dict(),
                "spectrum": {
                    "frequency_hz": frequency.tolist(),
                    "virtual": density.tolist(),
                    "real": reference.tolist(),
                },
            }
        write_json(table, output / DISTANCES)


def magnitudes(windows: WindowSet, label: int) -> list[NDArray[np.float64]]:
    """Return the acceleration magnitude of each window of a class, ``(T,)`` each [m/s^2].

    Raises:
        ValueError: the windows hold no acceleration.
    """
    columns = [index for index, name in enumerate(windows.channels) if "accel_" in name][:3]
    if len(columns) != 3:
        raise ValueError(f"channels are {windows.channels}, expected an acceleration among them")
    chosen = windows.signals[windows.labels == label][:, :, columns].astype(np.float64)
    return list(np.linalg.norm(chosen, axis=-1))
