"""What other generators write, written in their published form from a known motion, comes back as that motion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from datamodules.clips.embedded import load_embedded
from datamodules.motion_files import find_format, read_motion, terms_of, terms_of_folder
from datamodules.motion_files.motion_file import ReadOptions
from experiments.commands.inspect_motion import inspect_motion
from sim import Body, Motion
from sim.conventions import JOINT_INDEX
from sim.trajectory import resample_motion
from tests import generator_files as write

BODY = Body.default()


@pytest.fixture(scope="module")
def walk() -> Motion:
    """A walk that is turned, begins elsewhere than at the origin, and is at 30 fps."""
    motion = next(clip.motion for clip in load_embedded() if clip.name.endswith("walk")).frames(0, 60)
    turn = torch.from_numpy(Rotation.from_euler("y", 1.1).as_matrix()).float()
    rotations = motion.rotations.clone()
    rotations[:, 0] = turn @ rotations[:, 0]
    path = motion.translation @ turn.mT + torch.tensor([2.0, 0.0, -1.0])
    return resample_motion(replace(motion, rotations=rotations, translation=path, text=None), fps=30.0)


FORMS: list[tuple[str, Callable[[Path, Motion], Path], str, float]] = [
    ("a.npy", write.write_263, "HumanML3D features", 20.0),
    ("a.npy", write.write_272, "MotionStreamer features", 30.0),
    ("a.npy", write.write_201, "HY-Motion features", 30.0),
    ("a.npz", write.write_hy_motion, "HY-Motion", 30.0),
    ("a.npz", write.write_amass, "AMASS", 30.0),
    ("a.npz", write.write_kimodo_smplx, "Kimodo archive", 30.0),
    ("a.npz", write.write_joints, "joint positions", 30.0),
]


def same_start(joints: np.ndarray) -> np.ndarray:
    """Joints from where the first frame stands and faces: what forms without a place or heading keep."""
    left = joints[0, JOINT_INDEX["left_hip"]] - joints[0, JOINT_INDEX["right_hip"]]
    turn = Rotation.from_euler("y", np.arctan2(left[2], left[0])).as_matrix()
    return np.asarray((joints - joints[0, 0]) @ turn.T)


@pytest.mark.parametrize(("name", "writer", "form", "fps"), FORMS)
def test_a_form_gives_its_motion_back(
    tmp_path: Path, walk: Motion, name: str, writer: Callable[[Path, Motion], Path], form: str, fps: float
) -> None:
    known = resample_motion(walk, fps=fps)
    read = read_motion(writer(tmp_path / name, known))
    assert (read.format, read.motion.fps) == (form, fps)
    assert find_format(tmp_path / name).name == form
    frames = read.motion.num_frames
    assert known.num_frames - frames in (0, 1)  # 263 numbers tell the step to the next frame
    for joints in (BODY.joints(read.motion).numpy(), read.joints):
        found, truth = same_start(joints), same_start(BODY.joints(known).numpy()[:frames])
        # Joints alone tell no twist; HumanML3D's are on a skeleton of its own proportions.
        limit = {"HumanML3D features": 0.08, "joint positions": 0.02}.get(form, 2e-4)
        assert np.linalg.norm(found - truth, axis=-1).max() < limit
    if form not in ("HumanML3D features", "joint positions"):
        torch.testing.assert_close(read.motion.rotations[:, 1:], known.rotations[:, 1:], atol=2e-4, rtol=0)


@pytest.mark.parametrize("joints", [77, 30])
def test_soma_moves_as_its_joints_say(tmp_path: Path, joints: int) -> None:
    path = write.write_kimodo_soma(tmp_path / "a.npz", 60, joints=joints)
    read = read_motion(path)
    assert (read.format, read.skeleton, read.motion.fps) == ("Kimodo archive", f"SOMA's {joints} joints", 30.0)
    check_soma(read.motion)
    assert any("states no rate; Kimodo's 30 fps taken" in note for note in read.notes)
    assert read_motion(path, ReadOptions(fps=24.0)).motion.fps == 24.0


def test_somas_bvh_is_the_same_motion(tmp_path: Path) -> None:
    archive = read_motion(write.write_kimodo_soma(tmp_path / "a.npz", 60))
    bvh = read_motion(write.write_soma_bvh(tmp_path / "a.bvh", 60))
    assert bvh.skeleton == "SOMA"
    torch.testing.assert_close(bvh.motion.rotations, archive.motion.rotations, atol=2e-4, rtol=0)
    torch.testing.assert_close(bvh.motion.translation, archive.motion.translation, atol=2e-3, rtol=0)


def check_soma(motion: Motion) -> None:
    """Bones point as the made-up body's do: upper arms, forearms and shins, seen from the pelvis."""
    positions, rotations, _ = write.pose_soma(60)
    names = [name for name, _ in write.SOMA77]
    ours, turns = BODY.forward_kinematics(motion)
    pelvis = rotations[:, 0]
    for side, word in (("left", "Left"), ("right", "Right")):
        for first, second, one, other in (
            ("shoulder", "elbow", "Arm", "ForeArm"),
            ("elbow", "wrist", "ForeArm", "Hand"),
            ("hip", "knee", "Leg", "Shin"),
            ("knee", "ankle", "Shin", "Foot"),
        ):
            bone = positions[:, names.index(word + other)] - positions[:, names.index(word + one)]
            mine = (ours[:, JOINT_INDEX[f"{side}_{second}"]] - ours[:, JOINT_INDEX[f"{side}_{first}"]]).numpy()
            cosine = (bone * mine).sum(-1) / np.linalg.norm(bone, axis=-1) / np.linalg.norm(mine, axis=-1)
            assert cosine.min() > 0.9999, (side, first)
    np.testing.assert_allclose(turns[:, 0].numpy(), pelvis, atol=1e-4)


