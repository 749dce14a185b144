"""Draw the presets on the built-in body, together and one by one: ``python -m sim.assets.draw_placements [FOLDER]``."""

from __future__ import annotations

import sys
from pathlib import Path

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
UP = np.array([0.0, 1.0, 0.0])

_LABELS: dict[str, tuple[float, float]] = {
    # Where the label of a site stands in the overview, seen from in front [m], if not beside it for want of room;
    # right-hand sites mirror the left.
    "head": (0.17, 0.86),
    "left_ear": (0.20, 0.745),
    "sternum": (0.17, 0.60),
    "chest": (0.30, 0.36),
    "waist": (0.28, 0.22),
    "left_hip": (0.28, 0.10),
    "left_pocket": (0.28, -0.03),
    "left_thigh": (0.28, -0.19),
    "left_shank": (0.28, -0.50),
    "left_ankle": (0.28, -0.66),
    "left_foot": (0.28, -0.76),
    "left_upper_arm": (0.42, 0.66),
    "left_forearm": (0.52, 0.66),
    "left_wrist": (0.66, 0.66),
    "back": (0.24, 0.62),
    "lower_back": (0.28, 0.20),
}
_REACH_M: dict[str, float] = {"ear": 0.13, "head": 0.16, "foot": 0.15, "ankle": 0.16, "wrist": 0.17}
_TRUNK_REACH_M, _LIMB_REACH_M = 0.30, 0.21


def draw_skin(axes: Axes, corners: Array, screen: Array, towards: Array) -> None:
    """Fill triangles ``(F, 3, 3)`` as seen by a viewer who looks against ``towards``, nearest last."""
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    visible = normal @ towards > 0
    corners, normal = corners[visible], normal[visible]
    order = np.argsort(corners.mean(axis=1) @ towards)
    light = 0.8 * towards + 0.5 * UP + 0.3 * screen[0]
    shade = np.clip(0.66 + 0.26 * np.clip(normal[order] @ light, -1, 1), 0, 1)
    axes.add_collection(
        PolyCollection(
            list(corners[order] @ screen.T),
            facecolors=np.repeat(shade[:, None], 3, 1),
            edgecolors="face",
            linewidths=0.2,
            rasterized=True,
        )
    )


def draw_frame(axes: Axes, origin: Array, frame: Array, screen: Array, *, length_m: float, names: bool) -> None:
    """Draw the x, y and z axes of a site, the ones that point to the viewer over the others."""
    start = screen @ origin
    for axis, colour in enumerate(AXIS_COLOURS):
        tip = screen @ (origin + length_m * frame[:, axis])
        axes.plot([start[0], tip[0]], [start[1], tip[1]], color=colour, linewidth=2.2 if names else 1.4, zorder=3)
        if names:
            end = screen @ (origin + 1.18 * length_m * frame[:, axis])
            axes.text(
                end[0], end[1], "xyz"[axis], color=colour, fontsize=9, ha="center", va="center", weight="bold", zorder=5
            )
    axes.plot(*start, "o", color="black", markersize=4 if names else 3, zorder=4)


def draw_side(axes: Axes, body: Body, positions: Array, frames: Array, *, from_behind: bool) -> None:
    """Draw the body seen from the front or from behind, with the sites whose skin faces the viewer."""
    facing = -1.0 if from_behind else 1.0
    # Seen from the front the person's left (+X) is on the right of the picture.
    screen = np.array([[facing, 0.0, 0.0], [0.0, 1.0, 0.0]])
    corners = body.rest_vertices.double().numpy()[body.faces.numpy()]
    draw_skin(axes, corners, screen, np.array([0.0, 0.0, facing]))
    for k, name in enumerate(PLACEMENT_NAMES):
        if (frames[k, 2, 2] < -0.25) != from_behind:
            continue
        draw_frame(axes, positions[k], frames[k], screen, length_m=0.07, names=False)
        x, y = _LABELS.get(name.replace("right_", "left_"), (abs(positions[k][0]) + 0.2, positions[k][1]))
        x *= facing if name.startswith("left_") else -facing if name.startswith("right_") else 1.0
        axes.annotate(
            name,
            screen @ positions[k],
            xytext=(x, y),
            ha="center" if y == 0.66 else "left" if x > 0 else "right",
            va="center",
            fontsize=7.5,
            arrowprops={"arrowstyle": "-", "color": "#777777", "linewidth": 0.6, "shrinkA": 1, "shrinkB": 2},
            zorder=5,
        )
    axes.set_title("seen from behind" if from_behind else "seen from the front", fontsize=9)
    axes.set_aspect("equal")
    axes.autoscale_view()
    axes.axis("off")


