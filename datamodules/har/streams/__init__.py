"""Recordings as streams of named channels, resampled, and kept in memory-mapped packs."""

from datamodules.har.streams.stream import (
    CHANNEL_GROUPS,
    Stream,
    channel_names,
    checked_channels,
    groups_and_sites,
    resample_stream,
    stream_of_recording,
    streams_of_imu,
)

__all__ = [
    "CHANNEL_GROUPS",
    "Stream",
    "channel_names",
    "checked_channels",
    "groups_and_sites",
    "resample_stream",
    "stream_of_recording",
    "streams_of_imu",
]
