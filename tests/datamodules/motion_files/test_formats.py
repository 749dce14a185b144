"""The one door to all formats, and folders of mixed files."""

from __future__ import annotations

import lzma
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules.clips.embedded import load_embedded
from datamodules.clips.mocap_sets import MOCAP_SETS
from datamodules.clips.sources import list_items
from datamodules.motion_files import FORMATS, known_suffixes, read_motion
from datamodules.motion_files.motion_file import ReadOptions, carry_over
from datamodules.retargeting.retarget import retarget
from sim import Body, Motion
from sim.conventions import JOINT_INDEX
from tests.hostile_samples import write_mvnx

BODY = Body.default()

FILES = [
    ("cmu_asfamc/02_01.amc.xz", "Acclaim ASF/AMC", 120.0),
    ("cmu_16_15/16_15.bvh.xz", "BVH", 120.0),
    ("cmu_cgspeed_bvh/131_03.bvh.xz", "BVH", 120.0),
    ("cmu_daz_bvh_dance_martial/salsa/10.bvh.xz", "BVH", 120.0),
    ("cmu_expmap8/train/running/running_1.txt.xz", "exponential-map CSV", 120.0),
    ("deepmimic/humanoid3d_run.txt", "DeepMimic", 30.0),
    ("reactidle_bvh/genuine/003_genuine.bvh.xz", "BVH", 24.0),
    ("cmu_iclone_bvh/002_03.bvh.xz", "BVH", 60.0),
]


@pytest.mark.parametrize(("name", "format_name", "fps"), FILES)
def test_every_text_format_comes_through_the_door(shared: Path, name: str, format_name: str, fps: float) -> None:
    read = read_motion(shared / "data" / "mocap" / name)
    assert (read.format, read.motion.fps) == (format_name, fps)
    assert read.joints.shape == (read.motion.num_frames, 22, 3)
    joints = BODY.joints(read.motion).numpy()
    # Upright, left on the left.
    assert np.median(joints[:, JOINT_INDEX["neck"], 1] - joints[:, 0, 1]) > 0.3
    left = joints[:, JOINT_INDEX["left_hip"]] - joints[:, JOINT_INDEX["right_hip"]]
    forward = read.motion.rotations[:, 0, :, 2].numpy()
    # The first frames of a conversion may be broken.
    assert np.quantile((np.cross([0.0, 1.0, 0.0], forward) * left).sum(-1), 0.02) > 0


def test_known_sets_come_out_as_their_rules_alone_have_it(shared: Path) -> None:
    """The door adds nothing to what the shipped experiments were trained on."""
    mocap = shared / "data" / "mocap"
    for rules in MOCAP_SETS:
        file = next(iter(rules.list_files(mocap / rules.folder)))
        source = file.read()
        through = read_motion(file.path, ReadOptions(fps=source.fps, drop_first=0))
        drop = through.motion.num_frames - len(source.positions)
        direct = retarget(source, file.skeleton)
        if rules.folder not in ("cmu_expmap8",):  # whose root and thorax its rules put right
            assert torch.allclose(through.motion.rotations[drop:], direct.rotations, atol=2e-6), rules.folder


def test_markers_come_onto_the_default_body(shared: Path) -> None:
    path = shared / "data" / "mocap" / "markers" / "nimble_opencap_lab" / "subj4_walking1.trc.xz"
    read = read_motion(path)
    assert read.fit is not None
    assert read.skeleton == "47 markers of the set opencap"
    assert -0.05 < float(BODY.joints(read.motion)[..., 1].min()) < 0.1
    path_m = np.linalg.norm((read.joints[-1, 0] - read.joints[0, 0])[[0, 2]])
    carried = float((read.motion.translation[-1] - read.motion.translation[0])[[0, 2]].norm())
    assert carried == pytest.approx(path_m * 0.794 / 0.83, rel=0.08)


def test_carrying_over_keeps_feet_where_they_step() -> None:
    walk = next(clip.motion for clip in load_embedded() if clip.name.endswith("walk"))
    tall = BODY.with_named_shape(height=1.5)
    carried = carry_over(walk, BODY, tall)
    ratio = float(carried.translation[-1, 2] - carried.translation[0, 2]) / float(
        walk.translation[-1, 2] - walk.translation[0, 2]
    )
    legs = [
        float((body.rest_joints[JOINT_INDEX["left_hip"]] - body.rest_joints[JOINT_INDEX["left_ankle"]]).norm())
        for body in (tall, BODY)
    ]
    assert ratio == pytest.approx(legs[0] / legs[1], rel=0.02)


def test_unknown_suffixes_and_absent_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.bvh not found"):
        read_motion(tmp_path / "absent.bvh")
    (tmp_path / "a.fbx").write_text("x")
    with pytest.raises(ValueError, match=r"a\.fbx ends in '\.fbx', expected one of \.amc, \.bvh, \.c3d"):
        read_motion(tmp_path / "a.fbx")
    assert {suffix for one in FORMATS for suffix in one.suffixes} == set(known_suffixes())


