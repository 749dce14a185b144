"""Clips of people who swing their limbs, long enough for a spectrum, and a rollout over a tiny prior."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader

from datamodules.batches import MotionBatch
from lightning_modules.rollout import Rollout, RolloutOptions
from lightning_modules.spectra.sensor_spectra import SensorSpectra
from lightning_modules.virtual_sensors import VirtualSensors
from sim import Body, Motion
from sim.features import joints_to_features

FRAMES = 50
TEXTS = ["a person walks", "a person jumps up", "someone runs", "a person sits"]
SENSORS = VirtualSensors(placements=("left_wrist", "chest"))


def swing(amplitude: float, frequency_hz: float) -> torch.Tensor:
    """Features ``(50, 263)`` of a person whose joints all swing about X."""
    time_s = torch.arange(FRAMES + 1) / 20
    angle = amplitude * torch.sin(2 * torch.pi * frequency_hz * time_s)
    turn = torch.zeros(FRAMES + 1, 22, 3, 3)
    turn[..., 0, 0] = 1.0
    turn[..., 1, 1] = turn[..., 2, 2] = angle.cos()[:, None]
    turn[..., 2, 1], turn[..., 1, 2] = angle.sin()[:, None], -angle.sin()[:, None]
    motion = Motion(turn, torch.tensor([0.0, 1.0, 0.0]).expand(FRAMES + 1, 3), 20.0)
    return joints_to_features(Body.default().joints(motion))


class SwingingClips(LightningDataModule):
    """Four clips of two activities, of which ``recorded`` may leave some out; two batches an epoch."""

    activities = ("walking", "jumping")

    def __init__(self, recorded: tuple[int, ...] = (0, 1, 2, 3)) -> None:
        super().__init__()
        features = torch.stack([swing(0.2, 1.0), swing(0.3, 1.2), swing(0.1, 2.0), swing(0.2, 2.4)])
        columns = (torch.full((4,), FRAMES), torch.tensor([0, 0, 1, 1]), torch.arange(4))
        self.batch = MotionBatch(features, columns[0], TEXTS, columns[1], columns[2])
        self.recorded = list(recorded)

    def captions(self) -> list[str]:
        return TEXTS

    def feature_statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        flat = self.batch.features.flatten(0, 1)
        return flat.mean(dim=0), flat.std(dim=0).clamp_min(0.02)

    def recorded_windows(self) -> MotionBatch | None:
        if not self.recorded:
            return None
        features, lengths, texts, activity, ids = self.batch
        rows = self.recorded
        return MotionBatch(features[rows], lengths[rows], [texts[row] for row in rows], activity[rows], ids[rows])

    def train_dataloader(self) -> DataLoader[MotionBatch]:
        return DataLoader([self.batch, self.batch], batch_size=None)


@pytest.fixture
def clips() -> Callable[..., SwingingClips]:
    return SwingingClips


@pytest.fixture
def make_rollout() -> Callable[..., Rollout]:
    """Build a rollout over the schedule of a model, its reference taken from the clips."""

    def build(model: torch.nn.Module, **options: object) -> Rollout:
        given = {"weight": 1.0, "steps": 5, "motions": 4, "seconds": 2.5, "guidance": 1.5} | options
        rollout = Rollout(RolloutOptions(**given), model.schedule, SENSORS, SensorSpectra())
        rollout.prepare(SwingingClips())
        return rollout

    return build
