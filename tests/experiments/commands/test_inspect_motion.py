"""`imuforge motions inspect`: what it prints of good and of broken files, and what it draws."""

from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.clips.embedded import load_embedded
from datamodules.motion_files.plausibility import find_drift, find_jumps
from experiments.cli import main
from experiments.commands.inspect_motion import find_heading
from sim import Body, Motion


def inspect(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["motions", "inspect", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_a_set_is_read_by_its_rules(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = inspect(capsys, shared / "data/mocap/cmu_daz_bvh_dance_martial/salsa/10.bvh.xz")
    assert "frames at 60 fps" in out
    assert (
        "rules of the set cmu_daz_bvh_dance_martial: T-pose and blend of eight frames dropped, salsa is 60 fps" in out
    )


def test_what_looks_wrong_is_said(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mocap = shared / "data" / "mocap"
    for name, expected in (
        ("cmu_daz_bvh_dance_martial/salsa/10", "frames 0 to 3 are a T-pose that a conversion put in front; left out"),
        ("cmu_iclone_bvh/007_03", "frame 0 is a T-pose that a conversion put in front; left out"),
        ("cmu_iclone_bvh/002_01", "suspicious: the pelvis's height never changes while it travels"),
        ("cmu_iclone_bvh/003_02", "suspicious jumps: frames 11 to 12"),
    ):
        # Out of its folder a file is read for what it says of itself.
        path = tmp_path / f"{Path(name).name}.bvh"
        path.write_bytes(lzma.decompress((mocap / f"{name}.bvh.xz").read_bytes()))
        assert expected in inspect(capsys, path), name


def test_walking_is_described(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = inspect(capsys, shared / "data/mocap/cmu_asfamc/02_01.amc.xz")
    assert "343 frames at 120 fps, 2.85 s; carries nothing above 60 Hz" in out
    assert "legs 0.84 m (hip to ankle)" in out
    assert "no jumps" in out
    speed = float(out.split("pelvis over ground: median ")[1].split(" m/s")[0])
    assert 0.9 < speed < 1.5


def test_a_wrong_unit_is_noticed(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = inspect(capsys, shared / "data/mocap/cmu_16_15/16_15.bvh.xz", "--unit-m", "1")
    assert "the unit is probably another one, pass --unit-m" in out


def test_markers_tell_their_residual(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = inspect(capsys, shared / "data/mocap/markers/nimble_opencap_lab/subj4_walking1.trc.xz")
    assert "TRC markers, skeleton 47 markers of the set opencap" in out
    assert float(out.split("marker residual: median ")[1].split(" mm")[0]) < 15
    assert "they follow the prior" in out


def test_picture_and_page(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture, page = tmp_path / "a" / "p.png", tmp_path / "p.html"
    path = shared / "data/mocap/deepmimic/humanoid3d_run.txt"
    out = inspect(capsys, path, "--picture", picture, "--page", page)
    assert f"picture: {picture}" in out
    assert f"page: {page}" in out
    pixels = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    # Limbs of both sides are drawn, in blue and in red.
    assert ((pixels[..., 2] - pixels[..., 0]) > 80).sum() > 300
    assert ((pixels[..., 0] - pixels[..., 2]) > 80).sum() > 300
    assert "<title>humanoid3d_run.txt</title>" in page.read_text(encoding="utf-8")


def test_a_person_is_seen_from_its_front_wherever_it_walks() -> None:
    walk = next(clip.motion for clip in load_embedded() if clip.name.endswith("walk"))
    angle = 2.0
    turn = torch.tensor([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]).float()
    rotations = walk.rotations.clone()
    rotations[:, 0] = turn @ rotations[:, 0]
    left, up, forward = find_heading(walk).T
    assert np.allclose(find_heading(Motion(rotations, walk.translation, walk.fps)), turn.numpy() @ find_heading(walk))
    assert np.allclose(up, [0, 1, 0])
    path = (walk.translation[-1] - walk.translation[0]).numpy()
    assert path @ forward > 0.9 * np.linalg.norm(path)
    hips = Body.default().joints(walk)[:, 1] - Body.default().joints(walk)[:, 2]
    assert float((hips.numpy() @ left).min()) > 0.05


def test_jumps_are_found_where_they_are() -> None:
    times = np.arange(100) / 100
    joints = np.zeros((100, 22, 3))
    joints[:, :, 1] = 0.1 * np.sin(2 * np.pi * times)[:, None]
    assert "no jumps" in find_jumps(joints, 100.0)[0]
    joints[40, 20, 0] += 0.3
    assert find_jumps(joints, 100.0) == ["suspicious jumps: frames 39 to 41 (left_wrist, 6000 m/s^2)"]


def test_a_root_that_drifts_is_told_and_a_fall_is_not() -> None:
    times = np.arange(120) / 30
    standing = np.tile(np.linspace(0.0, 1.6, 22)[None, :, None] * [0.0, 1.0, 0.0], (120, 1, 1))
    assert find_drift(standing, 30.0) == []
    sunk = standing - np.clip(times - 2, 0, 1)[:, None, None] * [0.0, 1.0, 0.0]
    (told,) = find_drift(sunk, 30.0)
    assert told.startswith("suspicious: for 1.0 s from 2.0 s on nothing rests")
    fallen = standing - 0.5 * 9.81 * np.clip(times - 2, 0, 1)[:, None, None] ** 2 * [0.0, 1.0, 0.0]
    assert find_drift(fallen, 30.0) == []


def test_a_wrong_height_of_the_root_is_told_of_the_recording_that_has_one(
    shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mocap = shared / "data/mocap"
    out = inspect(capsys, mocap / "snu_tiling/2/itonic3_wd2_crawltowalk_1.amc.xz")
    assert "suspicious: for 0.6 s from 6.1 s on nothing rests" in out
    assert "suspicious" not in inspect(capsys, mocap / "snu_tiling/2/itonic3_wd2_crawltowalk.amc.xz")
    out = inspect(capsys, mocap / "snu_vsports_basketball/motion/s_006_4_1.bvh.xz")
    assert "suspicious jumps" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.bvh"], "absent.bvh not found"),
        (["a.bvh"], "a.bvh has no line MOTION"),
        (["a.xyz"], "a.xyz ends in '.xyz', expected one of .amc"),
        (["a.bvh", "--picture", "p.jpg"], "p.jpg ends in '.jpg', expected .png"),
        (["a.bvh", "--up", "x"], "invalid choice: 'x'"),
        (["a.bvh", "--fps", "fast"], "invalid float value: 'fast'"),
        ([], "the following arguments are required: path"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.bvh", "a.xyz"):
        (tmp_path / name).write_text("nothing of the kind\n")
    with pytest.raises(SystemExit) as exit_info:
        main(["motions", "inspect", *arguments])
    error = capsys.readouterr().err
    assert exit_info.value.code == 2
    assert len(error.splitlines()) == 1, error
    assert message in error
