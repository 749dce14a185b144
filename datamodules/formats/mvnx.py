"""Xsens MVN's XML (.mvnx) -> SkeletonMotion.

Roetenberg, Luinge & Slycke, "Xsens MVN: Full 6DOF Human Motion Tracking Using Miniature Inertial Sensors" (2009): 23
segments, each with the position of its origin and a unit quaternion (wxyz) from segment to world. The world is Z up,
and a person in the T-pose faces +X, when all quaternions are one.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from datamodules.formats.frame_clock import judge_numbers, judge_times
from datamodules.formats.skeleton import FloatArray, SkeletonMotion, read_text

TO_WORLD: Final[FloatArray] = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
"""Xsens's axes (forward, left, up) to ours (left, up, forward)."""

PARENTS: Final[dict[str, str]] = {
    "L5": "Pelvis",
    "L3": "L5",
    "T12": "L3",
    "T8": "T12",
    "Neck": "T8",
    "Head": "Neck",
} | {
    f"{side}{segment}": parent if parent in ("T8", "Pelvis") else f"{side}{parent}"
    for side in ("Right", "Left")
    for segment, parent in (
        ("Shoulder", "T8"),
        ("UpperArm", "Shoulder"),
        ("ForeArm", "UpperArm"),
        ("Hand", "ForeArm"),
        ("UpperLeg", "Pelvis"),
        ("LowerLeg", "UpperLeg"),
        ("Foot", "LowerLeg"),
        ("Toe", "Foot"),
    )
}
"""The segment that each hangs on; a segment's origin is the joint between the two."""


@dataclass
class _Contents:
    """What a file says, in its own order of segments."""

    labels: list[str] = field(default_factory=list)
    rate: str | None = None
    sensors: int = 0
    numbers: list[float] = field(default_factory=list)
    times_ms: list[float] = field(default_factory=list)
    orientations: list[FloatArray] = field(default_factory=list)
    positions: list[FloatArray] = field(default_factory=list)


def read_mvnx(path: str | Path, *, fps: float | None = None) -> SkeletonMotion:
    """Read an MVNX file; only the frames of the recording, not its calibration poses.

    Args:
        path: ``.mvnx`` or ``.mvnx.xz``.
        fps: frame rate [Hz] where the file's is known to be wrong.

    Returns:
        The motion in metres, Y up, facing +Z at rest.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not whole, is not MVNX, declares entities, or a frame has another count of numbers.
    """
    contents = _parse(read_text(path), path)
    missing = [name for name in ("Pelvis", *PARENTS) if name not in contents.labels]
    if missing or not contents.orientations:
        found = f"lacks the segments {missing}" if missing else "has no frame of type normal with orientations"
        raise ValueError(f"{path} {found}, expected an MVNX file of Xsens MVN with 23 segments and its recording")
    try:
        rate = fps if fps is not None else float(contents.rate or "nan")
    except ValueError:
        rate = float("nan")
    if not 0 < rate < np.inf:
        raise ValueError(f"{path}: frameRate is {contents.rate!r}, expected the rate in Hz; pass fps=...")
    # Segments in an order where parents come first, which the file need not keep.
    names = ("Pelvis", *PARENTS)
    order = [contents.labels.index(name) for name in names]
    quaternions = np.stack(contents.orientations)[:, order]
    norms = np.linalg.norm(quaternions, axis=-1)
    if not np.abs(norms - 1).max() < 0.01:
        frame = int(np.abs(norms - 1).max(axis=1).argmax())
        raise ValueError(f"{path}: frame {frame} has a quaternion of length {norms[frame].min():.3f}, expected 1")
    turns = Rotation.from_quat(quaternions.reshape(-1, 4)[:, [1, 2, 3, 0]]).as_matrix().reshape(*norms.shape, 3, 3)
    rotations = TO_WORLD @ turns @ TO_WORLD.T
    positions = np.stack(contents.positions)[:, order] @ TO_WORLD.T
    parents = tuple(-1 if name == "Pelvis" else names.index(PARENTS[name]) for name in names)
    offsets = np.zeros((len(names), 3))
    for joint, parent in enumerate(parents):
        if parent >= 0:
            step = positions[:, joint] - positions[:, parent]
            offsets[joint] = np.median(np.einsum("tji,tj->ti", rotations[:, parent], step), axis=0)
    notes = judge_numbers(np.array(contents.numbers), "frame numbers (index)")
    notes = notes or judge_times(np.array(contents.times_ms) / 1000, "times of the frames")
    return SkeletonMotion(names, parents, offsets, rotations, positions, rate, notes)


def _parse(text: str, path: str | Path) -> _Contents:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        # Entities can only be declared in a document type, which MVNX never has; they expand without bound.
        raise ValueError(f"{path} declares a document type or entities, which no MVNX file does; it is not read")
    contents = _Contents()
    inside = False
    try:
        for event, element in ET.iterparse(StringIO(text), events=("start", "end")):
            tag = element.tag.rpartition("}")[2]
            if event == "start":
                if tag == "subject":
                    contents.rate = element.get("frameRate")
                elif tag == "segment":
                    contents.labels.append(element.get("label", ""))
                elif tag == "sensor":
                    contents.sensors += 1
                elif tag == "frame":
                    inside = element.get("type", "normal") == "normal"
            elif tag == "frame":
                if inside:
                    number = len(contents.orientations)
                    contents.numbers.append(_attribute(element, "index"))
                    contents.times_ms.append(_attribute(element, "time"))
                    contents.orientations.append(_numbers(element, "orientation", 4, number, contents, path))
                    contents.positions.append(_numbers(element, "position", 3, number, contents, path))
                element.clear()
    except ET.ParseError as error:
        raise ValueError(
            f"{path} is no whole XML file ({error}), expected MVNX of Xsens MVN; export it anew"
        ) from error
    return contents


def _attribute(element: ET.Element, name: str) -> float:
    try:
        return float(element.get(name, ""))
    except ValueError:
        return float("nan")


def _numbers(
    frame: ET.Element, name: str, width: int, number: int, contents: _Contents, path: str | Path
) -> FloatArray:
    element = next((child for child in frame if child.tag.rpartition("}")[2] == name), None)
    try:
        values = np.array((element.text or "").split() if element is not None else [], dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"{path}: {name} of frame {number}: {error}, expected numbers") from error
    if len(values) != width * len(contents.labels) or not np.isfinite(values).all():
        raise ValueError(
            f"{path}: {name} of frame {number} has {len(values)} numbers, expected {width} finite ones for each of "
            f"{len(contents.labels)} segments; export it anew with orientations and positions"
        )
    return values.reshape(-1, width)
