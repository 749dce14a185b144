"""Turn what a reader parsed into recordings: onto one grid, gaps split, sites and sensors in their places."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from datamodules.har.recordings.missing import fill_missing, find_dead, runs_of
from datamodules.har.recordings.reading import Reading
from datamodules.har.recordings.recording import Recording, TimingReport
from datamodules.har.recordings.stamps import ClockRule, Track
from datamodules.har.recordings.timing import align_tracks

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RecordingFacts:
    """What a recording says about itself besides its samples; its attributes are those of a Recording."""

    subject: str | None
    trial: str
    mounting: str
    source: str
    gravity_included: bool = True


@dataclass(frozen=True)
class SensorTrack:
    """What one triaxial sensor wrote, in SI units.

    Attributes:
        placement: where it sat.
        kind: accelerometer or gyroscope.
        time_s: when ``(T,)`` [s]; sensors of one clock share the very same array.
        values: x, y, z ``(T, 3)`` [m/s^2] or [rad/s].
        numbers: the number that each sample carries ``(T,)``, where there is one; those of one clock share it.
    """

    placement: str
    kind: Literal["accel", "gyro"]
    time_s: NDArray[np.float64]
    values: NDArray[np.float64]
    numbers: NDArray[np.float64] | None = None


def drop_short_tracks(tracks: Sequence[SensorTrack], where: str) -> list[SensorTrack]:
    """Leave out sensors that fell silent early: a recording covers only what all of its sensors cover.

    Args:
        tracks: sensors with clocks of their own.
        where: what to call the source in the log, which names each that is left out.

    Returns:
        Those that cover at least half as long as the longest, and gyroscopes only beside an accelerometer.
    """
    spans = [float(np.ptp(track.time_s)) if len(track.time_s) else 0.0 for track in tracks]
    long = [track for track, span in zip(tracks, spans, strict=True) if span >= 0.5 * max(spans, default=0.0)]
    sites = {track.placement for track in long if track.kind == "accel"}
    kept = [track for track in long if track.placement in sites]
    for track, span in zip(tracks, spans, strict=True):
        if not any(track is each for each in kept):
            logger.warning(
                "%s: %s at %s left out, it covers %.1f of %.1f s", where, track.kind, track.placement, span, max(spans)
            )
    return kept


def record_tracks(
    tracks: Sequence[SensorTrack],
    labels: NDArray[np.str_] | str,
    facts: RecordingFacts,
    rule: ClockRule,
    reading: Reading,
) -> list[Recording]:
    """Recordings of sensors with time stamps: one, or several where gaps split it.

    Args:
        tracks: sensors; each site needs an accelerometer.
        labels: one for all samples, or one for each sample of the first track.
        facts: what to say about it.
        rule: what is known of the time stamps.
        reading: rules of this pass.

    Raises:
        ValueError: the time stamps cannot be used.
    """
    tracks, dead = _silence(tracks, facts)
    clocks: dict[int, list[SensorTrack]] = {}
    for track in tracks:
        clocks.setdefault(id(track.time_s), []).append(track)
    groups = list(clocks.values())
    joined = [
        Track(group[0].time_s, np.concatenate([each.values for each in group], axis=1), group[0].numbers)
        for group in groups
    ]
    stretches, report = align_tracks(joined, labels, rule, max_gap_s=reading.max_gap_s, where=facts.source)
    report = replace(report, dead=dead)
    sites = tuple(dict.fromkeys(track.placement for track in tracks if track.kind == "accel"))
    recordings = []
    for number, stretch in enumerate(stretches):
        shape = (len(stretch.labels), len(sites), 3)
        sensors = {kind: np.full(shape, np.nan, dtype=np.float32) for kind in ("accel", "gyro")}
        for group, values in zip(groups, stretch.values, strict=True):
            for index, track in enumerate(group):
                if track.placement in sites:
                    sensors[track.kind][:, sites.index(track.placement)] = values[:, 3 * index : 3 * index + 3]
        has_gyro = any(track.kind == "gyro" and track.placement in sites for track in tracks)
        recordings.append(
            Recording(
                accel=sensors["accel"],
                gyro=sensors["gyro"] if has_gyro else None,
                gravity_included=facts.gravity_included,
                rate_hz=rule.rate_hz,
                labels=labels if isinstance(labels, str) else stretch.labels,
                subject=facts.subject,
                trial=facts.trial if len(stretches) == 1 else f"{facts.trial}/{number}",
                placements=sites,
                mounting=facts.mounting,
                source=facts.source,
                timing=report,
                begin_s=stretch.begin_s,
            )
        )
    return recordings


def record_even(
    accel: NDArray[np.floating],
    gyro: NDArray[np.floating] | None,
    labels: NDArray[np.str_] | str,
    facts: RecordingFacts,
    *,
    placements: Sequence[str],
    rate_hz: float,
    reading: Reading,
) -> Recording:
    """Recording of a set without time stamps, whose samples are even by its own account.

    Args:
        accel: ``(T, S, 3)`` [m/s^2].
        gyro: ``(T, S, 3)`` [rad/s], or None.
        labels: one, or one for each sample.
        facts: what to say about it.
        placements: S sites.
        rate_hz: nominal rate [Hz].
        reading: rules of this pass.

    Raises:
        ValueError: there is no sample.
    """
    if len(accel) == 0:
        raise ValueError(f"{facts.source} holds no sample, expected some; download it anew")
    max_run = reading.max_run(rate_hz)
    dead = find_dead(accel) if facts.gravity_included else np.zeros(accel.shape[:-1], dtype=bool)
    if dead.any():
        accel = np.where(dead[..., None], np.nan, accel)
        gyro = None if gyro is None else np.where((dead & (gyro == 0).all(axis=-1))[..., None], np.nan, gyro)
    accel, filled, missing = _mend(accel, max_run)
    if gyro is not None:
        gyro, few, many = _mend(gyro, max_run)
        filled, missing = filled + few, missing + many
    return Recording(
        accel=accel.astype(np.float32),
        gyro=None if gyro is None else gyro.astype(np.float32),
        gravity_included=facts.gravity_included,
        rate_hz=rate_hz,
        labels=labels,
        subject=facts.subject,
        trial=facts.trial,
        placements=tuple(placements),
        mounting=facts.mounting,
        source=facts.source,
        timing=TimingReport(native_rate_hz=rate_hz, filled=filled, missing=missing, dead=int(dead.sum())),
    )


def _silence(tracks: Sequence[SensorTrack], facts: RecordingFacts) -> tuple[list[SensorTrack], int]:
    """Return tracks without samples where a site's accelerometer was silent, and how many those were.

    A gyroscope may well read zero at rest; it is silent where it does while the accelerometer beside it is.
    """
    if not facts.gravity_included:
        return list(tracks), 0
    dead = [find_dead(track.values) if track.kind == "accel" else np.zeros(0, dtype=bool) for track in tracks]
    spans: dict[str, list[tuple[float, float]]] = {}
    for track, found in zip(tracks, dead, strict=True):
        if found.any():
            runs = [(track.time_s[a], track.time_s[b - 1]) for a, b in runs_of(found)]
            spans.setdefault(track.placement, []).extend(runs)
    living = []
    for track, found in zip(tracks, dead, strict=True):
        if track.kind == "gyro" and track.placement in spans:
            silent = [(track.time_s >= begin) & (track.time_s <= end) for begin, end in spans[track.placement]]
            found = np.any(silent, axis=0) & (track.values == 0).all(axis=1)
        living.append(replace(track, values=np.where(found[:, None], np.nan, track.values)) if found.any() else track)
    return living, sum(int(found.sum()) for found in dead)


def _mend(values: NDArray[np.floating], max_run: int) -> tuple[NDArray[np.float64], int, int]:
    flat = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    mended, filled, missing = fill_missing(flat, max_run=max_run)
    return mended.reshape(values.shape), filled, missing
