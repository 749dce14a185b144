"""What recorded motion is held to: by hand, only what was recorded, and what is missing said in one line."""

from __future__ import annotations

import math

import pytest
import torch

from datamodules import MotionDataModule
from lightning_modules.networks.packing import mask_frames_of
from lightning_modules.rollout.reference import PROBABILITIES, gather_references, measure_distances, summarise
from lightning_modules.spectra.sensor_spectra import SensorSpectra
from lightning_modules.virtual_sensors import VirtualSensors
from sim.features import features_to_joints

SENSORS = VirtualSensors(placements=("left_wrist", "chest"))
SPECTRA = SensorSpectra(floor=1e-12)


def read(features):
    lengths = torch.full((len(features),), features.shape[1])
    return SENSORS.read(features_to_joints(features), mask_frames_of(lengths, features.shape[1]))


def test_distances_by_hand(clips):
    readings = read(clips().batch.features[:2])
    one = summarise(readings, SENSORS, SPECTRA)
    same = measure_distances(one, one, SENSORS, SPECTRA)
    assert {name: float(value) for name, value in same.items()} == {"spectrum": 0.0, "quantiles": 0.0}
    twice = summarise(readings._replace(accel=2 * readings.accel, gyro=2 * readings.gyro), SENSORS, SPECTRA)
    distances = measure_distances(twice, one, SENSORS, SPECTRA)
    assert float(distances["spectrum"]) == pytest.approx(math.log(4) ** 2, rel=1e-3)
    size = torch.cat([readings.accel, 4 * readings.gyro], dim=2).norm(dim=-1)[readings.inside]
    quantiles = torch.quantile(size, torch.tensor(PROBABILITIES), dim=0)
    expected = torch.log1p((quantiles / size.std(dim=0, unbiased=False)).square()).mean()
    assert float(distances["quantiles"]) == pytest.approx(float(expected), rel=1e-3)


def test_readings_too_short_have_no_summary(clips):
    assert summarise(read(clips().batch.features[:2, :45]), SENSORS, SPECTRA) is None


def test_activities_without_recorded_motion_are_named(clips):
    assert [found.activity for found in gather_references(clips(), None, SENSORS, SPECTRA)] == ["walking", "jumping"]
    only_walking = clips(recorded=(0, 1))
    assert [found.activity for found in gather_references(only_walking, None, SENSORS, SPECTRA)] == ["walking"]
    with pytest.raises(ValueError, match=r"no recorded motion of jumping .* at least 46 frames; it has walking: add"):
        gather_references(only_walking, ["walking", "jumping"], SENSORS, SPECTRA)
    with pytest.raises(ValueError, match=r"no recorded motion of any activity .* it has none"):
        gather_references(clips(recorded=()), None, SENSORS, SPECTRA)
    with pytest.raises(ValueError, match=r"unknown activity of the rollout 'walkin'.*did you mean walking"):
        gather_references(clips(), ["walkin"], SENSORS, SPECTRA)
    with pytest.raises(ValueError, match="which object does not hand out"):
        gather_references(object(), None, SENSORS, SPECTRA)


@pytest.fixture(scope="module")
def embedded(cache_dir):
    data = MotionDataModule(cache_dir=str(cache_dir / "motion"))
    data.prepare_data()
    data.setup()
    return data


def test_constructed_postures_are_no_reference(embedded):
    (walking,) = gather_references(embedded, ["walking"], SENSORS, SensorSpectra())
    said = {text for clip in embedded.library.side("train") if clip.activity == "walking" for text in clip.captions}
    assert set(walking.captions) <= said
    with pytest.raises(ValueError, match="no recorded motion of lying_on_left_side"):
        gather_references(embedded, ["walking", "lying_on_left_side"], SENSORS, SensorSpectra())


def test_recorded_windows_are_of_training_clips_alone(embedded):
    windows = embedded.recorded_windows()
    held_out = [clip.features for side in ("val", "test") for clip in embedded.library.side(side)]
    frames = {tuple(row[100:110].tolist()) for clip in held_out for row in torch.from_numpy(clip)}
    assert not frames & {tuple(row[100:110].tolist()) for row in windows.features[:, 0]}
    seen = {embedded.activities[number] for number in windows.activity.tolist()}
    assert seen & {"walking", "standing", "lying_on_left_side"} == {"walking", "standing"}
