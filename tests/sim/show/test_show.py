"""The page of sim.show: its data are those of simulate, it fetches nothing, and bad input is one line."""

import base64
import json
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import sim.show.page
from sim import Body, Motion, simulate
from sim.features import features_to_motion, joints_to_features
from sim.placements import resolve_all, site_poses
from sim.show import main, write_page
from sim.show.clip import read_clip

pytest.importorskip("plotly", reason="plotly is not installed; pip install 'imuforge[report]'")

RATE_HZ = 50.0
NAMES = ("left_wrist", "chest", "turned_ankle")


def read_data(path):
    text = path.read_text(encoding="utf-8")
    data = json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.DOTALL)[1])
    arrays = {
        name: np.frombuffer(base64.b64decode(packed["data"]), packed["dtype"]).reshape(packed["shape"])
        for name, packed in data["arrays"].items()
    }
    return data, arrays


def test_the_data_are_those_of_simulate(shown):
    path, motion, body, placements = shown
    data, arrays = read_data(path)
    recording = simulate(motion, body, placements, rate_hz=RATE_HZ)
    np.testing.assert_array_equal(arrays["accel"], recording.accel.numpy())
    np.testing.assert_array_equal(arrays["gyro"], recording.gyro.numpy())
    assert (tuple(data["names"]), data["rate_hz"], data["drawn_fps"]) == (NAMES, RATE_HZ, 60.0)
    position, orientation = site_poses(body, motion, resolve_all(placements, body))
    np.testing.assert_allclose(arrays["sensor_poses"][::3, :, :9], orientation.flatten(-2).numpy(), atol=1e-5)
    np.testing.assert_allclose(arrays["sensor_poses"][::3, :, 9:], position.numpy(), atol=1e-5)


def test_the_page_fetches_nothing_and_is_modest(shown):
    text = shown[0].read_text(encoding="utf-8")
    ours = text.replace(sim.show.page._plotly_script(), "")
    assert not re.search(r"https?:|@import|url\(|fetch\(|XMLHttpRequest|import\(|<iframe|<img", ours)
    assert set(re.findall(r'(?:src|href)="([^"]*)"', ours)) == {"data:,"}
    assert len(ours) < 1_500_000
    assert "<h1>an arm sinks &lt;/script&gt; &amp; more</h1>" in ours


def test_no_title_can_hide_the_rest_of_the_page(shown, tmp_path):
    _, motion, body, placements = shown
    write_page(motion, body, placements, tmp_path / "page.html", title="<!--<script> walk </script>")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    data = re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.DOTALL)[1]
    assert "<" not in data
    assert json.loads(data)["title"] == "<!--<script> walk </script>"


@pytest.mark.parametrize(("start", "seconds"), [(0.0, 0.5), (0.52, 0.7), (1.999, None), (2.0, 1.0)])
def test_a_stretch_shows_the_samples_of_the_whole_clip(shown, tmp_path, start, seconds):
    _, motion, body, placements = shown
    write_page(motion, body, placements, tmp_path / "part.html", rate_hz=RATE_HZ, start_s=start, seconds=seconds)
    data, arrays = read_data(tmp_path / "part.html")
    whole, count, first = (
        simulate(motion, body, placements, rate_hz=RATE_HZ),
        len(arrays["accel"]),
        data["first_sample"],
    )
    np.testing.assert_array_equal(arrays["accel"], whole.accel[first : first + count].numpy())
    assert count >= 1
    assert first / RATE_HZ >= min(start, 2.0) - 1e-9
    full = read_data(shown[0])[1]["joint_poses"]
    drawn = slice(data["first_frame"], data["first_frame"] + len(arrays["joint_poses"]))
    np.testing.assert_allclose(arrays["joint_poses"], full[drawn], atol=1e-5)


def test_a_body_with_pose_blend_shapes_says_that_the_drawn_skin_leaves_them_out(shown, tmp_path):
    _, motion, body, placements = shown
    model = replace(body.model, pose_directions=torch.full((13718, 3, 189), 1e-4))
    page = write_page(motion, Body(model, body.betas), placements, tmp_path / "page.html")
    assert page.notes == ("the drawn skin leaves out SMPL's pose blend shapes; sensors and readings have them",)


def test_one_of_a_batch_of_shapes_is_shown(shown, tmp_path):
    _, motion, body, placements = shown
    betas = torch.stack([body.betas, body.betas + 1.0])
    write_page(motion, body.with_shape(betas), placements, tmp_path / "page.html", member=1)
    page = read_data(tmp_path / "page.html")[1]
    tall = body.with_shape(betas[1])
    np.testing.assert_allclose(page["rest_vertices"], tall.rest_vertices[page["vertex_ids"].astype(int)], atol=1e-6)
    np.testing.assert_array_equal(page["accel"], simulate(motion, tall, placements, rate_hz=100.0).accel.numpy())


