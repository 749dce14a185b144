"""Recording: one stretch of real sensor data as every reader returns it, in SI units with stated axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Recording:
    """What real sensors wrote, converted by a reader to SI units.

    Attributes:
        accel: acceleration in the sensor frame ``(T, S, 3)`` [m/s^2]; specific force (rest reads +9.80665 along up)
            when ``gravity_included``, gravity-free otherwise.
        gyro: angular rate in the sensor frame ``(T, S, 3)`` [rad/s], or None if the set has no gyroscope.
        gravity_included: whether ``accel`` carries gravity.
        rate_hz: samples per second [Hz].
        labels: one activity for the whole recording, or one per sample ``(T,)``; empty string where unlabelled.
        subject: who wore the sensors, as the set names them; None where the set does not say.
        trial: what tells recordings of one subject apart.
        placements: name of each of the S sites, in ``sim.placements`` preset vocabulary.
        mounting: how each sensor's axes lie on the body in words, with the source of that knowledge.
    """

    accel: NDArray[np.float32]
    gyro: NDArray[np.float32] | None
    gravity_included: bool
    rate_hz: float
    labels: str | NDArray[np.str_]
    subject: str | None
    trial: str
    placements: Sequence[str]
    mounting: str

    def __post_init__(self) -> None:
        shape = self.accel.shape
        if len(shape) != 3 or shape[1:] != (len(self.placements), 3):
            raise ValueError(
                f"accel of {self.trial} has shape {shape}, expected (T, {len(self.placements)}, 3) for placements "
                f"{list(self.placements)}; correct the reader"
            )
        if self.gyro is not None and self.gyro.shape != shape:
            raise ValueError(f"gyro of {self.trial} has shape {self.gyro.shape}, expected {shape} like accel")
        if not self.rate_hz > 0:
            raise ValueError(
                f"sampling rate of {self.trial} is {self.rate_hz} Hz, expected > 0; check the header or pass "
                "rate_hz=..."
            )
        if not isinstance(self.labels, str) and self.labels.shape != shape[:1]:
            raise ValueError(f"labels of {self.trial} have shape {self.labels.shape}, expected {shape[:1]}")
