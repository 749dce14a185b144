"""Declared maps from the skeletons of common motion files to SMPL-22."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from datamodules.retargeting.retarget import SIDES, SkeletonMap
from sim.conventions import JOINT_NAMES

TRUNK: Final[tuple[str, ...]] = ("pelvis", "spine1", "spine2", "spine3", "neck", "head")
Turns = tuple[float, float, float]
"""Turns about the fixed x, y and z [deg]."""

LIMBS: Final[tuple[str, ...]] = ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist")


def _make_map(
    trunk: tuple[str | tuple[str, str], ...],
    places: tuple[str, ...],
    drivers: tuple[str, ...],
    *,
    sides: tuple[str, str],
    forearm_twist: str | None = None,
    prefix: str = "",
    feet_with_legs: bool = False,
    sole_pitch_deg: float | None = None,
    renamed: dict[str, str] | None = None,
) -> SkeletonMap:
    """Write a map for both sides; ``{}`` in a name stands for the source's word for left or right.

    ``renamed`` gives the names that do not follow the pattern.

    ``forearm_twist`` is the joint that pronates where the forearm itself does not; ``prefix`` begins every name; the
    last two are those of :class:`datamodules.retargeting.retarget.SkeletonMap`.
    """
    trunk = tuple(prefix + one if isinstance(one, str) else (prefix + one[0], prefix + one[1]) for one in trunk)
    places, drivers = tuple(prefix + one for one in places), tuple(prefix + one for one in drivers)
    forearm_twist = prefix + forearm_twist if forearm_twist else None
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
    made = SkeletonMap(joints, driven, twists, feet_with_legs=feet_with_legs, sole_pitch_deg=sole_pitch_deg)
    return rename_joints(made, renamed or {})


def rename_joints(skeleton: SkeletonMap, names: dict[str, str]) -> SkeletonMap:
    """Return a map for a source that calls some joints otherwise; ``names`` are new names by old ones."""

    def rename(driver: str | tuple[str, str]) -> str | tuple[str, str]:
        return (
            names.get(driver, driver)
            if isinstance(driver, str)
            else (names.get(driver[0], driver[0]), names.get(driver[1], driver[1]))
        )

    return replace(
        skeleton,
        joints={joint: names.get(name, name) for joint, name in skeleton.joints.items()},
        drivers={joint: rename(driver) for joint, driver in skeleton.drivers.items()},
        twists={joint: names.get(name, name) for joint, name in skeleton.twists.items()},
    )


ACCLAIM = _make_map(
    ("root", "lowerback", "upperback", "thorax", ("lowerneck", "upperneck"), "head"),
    ("{}femur", "{}tibia", "{}foot", "{}toes", "{}clavicle", "{}humerus", "{}radius", "{}hand"),
    ("{}femur", "{}tibia", "{}foot", "{}toes", "{}clavicle", "{}humerus", "{}radius", "{}hand"),
    sides=("l", "r"),
    # The bone called wrist is the far half of the forearm.
    forearm_twist="{}wrist",
    feet_with_legs=True,
)
"""CMU's .asf skeletons (Vicon BodyBuilder): at rest legs are splayed by 20 degrees, feet on their outer edges."""

CGSPEED = _make_map(
    ("Hips", "LowerBack", "Spine", "Spine1", ("Neck", "Neck1"), "Head"),
    ("{}UpLeg", "{}Leg", "{}Foot", "{}ToeBase", "{}Shoulder", "{}Arm", "{}ForeArm", "{}Hand"),
    ("{}UpLeg", "{}Leg", "{}Foot", "{}ToeBase", "{}Shoulder", "{}Arm", "{}ForeArm", "{}FingerBase"),
    sides=("Left", "Right"),
    forearm_twist="{}Hand",
    feet_with_legs=True,
)
"""Bruce Hahne's BVH conversion of CMU (cgspeed), also under the exponential maps of the eight CMU actions."""

CGSPEED_POSER = _make_map(
    ("Hips", "lowerback", "Chest", "Chest2", ("lowerneck", "Neck"), "Head"),
    ("{}Hip", "{}Knee", "{}Ankle", "{}Toe", "{}Collar", "{}Shoulder", "{}Elbow", "{}Wrist"),
    ("{}Hip", "{}Knee", "{}Ankle", "{}Toe", "{}Collar", "{}Shoulder", "{}Elbow", "{}Wrist"),
    sides=("Left", "Right"),
    forearm_twist="{}Wrist",
    feet_with_legs=True,
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
    # Bones lie along -y at rest and the axes turned about them are those of the .asf's ``axis`` entries.
    twist_deg={"left_shoulder": -150.0, "right_shoulder": 150.0, "left_elbow": 90.0, "right_elbow": -90.0},
    # Those of the feet are (-90, 0, 20), of which 20 is the splay.
    frames_deg={"left_ankle": (-90.0, 0.0, 0.0), "right_ankle": (-90.0, 0.0, 0.0)},
)
"""A BVH that keeps an .asf skeleton's bone names and local axes."""

