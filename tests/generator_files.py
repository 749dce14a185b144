"""Motions written as other generators publish theirs, in numpy alone, from what their pages say of each number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from datamodules.formats.kimodo import SOMA30, SOMA77
from sim import Body, Motion
from sim.features import joints_to_features

BODY = Body.default()
Array = np.ndarray


def turns_about(axis: str, angle: Array) -> Array:
    """Turns about x, y or z ``(T, 3, 3)`` by angles ``(T,)`` [rad]."""
    vectors = np.zeros((len(angle), 3))
    vectors[:, "xyz".index(axis)] = angle
    return np.asarray(Rotation.from_rotvec(vectors).as_matrix())


def yaw(angle: Array) -> Array:
    """Turns about y ``(T, 3, 3)``."""
    return turns_about("y", angle)


def write_263(path: Path, motion: Motion) -> Path:
    np.save(path, joints_to_features(BODY.joints(motion)).numpy())
    return path


def write_272(path: Path, motion: Motion) -> Path:
    """The form of Xiao et al. 2025: without the heading, steps from the frame before, rows of matrices."""
    joints, local = (value.double().numpy() for value in (BODY.joints(motion), motion.rotations))
    frames = len(joints)
    places = joints - joints[0, 0] * [1, 0, 1] - [0, joints[..., 1].min(), 0]
    heading = np.arctan2(local[:, 0, 0, 2], local[:, 0, 2, 2])
    without = yaw(-heading)
    local = local.copy()
    local[:, 0] = without @ local[:, 0]
    numbers = np.zeros((frames, 272))
    steps = np.einsum("tij,tj->ti", without[:-1], np.diff(places[:, 0], axis=0))
    numbers[1:, :2] = steps[:, [0, 2]]
    turns = np.concatenate([np.eye(3)[None], yaw(-np.diff(heading))])
    numbers[:, 2:8] = turns[:, :2].reshape(frames, 6)
    over = np.einsum("tij,tkj->tki", without, places - places[:, :1] * [1, 0, 1])
    numbers[:, 8:74] = over.reshape(frames, 66)
    numbers[1:, 74:140] = np.diff(over, axis=0).reshape(-1, 66)
    numbers[:, 140:] = local[:, :, :2].reshape(frames, 132)
    np.save(path, numbers)
    return path


def write_201(path: Path, motion: Motion) -> Path:
    """HY-Motion's: displacement of the model, both first columns of each matrix row by row, positions."""
    frames, pelvis = motion.num_frames, BODY.rest_joints[0].double().numpy()
    local, joints = motion.rotations.double().numpy(), BODY.joints(motion).double().numpy()
    numbers = [motion.translation.double().numpy() - pelvis, local[..., :2].reshape(frames, 132)]
    np.save(path, np.concatenate([*numbers, (joints - joints[:, :1]).reshape(frames, 66)], axis=1))
    return path


def write_hy_motion(path: Path, motion: Motion) -> Path:
    """HY-Motion's archive: AMASS's names, Y up, no rate."""
    vectors = Rotation.from_matrix(motion.rotations.double().numpy().reshape(-1, 3, 3)).as_rotvec()
    poses = np.zeros((motion.num_frames, 156))
    poses[:, :66] = vectors.reshape(-1, 66)
    trans = motion.translation.numpy() - BODY.rest_joints[0].numpy()
    np.savez(path, gender=np.array(["neutral"]), Rh=poses[:, :3], trans=trans, poses=poses, betas=np.zeros((1, 16)))
    return path


def write_amass(path: Path, motion: Motion) -> Path:
    """AMASS's: Z up, ``trans`` displaces the whole model."""
    up = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    rotations = motion.rotations.double().numpy().copy()
    rotations[:, 0] = up @ rotations[:, 0]
    poses = np.zeros((motion.num_frames, 156))
    poses[:, :66] = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_rotvec().reshape(-1, 66)
    trans = motion.translation.double().numpy() @ up.T - BODY.rest_joints[0].double().numpy()
    np.savez(path, poses=poses, trans=trans, betas=np.zeros(16), mocap_framerate=np.array(motion.fps))
    return path


def write_kimodo_smplx(path: Path, motion: Motion) -> Path:
    positions, rotations = (value.double().numpy() for value in BODY.forward_kinematics(motion))
    return _write_kimodo(path, positions, rotations, motion.rotations.double().numpy())


SOMA_REST = {
    **{"Hips": (0, 0.95, 0), "Spine1": (0, 0.1, 0), "Spine2": (0, 0.12, 0), "Chest": (0, 0.12, 0)},
    **{"Neck1": (0, 0.2, 0), "Neck2": (0, 0.05, 0), "Head": (0, 0.05, 0), "HeadEnd": (0, 0.18, 0)},
    **{"Jaw": (0, 0.02, 0.05), "LeftEye": (0.03, 0.06, 0.08), "RightEye": (-0.03, 0.06, 0.08)},
    **{"Shoulder": (0.03, 0.15, 0), "Arm": (0.14, 0, 0), "ForeArm": (0.27, 0, 0), "Hand": (0.25, 0, 0)},
    **{"Leg": (0.09, -0.05, 0), "Shin": (0, -0.42, 0), "Foot": (0, -0.41, -0.02)},
    **{"ToeBase": (0, -0.07, 0.13), "ToeEnd": (0, 0, 0.07)},
}
"""A made-up body in SOMA's T-pose: where each joint is from the one that it hangs on [m]; fingers are added."""


