"""On `prior_mdm`, whose walking is too tame, a few steps of the rollout bring generated walking nearer."""

from __future__ import annotations

import pytest
import torch

from datamodules import MotionDataModule
from lightning_modules import MotionDiffusion
from lightning_modules.networks.packing import mask_frames_of
from lightning_modules.rollout.reference import gather_references, measure_distances, summarise
from lightning_modules.spectra.sensor_spectra import SensorSpectra
from lightning_modules.virtual_sensors import VirtualSensors
from sim.features import features_to_joints

PRIOR = {"width": 192, "num_layers": 4, "num_heads": 4, "feedforward": 384, "num_steps": 50, "init_from": "prior_mdm"}
SENSORS = VirtualSensors(placements=("left_wrist", "left_thigh", "chest"))
SPECTRA = SensorSpectra()
STEPS = 24


@pytest.fixture(autouse=True)
def _quiet(recwarn):
    """Lightning warns of what is as intended here."""


@torch.no_grad()
def measure(model, reference):
    """Distances of walking from seeds that training never draws."""
    texts = [reference.captions[0]] * 8
    features = model.generate(texts, num_frames=60, seeds=range(100, 108), sampler="ddim", steps=6, guidance=1.0)
    lengths = torch.full((8,), 60)
    joints = features_to_joints(features, "consistent", std=model.statistics.std, lengths=lengths)
    sampled = summarise(SENSORS.read(joints, mask_frames_of(lengths, 60)), SENSORS, SPECTRA)
    return {
        name: float(value) for name, value in measure_distances(sampled, reference.summary, SENSORS, SPECTRA).items()
    }


def test_generated_walking_comes_nearer_to_recorded_walking(cache_dir, make_trainer):
    data = MotionDataModule(cache_dir=str(cache_dir / "motion"), batch_size=4, samples_per_epoch=4 * STEPS)
    data.prepare_data()
    data.setup()
    (reference,) = gather_references(data, ["walking"], SENSORS, SPECTRA)
    rollout = {
        "weight": 2.5e-3, "weights": {"spectrum": 1.0, "quantiles": 10.0}, "activities": ["walking"], "steps": 6,
        "at": [0.6, 1.0], "guidance": 1.0, "motions": 8, "seconds": 3.0,
        "sensors": {"placements": list(SENSORS.placements)},
    }  # fmt: skip
    training = {"lr": 1e-4, "warmup_steps": 0, "lr_schedule": "constant", "ema_decay": 0.0}
    model = MotionDiffusion(**PRIOR, **training, rollout=rollout, cache_dir=str(cache_dir / "text"))
    before = measure(model, reference)
    make_trainer(max_steps=STEPS, gradient_clip_val=1.0, limit_val_batches=0, num_sanity_val_steps=0).fit(model, data)
    after = measure(model, reference)
    assert after["spectrum"] < 0.5 * before["spectrum"]
    assert after["quantiles"] < before["quantiles"]