DEEPMIMIC = _make_map(
    ("root", ("root", "chest"), "chest", "chest", ("chest", "neck"), "neck"),
    ("{}_hip", "{}_knee", "{}_ankle", "{}_foot", "chest", "{}_shoulder", "{}_elbow", "{}_wrist"),
    ("{}_hip", "{}_knee", "{}_ankle", "{}_ankle", "chest", "{}_shoulder", "{}_elbow", "{}_elbow"),
    sides=SIDES,
)
"""The humanoid of DeepMimic."""

CHARACTER_CREATOR = _make_map(
    ("Hip", "Waist", "Spine01", "Spine02", ("NeckTwist01", "NeckTwist02"), "Head"),
    ("{}_Thigh", "{}_Calf", "{}_Foot", "{}_ToeBase", "{}_Clavicle", "{}_Upperarm", "{}_Forearm", "{}_Hand"),
    ("{}_Thigh", "{}_Calf", "{}_Foot", "{}_ToeBase", "{}_Clavicle", "{}_Upperarm", "{}_Forearm", "{}_Hand"),
    sides=("L", "R"),
    forearm_twist="{}_Hand",
    prefix="CC_Base_",
    sole_pitch_deg=12.0,
)
"""Reallusion's Character Creator and iClone: each bone along the y axis of its own frame."""

BANDAI_NAMCO = _make_map(
    ("Hips", "Spine", ("Spine", "Chest"), "Chest", "Neck", "Head"),
    ("UpperLeg_{}", "LowerLeg_{}", "Foot_{}", "Toes_{}", "Shoulder_{}", "UpperArm_{}", "LowerArm_{}", "Hand_{}"),
    ("UpperLeg_{}", "LowerLeg_{}", "Foot_{}", "Toes_{}", "Shoulder_{}", "UpperArm_{}", "LowerArm_{}", "Hand_{}"),
    sides=("L", "R"),
    forearm_twist="Hand_{}",
    sole_pitch_deg=37.5,
)
"""Bandai-Namco Research's motion data set."""

MIXAMO = _make_map(
    ("Hips", "Spine", "Spine1", "Spine2", "Neck", "Head"),
    ("{}UpLeg", "{}Leg", "{}Foot", "{}ToeBase", "{}Shoulder", "{}Arm", "{}ForeArm", "{}Hand"),
    ("{}UpLeg", "{}Leg", "{}Foot", "{}ToeBase", "{}Shoulder", "{}Arm", "{}ForeArm", "{}Hand"),
    sides=("Left", "Right"),
    forearm_twist="{}Hand",
)
"""Mixamo, with its prefix taken off; also what MotionBuilder calls its characters' joints."""

LAFAN1 = _make_map(
    ("Hips", "Spine", "Spine1", "Spine2", "Neck", "Head"),
    ("{}UpLeg", "{}Leg", "{}Foot", "{}Toe", "{}Shoulder", "{}Arm", "{}ForeArm", "{}Hand"),
    ("{}UpLeg", "{}Leg", "{}Foot", "{}Toe", "{}Shoulder", "{}Arm", "{}ForeArm", "{}Hand"),
    sides=("Left", "Right"),
    forearm_twist="{}Hand",
)
"""Ubisoft La Forge's animation data set: each bone along the x axis of its own frame."""

XSENS = _make_map(
    ("Hips", "Chest", ("Chest2", "Chest3"), "Chest4", "Neck", "Head"),
    ("{}Hip", "{}Knee", "{}Ankle", "{}Toe", "{}Collar", "{}Shoulder", "{}Elbow", "{}Wrist"),
    ("{}Hip", "{}Knee", "{}Ankle", "{}Toe", "{}Collar", "{}Shoulder", "{}Elbow", "{}Wrist"),
    sides=("Left", "Right"),
)
"""BVH that Xsens MVN writes."""

XSENS_MVNX = _make_map(
    ("Pelvis", "L5", ("L3", "T12"), "T8", "Neck", "Head"),
    ("{}UpperLeg", "{}LowerLeg", "{}Foot", "{}Toe", "{}Shoulder", "{}UpperArm", "{}ForeArm", "{}Hand"),
    ("{}UpperLeg", "{}LowerLeg", "{}Foot", "{}Toe", "{}Shoulder", "{}UpperArm", "{}ForeArm", "{}Hand"),
    sides=("Left", "Right"),
)
"""The 23 segments of Xsens MVN, by the labels of its .mvnx files."""

SNU = _make_map(
    ("Hips", "Spine", "Spine", ("Spine", "Spine1"), ("Spine1", "Head"), "Head"),
    ("{}UpLeg", "{}Leg", "{}Foot", "{}Toes", "{}Shoulder", "{}Arm", "{}ForeArm", "{}Hand"),
    ("{}UpLeg", "{}Leg", "{}Foot", "{}Toes", "{}Shoulder", "{}Arm", "{}ForeArm", "{}Hand"),
    sides=("Left", "Right"),
    forearm_twist="{}Hand",
    renamed={"LeftShoulder": "LeftShoulder1"},
)
"""Seoul National University's BVH: a short trunk, Spine1 at the base of the neck."""

