"""Compare how gravity turns in a sensor with what its gyroscope says: units, sense and axes of both at once.

A direction u that is fixed in the world turns in the sensor frame as du/dt = -omega x u. With omega = P w for what the
gyroscope wrote, w, the right side is linear in P, so sums over a whole set decide between all ways P of setting axes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

SETTINGS = tuple(
    np.array([[sign * (place == axis) for axis in range(3)] for place, sign in zip(places, signs, strict=True)])
    for places in permutations(range(3))
    for signs in product((1.0, -1.0), repeat=3)
)
"""The 48 ways to set three axes, mirrored ones included; the first leaves them as they are."""

_CALM = 0.05
"""How far from the usual norm, and how restless within a window, acceleration may be to count as gravity."""

_AS_WELL = 0.02
"""Difference of correlation that decides nothing."""


@dataclass(frozen=True)
class AxisSetting:
    """How well a gyroscope, its axes set in some way, turns gravity as the accelerometer sees it.

    Attributes:
        setting: way of setting its axes ``(3, 3)``.
        correlation: between the two turnings, 1 where they agree; NaN where there is nothing to compare.
        scale: what to multiply the gyroscope by for the best fit.
    """

    setting: NDArray[np.float64]
    correlation: float
    scale: float


@dataclass
class GyroAgreement:
    """Sums over windows of a quarter of a second in which acceleration is gravity and little else.

    They are those of the normal equations of ``du/dt = A p``, p the nine entries of P.

    Attributes:
        windows: how many.
        gram: sum of ``A^T A`` ``(9, 9)``.
        cross: sum of ``A^T du/dt`` ``(9,)``.
        power: sum of the squares of ``du/dt``.
    """

    windows: int = 0
    gram: NDArray[np.float64] = field(default_factory=lambda: np.zeros((9, 9)))
    cross: NDArray[np.float64] = field(default_factory=lambda: np.zeros(9))
    power: float = 0.0

    def add(self, accel: NDArray[np.float64], gyro: NDArray[np.float64], rate_hz: float) -> None:
        """Take one recording of a site into account.

        Args:
            accel: ``(T, 3)``, in any unit.
            gyro: ``(T, 3)``, in any unit.
            rate_hz: samples per second [Hz].
        """
        up_rate, rate, up = _calm_turns(accel, gyro, rate_hz)
        if len(up) == 0:
            return
        unit = -np.cross(np.eye(3)[None], up[:, None])  # (windows, i, component): turning about axis i
        parts = np.einsum("tik,tj->tkij", unit, rate).reshape(len(up), 3, 9)
        self.windows += len(up)
        self.gram += np.einsum("tka,tkb->ab", parts, parts)
        self.cross += np.einsum("tka,tk->a", parts, up_rate)
        self.power += float((up_rate**2).sum())

    def of_setting(self, setting: NDArray[np.float64] = SETTINGS[0]) -> AxisSetting:
        """How well the two agree if the gyroscope's axes are set in that way."""
        entries = setting.ravel()
        cross, explained = float(self.cross @ entries), float(entries @ self.gram @ entries)
        if explained <= 0 or self.power <= 0:
            return AxisSetting(setting, float("nan"), float("nan"))
        return AxisSetting(setting, cross / float(np.sqrt(self.power * explained)), cross / explained)

    def best(self) -> AxisSetting:
        """The setting of axes that agrees best; of those that agree as well, the one that changes least."""
        found = [each for each in map(self.of_setting, SETTINGS) if not np.isnan(each.correlation)]
        if not found:
            return self.of_setting()
        top = max(each.correlation for each in found)
        return min((each for each in found if each.correlation > top - _AS_WELL), key=_count_changes)


def _count_changes(found: AxisSetting) -> int:
    """0 for the axes as they are, then all three turned round, one, two, and last those that change places."""
    kept = np.diag(found.setting)
    return {3.0: 0, -3.0: 1, 1.0: 2, -1.0: 3}.get(float(kept.sum()), 4) if np.abs(kept).all() else 4


def _calm_turns(
    accel: NDArray[np.float64], gyro: NDArray[np.float64], rate_hz: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """How up turns [1/s], the mean rate as written, and up itself, each ``(N, 3)``, at calm windows."""
    width = max(1, round(0.25 * rate_hz))
    count = len(accel) // width
    if count < 5:
        return np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3))
    cut = accel[: count * width].reshape(count, width, 3)
    slow, rate = cut.mean(axis=1), gyro[: count * width].reshape(count, width, 3).mean(axis=1)
    norms = np.linalg.norm(slow, axis=1)
    usual = np.median(norms[np.isfinite(norms)]) if np.isfinite(norms).any() else 0.0
    if not usual > 0:
        return np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3))
    restless = np.linalg.norm(cut.std(axis=1), axis=1)
    calm = (np.abs(norms - usual) < _CALM * usual) & (restless < _CALM * usual)
    up = slow / np.where(norms > 0, norms, np.nan)[:, None]
    up_rate = (up[2:] - up[:-2]) * (rate_hz / (2 * width))
    mean_rate = (rate[:-2] + 2 * rate[1:-1] + rate[2:]) / 4
    good = calm[2:] & calm[1:-1] & calm[:-2]
    good &= np.isfinite(up_rate).all(axis=1) & np.isfinite(mean_rate).all(axis=1)
    return up_rate[good], mean_rate[good], up[1:-1][good]