@pytest.mark.parametrize(("writer", "width"), [(write.write_272, 272), (write.write_201, 201), (write.write_263, 263)])
def test_normalised_features_are_refused_with_the_remedy(
    tmp_path: Path, walk: Motion, writer: Callable[[Path, Motion], Path], width: int
) -> None:
    path = writer(tmp_path / "a.npy", walk)
    values = np.load(path)
    np.save(path, (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-3))
    with pytest.raises(ValueError, match=r"a\.npy holds .*normalised ones.*multiply by Std\.npy and add Mean\.npy"):
        read_motion(path)
    np.save(path, np.stack([values, values]))
    with pytest.raises(ValueError, match=rf"a\.npy holds .*\(2, \d+, {width}\)"):
        read_motion(path)


def test_what_is_no_motion_of_a_person_is_named(tmp_path: Path, walk: Motion) -> None:
    path = write.write_kimodo_smplx(tmp_path / "a.npz", walk)
    arrays = dict(np.load(path))
    robot = np.repeat(arrays["posed_joints"][:, :1], 34, axis=1)
    turns = np.broadcast_to(np.eye(3), (len(robot), 34, 3, 3))
    np.savez(path, **{**arrays, "posed_joints": robot, "global_rot_mats": turns})
    with pytest.raises(ValueError, match=r"a\.npz is of Kimodo's robot \(Unitree G1\), which is no person"):
        read_motion(path)
    np.savez(path, **{**arrays, "global_rot_mats": 2 * arrays["global_rot_mats"]})
    with pytest.raises(ValueError, match=r"a\.npz: global_rot_mats are no rotations"):
        read_motion(path)
    np.savez(path, **{**arrays, "posed_joints": np.stack([arrays["posed_joints"]] * 2)})
    with pytest.raises(ValueError, match=r"a\.npz holds posed_joints \(2, \d+, 22, 3\).*write each motion to a file"):
        read_motion(path)
    hurt = np.load(write.write_201(tmp_path / "b.npy", walk))
    hurt[3, 5] = np.nan
    np.save(tmp_path / "b.npy", hurt)
    with pytest.raises(ValueError, match=r"b\.npy: 1 of \d+ frames are not finite"):
        read_motion(tmp_path / "b.npy")


def test_terms_are_told_and_stay_with_the_motion(tmp_path: Path, walk: Motion) -> None:
    path = write.write_hy_motion(tmp_path / "hy.npz", walk)
    read, lines = inspect_motion(path, ReadOptions())
    assert any(line.startswith("terms: HY-Motion 1.0") and "improve any other AI model" in line for line in lines)
    assert any(line.startswith("smoothed by HY-Motion's own decoder") for line in lines)
    read.motion.save(tmp_path / "saved.npz")
    assert Motion.load(tmp_path / "saved.npz").licence == read.motion.licence == terms_of(path)
    assert terms_of(tmp_path / "saved.npz") == terms_of(path)
    walk.save(tmp_path / "own.npz")
    assert terms_of(tmp_path / "own.npz") is None
    assert terms_of(tmp_path / "absent.npz") is None
    write.write_kimodo_soma(tmp_path / "soma.npz", 30)
    (tmp_path / "motions.yaml").write_text("licence: ours, for research\n", encoding="utf-8")
    found = terms_of_folder(tmp_path)
    assert found[0] == "ours, for research"
    assert sorted(words.partition(",")[0] for words in found[1:]) == ["HY-Motion 1.0", "Kimodo's SOMA models"]


def test_hy_motions_features_are_told_to_be_unsmoothed_and_kimodos_smplx_to_be_for_research(
    tmp_path: Path, walk: Motion
) -> None:
    notes = read_motion(write.write_201(tmp_path / "a.npy", walk)).notes
    assert any(note.startswith("not smoothed yet") for note in notes)
    np.savez(tmp_path / "b.npz", latent_denorm=np.load(tmp_path / "a.npy")[None], keypoints3d=np.zeros((1, 2, 22, 3)))
    same = read_motion(tmp_path / "b.npz").motion
    torch.testing.assert_close(same.rotations, read_motion(tmp_path / "a.npy").motion.rotations)
    licence = read_motion(write.write_kimodo_smplx(tmp_path / "c.npz", walk)).motion.licence
    assert licence is not None
    assert "research and development" in licence
