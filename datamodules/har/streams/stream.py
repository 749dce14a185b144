"""Reduce a recording, real or simulated, to the channels asked for: the one form that windows are cut from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from datamodules.har.recordings.recording import UNKNOWN_SUBJECT, Recording

if TYPE_CHECKING:
    from sim.recording import ImuRecording

CHANNEL_GROUPS = ("accel", "gyro", "linear_accel")
"""Groups of three channels that can be asked for: specific force, angular rate, gravity-free acceleration."""


@dataclass(frozen=True)
class Stream:
    """One recording reduced to what a window needs.

    Attributes:
        values: channels ``(T, C)`` in SI units, sensor frame.
        names: name of each channel.
        labels: label of each sample ``(T,)``.
        rate_hz: samples per second [Hz].
        subject: who wore the sensor; empty string if unknown.
        trial: what tells recordings of one subject apart.
    """

    values: NDArray[np.float64]
    names: tuple[str, ...]
    labels: NDArray[np.str_]
    rate_hz: float
    subject: str
    trial: str = ""


def stream_of_recording(recording: Recording, channels: Sequence[str], placements: Sequence[str] | None) -> Stream:
    """Pick channels and sites of a real recording.

    Args:
        recording: what a reader returned.
        channels: which of :data:`CHANNEL_GROUPS`.
        placements: which sites; None takes all.

    Raises:
        ValueError: the recording does not have what was asked for.
    """
    groups = []
    for group in checked_channels(channels):
        if group == "gyro":
            if recording.gyro is None:
                raise ValueError(f"{recording.trial} has no gyroscope; leave gyro out of channels {list(channels)}")
            groups.append(recording.gyro)
        elif recording.gravity_included == (group == "accel"):
            groups.append(recording.accel)
        else:
            kind, instead = ("with", "accel") if recording.gravity_included else ("without", "linear_accel")
            raise ValueError(
                f"acceleration of {recording.trial} was recorded {kind} gravity, so {group} is not there; ask for "
                f"{instead}"
            )
    sites = _chosen_sites(recording.placements, placements, recording.trial)
    labels = recording.labels
    return Stream(
        _stacked(groups, sites),
        channel_names(channels, [recording.placements[site] for site in sites]),
        np.full(len(recording.accel), labels) if isinstance(labels, str) else labels,
        recording.rate_hz,
        UNKNOWN_SUBJECT if recording.subject is None else recording.subject,
        recording.trial,
    )


def streams_of_imu(
    recording: ImuRecording,
    labels: str | Sequence[str],
    channels: Sequence[str],
    placements: Sequence[str] | None,
    subjects: Sequence[str] | None,
    num_samples: Sequence[int] | None,
) -> Iterator[Stream]:
    """Pick channels and sites of simulated recordings ``(..., T, S, 3)``, one stream for each leading index.

    Raises:
        ValueError: a list is not as long as the batch, or a site is not there.
    """
    sites = _chosen_sites(recording.names, placements, "the simulated recording")
    names = channel_names(channels, [recording.names[site] for site in sites])
    groups = []
    for group in checked_channels(channels):
        tensor = {"accel": recording.accel, "gyro": recording.gyro, "linear_accel": recording.linear_accel}[group]
        groups.append(tensor.detach().cpu().numpy().reshape(-1, *tensor.shape[-3:]))
    batch, samples = groups[0].shape[:2]
    all_labels = [labels] * batch if isinstance(labels, str) else list(labels)
    wearers = ["virtual"] * batch if subjects is None else list(subjects)
    lengths = [samples] * batch if num_samples is None else list(num_samples)
    for name, found in (("labels", all_labels), ("subjects", wearers), ("num_samples", lengths)):
        if len(found) != batch:
            raise ValueError(f"{len(found)} {name} for {batch} simulated recordings, expected one each")
    for b in range(batch):
        values = _stacked([group[b, : lengths[b]] for group in groups], sites)
        yield Stream(values, names, np.full(len(values), all_labels[b]), recording.rate_hz, wearers[b])


def resample_stream(stream: Stream, *, rate_hz: float) -> Stream:
    """Bring a stream to another rate: channels through a zero-phase anti-alias filter, labels of the nearest samples.

    Missing values stay missing where they were, and nowhere else: the filter passes over them on a straight line.

    Args:
        stream: at any rate.
        rate_hz: wanted rate [Hz]; the stream itself is returned where it has that rate.
    """
    if stream.rate_hz == rate_hz:
        return stream
    ratio = Fraction(rate_hz / stream.rate_hz).limit_denominator(1000)
    missing = np.logical_not(np.isfinite(stream.values))
    whole = _bridged(stream.values, missing)
    # A line through the ends rather than zeros beyond them: gravity would otherwise ring at both edges.
    values = resample_poly(whole, ratio.numerator, ratio.denominator, axis=0, padtype="line")
    place = np.minimum(np.arange(len(values)) * float(1 / ratio), len(missing) - 1)
    # The allowance is for places such as 3 * (1 / 0.3), which come out beside the whole number.
    before, after = np.floor(place + 1e-6).astype(np.int64), np.ceil(place - 1e-6).astype(np.int64)
    values[missing[before] | missing[after]] = np.nan
    labels = stream.labels[np.round(place).astype(np.int64)]
    return replace(stream, values=values, labels=labels, rate_hz=rate_hz)


def _bridged(values: NDArray[np.float64], missing: NDArray[np.bool_]) -> NDArray[np.float64]:
    """A straight line wherever values are missing, since a filter would spread NaN over its whole length."""
    gaps = np.flatnonzero(missing.any(axis=0))
    if not len(gaps):
        return values
    bridged = values.copy()
    index = np.arange(len(values))
    for channel in gaps:
        there = np.logical_not(missing[:, channel])
        bridged[:, channel] = np.interp(index, index[there], values[there, channel]) if there.any() else 0.0
    return bridged


def channel_names(channels: Sequence[str], sites: Sequence[str]) -> tuple[str, ...]:
    """Name each channel: site by site, group by group, x, y, z.

    With one site its name is left out, so that real and virtual windows of differently named sites fit together.
    """
    prefixes = [f"{site}." for site in sites] if len(sites) > 1 else [""]
    return tuple(f"{prefix}{group}_{axis}" for prefix in prefixes for group in channels for axis in "xyz")


def groups_and_sites(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """Groups and sites that channels are of: the inverse of :func:`channel_names`; no site where the names tell none.

    Raises:
        ValueError: the names are not those that it gives.
    """
    sites = tuple(dict.fromkeys(name.rpartition(".")[0] for name in names))
    groups = tuple(dict.fromkeys(name.rpartition(".")[2].rpartition("_")[0] for name in names))
    known = set(groups) <= set(CHANNEL_GROUPS)
    if not known or channel_names(groups, sites) != tuple(names):
        raise ValueError(f"channels {list(names)} are none that windows have, expected x, y, z of {CHANNEL_GROUPS}")
    return groups, sites if sites != ("",) else None


def checked_channels(channels: Sequence[str]) -> tuple[str, ...]:
    """The same groups of channels.

    Raises:
        ValueError: there is none, one is none of :data:`CHANNEL_GROUPS`, or one stands there twice.
    """
    if not channels or any(group not in CHANNEL_GROUPS for group in channels) or len(set(channels)) < len(channels):
        raise ValueError(f"channels are {list(channels)}, expected one or more of {list(CHANNEL_GROUPS)}, each once")
    return tuple(channels)


def _chosen_sites(available: Sequence[str], wanted: Sequence[str] | None, where: str) -> list[int]:
    if wanted is None:
        return list(range(len(available)))
    missing = [name for name in wanted if name not in available]
    if missing or not wanted or len(set(wanted)) < len(wanted):
        raise ValueError(
            f"placements {list(wanted)} asked of {where}, expected one or more of {list(available)}, each once"
        )
    return [list(available).index(name) for name in wanted]


def _stacked(groups: Sequence[NDArray[np.floating]], sites: Sequence[int]) -> NDArray[np.float64]:
    """Groups of ``(T, S, 3)`` -> ``(T, S' * G * 3)``, in the order of :func:`channel_names`."""
    joined = np.stack([group[:, list(sites)] for group in groups], axis=2).astype(np.float64)
    return joined.reshape(len(joined), -1)
