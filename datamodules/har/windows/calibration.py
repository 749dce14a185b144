"""Calibrate virtual windows by those of some real people: turn each site as they wear it, map each channel's quantiles.

Turn: the rotation that brings the mean specific force of each class, which gravity rules, onto that of the people;
Wahba's problem (Wahba 1965, doi 10.1137/1007077) by a singular value decomposition (Markley 1988, J. Astronaut. Sci.
36(3)), with a small weight on not turning: what the means of these classes do not tell stays as it was simulated.

Quantiles: each channel's value moves to the people's value of the same rank, the distribution mapping of IMUTube (Kwon
et al. 2020, doi 10.1145/3411841, section 3.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from datamodules.har.windows.window_set import WindowSet
from sim.names import check_name

CALIBRATIONS: Final = ("turn", "quantiles")
"""What can be calibrated, in the order in which it is done."""

_LEVELS: Final = np.linspace(0.005, 0.995, 100)
_STAY: Final = 0.01
"""Weight on not turning beside 1 for all classes: that of a direction which means stray from by a tenth of a radian."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """What was fitted on people, to be applied to virtual windows.

    Attributes:
        people: whom it was fitted on, each once, sorted.
        turns: by site, the empty word for the only one: rotation ``(3, 3)`` of its axes; empty for none.
        ranks: quantiles of each channel, turned, of the virtual windows and of the people ``(2, Q, C)``; None for none.
    """

    people: tuple[str, ...]
    turns: dict[str, Array]
    ranks: Array | None

    @property
    def turn_deg(self) -> dict[str, float]:
        """Angle of the turn at each site [deg]."""
        return {
            site: float(np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))))
            for site, turn in self.turns.items()
        }

    def apply(self, windows: WindowSet) -> WindowSet:
        """Return windows of the same channels, calibrated."""
        signals = windows.signals.astype(np.float64)
        for start, site in enumerate(_sites(windows)):
            if site in self.turns:
                part = slice(3 * start, 3 * start + 3)
                signals[..., part] = signals[..., part] @ self.turns[site].T
        if self.ranks is not None:
            ours, theirs = self.ranks
            for channel in range(signals.shape[2]):
                signals[..., channel] = _map_ranks(signals[..., channel], ours[:, channel], theirs[:, channel])
        return WindowSet.of(signals.astype(np.float32), windows.index)


def fit_calibration(virtual: WindowSet, people: WindowSet, parts: Sequence[str]) -> Calibration:
    """Fit what brings virtual windows to people's; classes that both have count equally, and each person within one.

    Args:
        virtual: windows to calibrate, in SI units.
        people: windows of whoever may be fitted on, of the same classes and channels.
        parts: which of :data:`CALIBRATIONS`.

    Raises:
        ValueError: a part is unknown, the two do not fit together or share no class, or a turn is asked of windows
            without specific force (``accel``).
    """
    for part in parts:
        check_name(part, CALIBRATIONS, "calibration")
    people.check_compatible(virtual, "virtual")
    shared = np.flatnonzero((virtual.counts() > 0) & (people.counts() > 0))
    if len(shared) == 0:
        raise ValueError(f"virtual windows and people's share none of {list(people.classes)}, expected one or more")
    found = Calibration(
        tuple(sorted({str(name) for name in people.subjects})),
        _fit_turns(virtual, people, shared) if "turn" in parts else {},
        None,
    )
    if "quantiles" not in parts:
        return found
    count = int(min(min(side.counts()[shared]) for side in (virtual, people)))
    sides = [_spread(side, shared, count) for side in (found.apply(virtual), people)]
    return Calibration(found.people, found.turns, np.stack([_quantiles(side) for side in sides]))


def _sites(windows: WindowSet) -> list[str]:
    """Site of each triple of channels; the empty word where there is but one."""
    return [name.rpartition(".")[0] for name in windows.channels[::3]]


def _fit_turns(virtual: WindowSet, people: WindowSet, shared: NDArray[np.int64]) -> dict[str, Array]:
    turns: dict[str, Array] = {}
    for start, (site, name) in enumerate(zip(_sites(virtual), virtual.channels[::3], strict=True)):
        if name.rpartition(".")[2] != "accel_x":
            continue
        ours, theirs = (_mean_forces(side, slice(3 * start, 3 * start + 3), shared) for side in (virtual, people))
        # Vectors of one length each: a class counts by its direction, not by how strongly it shakes.
        u, _, v = np.linalg.svd(theirs.T @ ours / len(shared) + _STAY * np.eye(3))
        turns[site] = u @ np.diag([1.0, 1.0, np.linalg.det(u @ v)]) @ v
    absent = sorted(set(_sites(virtual)) - turns.keys())
    if absent:
        raise ValueError(f"channels are {list(virtual.channels)}, expected accel of every site: gravity tells the turn")
    return turns


def _mean_forces(windows: WindowSet, part: slice, shared: NDArray[np.int64]) -> Array:
    """Direction of the mean specific force of each class, the mean of its people's means ``(K, 3)``."""
    by_window = windows.signals[..., part].astype(np.float64).mean(axis=1)
    means = []
    for label in shared:
        mine = windows.labels == label
        people = windows.subjects[mine]
        mean = np.mean([by_window[mine][people == person].mean(axis=0) for person in np.unique(people)], axis=0)
        means.append(mean / max(float(np.linalg.norm(mean)), 1e-9))
    return np.stack(means)


def _spread(windows: WindowSet, shared: NDArray[np.int64], count: int) -> WindowSet:
    """As many windows of each class, spread evenly over its people."""
    chosen = []
    for label in shared:
        mine = np.flatnonzero(windows.labels == label)
        mine = mine[np.argsort(windows.subjects[mine], kind="stable")]
        chosen.append(mine[np.linspace(0, len(mine) - 1, count).round().astype(np.int64)])
    return windows.select(np.concatenate(chosen))


def _quantiles(windows: WindowSet) -> Array:
    return np.quantile(windows.signals.astype(np.float64).reshape(-1, windows.num_channels), _LEVELS, axis=0)


def _map_ranks(values: Array, ours: Array, theirs: Array) -> Array:
    """Map values by their rank; what lies beyond the outermost quantiles is shifted as these are."""
    mapped = np.interp(values, ours, theirs)
    mapped = np.where(values < ours[0], values + theirs[0] - ours[0], mapped)
    return np.where(values > ours[-1], values + theirs[-1] - ours[-1], mapped)
