"""Fixtures of the simulator's tests: made-up model files in the published layouts, and a page of sim.show."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sim import Body, Motion, Placement
from sim.conventions import PARENTS
from sim.rotations import axis_angle_to_matrix
from sim.show import write_page

HAND_PARENTS = [parent for wrist in (20, 21) for finger in range(5) for parent in (wrist, None, None)]


def hand_tree(first: int) -> list[int]:
    return [first + k - 1 if parent is None else parent for k, parent in enumerate(HAND_PARENTS)]


LAYOUTS = {
    "smpl": [*PARENTS, 20, 21],
    "smplh": [*PARENTS, *hand_tree(22)],
    "smplx": [*PARENTS, 15, 15, 15, *hand_tree(25)],
}


def made_up_model(layout: str, num_vertices: int) -> dict[str, np.ndarray]:
    """Arrays in the layout of the published files: every joint has weight, shape and pose blend shapes are there."""
    rng = np.random.default_rng(0)
    parents = np.array(LAYOUTS[layout], dtype=np.int64)
    joints = len(parents)
    weights = rng.random((num_vertices, joints)) ** 8
    regressor = rng.random((joints, num_vertices)) ** 8
    return {
        "v_template": rng.normal(size=(num_vertices, 3)),
        "shapedirs": 0.03 * rng.normal(size=(num_vertices, 3, 20 if layout == "smplx" else 10)),
        "posedirs": 0.01 * rng.normal(size=(num_vertices, 3, 9 * (joints - 1))).astype(np.float32),
        "J_regressor": regressor / regressor.sum(1, keepdims=True),
        "weights": weights / weights.sum(1, keepdims=True),
        "f": rng.integers(0, num_vertices, size=(100, 3)).astype(np.uint32),
        "kintree_table": np.stack([parents, np.arange(joints)]).astype(np.uint32),
    }


@pytest.fixture(scope="session")
def make_model() -> Callable[[str, int], dict[str, np.ndarray]]:
    """Make arrays for a layout (smpl, smplh, smplx) and a number of vertices."""
    return made_up_model


@pytest.fixture(scope="session")
def joint_parents() -> dict[str, list[int]]:
    """The parents of all joints of each layout."""
    return LAYOUTS


@pytest.fixture(scope="session")
def shown_motion() -> Motion:
    """Two seconds at 20 fps: a T-pose, turned 30 degrees to its left, whose left arm sinks to the side."""
    body = Body.default()
    rotations = torch.eye(3, dtype=torch.float64).repeat(41, 22, 1, 1)
    rotations[:, 0] = axis_angle_to_matrix(torch.tensor([0.0, math.radians(30), 0.0], dtype=torch.float64))
    turn = -0.5 * math.pi * torch.sin(torch.linspace(0, math.pi / 2, 41, dtype=torch.float64)) ** 2
    rotations[:, 16] = axis_angle_to_matrix(torch.stack([torch.zeros(41), torch.zeros(41), turn], dim=-1).double())
    height = float(body.rest_joints[0, 1] - body.rest_vertices[:, 1].min())
    translation = torch.tensor([0.4, height, -1.0], dtype=torch.float64).repeat(41, 1)
    return Motion(rotations.float(), translation.float(), 20.0, "an arm sinks </script> & more")


@pytest.fixture(scope="session")
def shown(shown_motion: Motion, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Motion, Body, list[Placement]]:
    """A page of sim.show with readings at 50 Hz, and what went into it."""
    pytest.importorskip("plotly", reason="plotly is not installed; pip install 'imuforge[report]'")
    mounting = axis_angle_to_matrix(torch.tensor([0.0, 0.0, math.pi / 2], dtype=torch.float64))
    ankle = replace(Placement.preset("left_ankle").mounted(mounting), name="turned_ankle")
    placements = [Placement.preset("left_wrist"), Placement.preset("chest"), ankle]
    path, body = tmp_path_factory.mktemp("show") / "page.html", Body.default()
    write_page(shown_motion, body, placements, path, rate_hz=50.0)
    return path, shown_motion, body, placements
