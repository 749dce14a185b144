"""Placement: where a sensor sits on the skin and how its box is mounted there; named presets, free of any mesh.

Which way each preset's axes point, pictures and a worked example: docs/placements.md; the site frame:
:mod:`sim.placements.sites`; how a box is turned on its site: :mod:`sim.placements.mountings`; many places on one limb:
:mod:`sim.placements.patches`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor

from sim.body import Body
from sim.placements.description import (
    check_keys,
    describe_matrix,
    describe_point_of,
    read_attachment,
    read_matrix,
    read_number,
    read_point,
)
from sim.placements.jitter import draw_displacement
from sim.placements.mountings import Mounting, check_mounting, read_mounting, resolve_mounting
from sim.placements.presets import PLACEMENT_NAMES, PRESETS, find_preset
from sim.placements.raycast import BonePoint, SkinPoint, read_skin_point
from sim.placements.resolve import Shift, find_site, rest_frame
from sim.placements.sites import ResolvedPlacement, Sites, site_poses, stack_sites
from sim.placements.soft_tissue import SoftTissue
from sim.placements.surface import nearest_on_skin

__all__ = ["PLACEMENT_NAMES", "Placement", "ResolvedPlacement", "Sites", "resolve_all", "site_poses", "stack_sites"]

DEFAULT_STAND_OFF_M = 0.005
"""Distance from the skin to the chip: half the thickness of a watch or small sensor box."""


_MOST_STAND_OFF_M = 0.5


@dataclass(frozen=True, eq=False)
class Placement:
    """A point on the skin, given by bone coordinates (any mesh) or by a triangle (one mesh), and a mounting.

    Attributes:
        name: what the recording calls this sensor.
        point: where it is.
        stand_off_m: distance of the chip from the skin along the outward normal [m].
        mounting: ``R_site_sensor (3, 3)``, from sensor to site frame; or named directions (``"x_up_z_out"``) or a
            device (``"smartwatch"``), see :mod:`sim.placements.mountings`; None is the identity.
        along_m: displacement along the bone towards distal [m].
        around_rad: displacement about the bone, right-handed about its distal axis [rad].
        around_m: the same as an arc on the skin [m], over the undisplaced point's distance from the bone's axis.
        turn: rotation ``(3, 3)`` of the box from how ``mounting`` says, in the sensor's frame: ``mounting @ turn``.
        attachment: the give of skin and strap, on which the box swings; None holds it rigidly.

    Raises:
        ValueError: a number is not finite, or the mounting or turn is no rotation or an unknown name.

    Examples:
        >>> watch = Placement.preset("Wrist-Left").mounted("y_up_z_out")
        >>> watch.name
        'left_wrist'
        >>> watch.on(Body.default()).mounting.round(decimals=1)  # in the site's frame: x distal, y backwards, z out
        tensor([[ 0., -1.,  0.],
                [ 1.,  0.,  0.],
                [-0.,  0.,  1.]], dtype=torch.float64)
    """

    name: str
    point: BonePoint | SkinPoint
    stand_off_m: float = 0.0
    mounting: Mounting = None
    along_m: float = 0.0
    around_rad: float = 0.0
    around_m: float = 0.0
    turn: Tensor | None = None
    attachment: SoftTissue | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"a placement is named {self.name!r}, expected text: the recording calls its sensor by it")
        for field in ("stand_off_m", "along_m", "around_rad", "around_m"):
            value = getattr(self, field)
            if not math.isfinite(value):
                raise ValueError(f"{field} of {self.name} is {value}, expected a finite number")
        if abs(self.stand_off_m) > _MOST_STAND_OFF_M:
            raise ValueError(
                f"stand_off_m of {self.name} is {self.stand_off_m}, expected up to {_MOST_STAND_OFF_M} m; is it in mm?"
            )
        # Rows of numbers, as describe() has them, and numpy arrays are taken as well.
        object.__setattr__(self, "mounting", read_mounting(self.mounting, self.name))
        check_mounting(self.mounting, self.name)
        check_mounting(self.turn, self.name)

    @classmethod
    def preset(cls, name: str) -> Placement:
        """Return a named placement, called by its name in :data:`PLACEMENT_NAMES`, also where a synonym was given.

        Raises:
            ValueError: the name is none of :data:`PLACEMENT_NAMES` nor a synonym, or the side is missing.
        """
        found = find_preset(name)
        return cls(found, PRESETS[found], DEFAULT_STAND_OFF_M)

    @classmethod
    def at(
        cls,
        name: str,
        triangle: int | Sequence[int] | Tensor,
        barycentric: Sequence[float] | Tensor,
        *,
        stand_off_m: float = 0.0,
        mounting: Mounting = None,
    ) -> Placement:
        """Return a placement at a point of one given mesh.

        Args:
            name: what the recording calls this sensor.
            triangle: index of a face, or its three vertex ids, counter-clockwise seen from outside.
            barycentric: weights of the three corners, in [0, 1] and summing to one.
            stand_off_m: distance from the skin along the outward normal [m].
            mounting: ``R_site_sensor (3, 3)``, named directions or a device.

        Raises:
            ValueError: not one or three ids, not three weights, weights outside [0, 1] or that do not sum to one, or
                as the class.
        """
        return cls(name, read_skin_point(name, triangle, barycentric), stand_off_m, mounting)

    @classmethod
    def nearest(
        cls,
        name: str,
        point: Sequence[float] | Tensor,
        body: Body,
        *,
        stand_off_m: float = 0.0,
        mounting: Mounting = None,
        max_distance_m: float = 0.1,
    ) -> Placement:
        """Return the place on the outer skin that is nearest to a point in space.

        Args:
            name: what the recording calls this sensor.
            point: ``(3,)`` [m] in the frame of ``body.rest_vertices``: the mean body in the rest pose, a T facing +Z, Y
                up, the left hand towards +X.
            body: whose mesh; its mean shape counts, as for every placement.
            stand_off_m: distance from the skin along the outward normal [m].
            mounting: ``R_site_sensor (3, 3)``, named directions or a device.
            max_distance_m: how far the point may lie from the skin [m].

        Raises:
            ValueError: not three finite numbers, a point farther away than that, or as the class.
        """
        place = torch.as_tensor(point, dtype=torch.float64).detach().cpu()
        if tuple(place.shape) != (3,) or not bool(place.isfinite().all()):
            raise ValueError(f"point of {name} is {place.tolist()}, expected three finite numbers (3,) [m]")
        ids, weights, distance = nearest_on_skin(body.model, place)
        if not distance <= max_distance_m:
            raise ValueError(
                f"point of {name} lies {distance:.3f} m from the skin, expected at most {max_distance_m:g} m; give it "
                "in metres in the frame of body.rest_vertices (Y up, facing +Z, arms out), or raise max_distance_m"
            )
        return cls.at(name, ids, weights, stand_off_m=stand_off_m, mounting=mounting)

    def mounted(self, mounting: Mounting) -> Placement:
        """Return this placement with its box turned as given, replacing the present mounting and turn.

        Args:
            mounting: ``R_site_sensor (3, 3)``, named directions such as ``"x_up_z_out"``, or a device.

        Raises:
            ValueError: the matrix is no rotation, or the name is unknown.
        """
        return replace(self, mounting=mounting, turn=None)

    def attached(self, attachment: SoftTissue | None) -> Placement:
        """Return this placement with its box on springs and dampers, see :class:`SoftTissue`; None is rigid."""
        return replace(self, attachment=attachment)

    def jitter(
        self,
        along_mm: float = 0.0,
        around_mm: float = 0.0,
        rotation_deg: float = 0.0,
        generator: torch.Generator | None = None,
        *,
        around_deg: float = 0.0,
    ) -> Placement:
        """Return a randomly displaced copy, as when the same sensor is strapped on anew.

        All are standard deviations of zero-mean normal draws. A shift past the end of the skin (over the crown, beyond
        the toes) stops short of it; one onto the next body part stays there, with x along the bone it set out from.

        Args:
            along_mm: of a shift along the bone [mm].
            around_mm: of a shift about the bone, as an arc on the skin [mm].
            rotation_deg: of each component of a rotation vector by which the box is turned [deg].
            generator: source of randomness; needed where anything is drawn.
            around_deg: of the shift about the bone as an angle about its axis [deg], in place of ``around_mm``.

        Raises:
            ValueError: a standard deviation is negative or not finite, both shifts about the bone are given, or there
                is no generator.
        """
        drawn = draw_displacement(along_mm, around_mm, around_deg, rotation_deg, generator)
        if drawn is None:
            return self
        return replace(
            self,
            along_m=self.along_m + drawn.along_m,
            around_rad=self.around_rad + drawn.around_rad,
            around_m=self.around_m + drawn.around_m,
            turn=self.turn if drawn.turn is None else drawn.turn if self.turn is None else self.turn @ drawn.turn,
        )

    def on(self, body: Body) -> ResolvedPlacement:
        """Find the point on a body's skin, always on its mean shape: the same triangle serves every shape.

        Raises:
            ValueError: no skin of the bone lies in that direction, the mesh lacks the triangle, or the mounting's
                directions do not determine one there.
        """
        model = body.model
        found = find_site(self.point, Shift(self.along_m, self.around_rad, self.around_m), self.name, model)
        mounting = resolve_mounting(self.mounting, found.joint, lambda: rest_frame(model, found), self.name)
        return ResolvedPlacement(
            name=self.name,
            triangle=torch.tensor(found.point.triangle),
            barycentric=torch.tensor(found.point.barycentric, dtype=torch.float64),
            stand_off_m=self.stand_off_m,
            mounting=mounting if self.turn is None else mounting @ self.turn.to(mounting),
            joint=found.joint,
            bone_axis=torch.tensor(found.axis, dtype=torch.float64),
        )

    def describe(self) -> dict[str, object]:
        """Return this placement as values that JSON can hold, the exact inverse of :meth:`from_description`."""
        return {
            "name": self.name,
            **describe_point_of(self.point),
            "stand_off_m": self.stand_off_m,
            "mounting": describe_matrix(self.mounting),
            "along_m": self.along_m,
            "around_rad": self.around_rad,
            "around_m": self.around_m,
            "turn": describe_matrix(self.turn),
            "attachment": None if self.attachment is None else asdict(self.attachment),
        }

    @classmethod
    def from_description(cls, description: Mapping[str, object]) -> Placement:
        """Return the placement of what :meth:`describe` returned; matrices come back as float64.

        Raises:
            ValueError: a value is missing, unknown or of another type, or as the class.
        """
        name = check_keys(description)
        mounting = description.get("mounting")
        return cls(
            name,
            read_point(name, description),
            stand_off_m=read_number(name, description, "stand_off_m"),
            mounting=mounting if isinstance(mounting, str) else read_matrix(name, description, "mounting"),
            along_m=read_number(name, description, "along_m"),
            around_rad=read_number(name, description, "around_rad"),
            around_m=read_number(name, description, "around_m"),
            turn=read_matrix(name, description, "turn"),
            attachment=read_attachment(name, description),
        )


def resolve_all(placements: Sequence[Placement], body: Body) -> Sites:
    """Resolve several placements on one body.

    Raises:
        ValueError: none given, or one cannot be resolved.
    """
    if isinstance(placements, (Placement, str)):
        raise ValueError(f"placements is one {type(placements).__name__}, expected a list of them; put it in [ ]")
    if not placements:
        raise ValueError("no placements given, expected at least one; see sim.placements.PLACEMENT_NAMES")
    for placement in placements:
        if not isinstance(placement, Placement):
            raise ValueError(f"placements holds {placement!r}, expected Placement.preset({placement!r}) or the like")
    return stack_sites([placement.on(body) for placement in placements])
