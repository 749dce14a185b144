"""Draw the README's picture: a prompt, the motion made from it, a watch on the skin, and what the watch reads.

python -m experiments.tools.draw_road [FILE] [--weights acc] [--prompt "a person runs forward."]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from experiments.pipeline.files import save_picture
from lightning_modules.checkpoints import load_prior
from lightning_modules.config_errors import readable_errors
from sim import Body, ImuRecording, Motion, Placement, simulate
from sim.features import features_to_motion
from sim.placements import resolve_all, site_poses

ROOT: Final = Path(__file__).resolve().parents[2]
AXIS_NAMES: Final = ("x (along the forearm)", "y", "z (out of the skin)")
NUM_BODIES: Final = 6
VIEW_DEG: Final = 65.0
"""Turn of the camera about the vertical: most people walk along +Z, and a side view shows their stride."""


def draw_bodies(axes: Axes, body: Body, motion: Motion, sensor: torch.Tensor) -> None:
    """Draw a few frames of the motion from the side, the sensor (world position ``(T, 3)`` [m]) as a dot."""
    turn = np.deg2rad(VIEW_DEG)
    screen = np.array([[np.cos(turn), 0.0, np.sin(turn)], [0.0, 1.0, 0.0]])
    towards = np.array([np.sin(turn), 0.0, -np.cos(turn)])
    frames = np.linspace(0, motion.num_frames - 1, NUM_BODIES).round().astype(int)
    faces = body.faces.numpy()
    spread = 0.75 * np.arange(NUM_BODIES)
    for number, frame in enumerate(frames):
        still = motion.frames(int(frame), int(frame) + 1)
        corners = body.vertices(still)[0].double().numpy()[faces] - motion.translation[frame].double().numpy()
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
        order = np.argsort(corners.mean(axis=1) @ -towards)
        order = order[(normal[order] @ -towards) > 0]
        shade = np.clip(0.62 + 0.3 * normal[order] @ np.array([0.2, 0.7, 0.3]), 0.2, 0.95)
        height = float(motion.translation[frame, 1])
        offset = np.array([spread[number], height])
        flat = corners[order] @ screen.T + offset
        axes.add_collection(
            PolyCollection(
                flat, facecolors=np.repeat(shade[:, None], 3, 1), edgecolors="face", linewidths=0.2, rasterized=True
            )
        )
        dot = screen @ (sensor[frame] - motion.translation[frame]).double().numpy() + offset
        axes.plot(*dot, "o", color="tab:red", markersize=5, zorder=5)
    axes.set_aspect("equal")
    axes.autoscale_view()
    axes.axis("off")


def draw_streams(axes: Sequence[Axes], recording: ImuRecording) -> None:
    """Draw specific force and angular rate of the first sensor."""
    time = recording.time_s.numpy()
    for panel, values, unit in (
        (axes[0], recording.accel, "specific force [m/s$^2$]"),
        (axes[1], recording.gyro, "angular rate [rad/s]"),
    ):
        for axis, name in enumerate(AXIS_NAMES):
            panel.plot(time, values[:, 0, axis].numpy(), linewidth=1, label=name)
        panel.set(ylabel=unit, xlim=(0, time[-1]))
        panel.spines[["top", "right"]].set_visible(False)
    axes[0].legend(fontsize=7, ncols=3, frameon=False, loc="upper left")
    axes[1].set_xlabel("time [s]")


def draw_road(path: Path, *, weights: str, prompt: str, seed: int) -> None:
    """Generate one motion, simulate a right-wrist sensor at 100 Hz, and write the picture."""
    prior = load_prior(weights)
    motion = features_to_motion(prior.generate([prompt], num_frames=80, seeds=[seed])[0], std=prior.statistics.std)
    body = Body.default()
    watch = Placement.preset("right_wrist")
    position, _ = site_poses(body, motion, resolve_all([watch], body))
    figure = plt.figure(figsize=(12, 3.6), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(1.25, 1))
    scene = figure.add_subplot(grid[:, 0])
    scene.set_title(f"“{prompt}”", fontsize=11)
    draw_bodies(scene, body, motion, position[:, 0])
    panels = [figure.add_subplot(grid[row, 1]) for row in (0, 1)]
    draw_streams(panels, simulate(motion, body, [watch], rate_hz=100.0))
    save_picture(figure, path)
    plt.close(figure)


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.tools.draw_road", description="Draw the README's picture."
    )
    parser.add_argument("file", nargs="?", type=Path, default=ROOT / "docs" / "road.png")
    parser.add_argument("--weights", default="acc", help="packaged weights, or a path")
    parser.add_argument("--prompt", default="a person walks forward.")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(args)
    with readable_errors():
        draw_road(options.file, weights=options.weights, prompt=options.prompt, seed=options.seed)


if __name__ == "__main__":
    main()
