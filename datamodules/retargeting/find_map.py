"""Which skeleton map a file of unknown origin fits: by its joints' names; where these are alike, by its rest pose."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from datamodules.formats.skeleton import SkeletonMotion
from datamodules.retargeting.retarget import ALIGNED_BONES, SkeletonMap, frame_of
from datamodules.retargeting.skeleton_maps import BVH_MAPS, LAID_OTHERWISE, joints_of
from sim.body import Body
from sim.conventions import JOINT_INDEX, NUM_JOINTS

SAME_BONE_COSINE: Final[float] = 0.8
"""Bones of two rest poses within 37 degrees of one another lie alike; the nearest other axis is 90 degrees away."""


def strip_prefix(skeleton: SkeletonMotion) -> SkeletonMotion:
    """Take a namespace off the joints' names: ``mixamorig:Hips``, ``mixamorig1_Hips`` and ``actor:Hips`` are ``Hips``.

    A namespace is what stands before a colon, or Mixamo's own with an underscore; only one that all joints share goes.
    """
    found = [re.match(r"(?:.*:|mixamorig\d*_?)", name) for name in skeleton.names]
    prefixes = {match[0] if match else "" for match in found}
    if len(prefixes) != 1 or prefixes == {""}:
        return skeleton
    length = len(prefixes.pop())
    return replace(skeleton, names=tuple(name[length:] for name in skeleton.names))


def find_map(
    source: SkeletonMotion, origin: str | Path, maps: Mapping[str, SkeletonMap] = BVH_MAPS
) -> tuple[SkeletonMotion, SkeletonMap, str]:
    """Return a motion with its joints spelled as a map has them, the map whose joints it has, and the map's name.

    Args:
        source: the motion that was read.
        origin: where from, for the message.
        maps: maps to try, by name.

    Raises:
        ValueError: no map fits; the message says which comes nearest, what it lacks, and how to give one.
    """
    name = _name_map(source, origin, maps)
    chosen, spelled = maps[name], spell_joints(source, maps[name])
    for other, laid in LAID_OTHERWISE.get(name, {}).items():
        if rests_as_declared(spelled, laid):
            return spelled, laid, other
    return spelled, chosen, name


def spell_joints(source: SkeletonMotion, skeleton: SkeletonMap) -> SkeletonMotion:
    """Return a motion whose joints are spelled as a map has them, where capitals alone differ (``HEad``)."""
    wanted = {name.lower(): name for name in joints_of(skeleton)}
    present = set(source.names)
    return replace(
        source,
        names=tuple(
            spelling if (spelling := wanted.get(name.lower(), name)) not in present else name for name in source.names
        ),
    )


def _name_map(source: SkeletonMotion, origin: str | Path, maps: Mapping[str, SkeletonMap]) -> str:
    present = {name.lower() for name in source.names}
    lacking = {
        name: sorted(one for one in joints_of(candidate) if one.lower() not in present)
        for name, candidate in maps.items()
    }
    fitting = [name for name, missing in lacking.items() if not missing]
    if fitting:
        return fitting[0]
    near = min(lacking, key=lambda name: len(lacking[name]) / len(joints_of(maps[name])))
    known = {name.lower() for name in joints_of(maps[near])}
    strange = [name for name in source.names if not name.endswith("_end") and name.lower() not in known]
    raise ValueError(
        f"{origin} fits no skeleton map; known skeletons are {', '.join(maps)}. The nearest, {near}, lacks "
        f"{_shorten(lacking[near])}, and knows no {_shorten(strange)}; name your joints in a YAML file as "
        "datamodules/assets/skeleton_map.yaml shows, and give it as the skeleton (--skeleton FILE)"
    )


def rests_as_declared(source: SkeletonMotion, skeleton: SkeletonMap, *, body: Body | None = None) -> bool:
    """Say whether a source's bones lie in the frames that a map declares as SMPL's lie in its rest pose.

    Args:
        source: the motion that was read.
        skeleton: a map that declares every frame.
        body: whose rest pose is compared with; None takes ``Body.default()``.
    """
    rest = (body if body is not None else Body.default()).rest_joints.double().numpy().reshape(NUM_JOINTS, 3)
    for joint, tip in ALIGNED_BONES.items():
        theirs = frame_of(skeleton, joint).T @ source.offsets[source.index(skeleton.joints[tip])]
        ours = rest[JOINT_INDEX[tip]] - rest[JOINT_INDEX[joint]]
        if theirs @ ours < SAME_BONE_COSINE * np.linalg.norm(theirs) * np.linalg.norm(ours) or not theirs.any():
            return False
    return True


def _shorten(names: list[str]) -> str:
    return f"{', '.join(names[:8])}{f' and {len(names) - 8} more' if len(names) > 8 else ''}" or "other joint"