def soma_offset(name: str) -> Array:
    if name in SOMA_REST:
        return np.array(SOMA_REST[name], dtype=float)
    side, part = (1.0, name.removeprefix("Left")) if name.startswith("Left") else (-1.0, name.removeprefix("Right"))
    offset = np.array(SOMA_REST.get(part, (0.03, 0.0, 0.0)), dtype=float)
    return offset * [side, 1.0, 1.0]


def pose_soma(frames: int, *, joints: int = 77) -> tuple[Array, Array, Array]:
    """A SOMA body that walks in a curve and swings an arm: world positions, global and local rotations."""
    pairs = SOMA77 if joints == 77 else SOMA30
    names = [name for name, _ in pairs]
    time = np.arange(frames) / 30
    local = np.broadcast_to(np.eye(3), (frames, len(names), 3, 3)).copy()
    local[:, 0] = yaw(0.5 * time)
    for name, phase in (("LeftLeg", 0.0), ("RightLeg", np.pi)):
        local[:, names.index(name)] = turns_about("x", 0.4 * np.sin(6 * time + phase))
    for name, sign in (("LeftArm", -1.0), ("RightArm", 1.0)):
        local[:, names.index(name)] = turns_about("z", np.full(frames, sign * 1.2))
    local[:, names.index("LeftForeArm")] = turns_about("y", 0.5 * np.sin(4 * time) - 0.6)
    positions, rotations = np.zeros((frames, len(names), 3)), local.copy()
    root = np.stack([np.sin(0.5 * time), 0.95 + 0 * time, 2 - 2 * np.cos(0.5 * time)], axis=1)
    for index, (name, parent) in enumerate(pairs):
        if not parent:
            positions[:, index] = root
            continue
        above = names.index(parent)
        rotations[:, index] = rotations[:, above] @ local[:, index]
        positions[:, index] = positions[:, above] + rotations[:, above] @ soma_offset(name)
    return positions, rotations, local


def write_kimodo_soma(path: Path, frames: int, *, joints: int = 77) -> Path:
    return _write_kimodo(path, *pose_soma(frames, joints=joints))


def _write_kimodo(path: Path, positions: Array, rotations: Array, local: Array) -> Path:
    frames = len(positions)
    np.savez(
        path,
        posed_joints=positions.astype(np.float32),
        global_rot_mats=rotations.astype(np.float32),
        local_rot_mats=local.astype(np.float32),
        root_positions=positions[:, 0].astype(np.float32),
        smooth_root_pos=positions[:, 0].astype(np.float32),
        foot_contacts=np.zeros((frames, 4), np.float32),
        global_root_heading=np.zeros((frames, 2), np.float32),
    )
    return path


def write_joints(path: Path, motion: Motion) -> Path:
    np.savez(path, joints=BODY.joints(motion).numpy(), fps=np.array(motion.fps))
    return path


def write_soma_bvh(path: Path, frames: int) -> Path:
    """Kimodo's BVH: centimetres, ZYX, the same joints."""
    _, _, local = pose_soma(frames)
    positions, _, _ = pose_soma(frames)
    names = [name for name, _ in SOMA77]
    lines: list[str] = ["HIERARCHY"]

    def describe(name: str, depth: int) -> None:
        pad = "  " * depth
        offset = " ".join(f"{100 * value:.6f}" for value in soma_offset(name))
        kind = "ROOT" if depth == 0 else "JOINT"
        moves = "6 Xposition Yposition Zposition " if depth == 0 else "3 "
        lines.extend([f"{pad}{kind} {name}", f"{pad}{{", f"{pad}  OFFSET {offset}"])
        lines.append(f"{pad}  CHANNELS {moves}Zrotation Yrotation Xrotation")
        children = [child for child, parent in SOMA77 if parent == name]
        for child in children:
            describe(child, depth + 1)
        if not children:
            lines.extend([f"{pad}  End Site", f"{pad}  {{", f"{pad}    OFFSET 0 1 0", f"{pad}  }}"])
        lines.append(f"{pad}}}")

    describe("Hips", 0)
    angles = Rotation.from_matrix(local.reshape(-1, 3, 3)).as_euler("ZYX", degrees=True).reshape(frames, len(names), 3)
    order = [line.split()[-1] for line in lines if line.split()[0] in ("ROOT", "JOINT")]
    lines += ["MOTION", f"Frames: {frames}", "Frame Time: 0.0333333"]
    for frame in range(frames):
        numbers = [*(100 * positions[frame, 0]), *angles[frame][[names.index(name) for name in order]].reshape(-1)]
        lines.append(" ".join(f"{value:.6f}" for value in numbers))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
