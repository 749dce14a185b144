"""Say what a motion file is, and what looks wrong with it: what ``imuforge motions inspect`` prints and draws."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from datamodules.clips.mocap_research_sets import find_declared
from datamodules.motion_files import read_motion
from datamodules.motion_files.motion_file import MotionFile, ReadOptions, move_skeleton
from datamodules.motion_files.plausibility import judge_motion, leg_length, say_no_jumps, say_t_pose
from experiments.bandwidth.spectral_gain import compare_spectrum
from experiments.pipeline.files import save_picture
from sim.body import Body
from sim.conventions import JOINT_INDEX, JOINT_NAMES, PARENTS
from sim.motion import Motion
from sim.placements import Placement
from sim.show import DEFAULT_PLACEMENTS, write_page

SHOWN: Final[int] = 8

MEAN_HEADING: Final[float] = 0.3
"""Mean of unit vectors below which a person faces all ways."""

Joints = NDArray[np.float64]


def read_declared(path: Path, options: ReadOptions) -> tuple[MotionFile, str | None]:
    """Read a motion file by the rules of its set, if it lies in a known one and nothing else is asked for.

    Returns:
        The motion, and what rules were followed, in words.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: as :func:`datamodules.motion_files.read_motion`.
    """
    declared = find_declared(path) if options == ReadOptions() else None
    if declared is None:
        return read_motion(path, options), None
    file, rules = declared
    told = move_skeleton(
        file.read(), file.skeleton, options, format_name=path.suffixes[0][1:].upper(), name="as its set declares"
    )
    return told, f"read by the rules of the set {rules.folder}: {rules.about or 'units, rate and first frames'}"


def inspect_motion(path: Path, options: ReadOptions) -> tuple[MotionFile, list[str]]:
    """Read a motion file and describe it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: as :func:`datamodules.motion_files.read_motion`.
    """
    read, rules = read_declared(path, options)
    joints, fps = read.joints.reshape(-1, *read.joints.shape[-3:])[0], read.motion.fps
    duration = (len(joints) - 1) / fps
    lines = [
        f"{path}: {read.format}, skeleton {read.skeleton}",
        f"{len(joints)} frames at {fps:g} fps, {duration:.2f} s; carries nothing above {fps / 2:g} Hz",
        *_describe_size(joints),
    ]
    if len(joints) > 2:
        lines += [*_describe_speed(joints, fps), *say_no_jumps(joints, fps), *_describe_spectrum(joints, fps)]
    judged = judge_motion(read)
    lines += [rules] if rules else []
    lines += [f"terms: {read.motion.licence}"] if read.motion.licence else []
    return read, [*lines, *judged, *say_t_pose(joints), *(note for note in read.notes if note not in judged)]


def _describe_size(joints: Joints) -> list[str]:
    leg = leg_length(joints)
    own = leg_length(Body.default().rest_joints.double().numpy()[None])
    rest = Body.default().rest_vertices[:, 1]
    height = float(rest.max() - rest.min()) * leg / own
    lowest = joints[..., 1].min(axis=1)
    floor = float(np.quantile(lowest, 0.02))
    pelvis = joints[:, 0, 1] - floor
    lines = [
        f"legs {leg:.2f} m (hip to ankle), so the body is about {height:.2f} m tall; floor below the lowest joint at "
        f"{floor:+.3f} m; pelvis {pelvis.min():.2f} to {pelvis.max():.2f} m above it"
    ]
    return lines


def _describe_speed(joints: Joints, fps: float) -> list[str]:
    ground = np.linalg.norm(np.diff(joints[:, 0], axis=0)[:, [0, 2]], axis=-1) * fps
    travelled = float(np.linalg.norm((joints[-1, 0] - joints[0, 0])[[0, 2]]))
    fastest = np.linalg.norm(np.diff(joints, axis=0), axis=-1).max(axis=0) * fps
    index = int(fastest.argmax())
    lines = [
        f"pelvis over ground: median {np.median(ground):.2f} m/s, largest {ground.max():.2f} m/s, "
        f"{travelled:.2f} m from start to end; fastest joint {JOINT_NAMES[index]} {fastest[index]:.1f} m/s"
    ]
    return lines


def _describe_spectrum(joints: Joints, fps: float) -> list[str]:
    compared = compare_spectrum(joints, fps)
    return [compared if isinstance(compared, str) else compared.describe()]


def write_motion_page(motion: Motion, path: Path, *, title: str) -> list[str]:
    """Write the page of :mod:`sim.show` with sensors at its usual places.

    Raises:
        ValueError: the page is not .html.
    """
    page = write_page(
        motion, Body.default(), [Placement.preset(name) for name in DEFAULT_PLACEMENTS], path, title=title
    )
    return [f"page: {page.path}", *(f"note: {note}" for note in page.notes)]


def draw_motion(motion: Motion, path: Path, *, title: str) -> str:
    """Draw eight moments of a motion from its right side and its front, and heights over time, to a .png file.

    Raises:
        ValueError: the picture is not .png.
    """
    if path.suffix != ".png":
        raise ValueError(f"{path} ends in {path.suffix!r}, expected .png; rename the picture")
    joints = Body.default().joints(motion).double().numpy()
    joints = joints.reshape(-1, *joints.shape[-3:])[0]
    seen = joints @ find_heading(motion)
    with mpl.rc_context({"font.size": 9}):
        figure = Figure(figsize=(10, 7), layout="constrained")
        figure.suptitle(title)
        side, front, heights = figure.subplots(3, 1, height_ratios=(3, 3, 2))
        moments = np.linspace(0, len(joints) - 1, SHOWN).astype(int)
        for axes, across, name in ((side, 2, "from its right"), (front, 0, "from its front")):
            for place, frame in enumerate(moments):
                _draw_figure(axes, seen[frame] - seen[frame, 0] * [1, 0, 1], across, 1.2 * place)
            times = [f"{frame / motion.fps:.2f} s" for frame in moments]
            axes.set(aspect="equal", ylabel="height [m]", xlabel=f"{name}; left is blue, right is red")
            axes.set_xticks(1.2 * np.arange(SHOWN), times)
            axes.axhline(0, color="0.7", linewidth=0.8)
        times_s = np.arange(len(joints)) / motion.fps
        for joint in ("pelvis", "left_wrist", "right_wrist", "left_ankle", "right_ankle"):
            style = "--" if joint.endswith("wrist") else "-"
            heights.plot(
                times_s, joints[:, JOINT_INDEX[joint], 1], style, color=_colour(joint), label=joint, linewidth=1
            )
        heights.set(xlabel="time [s]", ylabel="height [m]", xlim=(0, max(times_s[-1], 1e-3)))
        heights.legend(ncols=5, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0))
        save_picture(figure, path)
    return f"picture: {path}"


def find_heading(motion: Motion) -> Joints:
    """Return the turn about the vertical ``(3, 3)`` whose columns are the person's left, up and forward.

    Forward is where the pelvis faces on the average; at the start where it turns through all directions.
    """
    forward = motion.rotations.reshape(-1, motion.num_frames, len(JOINT_NAMES), 3, 3)[0, :, 0, :, 2].double().numpy()
    mean = forward.mean(axis=0) * [1, 0, 1]
    ahead = mean if np.linalg.norm(mean) > MEAN_HEADING else forward[0] * [1, 0, 1]
    length = float(np.linalg.norm(ahead))
    ahead = ahead / length if length > 0 else np.array([0.0, 0.0, 1.0])
    return np.stack([np.cross([0.0, 1.0, 0.0], ahead), [0.0, 1.0, 0.0], ahead], axis=1)


def _colour(joint: str) -> str:
    return "tab:blue" if joint.startswith("left") else "tab:red" if joint.startswith("right") else "0.2"


def _draw_figure(axes: mpl.axes.Axes, joints: Joints, across: int, shift: float) -> None:
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            ends: Sequence[int] = (parent, joint)
            # Seen from the front the person's left is on the viewer's right, as +x is; seen from its right, so is +z.
            axes.plot(
                joints[list(ends), across] + shift,
                joints[list(ends), 1],
                color=_colour(JOINT_NAMES[joint]),
                linewidth=1.3,
            )