def test_what_is_left_out_of_a_long_or_fast_clip_is_said(tmp_path, capsys):
    def hold(fps, seconds):
        frames = int(fps * seconds) + 1
        Motion(torch.eye(3).expand(frames, 22, 3, 3), torch.zeros(frames, 3), fps).save(tmp_path / "long.npz")
        return str(tmp_path / "long.npz")

    assert main([hold(5.0, 70), "--placements", "waist", "--rate-hz", "10"]) == 0
    assert "shows 0 to 60 s of 70.0 s" in capsys.readouterr().err
    assert "Shows 0 to 60 s of 70.0 s" in (tmp_path / "long.html").read_text()
    assert main([hold(150.0, 1), "--placements", "waist"]) == 0
    assert "draws one frame in 3, 50 of 150 a second" in capsys.readouterr().err
    assert read_data(tmp_path / "long.html")[1]["joint_poses"].shape == (51, 22, 12)


def test_the_command_reads_motions_features_and_joints(tmp_path, capsys, monkeypatch, shown_motion):
    monkeypatch.chdir(tmp_path)
    motion = shown_motion
    both = Motion(torch.stack([motion.rotations, motion.rotations.flip(0)]), motion.translation.expand(2, -1, -1), 20.0)
    both.save("both.npz")
    joints = Body.default().joints(motion)
    np.save("joints.npy", joints.numpy())
    features = joints_to_features(joints)
    np.save("features.npy", torch.cat([features, torch.zeros(7, 263)]).numpy())
    for clip, options in (("both.npz", ["--clip", "1"]), ("joints.npy", ["--fps", "20"]), ("features.npy", [])):
        assert main([clip, *options, "--out", f"{clip}.html", "--errors", "bmi270"]) == 0
        assert "of 3 sensors" in capsys.readouterr().out
    assert read_data(tmp_path / "features.npy.html")[1]["joint_poses"].shape[0] == 3 * 39 + 1
    first = read_data(tmp_path / "both.npz.html")[1]["joint_poses"][0, 16, :9]
    arm_down = motion.rotations[-1, 0] @ motion.rotations[-1, 16]
    np.testing.assert_allclose(first, arm_down.flatten().numpy(), atol=1e-5)


def test_features_are_decoded_consistently_member_by_member(tmp_path, shown_motion):
    features = joints_to_features(Body.default().joints(shown_motion)).repeat(2, 1, 1)
    features += 0.01 * torch.randn(features.shape, generator=torch.Generator().manual_seed(0))
    features[1, 25:] = 0  # shorter, and so padded
    np.save(tmp_path / "two.npy", features.numpy())
    read = read_clip(tmp_path / "two.npy")
    assert read.decoder == "consistent"
    alone = features_to_motion(features[1, :25])
    torch.testing.assert_close(read.translation[1, :25], alone.translation)
    by_positions = read_clip(tmp_path / "two.npy", decoder="positions")
    assert by_positions.decoder == "positions"
    assert not torch.allclose(by_positions.translation[0], read.translation[0], atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no.npz"], "clip no.npz not found, expected .npz of Motion.save"),
        (["clip.npz", "--placements", "wrist"], "unknown placement 'wrist'"),
        (["clip.npz", "--placements", "chest", "chest"], "more than once"),
        (["clip.npz", "--rate-hz", "0"], "rate_hz is 0"),
        (["clip.npz", "--rate-hz", "1e6"], "lower rate_hz or seconds"),
        (["clip.npz", "--rate-hz", "nan"], "rate_hz is nan"),
        (["clip.npz", "--clip", "3"], "clip 3 of a batch of 1 asked for, expected 0 to 0"),
        (["clip.npz", "--start", "9"], "start is 9 s, expected 0 to 2 s"),
        (["clip.npz", "--seconds", "-1"], "seconds is -1, expected > 0"),
        (["clip.npz", "--fps", "20"], "carries its own rate"),
        (["clip.npz", "--out", "clip.npz"], "ends in '.npz', expected .html"),
        (["clip.npz", "--out", "clip.npz/page.html"], "clip.npz/page.html cannot be written"),
        (["clip.npz", "--out", "folder.html"], "folder.html cannot be written"),
        (["clip.npz", "--body", "none.npz"], "none.npz"),
        (["noise.npz"], "noise.npz cannot be read"),
        (["noise.npy"], "noise.npy cannot be read"),
        (["odd.npy"], "odd.npy holds an array (5, 7)"),
        (["joints.npy"], "give it with --fps 20"),
        (["clip.txt"], "clip.txt ends in '.txt'"),
    ],
)
def test_bad_input_is_one_line_and_code_2(arguments, message, tmp_path, monkeypatch, capsys, shown_motion):
    monkeypatch.chdir(tmp_path)
    shown_motion.save("clip.npz")
    for name in ("noise.npz", "noise.npy", "clip.txt"):
        (tmp_path / name).write_bytes(b"nonsense")
    np.save("odd.npy", np.zeros((5, 7)))
    np.save("joints.npy", np.zeros((5, 22, 3)))
    (tmp_path / "folder.html").mkdir()
    before = sorted(tmp_path.iterdir())
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1, error
    assert message in error
    assert sorted(tmp_path.iterdir()) == before


def test_without_plotly_the_error_says_what_to_install(shown, tmp_path, monkeypatch, capsys, shown_motion):
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    shown_motion.save(tmp_path / "clip.npz")
    assert main([str(tmp_path / "clip.npz")]) == 2
    assert "pip install 'imuforge[report]'" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["clip.npz"]
