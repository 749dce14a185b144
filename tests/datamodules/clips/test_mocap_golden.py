"""Readers on real recordings: the same trial in two formats, human speeds, and left on the left."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from datamodules.clips.mocap_research_sets import FLATTENED, RESEARCH_SETS, find_declared
from datamodules.formats.bvh import read_bvh
from datamodules.motion_files import read_motion
from datamodules.motion_files.motion_file import ReadOptions, move_skeleton
from sim import Body, Motion
from sim.conventions import JOINT_INDEX, JOINT_NAMES
from sim.trajectory import resample_motion

BODY = Body.default()


def read_declared(path: Path) -> Motion:
    """Read a file by the rules of its set, which nothing but the folder's name tells."""
    found = find_declared(path)
    assert found is not None
    return move_skeleton(found[0].read(), found[0].skeleton, ReadOptions(), format_name="BVH", name="its set's").motion


def bend_of_knees(motion: Motion) -> np.ndarray:
    """Angle between thigh and shank ``(T, 2)`` [deg]."""
    joints = BODY.joints(motion).double().numpy()
    angles = []
    for side in ("left", "right"):
        hip, knee, ankle = (joints[:, JOINT_INDEX[f"{side}_{name}"]] for name in ("hip", "knee", "ankle"))
        cosine = ((knee - hip) * (ankle - knee)).sum(-1)
        cosine /= np.linalg.norm(knee - hip, axis=-1) * np.linalg.norm(ankle - knee, axis=-1)
        angles.append(np.rad2deg(np.arccos(np.clip(cosine, -1, 1))))
    return np.stack(angles, axis=1)


def test_16_15_as_amc_and_as_bvh_is_one_motion(shared: Path) -> None:
    folder = shared / "data" / "mocap" / "cmu_16_15"
    first = read_motion(folder / "16_15.amc.xz", ReadOptions(drop_first=4))
    second = read_motion(folder / "16_15.bvh.xz", ReadOptions(drop_first=4))
    # As large and where the files have them: 1 cm, in the file's own unit and in the map's.
    assert np.quantile(np.linalg.norm(first.joints - second.joints, axis=-1), 0.95) < 0.01
    distance = np.linalg.norm((BODY.joints(first.motion) - BODY.joints(second.motion)).numpy(), axis=-1)
    assert distance.mean(axis=0).max() < 0.01
    one, other = (BODY.forward_kinematics(read.motion)[1].double().numpy() for read in (first, second))
    angle = Rotation.from_matrix((one.transpose(0, 1, 3, 2) @ other).reshape(-1, 3, 3)).magnitude()
    mean = np.rad2deg(angle).reshape(one.shape[:2]).mean(axis=0)
    for index, name in enumerate(JOINT_NAMES):
        # A hand that flips past 90 degrees in some frames of the BVH.
        assert mean[index] < (1.5 if name == "left_wrist" else 1.0), name


@pytest.mark.parametrize("trial", ["02_01", "02_03"])
def test_amc_and_character_creator_bend_the_knees_alike(shared: Path, trial: str) -> None:
    mocap = shared / "data" / "mocap"
    amc = resample_motion(read_declared(mocap / "cmu_asfamc" / f"{trial}.amc.xz"), fps=60.0)
    bvh = read_declared(mocap / "cmu_iclone_bvh" / f"0{trial}.bvh.xz")
    first, second = bend_of_knees(amc), bend_of_knees(bvh)
    count = min(len(first), len(second))
    for side in range(2):
        assert np.corrcoef(first[:count, side], second[:count, side])[0, 1] >= 0.95
        # Left is left: the other knee bends at another time.
        assert np.corrcoef(first[:count, side], second[:count, 1 - side])[0, 1] < 0.5


@pytest.mark.parametrize(
    ("trial", "low", "high"),
    # The avatar is 1.13 times the subject, the body that it is carried to 0.95 times; no true speed is known better.
    [("002_01", 0.9, 1.5), ("007_03", 0.9, 1.5), ("007_12", 0.9, 2.1), ("002_03", 2.0, 4.0)],
)
def test_character_creator_walks_and_runs(shared: Path, trial: str, low: float, high: float) -> None:
    motion = read_declared(shared / "data" / "mocap" / "cmu_iclone_bvh" / f"{trial}.bvh.xz")
    check_gait(motion, low, high)


def check_gait(motion: Motion, low: float, high: float) -> None:
    joints = BODY.joints(motion).double().numpy()
    step = np.diff(joints[:, 0], axis=0) * motion.fps
    speed = np.linalg.norm(step[:, [0, 2]], axis=-1)
    assert low <= np.median(speed) <= high
    forward = motion.rotations[:-1, 0, :, 2].double().numpy()
    assert np.median((step * forward).sum(-1) / speed) > 0.85
    left = joints[:-1, JOINT_INDEX["left_hip"]] - joints[:-1, JOINT_INDEX["right_hip"]]
    assert (np.einsum("ti,ti->t", np.cross([0.0, 1.0, 0.0], forward), left) > 0).all()
    knees = np.stack(
        [
            Rotation.from_matrix(motion.rotations[:, JOINT_INDEX[f"{side}_knee"]].double().numpy()).as_rotvec()[:, 0]
            for side in ("left", "right")
        ]
    )
    assert np.rad2deg(knees.min()) > -5
    assert 40 < np.rad2deg(knees.max()) < 150


