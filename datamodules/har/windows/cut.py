"""Cut real recordings and simulated ones into labelled windows, both along the very same path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from datamodules.har.recordings.recording import Recording
from datamodules.har.streams import CHANNEL_GROUPS, stream_of_recording, streams_of_imu
from datamodules.har.windows.cutter import Cutter, WindowReport
from datamodules.har.windows.views import concatenate
from datamodules.har.windows.window_set import WindowSet

if TYPE_CHECKING:
    from sim.recording import ImuRecording

__all__ = [
    "CHANNEL_GROUPS",
    "WindowReport",
    "WindowSet",
    "concatenate",
    "windows_from_imu",
    "windows_from_recordings",
]


def windows_from_recordings(
    recordings: Iterable[Recording],
    *,
    classes: Sequence[str],
    label_map: Mapping[str, str] | None = None,
    window_s: float = 2.56,
    overlap: float = 0.5,
    rate_hz: float = 50.0,
    channels: Sequence[str] = ("accel", "gyro"),
    placements: Sequence[str] | None = None,
    purity: float = 0.9,
) -> tuple[WindowSet, WindowReport]:
    """Cut windows out of real recordings.

    Args:
        recordings: what a reader returned.
        classes: names of the classes, in the order of their indices; samples of other labels are left out.
        label_map: label of the set -> name of the class, for labels that differ from it.
        window_s: length of a window [s].
        overlap: share of a window that the next one repeats, in [0, 1).
        rate_hz: samples per second of the windows [Hz]; recordings are resampled with an anti-alias filter.
        channels: which of :data:`CHANNEL_GROUPS`, in this order, x, y, z each.
        placements: which sites, in this order; None takes all that the recordings have.
        purity: share of a window's samples that must carry the majority label, in (0, 1].

    Returns:
        The windows, and the report of what was left out.

    Raises:
        ValueError: an argument is out of range, or a recording does not have what was asked for.
    """
    cut = Cutter(tuple(classes), label_map or {}, window_s, overlap, rate_hz, purity)
    return cut(stream_of_recording(recording, channels, placements) for recording in recordings)


def windows_from_imu(
    recording: ImuRecording,
    labels: str | Sequence[str],
    *,
    classes: Sequence[str],
    subjects: Sequence[str] | None = None,
    num_samples: Sequence[int] | None = None,
    window_s: float = 2.56,
    overlap: float = 0.5,
    rate_hz: float = 50.0,
    channels: Sequence[str] = ("accel", "gyro"),
    placements: Sequence[str] | None = None,
    purity: float = 0.9,
) -> tuple[WindowSet, WindowReport]:
    """Cut windows out of simulated recordings; see :func:`windows_from_recordings` for what is not listed here.

    Args:
        recording: simulated streams ``(..., T, S, 3)``; leading dimensions are flattened to B recordings.
        labels: one class for all, or one for each of the B recordings.
        classes: names of the classes, in the order of their indices.
        subjects: name of the (virtual) wearer of each recording; ``virtual`` if None.
        num_samples: valid samples of each recording, where shorter ones were padded; all if None.
        window_s: as there.
        overlap: as there.
        rate_hz: as there.
        channels: as there.
        placements: as there.
        purity: as there.

    Returns:
        The windows, and the report of what was left out.

    Raises:
        ValueError: as there, or a list is not as long as the batch.
    """
    cut = Cutter(tuple(classes), {}, window_s, overlap, rate_hz, purity)
    return cut(streams_of_imu(recording, labels, channels, placements, subjects, num_samples))
