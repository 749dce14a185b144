"""Recording: one stretch of real sensor data as every reader returns it, in SI units with stated axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TimingReport:
    """What was wrong with the clock and the samples of a source, and what the reader made of it.

    A source that was split at gaps gives several recordings; they share one report.

    Attributes:
        native_rate_hz: samples per second in the source, from the median step [Hz].
        jitter_s: standard deviation of the steps, gaps left out [s].
        gaps: steps longer than allowed; the recording is split there.
        gap_s: their length in all [s].
        bridged: steps longer than one and a half usual ones but within what is allowed; interpolated over.
        duplicates: samples with a time stamp that another sample of the track has; averaged.
        disordered: samples that came after a later one; sorted.
        filled: missing samples of a sensor that were interpolated, since their run was short.
        missing: missing samples of a sensor that stay NaN.
        dead: samples in runs of exact zeros, which no accelerometer writes; they are among those missing or filled.
        resampled: whether the samples were interpolated onto an even grid; False leaves values as they were.
    """

    native_rate_hz: float
    jitter_s: float = 0.0
    gaps: int = 0
    gap_s: float = 0.0
    bridged: int = 0
    duplicates: int = 0
    disordered: int = 0
    filled: int = 0
    missing: int = 0
    dead: int = 0
    resampled: bool = False


@dataclass(frozen=True)
class Recording:
    """What real sensors wrote, converted by a reader to SI units.

    Attributes:
        accel: acceleration in the sensor frame ``(T, S, 3)`` [m/s^2]; specific force (rest reads +9.80665 along up)
            when ``gravity_included``, gravity-free otherwise.
        gyro: angular rate in the sensor frame ``(T, S, 3)`` [rad/s], NaN at a site without a gyroscope, or None if no
            site has one.
        gravity_included: whether ``accel`` carries gravity.
        rate_hz: samples per second [Hz].
        labels: one activity for the whole recording, or one per sample ``(T,)``; empty string where unlabelled.
        subject: who wore the sensors, as the set names them; None where the set does not say.
        trial: what tells recordings of one subject apart.
        placements: name of each of the S sites, in ``sim.placements`` preset vocabulary.
        mounting: how each sensor's axes lie on the body in words, with the source of that knowledge.
        source: the file or files it was read from; empty string where a reader does not say.
        timing: what the reader found and mended; None for a set that comes as an even grid without gaps.
        begin_s: time of the first sample, counted from the first of the source, which gaps may have split [s].
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
    source: str = ""
    timing: TimingReport | None = None
    begin_s: float = 0.0

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


UNKNOWN_SUBJECT = ""
"""What ``subjects`` holds where a set does not say who wore the sensors."""
