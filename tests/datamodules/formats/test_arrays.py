"""AMASS, joints and features in .npz and .npy files, and what is refused in them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from datamodules.clips.embedded import load_embedded
from datamodules.formats.amass import read_amass
from datamodules.formats.arrays import read_arrays
from datamodules.motion_files import read_motion
from datamodules.motion_files.motion_file import ReadOptions
from datamodules.motion_files.plausibility import judge_motion
from sim import Body, Motion
from sim.conventions import JOINT_INDEX
from sim.features import features_to_joints, joints_to_features

BODY = Body.default()
TO_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


@pytest.fixture(scope="module")
def walk() -> Motion:
    return next(clip.motion for clip in load_embedded() if clip.name.endswith("walk")).frames(0, 40)


def write_amass(path: Path, motion: Motion, **changes: object) -> Path:
    """Write a motion as AMASS has it: Z up, ``trans`` without the rest pelvis, 52 joints."""
    rotations = motion.rotations.double().numpy().copy()
    rotations[:, 0] = TO_Z_UP @ rotations[:, 0]
    poses = np.zeros((motion.num_frames, 156))
    poses[:, :66] = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_rotvec().reshape(-1, 66)
    pelvis = BODY.rest_joints[0].double().numpy()
    trans = motion.translation.double().numpy() @ TO_Z_UP.T - pelvis
    arrays = {
        "poses": poses,
        "trans": trans,
        "betas": np.zeros(16),
        "gender": np.array("male"),
        "mocap_framerate": np.array(59.94),
        "dmpls": np.zeros((len(poses), 8)),
    }
    np.savez(path, **{key: value for key, value in {**arrays, **changes}.items() if value is not None})
    return path


@pytest.mark.parametrize("rate", [59.94, 60.0, 100.0, 120.0, 250.0])
def test_amass_on_the_subjects_own_body_is_exact(tmp_path: Path, walk: Motion, rate: float) -> None:
    path = write_amass(tmp_path / "a.npz", walk, mocap_framerate=np.array(rate))
    read = read_motion(path, ReadOptions(body=BODY))
    assert (read.format, read.motion.fps) == ("AMASS", rate)
    assert torch.allclose(read.motion.rotations, walk.rotations, atol=1e-5)
    assert torch.allclose(BODY.joints(read.motion), BODY.joints(walk), atol=1e-5)


def test_amass_of_the_newer_layout_and_without_a_body(tmp_path: Path, walk: Motion) -> None:
    path = write_amass(tmp_path / "a.npz", walk, mocap_framerate=None, mocap_frame_rate=np.array([120.0]))
    read = read_motion(path)
    assert read.motion.fps == 120.0
    # The constant of the rest pelvis is not known; the floor is found anew.
    constant = (read.motion.translation - walk.translation).double()
    assert float(constant.std(dim=0).max()) < 1e-6
    assert "feet may slide" in read.notes[0]


def test_betas_are_put_on_the_body(tmp_path: Path, walk: Motion) -> None:
    betas = np.zeros(16)
    betas[0] = 1.0
    arrays = read_arrays(write_amass(tmp_path / "a.npz", walk, betas=betas))
    tall, mean = (read_amass("a.npz", arrays | {"betas": value}, body=BODY) for value in (betas, 0 * betas))
    expected = BODY.with_named_shape(height=1.0).rest_joints[0] - BODY.rest_joints[0]
    moved = (tall.translation - mean.translation).numpy()
    assert np.allclose(moved, expected.numpy() @ TO_Z_UP, atol=1e-5)


def test_joints_in_npz_npy_and_humanml3ds_folder(tmp_path: Path, walk: Motion) -> None:
    joints = BODY.joints(walk).numpy()
    np.savez(tmp_path / "a.npz", joints=joints, fps=60.0)
    np.save(tmp_path / "b.npy", joints)
    (tmp_path / "new_joints").mkdir()
    np.save(tmp_path / "new_joints" / "000001.npy", joints)
    assert read_motion(tmp_path / "a.npz").motion.fps == 60.0
    with pytest.raises(ValueError, match=r"b\.npy holds joints \(40, 22, 3\) but no frame rate; pass fps"):
        read_motion(tmp_path / "b.npy")
    assert read_motion(tmp_path / "b.npy", ReadOptions(fps=60.0)).motion.fps == 60.0
    found = read_motion(tmp_path / "new_joints" / "000001.npy")
    assert found.motion.fps == 20.0
    assert np.abs(found.joints - joints).max() < 0.02


def test_humanml3d_features(tmp_path: Path, golden: Callable[[str], np.lib.npyio.NpzFile]) -> None:
    archive = golden("humanml3d")
    key = next(name for name in archive.files if name.endswith("features"))
    features = archive[key].astype(np.float32)
    features = features if features.ndim == 2 else features[0]
    np.save(tmp_path / "a.npy", features)
    read = read_motion(tmp_path / "a.npy")
    assert (read.format, read.motion.fps, read.motion.num_frames) == ("HumanML3D features", 20.0, len(features))
    # The reference's positions, on bones of another length: directions of the limbs agree.
    theirs = features_to_joints(torch.from_numpy(features)).numpy()
    for start, end in (("left_hip", "left_knee"), ("right_elbow", "right_wrist"), ("left_knee", "left_ankle")):
        one, other = (values[:, JOINT_INDEX[end]] - values[:, JOINT_INDEX[start]] for values in (theirs, read.joints))
        cosine = (one * other).sum(-1) / np.linalg.norm(one, axis=-1) / np.linalg.norm(other, axis=-1)
        assert np.rad2deg(np.arccos(np.clip(cosine, -1, 1))).max() < 1.0


def test_features_of_a_walk_come_back(tmp_path: Path, walk: Motion) -> None:
    slow = Motion(walk.rotations, walk.translation, 20.0)
    features = joints_to_features(BODY.joints(slow)).numpy()
    np.save(tmp_path / "a.npy", features)
    assert read_motion(tmp_path / "a.npy").motion.num_frames == walk.num_frames - 1


class Payload:
    """What a pickle would run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("a pickle was executed",))