SNU_AMC = rename_joints(SNU, {"Hips": "root"})
"""Seoul National University's .asf skeletons."""


SOMA = _make_map(
    ("Hips", "Spine1", "Spine2", "Chest", ("Neck1", "Neck2"), "Head"),
    ("{}Leg", "{}Shin", "{}Foot", "{}ToeBase", "{}Shoulder", "{}Arm", "{}ForeArm", "{}Hand"),
    ("{}Leg", "{}Shin", "{}Foot", "{}ToeBase", "{}Shoulder", "{}Arm", "{}ForeArm", "{}Hand"),
    sides=("Left", "Right"),
    forearm_twist="{}Hand",
)
"""NVIDIA's SOMA, of 77 joints or 30, as Kimodo writes it."""


def _declare_frames(
    skeleton: SkeletonMap,
    trunk: Turns,
    arms: tuple[Turns, Turns],
    hands: tuple[Turns, Turns],
    legs: tuple[Turns, Turns],
    toes: tuple[Turns, Turns],
) -> SkeletonMap:
    """Return a map that knows how every joint's frame is laid, left before right; forearms go with hands."""
    frames = dict.fromkeys(TRUNK, trunk)
    for side, arm, hand, leg, toe in zip(SIDES, arms, hands, legs, toes, strict=True):
        frames |= {f"{side}_{name}": arm for name in ("collar", "shoulder")}
        frames |= {f"{side}_{name}": hand for name in ("elbow", "wrist")}
        frames |= {f"{side}_{name}": leg for name in ("hip", "knee", "ankle")} | {f"{side}_foot": toe}
    return replace(skeleton, frames_deg=frames)


SNU_SPORTS = _declare_frames(
    LAFAN1,
    trunk=(90.0, 0.0, 90.0),
    arms=((-90.0, 0.0, 0.0), (-90.0, 0.0, 180.0)),
    # Hands hang with their frames turned by 90 degrees from the forearms': zero is the supine hand.
    hands=((180.0, 0.0, 0.0), (0.0, 0.0, 180.0)),
    legs=((90.0, 0.0, -90.0), (90.0, 0.0, -90.0)),
    toes=((0.0, -90.0, 0.0), (0.0, -90.0, 0.0)),
)
"""Seoul National University's basketball: LAFAN1's names, each bone along the x axis of its own frame."""

SNU_MARTIAL = _declare_frames(
    LAFAN1,
    trunk=(-90.0, 0.0, 90.0),
    arms=((-90.0, 0.0, 0.0), (90.0, 0.0, 0.0)),
    hands=((180.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
    legs=((-90.0, 0.0, 90.0), (90.0, 0.0, -90.0)),
    toes=((0.0, -90.0, 0.0), (180.0, 90.0, 0.0)),
)
"""Seoul National University's martial arts: the same, with the left leg and the right arm along -x."""

SMPL = SkeletonMap(
    {name: name for name in JOINT_NAMES},
    {name: name for name in JOINT_NAMES},
    frames_deg=dict.fromkeys(JOINT_NAMES, (0.0, 0.0, 0.0)),
)
"""SMPL-22 itself, of another body."""

BVH_MAPS: Final = {
    "cgspeed": CGSPEED,
    "cgspeed with hanging arms": CGSPEED_POSER,
    "DAZ": DAZ,
    "ReActIdle": REACTIDLE,
    "Acclaim names": ACCLAIM_BVH,
    "Character Creator": CHARACTER_CREATOR,
    "Bandai-Namco": BANDAI_NAMCO,
    "Mixamo": MIXAMO,
    "LAFAN1": LAFAN1,
    "Xsens": XSENS,
    "SNU": SNU,
    "SOMA": SOMA,
}
"""Maps that a BVH file of unknown origin is tried on, by name."""

ACCLAIM_MAPS: Final = {"CMU's": ACCLAIM, "SNU's": SNU_AMC}
"""Maps that an .amc of unknown origin is tried on, by name."""

LAID_OTHERWISE: Final = {"LAFAN1": {"SNU sports": SNU_SPORTS, "SNU martial arts": SNU_MARTIAL}}
"""Maps of the same joints whose frames are laid otherwise; only the rest pose tells them apart."""


def joints_of(skeleton: SkeletonMap) -> set[str]:
    """Return every source joint that a map names."""
    driven = {name for driver in skeleton.drivers.values() for name in _as_tuple(driver)}
    return driven | set(skeleton.joints.values()) | set(skeleton.twists.values())


def _as_tuple(driver: str | tuple[str, str]) -> tuple[str, ...]:
    return (driver,) if isinstance(driver, str) else driver
