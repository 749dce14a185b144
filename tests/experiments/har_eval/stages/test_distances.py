"""What the distances stage says of each sensor, and how it becomes rows of results.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from datamodules.har.windows.window_set import WindowSet
from experiments.har_eval.fidelity import collect_fidelity
from experiments.har_eval.stages.distances import DISTANCES, Distances
from experiments.har_eval.stages.real import TRAIN
from experiments.har_eval.stages.simulate import WINDOWS
from experiments.pipeline.files import load_windows, save_windows
from lightning_modules.metrics.signal_fidelity import MEASURES


def test_every_sensor_of_every_activity_is_a_row(stage: Any, tmp_path: Path) -> None:
    assert stage.task.virtual is not None
    Distances(stage.task.virtual, stage.task.real).run(stage.inputs(), tmp_path)
    entries = collect_fidelity("arm", "people", 0, tmp_path / DISTANCES, ["chest"])
    assert {(entry["activity"], entry["channels"], entry["measure"]) for entry in entries} == {
        (activity, channels, measure)
        for activity in ("walking", "standing")
        for channels in ("accel", "gyro")
        for measure in MEASURES
    }
    assert {entry["placement"] for entry in entries} == {"chest"}
    [value] = [e for e in entries if (e["activity"], e["channels"], e["measure"]) == ("walking", "gyro", "two_sample")]
    assert value["low"] < value["value"] < value["high"]


def test_an_activity_without_motion_and_sites_by_name(stage: Any, tmp_path: Path) -> None:
    for file in (stage.real / TRAIN, stage.virtual / WINDOWS):
        one = load_windows(file)
        channels = tuple(f"{site}.{name}" for site in ("chest", "right_wrist") for name in one.channels[:3])
        both = np.concatenate([one.signals[..., :3], one.signals[..., 3:] + 9], axis=2)
        names = (one.labels, one.subjects, one.recording, one.classes, channels, one.rate_hz)
        several = WindowSet(both, *names)
        save_windows(several if file.name == TRAIN else several.select(one.labels == 0), file)
    Distances(stage.task.virtual, stage.task.real).run(stage.inputs(), tmp_path)
    entries = collect_fidelity("arm", "people", 0, tmp_path / DISTANCES, ["chest", "right_wrist"])
    assert {(entry["activity"], entry["placement"], entry["channels"]) for entry in entries} == {
        ("walking", "chest", "accel"),
        ("walking", "right_wrist", "accel"),
    }
