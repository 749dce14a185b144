"""Model files in the published layouts, made up: licensed ones cannot be part of a test."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sim.conventions import PARENTS

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