def test_pickles_and_objects_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(pickle.dumps(Payload()))
    np.savez(tmp_path / "b.npz", poses=np.array([Payload()], dtype=object), trans=np.zeros((1, 3)))
    np.save(tmp_path / "c.npy", np.array([Payload()], dtype=object))
    for name, message in (
        ("a.npz", "found a pickle, which could run code"),
        ("b.npz", "'poses' holds objects, which could run code"),
        ("c.npy", "holds objects, which could run code"),
    ):
        with pytest.raises(ValueError, match=message):
            read_motion(tmp_path / name)


def test_damaged_and_strange_archives_are_named(tmp_path: Path, walk: Motion) -> None:
    whole = write_amass(tmp_path / "a.npz", walk).read_bytes()
    nan = np.zeros((40, 156))
    nan[7, 3] = np.nan
    cases: list[tuple[str, bytes | dict[str, object], str]] = [
        ("half.npz", whole[: len(whole) // 2], "is damaged"),
        ("none.npz", b"", "is empty"),
        ("text.npz", b"hello", "is no .npz archive; expected a file written by Motion.save"),
        ("rate.npz", {"mocap_framerate": None}, "no mocap_framerate or mocap_frame_rate"),
        ("zero.npz", {"mocap_framerate": np.array(0.0)}, "expected one positive number"),
        ("wide.npz", {"poses": np.zeros((40, 12))}, r"poses \(40, 12\) and trans \(40, 3\), expected"),
        ("nan.npz", {"poses": nan}, "poses of frame 7 is not finite"),
        ("words.npz", {"poses": np.full((40, 156), "a")}, "poses holds <U1, expected numbers"),
        ("other.npz", {"poses": None}, r"expected joints \(T, 22, 3\)"),
    ]
    for name, change, message in cases:
        if isinstance(change, bytes):
            (tmp_path / name).write_bytes(change)
        else:
            write_amass(tmp_path / name, walk, **change)
        with pytest.raises(ValueError, match=message) as error:
            read_motion(tmp_path / name)
        assert name in str(error.value)
        assert "\n" not in str(error.value)


def test_smplx_files_of_amass_are_read_and_their_objects_are_not(tmp_path: Path, walk: Motion) -> None:
    whole = read_motion(write_amass(tmp_path / "a.npz", walk)).motion
    with np.load(tmp_path / "a.npz") as archive:
        poses = archive["poses"]
    parts = {"root_orient": poses[:, :3], "pose_body": poses[:, 3:66], "surface_model_type": np.array("smplx")}
    # AMASS's own SMPL-X files hold a table of marker names as an object; nothing needs it.
    objects = {"markers_latent_vids": np.array({"LASI": Payload()}, dtype=object)}
    newer = {"mocap_framerate": None, "mocap_frame_rate": np.array(120.0)}
    for name, change in (("b.npz", {**parts, **objects, **newer}), ("c.npz", {**parts, "poses": None, **newer})):
        read = read_motion(write_amass(tmp_path / name, walk, **change))
        assert (read.format, read.motion.fps) == ("AMASS", 120.0)
        assert torch.equal(read.motion.rotations, whole.rotations)


def test_joints_with_z_up_are_turned(tmp_path: Path, walk: Motion) -> None:
    joints = BODY.joints(walk).numpy()
    np.savez(tmp_path / "y.npz", joints=joints, fps=60.0)
    np.savez(tmp_path / "z.npz", joints=joints @ TO_Z_UP.T, fps=60.0)
    upright = read_motion(tmp_path / "y.npz").motion
    turned = read_motion(tmp_path / "z.npz", ReadOptions(up="z")).motion
    assert torch.allclose(turned.rotations, upright.rotations, atol=1e-3)
    assert torch.allclose(turned.translation, upright.translation, atol=1e-3)


def test_y_up_under_amass_keys_is_read_with_up(tmp_path: Path, walk: Motion) -> None:
    path = write_amass(tmp_path / "a.npz", walk)
    with np.load(path) as data:
        arrays = dict(data)
    poses = Rotation.from_rotvec(arrays["poses"][:, :3])
    arrays["poses"][:, :3] = (Rotation.from_matrix(TO_Z_UP.T) * poses).as_rotvec()
    pelvis = BODY.rest_joints[0].double().numpy()
    arrays["trans"] = (walk.translation.double().numpy() - pelvis) * 1000
    np.savez(tmp_path / "b.npz", **arrays)
    told = read_motion(tmp_path / "b.npz", ReadOptions(body=BODY, up="y", unit_m=0.001))
    assert torch.allclose(BODY.joints(told.motion), BODY.joints(walk), atol=1e-5)
    lines = judge_motion(read_motion(tmp_path / "b.npz", ReadOptions(unit_m=0.001)))
    assert any("pass --up y" in line for line in lines)


def test_the_subjects_gender_is_named(tmp_path: Path, walk: Motion) -> None:
    for gender in (np.array("female"), np.array(b"female")):
        path = write_amass(tmp_path / "a.npz", walk, gender=gender)
        assert any("(female)" in note for note in read_motion(path).notes)
        assert any("subject is female" in note for note in read_motion(path, ReadOptions(body=BODY)).notes)


def test_normalised_features_are_refused(tmp_path: Path, walk: Motion) -> None:
    features = joints_to_features(BODY.joints(walk)).numpy()
    np.save(tmp_path / "a.npy", features)
    assert read_motion(tmp_path / "a.npy").motion.fps == 20.0
    np.save(tmp_path / "b.npy", (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-3))
    with pytest.raises(ValueError, match=r"b\.npy holds features.*normalised ones.*multiply by Std\.npy and add Mean"):
        read_motion(tmp_path / "b.npy")


def test_a_pointer_of_git_lfs_is_named(tmp_path: Path) -> None:
    for name in ("a.npz", "a.npy", "a.bvh", "a.c3d"):
        (tmp_path / name).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n" * 30)
        with pytest.raises(ValueError, match=rf"{name} is a pointer of Git LFS"):
            read_motion(tmp_path / name)
