"""Acclaim skeleton and motion (.asf + .amc, also .xz) -> SkeletonMotion.

Meredith & Maddock, "Motion Capture File Formats Explained" (University of Sheffield CS-01-11, 2001), section 4: a bone
turns by C M C^-1, where C is its declared axis frame and M the rotation by its degrees of freedom.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from datamodules.formats.frame_clock import judge_numbers
from datamodules.formats.skeleton import (
    FloatArray,
    SkeletonMotion,
    check_extent,
    parse_numbers,
    read_text,
    run_forward_kinematics,
)

INCH_M = 0.0254

_TURNS: Final[tuple[str, ...]] = ("rx", "ry", "rz")
_AXES: Final[frozenset[str]] = frozenset({"xyz", "xzy", "yxz", "yzx", "zxy", "zyx"})


_ANGLE: Final = re.compile(r"^\s*:(DEGREES|RADIANS)\s*$", re.IGNORECASE | re.MULTILINE)
"""Where an .amc states the unit of its own angles."""


@dataclass(frozen=True)
class _Bone:
    """One bone of an ASF file: direction in the rest pose, length, axis frame and degrees of freedom."""

    direction: FloatArray
    length: float
    axis: Rotation
    dof: tuple[str, ...]


@dataclass(frozen=True)
class _Skeleton:
    bones: dict[str, _Bone]
    parents: dict[str, str]
    root_order: tuple[str, ...]
    degrees: bool
    length_unit: float


def read_acclaim(
    amc: str | Path, asf: str | Path, *, fps: float | None = None, unit_m: float | None = None, drop_first: int = 0
) -> SkeletonMotion:
    """Read an AMC file over its ASF skeleton.

    Args:
        amc: the motion, plain or ``.xz``.
        asf: the skeleton, plain or ``.xz``.
        fps: frames per second [Hz]; None takes the header's ``SAMPLES-PER-SECOND``, which few programs write (CMU's
            files have none, and are of 120 Hz).
        unit_m: metres per unit; None takes the ASF's ``length`` as a fraction of an inch, as CMU's files mean it.
        drop_first: frames to leave out at the beginning.

    Returns:
        The motion in metres; a joint carries the name of the bone that starts there, a last bone ends in
        ``<bone>_end``.

    Raises:
        FileNotFoundError: one of the files is missing.
        ValueError: a file is not whole, names a bone that the skeleton lacks, or nothing tells the rate.
    """
    skeleton = _parse_asf(read_text(asf), asf)
    scale = unit_m if unit_m is not None else INCH_M / skeleton.length_unit
    names, parents, offsets = _lay_out_joints(skeleton, asf)
    text = read_text(amc)
    rate = fps if fps is not None else _parse_rate(text)
    if rate is None:
        raise ValueError(f"{amc} states no rate (SAMPLES-PER-SECOND), expected one; pass fps=... (CMU: 120)")
    said = _ANGLE.search(text)
    degrees = skeleton.degrees if said is None else said[1].upper() == "DEGREES"
    frames, numbers = _parse_amc(text, skeleton, amc)
    frames = frames[drop_first:]
    if not frames:
        raise ValueError(f"{amc} has no frame left after the first {drop_first} were dropped")
    check_extent(len(frames), len(names), len(text), amc)
    local = np.broadcast_to(np.eye(3), (len(frames), len(names), 3, 3)).copy()
    for joint, name in enumerate(names):
        if name == "root":
            values = np.array([frame["root"] for frame in frames])
            turns = [i for i, channel in enumerate(skeleton.root_order) if channel.startswith("r")]
            moves = [skeleton.root_order.index(f"t{axis}") for axis in "xyz"]
            root = values[:, moves] * scale
            local[:, joint] = _rotate([skeleton.root_order[i] for i in turns], values[:, turns], degrees)
        elif name in skeleton.bones and skeleton.bones[name].dof:
            bone = skeleton.bones[name]
            axis = bone.axis.as_matrix()
            values = np.array([frame[name] for frame in frames])
            local[:, joint] = axis @ _rotate(list(bone.dof), values, degrees) @ axis.T
    rotations, positions = run_forward_kinematics(parents, offsets * scale, local, root)
    notes = judge_numbers(numbers[drop_first:], "frame numbers")
    if degrees != skeleton.degrees:
        said_of = "degrees" if degrees else "radians"
        notes = (*notes, f"the .amc says {said_of}, its .asf the other unit of angles; the .amc's is taken")
    return SkeletonMotion(names, parents, offsets * scale, rotations, positions, rate, notes)


def read_bones(asf: str | Path) -> dict[str, tuple[tuple[str, ...], FloatArray]]:
    """Return of each bone of an .asf its degrees of freedom and its vector at rest ``(3,)`` in the file's unit.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not whole.
    """
    bones = _parse_asf(read_text(asf), asf).bones
    return {name: (bone.dof, bone.direction * bone.length) for name, bone in bones.items()}


def read_rate(amc: str | Path) -> float | None:
    """Return the frame rate that an .amc states [Hz], None where it states none.

    Raises:
        FileNotFoundError: there is no such file.
    """
    return _parse_rate(read_text(amc))


def _parse_rate(text: str) -> float | None:
    found = re.search(r"^:SAMPLES-PER-SECOND\s+(\d{1,9}\.?\d*|\.\d+)", text, flags=re.MULTILINE | re.IGNORECASE)
    return float(found[1]) if found and float(found[1]) > 0 else None


def _rotate(dof: list[str], values: FloatArray, degrees: bool) -> FloatArray:
    # Lower case: extrinsic; "rx ry rz" turns about the fixed x first, so the matrix is Rz Ry Rx.
    order = "".join(channel[1] for channel in dof)
    return Rotation.from_euler(order, values, degrees=degrees).as_matrix()


def _parse_asf(text: str, path: str | Path) -> _Skeleton:
    sections = dict(re.findall(r"^:(\w+)([^\n]*\n(?:(?!:).*\n?)*)", text.replace("\r", ""), flags=re.MULTILINE))
    missing = {"units", "root", "bonedata", "hierarchy"} - set(sections)
    if missing:
        raise ValueError(f"{path} lacks the sections {sorted(missing)}, expected a whole ASF file")
    degrees, unit = _parse_units(sections["units"], path)
    order = re.search(r"order\s+(.+)", sections["root"], flags=re.IGNORECASE)
    turned = re.search(r"orientation\s+(.+)", sections["root"], flags=re.IGNORECASE)
    if turned is not None and any(word.strip("0.+-") for word in turned[1].split()):
        raise ValueError(
            f"{path}: the root's orientation is {turned[1].strip()!r}, expected 0 0 0: a turned root is not applied; "
            "export it unturned"
        )
    if order is None or set(order[1].lower().split()) != {"tx", "ty", "tz", "rx", "ry", "rz"}:
        raise ValueError(f"{path}: the root's order is {order and order[1]!r}, expected TX TY TZ RX RY RZ, any order")
    bones = {}
    for block in re.findall(r"begin(.*?)\bend\b", sections["bonedata"], flags=re.DOTALL):
        name, bone = _parse_bone(block, path, degrees)
        bones[name] = bone
    parents = {}
    for line in sections["hierarchy"].splitlines():
        parent, *children = line.split() or [""]
        parents.update({child: parent for child in children if parent not in ("", "begin", "end")})
    return _Skeleton(bones, parents, tuple(order[1].lower().split()), degrees, unit)


def _parse_units(section: str, path: str | Path) -> tuple[bool, float]:
    """Return whether angles are degrees, and the unit of length as a fraction of an inch."""
    angle = re.search(r"^\s*angle\s+(\S+)", section, flags=re.IGNORECASE | re.MULTILINE)
    kinds = {"deg": True, "degree": True, "degrees": True, "rad": False, "radian": False, "radians": False}
    # Without a word the format means radians.
    degrees = kinds.get(angle[1].lower()) if angle else False
    if degrees is None and angle is not None:
        raise ValueError(f"{path}: units have angle {angle[1]!r}, expected deg or rad; correct it")
    length = re.search(r"^\s*length\s+(\S+)", section, flags=re.IGNORECASE | re.MULTILINE)
    try:
        unit = float(length[1]) if length else 1.0
    except ValueError:
        unit = 0.0
    if not 0 < unit < np.inf:
        raise ValueError(
            f"{path}: units have length {length and length[1]!r}, expected a number above 0 (the fraction of an inch, "
            "0.45 in CMU's files); correct it"
        )
    return bool(degrees), unit


def _parse_bone(block: str, path: str | Path, degrees: bool) -> tuple[str, _Bone]:
    fields = {line.split()[0]: line.split()[1:] for line in block.splitlines() if line.split()}
    name = " ".join(fields.get("name", ["?"]))
    lengths = {"name": 1, "direction": 3, "length": 1, "axis": 4}
    wrong = [key for key, count in lengths.items() if len(fields.get(key, [])) != count]
    if wrong:
        raise ValueError(f"{path}: bone {name} lacks a whole {', '.join(wrong)}, expected a whole ASF file; fetch it")
    place = f"{path}: bone {name}"
    dof = tuple(channel.lower() for channel in fields.get("dof", []))
    odd = [channel for channel in dof if channel not in _TURNS or dof.count(channel) > 1]
    if odd:
        raise ValueError(
            f"{place} has the degree of freedom {odd[0]!r}, expected {', '.join(_TURNS)}, each once: bones that move "
            "or stretch are not read; export rotations only"
        )
    if fields["axis"][3].lower() not in _AXES:
        raise ValueError(f"{place}: its axis ends in {fields['axis'][3]!r}, expected an order such as XYZ")
    turn = Rotation.from_euler(fields["axis"][3].lower(), parse_numbers(fields["axis"][:3], place), degrees=degrees)
    return name, _Bone(
        direction=parse_numbers(fields["direction"], place),
        length=float(parse_numbers(fields["length"], place)[0]),
        axis=turn,
        dof=dof,
    )


def _lay_out_joints(skeleton: _Skeleton, path: str | Path) -> tuple[tuple[str, ...], tuple[int, ...], FloatArray]:
    """Turn bones (direction and length) into joints at the bones' heads, parents first."""
    names, parents, offsets = ["root"], [-1], [np.zeros(3)]
    pending = ["root"]
    while pending:
        parent = pending.pop(0)
        bone = skeleton.bones.get(parent)
        tail = bone.direction * bone.length if bone else np.zeros(3)
        children = [name for name, above in skeleton.parents.items() if above == parent]
        for child in children or [f"{parent}_end"]:
            if child in names:
                raise ValueError(
                    f"{path}: bone {child} hangs on itself in the hierarchy, expected a tree; fetch it again"
                )
            names.append(child)
            parents.append(names.index(parent))
            offsets.append(tail)
        pending.extend(children)
    return tuple(names), tuple(parents), np.array(offsets)