def look_at(frame: Array) -> tuple[Array, Array]:
    """Return a direction to the viewer ``(3,)`` and a screen ``(2, 3)``, right and up, from which a site is seen well.

    Aslant, or the axis out of the skin would be a dot; from where y points, or it would hide behind z, and else from in
    front where that is possible; with up upwards.
    """
    across, outward = frame[:, 1], frame[:, 2]
    from_behind = across[2] < 0 if abs(across[2]) > 0.6 else outward[2] < -0.25
    ahead = np.array([0.0, 0.0, -1.0 if from_behind else 1.0])
    sideways = np.array([0.45 * np.sign(outward[0] + 1e-3), 0.35, 0.0])
    towards = outward + (sideways if abs(outward[2]) > 0.6 else 0.75 * ahead + 0.15 * UP)
    towards /= np.linalg.norm(towards)
    right = np.cross(UP, towards)
    right /= np.linalg.norm(right)
    return towards, np.stack([right, np.cross(towards, right)])


def draw_closeup(axes: Axes, corners: Array, name: str, position: Array, frame: Array) -> None:
    """Draw the skin around one site and its three axes."""
    towards, screen = look_at(frame)
    part = name.rpartition("_")[2]
    trunk = name in ("back", "chest", "lower_back", "sternum", "waist") or part == "hip"
    reach = _TRUNK_REACH_M if trunk else _REACH_M.get(part, _LIMB_REACH_M)
    centre = screen @ position
    near = (np.abs(corners @ screen.T - centre).max(axis=2) < 1.6 * reach).any(axis=1)
    draw_skin(axes, corners[near], screen, towards)
    draw_frame(axes, position, frame, screen, length_m=0.38 * reach, names=True)
    axes.set_xlim(centre[0] - reach, centre[0] + reach)
    axes.set_ylim(centre[1] - reach, centre[1] + reach)
    axes.set_aspect("equal")
    axes.set_title(name, fontsize=10, pad=3)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#cccccc")


def draw_placements(folder: Path) -> None:
    """Write ``placements.png`` and ``placements_closeup.png``: the presets on the built-in body in its rest pose."""
    body = Body.default().to(dtype=torch.float64)
    identity = torch.eye(3, dtype=torch.float64).expand(1, 22, 3, 3)
    rest = Motion(identity, body.rest_joints[None, 0], fps=20.0)
    sites = resolve_all([Placement.preset(name) for name in PLACEMENT_NAMES], body)
    positions, frames = (value[0].numpy() for value in site_poses(body, rest, sites))
    legend = "site frame: x red (along the bone, distal), y green, z blue (out of the skin)"

    overview = Figure(figsize=(14, 7.0), layout="constrained")
    for axes, from_behind in zip(overview.subplots(1, 2), (False, True), strict=True):
        draw_side(axes, body, positions, frames, from_behind=from_behind)
    overview.suptitle(f"Placement presets; {legend}", fontsize=10)
    overview.savefig(folder / "placements.png", dpi=110)

    corners = body.rest_vertices.numpy()[body.faces.numpy()]
    columns = 7
    rows = -(-len(PLACEMENT_NAMES) // columns)
    closeup = Figure(figsize=(2.0 * columns, 2.2 * rows + 0.4), layout="constrained")
    panels = closeup.subplots(rows, columns).flatten()
    for axes, name, position, frame in zip(panels, PLACEMENT_NAMES, positions, frames, strict=False):
        draw_closeup(axes, corners, name, position, frame)
    for axes in panels[len(PLACEMENT_NAMES) :]:
        axes.axis("off")
    closeup.suptitle(f"Placement presets from near, in the rest pose (arms out, palms down); {legend}", fontsize=10)
    closeup.savefig(folder / "placements_closeup.png", dpi=90)


if __name__ == "__main__":
    draw_placements(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
