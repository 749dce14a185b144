"""Values that no wearable sensor writes: codes for missing ones, dead axes, gyroscopes that never move or rest."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import welch

BEYOND: Final[dict[str, float]] = {"accel": 490.0, "gyro": 100.0}
"""Beyond every range that wearable sensors have: 50 g, 5700 deg/s [m/s^2], [rad/s]."""

FEWEST: Final[int] = 50
"""Samples from which on an axis that never changes is a dead one."""

CALM_M_S2: Final[float] = 0.15
"""How restless acceleration may be within a second of rest [m/s^2]."""

NEVER_MOVES: Final = "the gyroscope never reads more"

_MOST: Final = 0.5
_SECONDS: Final = 4.0
_MOVES: Final = 1e-2
_FLOOR: Final = 1e-7
"""Power densities [(m/s^2)^2/Hz] that a moving person exceeds at 1 to 5 Hz, and that no sensor's own noise is below."""


@dataclass
class PlausibleValues:
    """Sums over all recordings of one site.

    Attributes:
        recordings: recordings of each sensor that are long enough to tell, by sensor.
        samples: samples with a value, by sensor.
        beyond: of them, those beyond every range, by sensor.
        furthest: the value that is furthest out, by sensor.
        alike: samples of the accelerometer whose three axes are the same number, by that number.
        dead: recordings in which an axis never changes though another does, by sensor and axis.
        gyro_samples: samples of a gyroscope, missing ones included.
        gyro_present: of them, those that have a value.
        gyro_at_rest: norm of the gyroscope in the calmest second of each recording [rad/s].
        power: summed power density of acceleration ``(F,)``, by rate of the recording [(m/s^2)^2/Hz].
    """

    recordings: Counter[str] = field(default_factory=Counter)
    samples: Counter[str] = field(default_factory=Counter)
    beyond: Counter[str] = field(default_factory=Counter)
    furthest: dict[str, float] = field(default_factory=dict)
    alike: Counter[float] = field(default_factory=Counter)
    dead: Counter[tuple[str, str]] = field(default_factory=Counter)
    gyro_samples: int = 0
    gyro_present: int = 0
    gyro_at_rest: list[float] = field(default_factory=list)
    power: dict[float, NDArray[np.float64]] = field(default_factory=dict)

    def add(self, accel: NDArray[np.float64], gyro: NDArray[np.float64] | None, rate_hz: float) -> None:
        """Take one recording into account: ``(T, 3)`` each [m/s^2], [rad/s], at a rate [Hz]."""
        for kind, values in (("accel", accel), ("gyro", gyro)):
            if values is not None:
                self._count(kind, values)
        same = (accel[:, 0] == accel[:, 1]) & (accel[:, 1] == accel[:, 2])
        self.alike.update(accel[same, 0].tolist())
        if gyro is not None:
            self.gyro_samples += len(gyro)
            self.gyro_present += int(np.isfinite(gyro).all(axis=1).sum())
            self._find_rest(accel, gyro, rate_hz)
        self._add_power(accel, rate_hz)

    def cutoff_hz(self) -> float | None:
        """Frequency from which on acceleration holds nothing, not even a sensor's noise [Hz]; None where it does.

        Looked at is the rate of which there is most; nobody has to rest, but somebody has to move.
        """
        if not self.power:
            return None
        rate_hz = max(self.power, key=lambda rate: float(self.power[rate].sum()))
        power = self.power[rate_hz]
        frequencies = np.linspace(0.0, rate_hz / 2, len(power))
        moving = power[(frequencies >= 1) & (frequencies <= 5)]
        if not len(moving) or moving.max() < _MOVES:
            return None
        # The last bin is half of one.
        full = np.flatnonzero(power[:-1] > _FLOOR)
        edge = float(frequencies[full[-1]]) if len(full) else 0.0
        return edge if edge < 0.8 * rate_hz / 2 else None

    def _count(self, kind: str, values: NDArray[np.float64]) -> None:
        known = values[np.isfinite(values).all(axis=1)]
        if not len(known):
            return
        out = np.abs(known).max(axis=1) > BEYOND[kind]
        self.samples[kind] += len(known)
        self.beyond[kind] += int(out.sum())
        furthest = float(known.flat[int(np.abs(known).argmax())])
        if abs(furthest) > abs(self.furthest.get(kind, 0.0)):
            self.furthest[kind] = furthest
        if len(known) < FEWEST:
            return
        self.recordings[kind] += 1
        spread = np.ptp(known, axis=0)
        for axis in np.flatnonzero(spread == 0) if spread.any() else ():
            self.dead[kind, "xyz"[axis]] += 1

    def _find_rest(self, accel: NDArray[np.float64], gyro: NDArray[np.float64], rate_hz: float) -> None:
        length = max(2, round(rate_hz))
        count = len(accel) // length
        if not count:
            return
        # All of acceleration, not its norm alone: what turns slowly is no rest.
        windows = accel[: count * length].reshape(count, length, 3)
        rates = np.linalg.norm(gyro, axis=1)[: count * length].reshape(count, length)
        good = np.isfinite(windows).all(axis=(1, 2)) & np.isfinite(rates).all(axis=1)
        if not good.any():
            return
        restless = np.linalg.norm(windows.std(axis=1), axis=1)
        calmest = int(np.where(good, restless, np.inf).argmin())
        if restless[calmest] < CALM_M_S2:
            self.gyro_at_rest.append(float(np.median(rates[calmest])))

    def _add_power(self, accel: NDArray[np.float64], rate_hz: float) -> None:
        length = round(_SECONDS * rate_hz)
        known = accel[np.isfinite(accel).all(axis=1)]
        if length < 16 or len(known) < 2 * length or len(known) < 0.9 * len(accel):
            return
        _, power = welch(known, fs=rate_hz, nperseg=length, axis=0)
        total = self.power.setdefault(rate_hz, np.zeros(len(power)))
        np.maximum(total, power.sum(axis=1), out=total)


