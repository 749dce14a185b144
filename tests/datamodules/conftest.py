"""A made-up set in HumanML3D's layout, with every kind of clip that the rules tell apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

LINE = "a person moves.#a/DET person/NOUN move/VERB#0.0#0.0"


def ramp(frames: int, value: float) -> np.ndarray:
    """Features whose first tells the motion and whose second tells the frame."""
    features = np.full((frames, 263), value, np.float32)
    features[:, 1] = np.arange(frames)
    return features


@pytest.fixture
def made_up(tmp_path: Path, write_humanml3d: Callable[..., Path]) -> Path:
    lengths = {"a": 40, "b": 199, "c": 39, "d": 200, "e": 121, "f": 60, "g": 50, "h": 45}
    motions = {name: ramp(frames, index + 1) for index, (name, frames) in enumerate(lengths.items())}
    captions = {name: [LINE.replace("moves", f"does {name}")] for name in lengths}
    captions["b"] = ["all of b#x#0.0#0.0", "again all#x#nan#nan", "a part of b#x#2.05#5.0", "too short#x#1.0#2.9"]
    captions["e"] = ["the end of e#x#3.0#100.0", "backwards#x#4.0#nan"]
    captions["d"] = ["all of d#x#0#0", "a part of the long one#x#1.0#5.0"]
    splits = {"train": ["a", "b", "c", "d", "e", "absent"], "val": ["f", "g"], "test": ["h"]}
    return write_humanml3d(tmp_path / "set", motions, captions, splits)
