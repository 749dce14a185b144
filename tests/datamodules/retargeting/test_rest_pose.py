"""Skeletons of every naming and rest pose, written as BVH from a known motion, give that motion back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from datamodules.clips.embedded import load_embedded
from datamodules.formats.bvh import read_bvh
from datamodules.formats.skeleton import SkeletonMotion
from datamodules.motion_files import read_motion
from datamodules.motion_files.motion_file import ReadOptions
from datamodules.retargeting.find_map import find_map, strip_prefix
from datamodules.retargeting.rest_pose import align_rest, is_standing
from datamodules.retargeting.retarget import SkeletonMap, frame_of, retarget
from datamodules.retargeting.skeleton_maps import BVH_MAPS, LAFAN1, MIXAMO, SNU_MARTIAL, SNU_SPORTS
from sim import Body, Motion
from sim.conventions import JOINT_INDEX, JOINT_NAMES, NUM_JOINTS, PARENTS

BODY = Body.default()
REST = BODY.rest_joints.double().numpy()
OCTAHEDRAL = Rotation.create_group("O").as_matrix()


@pytest.fixture(scope="module")
def walk() -> Motion:
    """A recorded walk whose knees and elbows bend."""
    return next(clip.motion for clip in load_embedded() if clip.name.endswith("walk")).frames(0, 60)


def name_joints(skeleton: SkeletonMap) -> list[str]:
    """One source joint for each of SMPL's 22; where two are averaged, the last."""
    return [driver if isinstance(driver := skeleton.drivers[name], str) else driver[-1] for name in JOINT_NAMES]


