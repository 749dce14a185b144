"""Declared maps from the skeletons of common motion files to SMPL-22."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from datamodules.formats.skeleton import SkeletonMotion
from datamodules.retarget import SIDES, SkeletonMap

TRUNK: Final[tuple[str, ...]] = ("pelvis", "spine1", "spine2", "spine3", "neck", "head")
LIMBS: Final[tuple[str, ...]] = ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist")


def _make_map(
    trunk: tuple[str | tuple[str, str], ...],
    places: tuple[str, ...],
    drivers: tuple[str, ...],
    *,
    sides: tuple[str, str],
    forearm_twist: str | None = None,
) -> SkeletonMap:
    """Write a map for both sides; ``{}`` in a name stands for the source's word for left or right.

    ``forearm_twist`` is the joint that pronates where the forearm itself does not.
    """
    joints: dict[str, str] = {}
    driven: dict[str, str | tuple[str, str]] = dict(zip(TRUNK, trunk, strict=True))
    for side, word in zip(SIDES, sides, strict=True):
        joints |= {f"{side}_{limb}": name.format(word) for limb, name in zip(LIMBS, places, strict=True)}
        driven |= {f"{side}_{limb}": name.format(word) for limb, name in zip(LIMBS, drivers, strict=True)}
    twists = (
        {f"{side}_elbow": forearm_twist.format(word) for side, word in zip(SIDES, sides, strict=True)}
        if forearm_twist
        else {}
    )
    return SkeletonMap(joints, driven, twists)


ACCLAIM = _make_map(
    ("root", "lowerback", "upperback", "thorax", ("lowerneck", "upperneck"), "head"),
    ("{}femur", "{}tibia", "{}foot", "{}toes", "{}clavicle", "{}humerus", "{}radius", "{}hand"),
    ("{}femur", "{}tibia", "{}foot", "{}toes", "{}clavicle", "{}humerus", "{}radius", "{}hand"),
    sides=("l", "r"),
    # The bone called wrist is the far half of the forearm.
    forearm_twist="{}wrist",
)
"""CMU's .asf skeletons (Vicon BodyBuilder)."""

CGSPEED = _make_map(
    ("Hips", "LowerBack", "Spine", "Spine1", ("Neck", "Neck1"), "Head"),
    ("{}UpLeg", "{}Leg", "{}Foot", "{}ToeBase", "{}Shoulder", "{}Arm", "{}ForeArm", "{}Hand"),
    ("{}UpLeg", "{}Leg", "{}Foot", "{}ToeBase", "{}Shoulder", "{}Arm", "{}ForeArm", "{}FingerBase"),
    sides=("Left", "Right"),
    forearm_twist="{}Hand",
)
"""Bruce Hahne's BVH conversion of CMU (cgspeed), also under the exponential maps of the eight CMU actions."""

CGSPEED_POSER = _make_map(
    ("Hips", "lowerback", "Chest", "Chest2", ("lowerneck", "Neck"), "Head"),
    ("{}Hip", "{}Knee", "{}Ankle", "{}Toe", "{}Collar", "{}Shoulder", "{}Elbow", "{}Wrist"),
    ("{}Hip", "{}Knee", "{}Ankle", "{}Toe", "{}Collar", "{}Shoulder", "{}Elbow", "{}Wrist"),
    sides=("Left", "Right"),
    forearm_twist="{}Wrist",
)
"""The later cgspeed release with arms that hang at rest."""

DAZ = _make_map(
    ("hip", ("hip", "abdomen"), "abdomen", "chest", "neck", "head"),
    ("{}Thigh", "{}Shin", "{}Foot", "{}Foot_end", "{}Collar", "{}Shldr", "{}ForeArm", "{}Hand"),
    ("{}Thigh", "{}Shin", "{}Foot", "{}Foot", "{}Collar", "{}Shldr", "{}ForeArm", "{}Hand"),
    sides=("l", "r"),
    forearm_twist="{}Hand",
)
"""The DAZ-friendly cgspeed conversion of CMU."""

REACTIDLE = _make_map(
    ("pelvis", "spine", ("spine", "spine.001"), "spine.001", "neck", "face"),
    ("thigh.{}", "shin.{}", "foot.{}", "foot.{}_end", "shoulder.{}", "upper_arm.{}", "forearm.{}", "forearm.{}_end"),
    ("thigh.{}", "shin.{}", "foot.{}", "foot.{}", "shoulder.{}", "upper_arm.{}", "forearm.{}", "forearm.{}"),
    sides=("L", "R"),
)
"""ReActIdle's markerless skeleton: no hands, no toes."""

ACCLAIM_BVH = replace(
    ACCLAIM,
    drivers=ACCLAIM.drivers | {"left_foot": "lfoot", "right_foot": "rfoot"},
    aligned_feet=True,
    # Bones lie along -y at rest and the axes turned about them are those of the .asf's ``axis`` entries.
    twist_deg={
        "left_shoulder": -150.0,
        "right_shoulder": 150.0,
        "left_elbow": 90.0,
        "right_elbow": -90.0,
        "left_ankle": -14.0,
        "right_ankle": 14.0,
    },
)
"""A BVH that keeps an .asf skeleton's bone names and local axes."""

DEEPMIMIC = _make_map(
    ("root", ("root", "chest"), "chest", "chest", ("chest", "neck"), "neck"),
    ("{}_hip", "{}_knee", "{}_ankle", "{}_foot", "chest", "{}_shoulder", "{}_elbow", "{}_wrist"),
    ("{}_hip", "{}_knee", "{}_ankle", "{}_ankle", "chest", "{}_shoulder", "{}_elbow", "{}_elbow"),
    sides=SIDES,
)
"""The humanoid of DeepMimic."""

BVH_MAPS: Final = {
    "cgspeed": CGSPEED,
    "cgspeed with hanging arms": CGSPEED_POSER,
    "DAZ": DAZ,
    "ReActIdle": REACTIDLE,
    "Acclaim names": ACCLAIM_BVH,
}
"""Maps that a BVH file of unknown origin is tried on, by name."""


def choose_map(skeleton: SkeletonMotion, origin: str | Path) -> SkeletonMap:
    """Return the map whose joints a skeleton has.

    Args:
        skeleton: the motion that was read.
        origin: where from, for the message.

    Raises:
        ValueError: no map fits.
    """
    for candidate in BVH_MAPS.values():
        driven = {name for driver in candidate.drivers.values() for name in _as_tuple(driver)}
        if driven | set(candidate.joints.values()) <= set(skeleton.names):
            return candidate
    raise ValueError(
        f"{origin} has the joints {list(skeleton.names)[:12]}..., known skeletons are {', '.join(BVH_MAPS)}; "
        "retarget it with a SkeletonMap of your own and save it with Motion.save"
    )


def _as_tuple(driver: str | tuple[str, str]) -> tuple[str, ...]:
    return (driver,) if isinstance(driver, str) else driver
