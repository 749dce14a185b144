"""Streams cut into windows: splits, normalisation, mixing, turning and augmentation."""

from datamodules.har.windows.cut import windows_from_imu, windows_from_recordings
from datamodules.har.windows.cutter import WindowReport

__all__ = ["WindowReport", "windows_from_imu", "windows_from_recordings"]