def write_bvh(
    path: Path,
    motion: Motion,
    names: list[str],
    frames: np.ndarray,
    *,
    world: np.ndarray | None = None,
) -> Path:
    """Write a motion as BVH whose joint j rests turned by the inverse of ``frames[j]`` ``(22, 3, 3)``."""
    _, turns = BODY.forward_kinematics(Motion(motion.rotations.double(), motion.translation.double(), motion.fps))
    world = np.eye(3) if world is None else world
    glob = world @ turns.numpy() @ frames.transpose(0, 2, 1)
    root = motion.translation.double().numpy() @ world.T
    lines = ["HIERARCHY"]

    def open_joint(joint: int, depth: int) -> None:
        parent = PARENTS[joint]
        offset = np.zeros(3) if parent < 0 else frames[parent] @ (REST[joint] - REST[parent]) * 100
        channels = "6 Xposition Yposition Zposition" if parent < 0 else "3"
        lines.append(f"{'  ' * depth}{'ROOT' if parent < 0 else 'JOINT'} {names[joint]}")
        lines.append(f"{'  ' * depth}{{")
        lines.append("OFFSET " + " ".join(f"{value:.9f}" for value in offset))
        lines.append(f"CHANNELS {channels} Zrotation Xrotation Yrotation")
        children = [one for one in range(NUM_JOINTS) if PARENTS[one] == joint]
        for child in children:
            open_joint(child, depth + 1)
        if not children:
            lines.extend(["End Site", "{", "OFFSET 0 0 0", "}"])
        lines.append("}")

    open_joint(0, 0)
    # Channels stand in the order in which joints were opened, parents first.
    opened = [names.index(line.split(maxsplit=1)[1]) for line in lines if line.split()[0] in ("ROOT", "JOINT")]
    lines += ["MOTION", f"Frames: {motion.num_frames}", f"Frame Time: {1 / motion.fps:.9f}"]
    columns = [root * 100]
    for joint in opened:
        parent = PARENTS[joint]
        local = glob[:, joint] if parent < 0 else glob[:, parent].transpose(0, 2, 1) @ glob[:, joint]
        columns.append(Rotation.from_matrix(local).as_euler("ZXY", degrees=True))
    lines += [" ".join(f"{value:.9f}" for value in row) for row in np.concatenate(columns, axis=1)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def angles_between(first: Motion, second: Motion) -> np.ndarray:
    """Angle between global joint rotations ``(T, 22)`` [deg]."""
    one, other = (BODY.forward_kinematics(motion)[1].double().numpy() for motion in (first, second))
    between = Rotation.from_matrix((one.transpose(0, 1, 3, 2) @ other).reshape(-1, 3, 3)).magnitude()
    return np.rad2deg(between).reshape(one.shape[:2])


@pytest.mark.parametrize("name", ["Mixamo", "LAFAN1", "Xsens", "Character Creator", "Bandai-Namco", "cgspeed"])
def test_a_t_pose_of_any_naming_gives_the_motion_back(tmp_path: Path, walk: Motion, name: str) -> None:
    skeleton = BVH_MAPS[name]
    names = name_joints(skeleton)
    # Joints that the map knows and SMPL lacks are not written; the map's pairs share one of theirs.
    skeleton = replace(
        skeleton,
        drivers={joint: names[JOINT_INDEX[joint]] for joint in JOINT_NAMES},
        joints={joint: names[JOINT_INDEX[joint]] for joint in skeleton.joints},
        twists={},
    )
    if len(set(names)) < NUM_JOINTS:
        names = [f"{one}#{number}" if names.index(one) != number else one for number, one in enumerate(names)]
        skeleton = replace(
            skeleton,
            drivers={joint: names[JOINT_INDEX[joint]] for joint in JOINT_NAMES},
            joints={joint: names[JOINT_INDEX[joint]] for joint in skeleton.joints},
        )
    path = write_bvh(tmp_path / "a.bvh", walk, names, np.broadcast_to(np.eye(3), (NUM_JOINTS, 3, 3)))
    source = read_bvh(path, unit_m=0.01)
    assert align_rest(source, skeleton) is source
    assert angles_between(retarget(source, skeleton), walk).max() < 0.1


def test_mixamo_is_known_by_its_names_under_a_prefix(tmp_path: Path, walk: Motion) -> None:
    names = [f"mixamorig:{name}" for name in name_joints(MIXAMO)]
    read = read_motion(write_bvh(tmp_path / "a.bvh", walk, names, np.broadcast_to(np.eye(3), (NUM_JOINTS, 3, 3))))
    assert read.skeleton == "Mixamo"
    assert angles_between(read.motion, walk).max() < 0.1


@pytest.mark.parametrize("turn_deg", [90.0, 180.0, -90.0])
def test_a_rest_pose_that_faces_elsewhere_is_turned(tmp_path: Path, walk: Motion, turn_deg: float) -> None:
    turn = Rotation.from_euler("y", turn_deg, degrees=True).as_matrix()
    frames = np.broadcast_to(turn, (NUM_JOINTS, 3, 3))
    read = read_motion(write_bvh(tmp_path / "a.bvh", walk, name_joints(MIXAMO), frames))
    assert angles_between(read.motion, walk).max() < 0.1


def test_z_up_is_found_and_turned(tmp_path: Path, walk: Motion) -> None:
    # Blender's axes: z up, the person faces -y.
    world = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    frames = np.broadcast_to(world, (NUM_JOINTS, 3, 3))
    read = read_motion(write_bvh(tmp_path / "a.bvh", walk, name_joints(MIXAMO), frames, world=world))
    assert "z is up in the file; turned" in read.notes
    assert angles_between(read.motion, walk).max() < 0.1


def test_an_a_pose_gives_the_motion_back(tmp_path: Path, walk: Motion) -> None:
    frames = np.broadcast_to(np.eye(3), (NUM_JOINTS, 3, 3)).copy()
    for side, sign in (("left", 1), ("right", -1)):
        # Arms rest 45 degrees down: the joint is turned by the inverse of its frame.
        for joint in ("shoulder", "elbow", "wrist"):
            frames[JOINT_INDEX[f"{side}_{joint}"]] = Rotation.from_euler("z", -45 * sign, degrees=True).as_matrix()
    names = name_joints(MIXAMO)
    read = read_motion(write_bvh(tmp_path / "a.bvh", walk, names, frames))
    assert angles_between(read.motion, walk).max() < 0.1


def test_bones_along_axes_of_their_own_give_the_motion_back(tmp_path: Path, walk: Motion) -> None:
    """As LAFAN1 and Character Creator rest: every joint's frame is another permutation of axes."""
    generator = np.random.default_rng(3)
    frames = OCTAHEDRAL[generator.integers(0, 24, NUM_JOINTS)]
    # A skeleton whose legs happened to point down would count as standing.
    frames[JOINT_INDEX["left_hip"]] = frames[0] @ Rotation.from_euler("x", 180, degrees=True).as_matrix()
    read = read_motion(write_bvh(tmp_path / "a.bvh", walk, name_joints(LAFAN1), frames))
    assert read.skeleton == "LAFAN1"
    angles = angles_between(read.motion, walk)
    # What 22 positions do not show (the head's turn) is moved to the nearest axes all the same.
    for index, name in enumerate(JOINT_NAMES):
        assert angles[:, index].max() < (1.0 if name.startswith(("left", "right")) else 2.0), name


@pytest.mark.parametrize(("name", "skeleton"), [("SNU sports", SNU_SPORTS), ("SNU martial arts", SNU_MARTIAL)])
def test_declared_frames_are_known_by_the_rest_pose_and_give_the_motion_back(
    tmp_path: Path, walk: Motion, name: str, skeleton: SkeletonMap
) -> None:
    frames = np.stack([frame_of(skeleton, joint) for joint in JOINT_NAMES])
    read = read_motion(write_bvh(tmp_path / "a.bvh", walk, name_joints(skeleton), frames))
    assert read.skeleton == name
    # Nothing is estimated, so that a clip of any length and kind comes out alike.
    assert not any("found from the motion" in note for note in read.notes)
    angles = angles_between(read.motion, walk)
    elbows = [JOINT_INDEX[f"{side}_elbow"] for side in ("left", "right")]
    # Forearms turn about their bones as far as hands do, which the walk's own do not.
    assert np.delete(angles, elbows, axis=1).max() < 0.1
    joints = [BODY.joints(motion).numpy() for motion in (read.motion, walk)]
    assert np.abs((joints[0] - joints[0][:, :1]) - (joints[1] - joints[1][:, :1])).max() < 1e-3


def test_a_standing_rest_pose_is_left_alone(tmp_path: Path, walk: Motion) -> None:
    names = name_joints(MIXAMO)
    source = read_bvh(
        write_bvh(tmp_path / "a.bvh", walk, names, np.broadcast_to(np.eye(3), (NUM_JOINTS, 3, 3))), unit_m=0.01
    )
    assert is_standing(source, MIXAMO)
    assert align_rest(source, MIXAMO) is source


def test_a_map_of_ones_own(tmp_path: Path, walk: Motion) -> None:
    names = [f"bone{number}" for number in range(NUM_JOINTS)]
    path = write_bvh(tmp_path / "a.bvh", walk, names, np.broadcast_to(np.eye(3), (NUM_JOINTS, 3, 3)))
    with pytest.raises(ValueError, match=r"fits no skeleton map.*lacks .* knows no bone0, bone1.*--skeleton FILE"):
        read_motion(path)
    table = "joints:\n" + "".join(f"  {joint}: {name}\n" for joint, name in zip(JOINT_NAMES, names, strict=True))
    (tmp_path / "map.yaml").write_text(table)
    read = read_motion(path, ReadOptions(skeleton=tmp_path / "map.yaml"))
    assert angles_between(read.motion, walk).max() < 0.1
    for broken, message in (
        (table.replace("bone7", "bone77"), "left_ankle is 'bone77', which the skeleton lacks; did you mean 'bone7'"),
        (table.replace("  head: bone15\n", ""), r"lacks \['head'\]"),
        (table + "  tail: bone1\n", r"has \['tail'\] too much"),
        ("bones: {}\n", "is no skeleton map"),
        ("joints: [\n", "is no YAML"),
    ):
        (tmp_path / "map.yaml").write_text(broken)
        with pytest.raises(ValueError, match=message):
            read_motion(path, ReadOptions(skeleton=tmp_path / "map.yaml"))


def test_prefixes_go_only_where_all_joints_share_them() -> None:
    def named(*names: str) -> SkeletonMotion:
        count = len(names)
        still = np.zeros((1, count, 3))
        return SkeletonMotion(names, (-1, *range(count - 1)), still[0], np.zeros((1, count, 3, 3)), still, 30.0)

    assert strip_prefix(named("mixamorig1:Hips", "mixamorig1:Spine")).names == ("Hips", "Spine")
    assert strip_prefix(named("actor:rig:Hips", "actor:rig:Spine")).names == ("Hips", "Spine")
    assert strip_prefix(named("a:Hips", "b:Spine")).names == ("a:Hips", "b:Spine")
    assert strip_prefix(named("Hips", "Spine")).names == ("Hips", "Spine")


def test_capitals_make_no_other_joint() -> None:
    names = tuple(name.upper() if name == "Head" else name for name in name_joints(LAFAN1))
    count = len(names)
    still = np.zeros((1, count, 3))
    offsets = np.tile([0.1, 0.2, 0.3], (count, 1))
    source = SkeletonMotion(names, tuple(PARENTS), offsets, np.zeros((1, count, 3, 3)), still, 30.0)
    spelled, _, name = find_map(source, "x.bvh")
    assert name == "LAFAN1"
    assert spelled.names == tuple(name_joints(LAFAN1))


@pytest.mark.parametrize("name", list(BVH_MAPS))
def test_each_map_is_chosen_by_its_own_joints_alone(name: str) -> None:
    skeleton = BVH_MAPS[name]
    names = sorted(
        {one for driver in skeleton.drivers.values() for one in ((driver,) if isinstance(driver, str) else driver)}
        | set(skeleton.joints.values())
        | set(skeleton.twists.values())
    )
    count = len(names)
    still = SkeletonMotion(
        tuple(names),
        (-1, *range(count - 1)),
        np.zeros((count, 3)),
        np.zeros((1, count, 3, 3)),
        np.zeros((1, count, 3)),
        30.0,
    )
    assert find_map(still, "x.bvh")[2] == name
