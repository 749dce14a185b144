"""Human activity recognition data: one reader per real set, and one way to cut windows for real and virtual alike."""

from datamodules.har.mixed_module import MixedIMUDataModule
from datamodules.har.real_module import RealIMUDataModule
from datamodules.har.recordings.recording import Recording, TimingReport
from datamodules.har.recordings.recordings_pass import Recordings
from datamodules.har.registry import READERS, load_recordings
from datamodules.har.virtual_module import VirtualIMUDataModule
from datamodules.har.window_module import WindowDataModule
from datamodules.har.windows import WindowReport, windows_from_imu, windows_from_recordings
from datamodules.har.windows.augmentation import Augmentation
from datamodules.har.windows.window_set import WindowSet

__all__ = [
    "READERS",
    "Augmentation",
    "MixedIMUDataModule",
    "RealIMUDataModule",
    "Recording",
    "Recordings",
    "TimingReport",
    "VirtualIMUDataModule",
    "WindowDataModule",
    "WindowReport",
    "WindowSet",
    "load_recordings",
    "windows_from_imu",
    "windows_from_recordings",
]
