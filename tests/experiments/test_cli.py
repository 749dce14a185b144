"""The command ``imuforge``: gravity at rest, the same seed the same recording, bad input in one line with code 2."""

import json
import lzma

import numpy as np
import pytest
import torch

from experiments.cli import main
from experiments.har_eval.results import REPORT, RESULTS
from lightning_modules import MotionDiffusion
from lightning_modules.checkpoints import save_prior
from sim import Body, ImuRecording, Motion


@pytest.fixture
def still(tmp_path):
    """A person who stands in the T-pose for two seconds."""
    joints = Body.default().rest_joints
    height = float(joints[0, 1] - joints[:, 1].min())
    motion = Motion(
        torch.eye(3).expand(41, 22, 3, 3).clone(),
        torch.tensor([0.0, height, 0.0]).expand(41, 3).clone(),
        20.0,
        "stands",
    )
    motion.save(tmp_path / "still.npz")
    return tmp_path / "still.npz"


@pytest.fixture
def prior(tmp_path):
    model = MotionDiffusion(width=32, num_layers=1, num_heads=2, feedforward=32, num_steps=10)
    model.statistics.set(torch.zeros(263), torch.full((263,), 0.05))
    save_prior(model, tmp_path / "tiny.safetensors", {"purpose": "test"})
    return tmp_path / "tiny.safetensors"


def test_a_motion_at_rest_reads_gravity_and_no_rotation(still, tmp_path, capsys):
    out = tmp_path / "rest.parquet"
    code = main(
        ["synth", "--motion", str(still), "--placement", "left_wrist", "--placement", "chest", "--out", str(out)]
    )
    assert code == 0
    assert "101 samples at 50 Hz of left_wrist, chest" in capsys.readouterr().out
    recording = ImuRecording.load(out)
    assert recording.names == ("left_wrist", "chest")
    np.testing.assert_allclose(torch.linalg.vector_norm(recording.accel, dim=-1).numpy(), 9.80665, atol=1e-3)
    np.testing.assert_allclose(recording.gyro.numpy(), 0.0, atol=1e-4)


def test_a_prompt_gives_the_same_recording_for_the_same_seed(prior, tmp_path, monkeypatch, cache_dir):
    monkeypatch.chdir(tmp_path)

    def synth(name, seed, *more):
        path = tmp_path / name
        arguments = ["--prompt", "a person walks", "--placement", "waist", "--rate-hz", "25", "--seconds", "2"]
        arguments += ["--prior", str(prior), "--seed", str(seed), "--out", str(path), "--steps", "3", *more]
        main(["synth", *arguments])
        return ImuRecording.load(path)

    first, again, other = synth("a.csv", 0), synth("b.parquet", 0), synth("c.parquet", 1)
    assert first.accel.shape == (51, 1, 3)
    assert first.rate_hz == 25.0
    assert torch.equal(first.accel, again.accel)
    assert not torch.equal(first.accel, other.accel)
    by_positions = synth("d.csv", 0, "--decoder", "positions")
    assert (first.decoder, by_positions.decoder) == ("consistent", "positions")
    assert not torch.allclose(first.accel, by_positions.accel)


def test_sensor_errors_are_added(still, tmp_path):
    out = tmp_path / "noisy.parquet"
    main(["synth", "--motion", str(still), "--placement", "waist", "--errors", "smartphone", "--out", str(out)])
    assert ImuRecording.load(out).gyro.std() > 1e-4


def test_mounting_smoothing_and_the_motion_itself(still, tmp_path, capsys):
    out, again = tmp_path / "watch.parquet", tmp_path / "motions" / "again.npz"
    arguments = ["--motion", str(still), "--placement", "left_wrist", "--mounting", "smartwatch", "--cutoff-hz", "6"]
    main(["synth", *arguments, "--motion-out", str(again), "--out", str(out)])
    recording = ImuRecording.load(out)
    assert recording.placements[0]["mounting"] == "smartwatch"
    torch.testing.assert_close(Motion.load(again).rotations, Motion.load(still).rotations)
    main(["inspect", str(out)])
    assert "on bone left_elbow, mounted smartwatch" in capsys.readouterr().out


def test_inspect_describes_each_kind_of_file(still, prior, tmp_path, capsys):
    out = tmp_path / "rest.parquet"
    main(["synth", "--motion", str(still), "--placement", "head", "--out", str(out)])
    capsys.readouterr()
    for path, expected in (
        (still, "41 frames at 20 fps, 2.00 s; carries nothing above 10 Hz"),
        (out, "|accel| mean 9.81, largest 9.81 m/s^2"),
        (prior, '"purpose": "test"'),
    ):
        assert main(["inspect", str(path)]) == 0
        assert expected in capsys.readouterr().out


