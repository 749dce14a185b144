"""MVNX: a known motion, written here in Xsens' layout with scipy's quaternions, comes back; broken files are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from datamodules.clips.embedded import load_embedded
from datamodules.formats.mvnx import PARENTS, TO_WORLD
from datamodules.motion_files import read_motion
from sim import Body, Motion
from sim.conventions import JOINT_INDEX

BODY = Body.default()
# Which of SMPL's joints stands in for each of Xsens's segments.
STAND_IN = {
    "Pelvis": "pelvis",
    "L5": "spine1",
    "L3": "spine2",
    "T12": "spine2",
    "T8": "spine3",
    "Neck": "neck",
    "Head": "head",
} | {
    f"{side}{segment}": f"{side.lower()}_{joint}"
    for side in ("Right", "Left")
    for segment, joint in (
        ("Shoulder", "collar"),
        ("UpperArm", "shoulder"),
        ("ForeArm", "elbow"),
        ("Hand", "wrist"),
        ("UpperLeg", "hip"),
        ("LowerLeg", "knee"),
        ("Foot", "ankle"),
        ("Toe", "foot"),
    )
}
LABELS = [
    *("Pelvis", "L5", "L3", "T12", "T8", "Neck", "Head"),
    *("RightShoulder", "RightUpperArm", "RightForeArm", "RightHand"),
    *("LeftShoulder", "LeftUpperArm", "LeftForeArm", "LeftHand"),
    *("RightUpperLeg", "RightLowerLeg", "RightFoot", "RightToe"),
    *("LeftUpperLeg", "LeftLowerLeg", "LeftFoot", "LeftToe"),
]


@pytest.fixture(scope="module")
def walk() -> Motion:
    return next(clip.motion for clip in load_embedded() if clip.name.endswith("walk")).frames(0, 30)


def write_mvnx(path: Path, motion: Motion, *, prolog: str = "") -> Path:
    """Write a motion as MVN does: Z up, X forward, quaternions wxyz, calibration poses before the recording."""
    joints, turns = BODY.forward_kinematics(Motion(motion.rotations.double(), motion.translation.double(), motion.fps))
    order = [JOINT_INDEX[STAND_IN[label]] for label in LABELS]
    rotations = TO_WORLD.T @ turns.numpy()[:, order] @ TO_WORLD
    positions = joints.numpy()[:, order] @ TO_WORLD
    quaternions = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_quat()[:, [3, 0, 1, 2]]
    quaternions = quaternions.reshape(len(rotations), -1)
    segments = "".join(f'<segment label="{label}" id="{i}"/>' for i, label in enumerate(LABELS, start=1))
    frames = [f'<frame time="0" type="tpose"><orientation>{"1 0 0 0 " * 23}</orientation></frame>']
    frames += [
        f'<frame time="{number}" type="normal"><orientation>{" ".join(map(repr, q.tolist()))}</orientation>'
        f"<position>{' '.join(map(repr, p.ravel().tolist()))}</position></frame>"
        for number, (q, p) in enumerate(zip(quaternions, positions, strict=True))
    ]
    path.write_text(
        f'<?xml version="1.0" encoding="UTF-8"?>{prolog}<mvnx xmlns="http://www.xsens.com/mvn/mvnx" version="4">'
        f'<subject label="S" frameRate="{motion.fps}"><segments>{segments}</segments>'
        f"<frames>{''.join(frames)}</frames></subject></mvnx>",
        encoding="utf-8",
    )
    return path


def test_a_motion_written_as_mvnx_comes_back(tmp_path: Path, walk: Motion) -> None:
    read = read_motion(write_mvnx(tmp_path / "a.mvnx", walk))
    assert (read.motion.fps, read.motion.num_frames) == (walk.fps, walk.num_frames)
    joints = BODY.joints(walk).numpy()
    assert (
        np.abs(
            BODY.joints(read.motion).numpy() - joints - (read.motion.translation - walk.translation)[:, None].numpy()
        ).max()
        < 1e-4
    )
    # On the floor of its own, but the path is the same.
    assert float((read.motion.translation - walk.translation).std(dim=0).max()) < 1e-4
    for _, turns in [BODY.forward_kinematics(read.motion)]:
        expected = BODY.forward_kinematics(walk)[1]
        for joint in range(22):
            if joint != JOINT_INDEX["spine2"]:
                assert float((turns[:, joint] - expected[:, joint]).abs().max()) < 1e-4


def test_every_segment_hangs_on_another() -> None:
    assert set(LABELS) == {"Pelvis", *PARENTS}


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("", ""), None),
        (('type="normal"', 'type="npose"'), "no frame of type normal"),
        (("</frames></subject></mvnx>", ""), "no whole XML file"),
        (('label="T12"', 'label="T13"'), r"lacks the segments \['T12'\]"),
        (('frameRate="60.0"', 'frameRate="fast"'), "frameRate is 'fast'"),
        (("<position>", "<position>1 2 "), "position of frame 0 has 71 numbers, expected 3 finite ones for each of 23"),
        (("<position>", "<position>x "), "could not convert string to float"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, walk: Motion, change: tuple[str, str], message: str | None) -> None:
    path = write_mvnx(tmp_path / "a.mvnx", Motion(walk.rotations, walk.translation, 60.0))
    path.write_text(path.read_text().replace(*change), encoding="utf-8")
    if message is None:
        read_motion(path)
    else:
        with pytest.raises(ValueError, match=message):
            read_motion(path)


def test_entities_are_never_expanded(tmp_path: Path, walk: Motion) -> None:
    with pytest.raises(ValueError, match="declares a document type or entities"):
        read_motion(write_mvnx(tmp_path / "a.mvnx", walk, prolog=BOMB))


@pytest.mark.parametrize("attribute", ['index="{}"', 'time="{}"'])
def test_frames_that_are_missing_are_told_by_index_and_by_time(tmp_path: Path, walk: Motion, attribute: str) -> None:
    text = write_mvnx(tmp_path / "a.mvnx", walk).read_text()
    head, *frames = text.split('<frame time="')
    frames = [frames[0], *(frame.partition('"')[2] for frame in frames[1:])]
    for skipped in (range(0), range(10, 20)):
        kept = [
            f"<frame {attribute.format(number if 'index' in attribute else round(number * 1000 / walk.fps))}{frame}"
            for number, frame in enumerate(frames[1:])
            if number not in skipped
        ]
        path = tmp_path / "b.mvnx"
        path.write_text(head + '<frame time="' + frames[0] + "".join(kept), encoding="utf-8")
        found = [note for note in read_motion(path).notes if "skip from" in note]
        assert len(found) == bool(skipped)
