"""Draw the built-in body with every preset and its site frame: ``python -m sim.assets.draw_placements [FILE]``."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from sim.body import Body
from sim.motion import Motion
from sim.placements import PLACEMENT_NAMES, Placement, resolve_all, site_poses

Array = npt.NDArray[np.float64]

AXIS_COLOURS = ("#d62728", "#2ca02c", "#1f77b4")
AXIS_LENGTH_M = 0.07


def draw_side(axes: Axes, body: Body, positions: Array, frames: Array, *, from_behind: bool) -> None:
    """Draw the body seen from the front or from behind, with the sites whose skin faces the viewer."""
    facing = -1.0 if from_behind else 1.0
    # Seen from the front the person's left (+X) is on the right of the picture.
    screen = np.array([[facing, 0.0, 0.0], [0.0, 1.0, 0.0]])
    corners = body.rest_vertices.double().numpy()[body.faces.numpy()]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    visible = normal[:, 2] * facing > 0
    nearest_last = np.argsort(corners[visible].mean(axis=1)[:, 2] * facing)
    light = np.array([0.3 * facing, 0.5, 0.8 * facing])
    shade = 0.72 + 0.22 * np.clip(normal[visible][nearest_last] @ light, -1, 1)
    axes.add_collection(
        PolyCollection(
            corners[visible][nearest_last] @ screen.T,
            facecolors=np.repeat(np.clip(shade, 0, 1)[:, None], 3, 1),
            edgecolors="face",
            linewidths=0.2,
            rasterized=True,
        )
    )
    shown = [k for k in range(len(positions)) if frames[k, 2, 2] * facing > (-0.25 if not from_behind else 0.25)]
    for k in shown:
        start = screen @ positions[k]
        for axis, colour in enumerate(AXIS_COLOURS):
            tip = screen @ (positions[k] + AXIS_LENGTH_M * frames[k, :, axis])
            axes.plot([start[0], tip[0]], [start[1], tip[1]], color=colour, linewidth=1.4, zorder=3)
        axes.plot(*start, "o", color="black", markersize=3, zorder=4)
        right_half = start[0] >= -1e-3
        axes.annotate(
            PLACEMENT_NAMES[k],
            start,
            xytext=(7 if right_half else -7, 5),
            textcoords="offset points",
            ha="left" if right_half else "right",
            fontsize=7,
            zorder=5,
        )
    axes.set_title("seen from behind" if from_behind else "seen from the front", fontsize=9)
    axes.set_aspect("equal")
    axes.autoscale_view()
    axes.axis("off")


def draw_placements(path: Path) -> None:
    """Write the picture of all presets on the built-in body in its rest pose."""
    body = Body.default().to(dtype=torch.float64)
    identity = torch.eye(3, dtype=torch.float64).expand(1, 22, 3, 3)
    rest = Motion(identity, body.rest_joints[None, 0], fps=20.0)
    sites = resolve_all([Placement.preset(name) for name in PLACEMENT_NAMES], body)
    positions, frames = (value[0].numpy() for value in site_poses(body, rest, sites))
    figure = Figure(figsize=(13, 7.2), layout="constrained")
    for axes, from_behind in zip(figure.subplots(1, 2), (False, True), strict=True):
        draw_side(axes, body, positions, frames, from_behind=from_behind)
    figure.suptitle("Placement presets; site frame: x red (distal), y green, z blue (outward)", fontsize=10)
    with mpl.rc_context({"svg.hashsalt": "imuforge"}):
        figure.savefig(path, dpi=110)


if __name__ == "__main__":
    draw_placements(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/placements.png"))
