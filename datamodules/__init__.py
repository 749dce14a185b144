"""Lightning data modules and the readers under them; imports nothing of ours but ``sim``."""

from datamodules.clips import Clip
from datamodules.generated_motion import GeneratedMotionDataModule
from datamodules.har import (
    READERS,
    MixedIMUDataModule,
    RealIMUDataModule,
    Recording,
    VirtualIMUDataModule,
    WindowSet,
    load_recordings,
    windows_from_recordings,
)
from datamodules.har.dataset_folder import load_dataset
from datamodules.humanml3d import HumanML3DDataModule
from datamodules.motion import MotionDataModule
from datamodules.prompts import PromptDataModule

__all__ = [
    "READERS",
    "Clip",
    "GeneratedMotionDataModule",
    "HumanML3DDataModule",
    "MixedIMUDataModule",
    "MotionDataModule",
    "PromptDataModule",
    "RealIMUDataModule",
    "Recording",
    "VirtualIMUDataModule",
    "WindowSet",
    "load_dataset",
    "load_recordings",
    "windows_from_recordings",
]