def judge_values(found: PlausibleValues, *, gravity_included: bool) -> list[str]:
    """Say what looks wrong with the values of a site, in words."""
    warnings = []
    for kind, count in found.beyond.items():
        # Where most are, the unit is another one, which is told by rest and by turning.
        if 0 < count < _MOST * found.samples[kind]:
            unit = "m/s^2" if kind == "accel" else "rad/s"
            warnings.append(
                f"{kind} reads up to {found.furthest[kind]:.6g} {unit} in {count} samples, beyond any wearable's "
                "range: a code for missing values, or another unit"
            )
    for value, count in found.alike.most_common(2):
        if count >= 3 and (value != 0 or gravity_included) and abs(value) <= BEYOND["accel"]:
            warnings.append(f"accel reads {value:.6g} on all three axes in {count} samples: a code for missing values?")
    for (kind, axis), count in sorted(found.dead.items()):
        warnings.append(
            f"{kind}'s {axis} never changes in {count} of {found.recordings[kind]} recordings, though other axes do: "
            "it is dead, or a column is another one"
        )
    return warnings + _judge_gyro(found)


def _judge_gyro(found: PlausibleValues) -> list[str]:
    if found.gyro_samples and not found.gyro_present:
        return ["the gyroscope has no value in any sample: leave gyro out of the channels"]
    if not found.recordings["gyro"]:
        return []
    largest = abs(found.furthest.get("gyro", 0.0))
    if largest < 0.1:
        return [
            f"the gyroscope never reads more than {largest:.2g} rad/s: it does not move, or its unit is another one"
        ]
    rest = float(np.median(found.gyro_at_rest)) if found.gyro_at_rest else 0.0
    if rest > 0.3 and rest > 0.1 * largest:
        return [
            f"the gyroscope never rests: its norm is {rest:.2g} rad/s in the calmest seconds (largest {largest:.2g}); "
            "it is no angular rate, or has a large bias"
        ]
    return []