def _parse_amc(text: str, skeleton: _Skeleton, path: str | Path) -> tuple[list[dict[str, FloatArray]], FloatArray]:
    """Return the frames, each the values of every bone, and the number that each carries."""
    widths = {"root": 6} | {name: len(bone.dof) for name, bone in skeleton.bones.items() if bone.dof}
    frames: list[dict[str, FloatArray]] = []
    numbers: list[int] = []
    for number, line in enumerate(text.splitlines(), start=1):
        word, *rest = line.split() or [""]
        if word.isdigit():
            frames.append({})
            numbers.append(int(word))
        elif word and word[0] not in ":#":
            if widths.get(word) != len(rest) or not frames:
                expected = f"{widths[word]} after a frame number" if word in widths else "a bone of the skeleton"
                raise ValueError(
                    f"{path}, line {number}: {word!r} with {len(rest)} values, expected {expected}; "
                    "give the ASF file of the same subject"
                )
            frames[-1][word] = parse_numbers(rest, f"{path}, line {number}")
    if not frames:
        raise ValueError(f"{path} holds no frame, expected an AMC file; fetch it again")
    for number, frame in enumerate(frames, start=1):
        if len(frame) != len(widths):
            raise ValueError(f"{path}: frame {number} has {len(frame)} of {len(widths)} bones; the file is cut off")
    return frames, np.array(numbers, dtype=np.float64)
