"""Exponential-map CSV of CMU's eight actions (.txt, .txt.xz, with skeleton.json) -> SkeletonMotion.

The layout of Li et al., "Convolutional Sequence to Sequence Model for Human Dynamics" (CVPR 2018, arXiv 1805.00655):
a root translation and 38 rotation vectors per row, written for row vectors.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation

from datamodules.formats.skeleton import (
    FloatArray,
    SkeletonMotion,
    parse_table,
    read_text,
    run_forward_kinematics,
)

AxisOrder = Literal["xyz", "xzy", "yxz", "yzx", "zxy", "zyx"]


def read_expmap(
    path: str | Path,
    skeleton: str | Path,
    *,
    fps: float,
    drop_first: int = 0,
    root_axes: tuple[AxisOrder, AxisOrder] | None = None,
) -> SkeletonMotion:
    """Read a table of exponential maps.

    Args:
        path: comma-separated rows: root translation (3), then one exponential map [rad] per joint (3 each).
        skeleton: JSON with ``names``, ``parents``, ``offsets_asf_units``, ``metres_per_unit`` and, optionally,
            ``missing_thorax_offset`` (joints that the conversion lost a bone below, and what to add to their offset).
        fps: frames per second [Hz] (120 for CMU).
        drop_first: rows to leave out at the beginning.
        root_axes: orders (fixed axes, first turn first) in which the conversion put together the root's three angles,
            and in which they were meant, where the two differ; the root is put together anew.

    Returns:
        The motion in metres, Y up.

    Raises:
        FileNotFoundError: one of the files is missing.
        ValueError: a row has another count of numbers than the skeleton needs.
    """
    names, parents, offsets, unit_m = _read_skeleton(skeleton)
    lines = [(number, line) for number, line in enumerate(read_text(path).splitlines(), start=1) if line.strip()]
    numbers, rows = [number for number, _ in lines], [line for _, line in lines]
    if not rows:
        raise ValueError(f"{path} holds no row, expected exponential maps; fetch it again")
    table = parse_table(rows, 3 + 3 * len(names), path, separator=",", numbers=numbers)[drop_first:]
    if len(table) == 0:
        raise ValueError(f"{path} has no row left after the first {drop_first} were dropped")
    # The source multiplies row vectors from the left; for column vectors that is the inverse rotation.
    vectors = -table[:, 3:].reshape(-1, 3)
    local = Rotation.from_rotvec(vectors).as_matrix().reshape(len(table), len(names), 3, 3)
    if root_axes is not None:
        local[:, 0] = _reorder(local[:, 0], *root_axes)
    rotations, positions = run_forward_kinematics(parents, offsets * unit_m, local, table[:, :3] * unit_m)
    return SkeletonMotion(names, parents, offsets * unit_m, rotations, positions, fps)


def _read_skeleton(path: str | Path) -> tuple[tuple[str, ...], tuple[int, ...], FloatArray, float]:
    """Return names, parents, offsets [units] and metres per unit."""
    try:
        description = json.loads(read_text(path))
        names, parents = tuple(description["names"]), tuple(description["parents"])
        if len(parents) != len(names) or not all(
            isinstance(parent, int) and -1 <= parent < joint for joint, parent in enumerate(parents)
        ):
            raise ValueError(f"parents {parents[:5]}: parents come before their children, -1 for the root")
        offsets = np.array(description["offsets_asf_units"], dtype=np.float64).reshape(len(names), 3)
        missing = description.get("missing_thorax_offset")
        if missing:
            offsets[[names.index(name) for name in missing["joints"]]] += missing["add"]
        return names, parents, offsets, float(description["metres_per_unit"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(
            f"{path}: {error!r}, expected JSON with names, parents, offsets_asf_units, metres_per_unit; fetch it"
        ) from error


def _reorder(matrices: FloatArray, written: AxisOrder, meant: AxisOrder) -> FloatArray:
    angles = Rotation.from_matrix(matrices).as_euler(written)
    return Rotation.from_euler(meant, angles[:, [written.index(axis) for axis in meant]]).as_matrix()