@pytest.fixture(scope="module")
def bandai(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A walk and a run out of the packed set."""
    packed = shared / "data" / "mocap" / "bandai_namco_bvh" / "bandai_subset.tar.xz"
    if not packed.is_file():
        pytest.skip(f"{packed} not found")
    folder = tmp_path_factory.mktemp("mocap") / "bandai_namco_bvh"
    wanted = {"dataset-1_walk_normal_001.bvh", "dataset-1_run_normal_001.bvh"}
    with tarfile.open(packed) as archive:
        for member in archive:
            if Path(member.name).name in wanted:
                archive.extract(member, folder, filter="data")
                wanted.discard(Path(member.name).name)
            if not wanted:
                break
    return folder


@pytest.mark.parametrize(("action", "low", "high"), [("walk", 0.9, 1.5), ("run", 2.0, 4.0)])
def test_bandai_namco_walks_and_runs(bandai: Path, action: str, low: float, high: float) -> None:
    path = next(bandai.rglob(f"*_{action}_normal_001.bvh"))
    check_gait(read_declared(path), low, high)
    assert read_motion(path).skeleton == "Bandai-Namco"


def test_first_frames_are_dropped_where_they_are_a_t_pose_and_nowhere_else(shared: Path) -> None:
    folder = shared / "data" / "mocap" / "cmu_iclone_bvh"
    for trial, first_frame in (("007_03", 1), ("007_01", 0)):
        path = folder / f"{trial}.bvh.xz"
        declared, whole = read_declared(path), read_bvh(path, unit_m=0.01)
        assert declared.num_frames == len(whole.positions) - first_frame
        # Out of its set a file is understood alike.
        assert read_motion(path).motion.num_frames == declared.num_frames
        step = np.linalg.norm(np.diff(BODY.joints(declared).numpy()[:10], axis=0), axis=-1)
        assert step.max() < 0.15


def test_flattened_pelvises_are_those_declared(shared: Path) -> None:
    rules = next(one for one in RESEARCH_SETS if one.folder == "cmu_iclone_bvh")
    flat = set()
    for file in rules.list_files(shared / "data" / "mocap" / rules.folder):
        if file.name.split("/")[1].startswith(("002", "007")):
            source = file.read()
            if np.ptp(source.positions[:, source.index("CC_Base_Hip"), 1]) < 1e-4:
                flat.add(file.name.split("/")[1])
    assert flat == {f"0{trial}" if not trial.startswith("0") else trial for trial in FLATTENED}


def tilt_of_standing_feet(motion: Motion) -> tuple[float, float]:
    """Median tilt of the soles while they stand: toes down, and outer edge down [deg]."""
    joints, turns = (value.double().numpy() for value in BODY.forward_kinematics(motion))
    down, out = [], []
    for side, sign in (("left", 1.0), ("right", -1.0)):
        ankle, foot = (joints[:, JOINT_INDEX[f"{side}_{name}"]] for name in ("ankle", "foot"))
        speed = np.stack([np.linalg.norm(np.gradient(part, axis=0), axis=1) for part in (ankle, foot)]) * motion.fps
        low = ankle[:, 1] < np.quantile(ankle[:, 1], 0.1) + 0.03
        sole = turns[low & (speed < 0.15).all(axis=0), JOINT_INDEX[f"{side}_ankle"]]
        assert len(sole) > 5
        down.extend(-sole[:, 1, 2])
        out.extend(-sign * sole[:, 1, 0])
    return float(np.rad2deg(np.median(down))), float(np.rad2deg(np.median(out)))


@pytest.mark.parametrize(
    "name",
    [
        "cmu_asfamc/02_01.amc.xz",
        "cmu35_asfamc/35_01_walk_30fps.amc.xz",
        "cmu_16_15/16_15.amc.xz",
        "cmu_cgspeed_bvh/131_02.bvh.xz",
        "cmu_expmap8/test/walking/walking_1.txt.xz",
        "cmu_iclone_bvh/002_01.bvh.xz",
        "reactidle_bvh/genuine/003_genuine.bvh.xz",
    ],
)
def test_feet_stand_on_their_soles(shared: Path, name: str) -> None:
    down, out = tilt_of_standing_feet(read_declared(shared / "data" / "mocap" / name))
    assert abs(down) < 9
    assert abs(out) < 9


def test_feet_of_bandai_namco_and_of_a_bvh_with_acclaims_axes_stand_too(bandai: Path, shared: Path) -> None:
    walk = read_declared(next(bandai.rglob("*_walk_normal_001.bvh")))
    other = read_motion(shared / "data" / "mocap" / "cmu_16_15" / "16_15.bvh.xz").motion
    for motion in (walk, other):
        down, out = tilt_of_standing_feet(motion)
        assert abs(down) < 9
        assert abs(out) < 9
