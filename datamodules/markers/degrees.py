"""The freedoms of a body that markers can tell, and what is known of them without markers.

Each group of joints turns by one rotation vector. The prior says about which pose it lies and how far it strays:
knees and elbows are hinges that hardly turn otherwise and do not bend backwards; what no marker shows (the head in
most laboratories, the hands) keeps to the prior's middle.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from sim.conventions import JOINT_INDEX, NUM_JOINTS
from sim.rotations import axis_angle_to_matrix, matrix_to_axis_angle

HINGE_STOP_RAD: Final[float] = math.radians(0.4)
"""Beyond straight a hinge gives by this much (standard deviation) [rad]."""


@dataclass(frozen=True)
class Group:
    """Joints that turn together.

    Attributes:
        names: the joints, parents first.
        middle_deg: rotation vector of the sum of their turns about which the prior lies [deg].
        spread_deg: standard deviation about the three axes of the rest pose [deg].
        flexion: the axis about which a hinge bends forwards (0, 1, 2) and its sign; None for others.
    """

    names: tuple[str, ...]
    middle_deg: tuple[float, float, float]
    spread_deg: tuple[float, float, float]
    flexion: tuple[int, float] | None = None

    @property
    def joints(self) -> tuple[int, ...]:
        """Indices of the joints."""
        return tuple(JOINT_INDEX[name] for name in self.names)

    @property
    def share(self) -> float:
        """Share of a turn that each joint takes."""
        return 1.0 / len(self.names)


@dataclass(frozen=True)
class Freedom:
    """The groups that are fitted, in order; three freedoms of displacement come before them.

    Attributes:
        groups: the root first.
        observed: names of groups' last joints with markers on or beyond them; the others follow the prior.
    """

    groups: tuple[Group, ...]

    @property
    def count(self) -> int:
        """P, the number of freedoms."""
        return 3 + 3 * len(self.groups)

    def neutral(self, frames: int) -> Tensor:
        """Return the prior's middle pose ``(T, 22, 3, 3)``, the root not turned."""
        rotations = torch.eye(3, dtype=torch.float64).expand(frames, NUM_JOINTS, 3, 3).clone()
        for group in (*self.groups, *ALL_GROUPS):
            middle = torch.tensor(group.middle_deg, dtype=torch.float64).deg2rad()
            rotations[:, list(group.joints)] = axis_angle_to_matrix(group.share * middle)
        return rotations

    def deviations(self, rotations: Tensor) -> tuple[Tensor, Tensor]:
        """Return how far the pose is from the prior's middle and the prior's weight, each ``(T, P)``.

        Returns:
            Rotation vectors from the middle [rad] (zero for displacement and root), and one over the variance.
        """
        frames = len(rotations)
        away, weight = rotations.new_zeros(frames, self.count), rotations.new_zeros(frames, self.count)
        for number, group in enumerate(self.groups):
            if number == 0:
                continue
            columns = slice(3 + 3 * number, 6 + 3 * number)
            middle = torch.tensor(group.middle_deg, dtype=torch.float64).deg2rad()
            # Joints of a group turn alike, so that one tells of all.
            turn = matrix_to_axis_angle(rotations[:, group.joints[0]]) / group.share
            away[:, columns] = turn - middle
            weight[:, columns] = torch.tensor(group.spread_deg, dtype=torch.float64).deg2rad() ** -2
            if group.flexion is not None:
                axis, sign = group.flexion
                bent = sign * turn[:, axis]
                back = bent < 0
                column = 3 + 3 * number + axis
                # Past straight the middle is straight, and the stop is stiff.
                away[:, column] = torch.where(back, turn[:, axis], away[:, column])
                weight[:, column] = torch.where(back, HINGE_STOP_RAD**-2, weight[:, column])
        return away, weight


def _both(
    name: str, middle: tuple[float, float, float], spread: tuple[float, float, float], hinge: int | None = None
) -> tuple[Group, Group]:
    """A group on the left side and its mirror image: turns about y and z change sign with the side."""
    flexion = (
        (None, None) if hinge is None else ((hinge, 1.0), (hinge, 1.0)) if hinge == 0 else ((hinge, -1.0), (hinge, 1.0))
    )
    return (
        Group((f"left_{name}",), middle, spread, flexion[0]),
        Group((f"right_{name}",), (middle[0], -middle[1], -middle[2]), spread, flexion[1]),
    )


ALL_GROUPS: Final[tuple[Group, ...]] = (
    Group(("pelvis",), (0.0, 0.0, 0.0), (180.0, 180.0, 180.0)),
    Group(("spine1", "spine2", "spine3"), (5.0, 0.0, 0.0), (30.0, 25.0, 20.0)),
    Group(("neck", "head"), (0.0, 0.0, 0.0), (25.0, 30.0, 20.0)),
    *_both("collar", (0.0, 0.0, 0.0), (6.0, 12.0, 12.0)),
    *_both("shoulder", (0.0, -10.0, -65.0), (45.0, 50.0, 50.0)),
    *_both("elbow", (0.0, -35.0, 0.0), (35.0, 50.0, 6.0), hinge=1),
    *_both("wrist", (0.0, 0.0, 0.0), (10.0, 15.0, 25.0)),
    *_both("hip", (-15.0, 0.0, 3.0), (50.0, 20.0, 20.0)),
    *_both("knee", (25.0, 0.0, 0.0), (50.0, 6.0, 4.0), hinge=0),
    *_both("ankle", (0.0, 0.0, 0.0), (25.0, 10.0, 12.0)),
)
"""Groups of a whole body; toes keep to the foot."""


def choose_freedom(carrying: Iterable[str]) -> tuple[Freedom, tuple[str, ...]]:
    """Return the groups that markers tell of, and the names of the joints that follow the prior alone.

    Args:
        carrying: joints that carry markers.
    """
    seen = set(carrying)
    # Markers on the forearm tell of the shoulder too; a collar or a neck tells of no spine that it hangs on.
    tells = {
        "spine3": {"spine1", "spine2", "spine3", "left_collar", "right_collar", "head", "neck"},
        "head": {"neck", "head"},
    }
    for side in ("left", "right"):
        tells |= {
            f"{side}_collar": {f"{side}_collar", f"{side}_shoulder"},
            f"{side}_shoulder": {f"{side}_shoulder", f"{side}_elbow"},
            f"{side}_elbow": {f"{side}_elbow"},
            f"{side}_wrist": {f"{side}_wrist"},
            f"{side}_hip": {f"{side}_hip", f"{side}_knee"},
            f"{side}_knee": {f"{side}_knee", f"{side}_ankle"},
            f"{side}_ankle": {f"{side}_ankle", f"{side}_foot"},
        }
    kept = [ALL_GROUPS[0]]
    prior: list[str] = []
    for group in ALL_GROUPS[1:]:
        if tells[group.names[-1]] & seen:
            kept.append(group)
        else:
            prior.extend(group.names)
    return Freedom(tuple(kept)), (*prior, "left_foot", "right_foot")