@pytest.mark.parametrize("suffix", known_suffixes())
@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe garbage \x80", b"hello\nworld\n", b"PK\x03\x04 no archive"])
def test_rubbish_of_any_suffix_is_one_line(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"rubbish{suffix}"
    path.write_bytes(content)
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        read_motion(path)
    assert "rubbish" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "name", ["cmu_16_15/16_15.bvh", "cmu_asfamc/02_01.amc", "markers/nimble_misc/markers_walk.trc"]
)
def test_half_a_file_is_named(shared: Path, tmp_path: Path, name: str) -> None:
    packed = shared / "data" / "mocap" / f"{name}.xz"
    for asf in packed.parent.glob("*.asf"):
        shutil.copy(asf, tmp_path / asf.name)
    text = lzma.decompress(packed.read_bytes())
    path = tmp_path / packed.name.removesuffix(".xz")
    path.write_bytes(text[: len(text) // 2 + 37])
    with pytest.raises(ValueError, match=path.name):
        read_motion(path)


def test_a_trc_of_whole_rows_but_fewer_than_told_is_read_and_told(shared: Path, tmp_path: Path) -> None:
    packed = shared / "data" / "mocap" / "markers" / "nimble_misc" / "markers_walk.trc.xz"
    rows = lzma.decompress(packed.read_bytes()).splitlines(keepends=True)
    (tmp_path / "a.trc").write_bytes(b"".join(rows[:60]))
    assert any("NumFrames" in note for note in read_motion(tmp_path / "a.trc").notes)


def test_options_are_checked_once_for_all_formats() -> None:
    for options, message in (
        ({"fps": 0.0}, "fps is 0.0, expected a positive number"),
        ({"fps": float("nan")}, "fps is nan"),
        ({"unit_m": -1.0}, r"unit_m is -1.0, expected a positive number \(--unit-m\)"),
        ({"drop_first": -1}, "drop_first is -1, expected 0 or more frames"),
    ):
        with pytest.raises(ValueError, match=message):
            ReadOptions(**options)  # type: ignore[arg-type]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.bvh").mkdir()
    with pytest.raises(ValueError, match=r"a\.bvh is a folder, expected one motion file"):
        read_motion(tmp_path / "a.bvh")


def test_an_amc_without_its_skeleton_says_which(shared: Path, tmp_path: Path) -> None:
    shutil.copy(shared / "data" / "mocap" / "cmu_asfamc" / "02_01.amc.xz", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"needs its skeleton 02\.asf beside it, found none; pass --asf"):
        read_motion(tmp_path / "02_01.amc.xz")
    asf = shared / "data" / "mocap" / "cmu_asfamc" / "02.asf"
    assert read_motion(tmp_path / "02_01.amc.xz", ReadOptions(asf=asf)).motion.num_frames == 343


def test_a_folder_of_many_formats_is_a_source(shared: Path, tmp_path: Path) -> None:
    mocap = shared / "data" / "mocap"
    (tmp_path / "walking").mkdir()
    for name in ("cmu_asfamc/02_01.amc.xz", "cmu_asfamc/02.asf", "cmu_16_15/16_15.bvh.xz"):
        shutil.copy(mocap / name, tmp_path / "walking")
    shutil.copy(mocap / "deepmimic" / "humanoid3d_run.txt", tmp_path)
    motion = Motion(torch.eye(3).expand(40, 22, 3, 3).clone(), torch.zeros(40, 3), 20.0, "stands")
    motion.save(tmp_path / "still.npz")
    (tmp_path / "README.txt").write_text("what this is")
    (tmp_path / "captions.csv").write_text("file,caption\n16_15,a walk through the hall\n")
    items = {item.name.split("/", 1)[1]: item for item in list_items(str(tmp_path))}
    assert set(items) == {"humanoid3d_run", "still", "walking/02_01", "walking/16_15"}
    clip = items["walking/16_15"].load()[0]
    assert clip.activity == "walking"
    assert "a walk through the hall" in clip.captions
    assert "stands" in items["still"].load()[0].captions
    assert "a person runs." in items["humanoid3d_run"].load()[0].captions


def test_a_folder_of_humanml3d_is_read_once(tmp_path: Path) -> None:
    for folder in ("new_joint_vecs", "new_joints", "texts"):
        (tmp_path / folder).mkdir()
    np.save(tmp_path / "new_joint_vecs" / "000001.npy", np.zeros((40, 263), np.float32))
    np.save(tmp_path / "new_joints" / "000001.npy", np.zeros((40, 22, 3), np.float32))
    np.save(tmp_path / "Mean.npy", np.zeros(263))
    (tmp_path / "texts" / "000001.txt").write_text("a man waves.#a/DET#0.0#0.0\n")
    items = list_items(str(tmp_path))
    assert [item.name.split("/", 1)[1] for item in items] == ["new_joint_vecs/000001"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rotations": 1.2}, "rotations holds a matrix that is not a rotation"),
        ({"translation": np.nan}, "translation has NaN or infinite values from frame 0 on"),
    ],
)
def test_a_saved_motion_that_is_none_is_refused_by_name(tmp_path: Path, changes: dict[str, float], said: str) -> None:
    path = tmp_path / "m.npz"
    where = torch.tensor([0.0, 0.9, 0.0]).expand(9, 3)
    Motion(torch.eye(3).expand(9, 22, 3, 3).clone(), where.clone(), fps=20.0).save(path)
    arrays = dict(np.load(path))
    np.savez(path, **{**arrays, **{name: arrays[name] * np.float32(factor) for name, factor in changes.items()}})
    with pytest.raises(ValueError, match=f"{path} cannot be read .{said}"):
        read_motion(path)


def test_what_a_fit_says_carries_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.mvnx").write_text(write_mvnx(tmp_path).read_text())  # all segments at one point
    with pytest.raises(ValueError, match=rf"{tmp_path / 'a.mvnx'} cannot be read as Xsens MVNX: "):
        read_motion(tmp_path / "a.mvnx")
