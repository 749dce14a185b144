"""Placements as plain values: what goes into a recording's metadata and comes back from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

import torch
from torch import Tensor

from sim.conventions import JOINT_INDEX
from sim.placements.raycast import BonePoint, SkinPoint, read_skin_point
from sim.placements.soft_tissue import SoftTissue

_BONE_KEYS = ("bone", "fraction", "angle_rad")
_TRIANGLE_KEYS = ("triangle", "barycentric")
_SHIFT_KEYS = ("along_m", "around_rad", "around_m")
_MATRIX_KEYS = ("mounting", "turn")


def describe_point_of(point: BonePoint | SkinPoint) -> dict[str, object]:
    """Return ``kind`` ``"bone"`` or ``"triangle"`` with the coordinates of that kind."""
    if isinstance(point, BonePoint):
        return {"kind": "bone", "bone": point.bone, "fraction": point.fraction, "angle_rad": point.angle_rad}
    return {"kind": "triangle", "triangle": list(point.triangle), "barycentric": list(point.barycentric)}


def describe_matrix(matrix: Tensor | str | None) -> object:
    """Return a name as it is and a matrix as three rows of numbers."""
    return matrix.detach().cpu().tolist() if isinstance(matrix, Tensor) else matrix


def read_point(name: str, description: Mapping[str, object]) -> BonePoint | SkinPoint:
    """Return the point of a description.

    Raises:
        ValueError: the kind is neither, or a coordinate of it is missing, of another type or no point of a triangle.
    """
    kind = description.get("kind")
    if kind == "bone":
        bone = description.get("bone")
        if not isinstance(bone, str) or bone not in JOINT_INDEX:
            raise ValueError(f"description of {name} has bone {bone!r}, expected one of {', '.join(JOINT_INDEX)}")
        return BonePoint(bone, _number(name, description, "fraction"), _number(name, description, "angle_rad"))
    if kind == "triangle":
        return read_skin_point(
            name, _numbers(name, description, "triangle"), _numbers(name, description, "barycentric")
        )
    raise ValueError(f"description of {name} has kind {kind!r}, expected 'bone' or 'triangle'")


def read_number(name: str, description: Mapping[str, object], key: str) -> float:
    """Return a number that is zero where it is left out.

    Raises:
        ValueError: it is no number.
    """
    return _number(name, description, key) if key in description else 0.0


def read_matrix(name: str, description: Mapping[str, object], key: str) -> Tensor | None:
    """Return a ``(3, 3)`` float64 matrix, or None where it is left out or null.

    Raises:
        ValueError: it is not three rows of three numbers.
    """
    rows = description.get(key)
    if rows is None:
        return None
    try:
        matrix = torch.tensor(rows, dtype=torch.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"description of {name} has {key} {rows!r}, expected three rows of three numbers") from error
    return matrix


def read_attachment(name: str, description: Mapping[str, object]) -> SoftTissue | None:
    """Return the soft tissue under a sensor, or None where it is left out or null.

    Raises:
        ValueError: it is not a mapping of the numbers of :class:`~sim.placements.soft_tissue.SoftTissue`, or as that
            class.
    """
    values = description.get("attachment")
    if values is None:
        return None
    known = [field.name for field in fields(SoftTissue)]
    if not isinstance(values, Mapping) or set(values) != set(known):
        raise ValueError(f"description of {name} has attachment {values!r}, expected numbers for each of {known}")
    return SoftTissue(**{key: _number(name, values, key) for key in known})


def check_keys(description: Mapping[str, object]) -> str:
    """Return the name in a description after checking that nothing in it is unknown.

    Raises:
        ValueError: the name is missing, or a key means nothing here.
    """
    name = description.get("name")
    if not isinstance(name, str):
        raise ValueError(f"description of a placement has name {name!r}, expected text; was it made by .describe()?")
    known = ("name", "kind", *_BONE_KEYS, *_TRIANGLE_KEYS, "stand_off_m", *_MATRIX_KEYS, *_SHIFT_KEYS, "attachment")
    unknown = sorted(set(description) - set(known))
    if unknown:
        raise ValueError(
            f"description of {name} has {unknown}, expected keys of {list(known)}; was it written by a later version?"
        )
    return name


def _number(name: str, description: Mapping[str, object], key: str) -> float:
    value = description.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"description of {name} has {key} {value!r}, expected a number")
    return float(value)


def _numbers(name: str, description: Mapping[str, object], key: str) -> list[float]:
    values = description.get(key)
    if not isinstance(values, Sequence) or not all(isinstance(value, (int, float)) for value in values):
        raise ValueError(f"description of {name} has {key} {values!r}, expected a list of numbers")
    return [float(value) for value in values]
