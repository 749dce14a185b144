"""What recordings say about themselves: minutes, clipping, gravity at rest, the axis that points up, gyroscope scale.

Nothing here trusts the units: rest is found by labels, or by calm relative to the set's own motion.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from datamodules.har.activities import broaden
from datamodules.har.inspection.gravity_turning import GyroAgreement
from datamodules.har.inspection.plausible_values import PlausibleValues
from datamodules.har.recordings.missing import runs_of
from datamodules.har.recordings.recording import Recording

REST = ("standing", "sitting", "lying")
"""Activities, finer ones included, in which a sensor reads gravity and little else."""

_MIN_CLIP = {"accel": 15.0, "gyro": 3.0}
"""From here on a flat top is the end of a range [m/s^2], [rad/s]."""

_FEWEST_FROZEN = 10
"""Equal samples that are no coincidence, of a sensor of few samples a second."""

_STILL = {"accel": 10.5, "gyro": 0.5}
"""A flat top below this is a still sensor; between the two, only one that outnumbers what comes near it counts."""


@dataclass
class SiteHealth:
    """Sums over all recordings of one site; the properties read them.

    Attributes:
        samples: samples of the accelerometer.
        missing: of them, NaN.
        repeated: of them, equal to the one before.
        frozen_s: length of each stretch of a second or more in which no sensor of the site changes [s].
        clipped: samples in flat tops at the end of a range, by sensor.
        largest: largest value by sensor [m/s^2], [rad/s].
        rest_norms: median norm of each second of rest [m/s^2].
        calm_norms: median norm of the calmest second of each recording [m/s^2], for sets without labels of rest.
        standing: subject -> mean acceleration of each of their recordings of standing, ``(3,)`` each [m/s^2].
        gravity_included: what the reader says.
        gyro_agreement: how gravity turns, and how the gyroscope says it does.
        values: what no sensor writes.
    """

    samples: int = 0
    missing: int = 0
    repeated: int = 0
    frozen_s: list[float] = field(default_factory=list)
    clipped: Counter[str] = field(default_factory=Counter)
    largest: dict[str, float] = field(default_factory=dict)
    rest_norms: list[NDArray[np.float64]] = field(default_factory=list)
    calm_norms: list[float] = field(default_factory=list)
    standing: dict[str, list[NDArray[np.float64]]] = field(default_factory=lambda: defaultdict(list))
    gravity_included: bool = True
    gyro_agreement: GyroAgreement = field(default_factory=GyroAgreement)
    values: PlausibleValues = field(default_factory=PlausibleValues)

    @property
    def rest_norm(self) -> float:
        """Median norm of acceleration at rest [m/s^2]; NaN if nothing was at rest."""
        if self.rest_norms:
            return float(np.median(np.concatenate(self.rest_norms)))
        return float(np.median(self.calm_norms)) if self.calm_norms else float("nan")

    def up_axis(self) -> tuple[str, float, float] | None:
        """Axis nearest to up in standing, such as ``-x``, how far up is from it [deg], and how far single people's up
        is from the mean one at most [deg]; None where nobody stands or gravity is not in it.
        """
        if not self.standing or not self.gravity_included:
            return None
        ups = [_unit(np.mean(means, axis=0)) for means in self.standing.values()]
        mean = _unit(np.mean(ups, axis=0))
        axis = int(np.abs(mean).argmax())
        spread = max(float(np.degrees(np.arccos(np.clip(up @ mean, -1, 1)))) for up in ups)
        name = ("+" if mean[axis] > 0 else "-") + "xyz"[axis]
        return name, float(np.degrees(np.arccos(min(1.0, abs(mean[axis]))))), spread


@dataclass
class SetHealth:
    """Sums over all recordings of a set.

    Attributes:
        minutes: subject and label -> minutes.
        rates_hz: rate of the recordings -> how many.
        recordings: how many.
        sites: placement -> its health.
    """

    minutes: Counter[tuple[str, str]] = field(default_factory=Counter)
    rates_hz: Counter[float] = field(default_factory=Counter)
    recordings: int = 0
    sites: dict[str, SiteHealth] = field(default_factory=dict)

    @classmethod
    def of(cls, recordings: Iterable[Recording]) -> SetHealth:
        """Go over recordings once, keeping none of them."""
        health = cls()
        for recording in recordings:
            health.add(recording)
        return health

    def add(self, recording: Recording) -> None:
        """Take one recording into account."""
        self.recordings += 1
        self.rates_hz[recording.rate_hz] += 1
        labels = recording.labels
        if isinstance(labels, str):
            labels = np.full(len(recording.accel), labels)
        subject = "unknown" if recording.subject is None else recording.subject
        names, counts = np.unique(labels, return_counts=True)
        for name, count in zip(names, counts, strict=True):
            self.minutes[subject, str(name)] += count / recording.rate_hz / 60
        for index, placement in enumerate(recording.placements):
            site = self.sites.setdefault(placement, SiteHealth(gravity_included=recording.gravity_included))
            accel = recording.accel[:, index].astype(np.float64)
            gyro = None if recording.gyro is None else recording.gyro[:, index].astype(np.float64)
            _count_samples(site, accel, gyro)
            site.frozen_s += _find_frozen(accel, gyro, recording.rate_hz)
            site.values.add(accel, gyro, recording.rate_hz)
            _find_rest(site, accel, labels, subject, recording.rate_hz)
            if gyro is not None and recording.gravity_included:
                site.gyro_agreement.add(accel, gyro, recording.rate_hz)


def _count_samples(site: SiteHealth, accel: NDArray[np.float64], gyro: NDArray[np.float64] | None) -> None:
    site.samples += len(accel)
    site.missing += int((~np.isfinite(accel).all(axis=1)).sum())
    site.repeated += int((np.diff(accel, axis=0) == 0).all(axis=1).sum())
    for kind, values in (("accel", accel), ("gyro", gyro)):
        if values is None or not np.isfinite(values).any():
            continue
        largest = float(np.nanmax(np.abs(values)))
        site.largest[kind] = max(site.largest.get(kind, 0.0), largest)
        if largest >= _STILL[kind]:
            site.clipped[kind] += _flat_tops(values, _STILL[kind], _MIN_CLIP[kind])


def _find_frozen(accel: NDArray[np.float64], gyro: NDArray[np.float64] | None, rate_hz: float) -> Iterator[float]:
    """Lengths of stretches of a second or more in which nothing changes, not by a sensor's own noise [s]."""
    known = gyro is not None and bool(np.isfinite(gyro).any())
    values = np.concatenate([accel, gyro], axis=1) if gyro is not None and known else accel
    for a, b in runs_of((np.diff(values, axis=0) == 0).all(axis=1)):
        if b - a + 1 >= max(rate_hz, _FEWEST_FROZEN):
            yield (b - a + 1) / rate_hz


