"""Human activity recognition data: one reader per real set, and one way to cut windows for real and virtual alike."""

from datamodules.har.mixed_module import MixedIMUDataModule
from datamodules.har.pass_over import Recordings
from datamodules.har.random_augmentations import Augmentation
from datamodules.har.real_module import RealIMUDataModule
from datamodules.har.recording import Recording, TimingReport
from datamodules.har.registry import READERS, load_recordings
from datamodules.har.virtual_module import VirtualIMUDataModule
from datamodules.har.window_module import WindowDataModule
from datamodules.har.window_set import WindowSet
from datamodules.har.windows import WindowReport, windows_from_imu, windows_from_recordings

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
