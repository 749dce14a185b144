"""One motion of each activity and its sensors, packed for the report's player."""

import base64
import gzip
import json
from types import SimpleNamespace

import torch

from experiments.har_eval.config import SetConfig
from experiments.har_eval.stages.bodies import BODIES, Bodies, typical_motion
from experiments.har_eval.stages.simulate import Sensor
from sim.body import Body
from sim.motion import Motion


class AnyInputs:
    """Answers for every task."""

    def __init__(self, folder):
        self.folder = folder

    def __getitem__(self, task):
        return self.folder


def sways(sizes):
    """Motions ``(N, 20, ...)`` of a rigid body that sways along x by so many metres."""
    wave = torch.sin(torch.arange(20) * 0.6)
    translation = torch.zeros(len(sizes), 20, 3)
    translation[..., 0] = torch.tensor(sizes)[:, None] * wave
    return Motion(torch.eye(3).expand(len(sizes), 20, 22, 3, 3).clone(), translation, 20.0)


def unpack(text):
    return json.loads(gzip.decompress(base64.b64decode(text)))


def test_the_median_one_by_acceleration_is_typical():
    assert typical_motion(sways([0.3, 0.1, 0.2]), Body.default()) == 2


def test_what_is_played_is_what_was_made(tmp_path):
    sways([0.3, 0.1, 0.2]).save(tmp_path / "walking.npz")
    motions = SimpleNamespace(title="an arm")
    sensors = tuple(
        Sensor.of(SetConfig(classes=["walking"], placements=[place], rate_hz=rate))
        for place, rate in (("chest", 25.0), ("right_wrist", 50.0))
    )
    task = Bodies(motions, sensors, ("walking", "running"))
    task.run(AnyInputs(tmp_path), tmp_path)
    found = json.loads((tmp_path / BODIES).read_text())
    [example] = found["examples"]
    assert example["activity"] == "walking"
    values = unpack(example["data"])
    assert values["names"] == ["chest", "right_wrist"]
    assert values["rate_hz"] == 50.0
    assert "rest_vertices" in unpack(found["shared"])
    assert "rest_vertices" not in values["arrays"]