def _flat_tops(values: NDArray[np.float64], least: float, sure: float) -> int:
    """Samples in runs of three or more that stay at an axis' own extreme."""
    count = 0
    for column in np.nan_to_num(values).T:
        for extreme in {column.max(), column.min()}:
            at_end = np.abs(column - extreme) <= 1e-4 * abs(extreme)
            if at_end.sum() < 3 or abs(extreme) < max(least, 0.5 * np.abs(column).max()):
                continue
            flat = sum(b - a for a, b in runs_of(at_end) if b - a >= 3)
            near = int((np.abs(column - extreme) <= 0.03 * abs(extreme)).sum() - at_end.sum())
            if abs(extreme) >= sure or flat > near:
                count += flat
    return count


def _find_rest(
    site: SiteHealth, accel: NDArray[np.float64], labels: NDArray[np.str_], subject: str, rate_hz: float
) -> None:
    norms = np.linalg.norm(accel, axis=1)
    length = max(2, round(rate_hz))
    for name in np.unique(labels):
        if broaden(str(name), REST) in REST:
            chosen = norms[labels == name]
            whole = (
                chosen[: len(chosen) // length * length].reshape(-1, length) if len(chosen) >= length else chosen[None]
            )
            site.rest_norms.append(np.median(whole[np.isfinite(whole).all(axis=1)], axis=1))
        if str(name) == "standing":
            mean = np.nanmean(accel[labels == name], axis=0) if np.isfinite(accel[labels == name]).any() else None
            if mean is not None and np.isfinite(mean).all():
                site.standing[subject].append(mean)
    windows = norms[: len(norms) // length * length].reshape(-1, length)
    windows = windows[np.isfinite(windows).all(axis=1)]
    if len(windows):
        site.calm_norms.append(float(np.median(windows[windows.std(axis=1).argmin()])))


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