def test_show_writes_a_page(still, tmp_path, capsys):
    assert main(["show", str(still), "--placements", "chest", "head", "--out", str(tmp_path / "page.html")]) == 0
    assert "page.html: 201 samples at 100 Hz of 2 sensors" in capsys.readouterr().out
    assert "<title>stands</title>" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_show_reads_a_bvh(shared, tmp_path, capsys):
    packed = shared / "data" / "mocap" / "cmu_cgspeed_bvh" / "131_03.bvh.xz"
    (tmp_path / "clip.bvh").write_bytes(lzma.decompress(packed.read_bytes()))
    assert main(["show", str(tmp_path / "clip.bvh"), "--seconds", "1"]) == 0
    assert "clip.html: 101 samples at 100 Hz of 3 sensors" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "no.npz"], "clip no.npz not found, expected .npz of Motion.save"),
        (["show", "no.bvh"], "motion file no.bvh not found"),
        (["show", "no.npz", "--placements", "wrist"], "unknown placement 'wrist'"),
        (["synth", "--prompt", "x", "--placement", "wrist", "--out", "a.csv"], "unknown placement 'wrist'"),
        (["synth", "--prompt", "x", "--placement", "waist", "--out", "a.csv", "--rate-hz", "0"], "rate_hz is 0.0"),
        (
            ["synth", "--prompt", "x", "--placement", "waist", "--out", "a.csv", "--seconds", "1e9"],
            "seconds is 1000000000.0, expected 1 to 60",
        ),
        (["synth", "--prompt", " ", "--placement", "waist", "--out", "a.csv"], "the prompt is blank"),
        (["synth", "--prompt", "x", "--placement", "waist", "--out", "a.xls"], "expected .parquet or .csv"),
        (["synth", "--prompt", "x", "--placement", "waist", "--out", "a.csv", "--prior", "none"], "weights none not"),
        (["synth", "--motion", "no.npz", "--placement", "waist", "--out", "a.csv"], "motion file no.npz not found"),
        (["synth", "--placement", "waist", "--out", "a.csv"], "--prompt --motion is required"),
        (
            ["synth", "--prompt", "x", "--placement", "waist", "--out", "a.csv", "--mounting", "x_upp_z_out"],
            "did you mean 'up'",
        ),
        (
            ["synth", "--prompt", "x", "--placement", "waist", "--out", "a.csv", "--mounting", "smartwatch"],
            "a watch's way round is known on an arm only",
        ),
        (
            ["synth", "--prompt", "x", "--placement", "waist", "--out", "a.csv", "--motion-out", "m.bvh"],
            "m.bvh ends in '.bvh', expected .npz",
        ),
        (["inspect", "nowhere"], "nowhere not found, expected a motion"),
        (["report", "nowhere"], "not found; give the folder of a run"),
        (["dance"], "invalid choice: 'dance'"),
        (["fit", "--trainer.max_stepss", "3"], "max_stepss"),
    ],
)
def test_bad_input_is_one_line_and_code_2(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    error = capsys.readouterr().err
    assert exit_info.value.code == 2
    assert len(error.splitlines()) == 1, error
    assert message in error


def test_files_of_other_programs_are_refused(tmp_path, capsys):
    (tmp_path / "other.npz").write_bytes(b"not an archive")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / RESULTS).write_text(json.dumps({"schema": "other"}))
    expected = {
        "other.npz": "is no .npz archive; expected a file written by Motion.save",
        "run": "has schema 'other', expected 'imuforge har_eval 2'",
    }
    for path, message in expected.items():
        with pytest.raises(SystemExit) as exit_info:
            main(["inspect", str(tmp_path / path)])
        assert exit_info.value.code == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "run" / REPORT).exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--seconds", "3"], "--seconds is of generated motions"),
        (["--steps", "4"], "--steps is of generated motions"),
        (["--label", "  "], "label is '  ', expected a name"),
        (["--label", "a", "--subject", ""], "subject is '', expected a name"),
    ],
)
def test_options_that_would_do_nothing_or_harm_are_refused(still, tmp_path, more, said, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["synth", "--motion", str(still), "--placement", "waist", "--out", str(tmp_path / "a.csv"), *more])
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "manifest.csv").exists()


@pytest.mark.parametrize("guidance", ["-1", "nan", "inf"])
def test_a_guidance_that_is_none_is_refused_before_anything_is_generated(prior, tmp_path, guidance, capsys):
    arguments = ["--prompt", "a person walks", "--placement", "waist", "--prior", str(prior)]
    with pytest.raises(SystemExit) as stopped:
        main(["synth", *arguments, "--out", str(tmp_path / "a.csv"), f"--guidance={guidance}"])
    assert stopped.value.code == 2
    assert f"guidance is {float(guidance)}" in capsys.readouterr().err


def test_a_prompt_that_no_word_of_is_known_is_told(prior, tmp_path, cache_dir, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    arguments = ["--placement", "waist", "--prior", str(prior), "--steps", "2", "--seconds", "1", "--out", "a.csv"]
    main(["synth", "--prompt", "xyzzy qwrtp", *arguments])
    assert "not one word of the prompt 'xyzzy qwrtp' is known" in caplog.text
    caplog.clear()
    main(["synth", "--prompt", "a person walks", *arguments])
    assert "prompt" not in caplog.text


def test_packaged_weights_are_inspected_by_name_and_folders_of_nothing_are_named(tmp_path, capsys):
    assert main(["inspect", "prior_mdm"]) == 0
    assert "weights of 1," in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["inspect", str(tmp_path)])
    assert "is a folder, expected a motion" in capsys.readouterr().err
