"""Folders of joint files: features against HumanML3D's own, rates and axes against closed forms, and bad input."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules import GeneratedMotionDataModule, MotionDataModule
from datamodules.motion_files.joint_files import read_joints
from sim import Placement, simulate
from sim.body import Body
from sim.features import features_to_joints, joints_to_features

FPS = 20.0


def wave(*, fps: float = FPS, seconds: float = 3.0) -> np.ndarray:
    """A body whose arms swing and that walks forward, sampled from one continuous motion ``(T, 22, 3)``."""
    time = np.arange(round(seconds * fps) + 1) / fps
    joints = np.repeat(Body.default().rest_joints[None, :22].double().numpy(), len(time), axis=0)
    joints[..., 2] += time[:, None]
    joints[:, 20, 1] += 0.1 * np.sin(2 * math.pi * 1.5 * time)
    joints[:, 21, 2] += 0.1 * np.cos(2 * math.pi * 1.0 * time)
    return joints


def write(root: Path, motions: dict[str, np.ndarray], *, texts: bool = True) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for name, joints in motions.items():
        np.save(root / f"{name}.npy", joints)
        if texts:
            (root / f"{name}.txt").write_text(f"a person does {name}.\n", encoding="utf-8")
    return root


def open_folder(root: Path, **options: object) -> GeneratedMotionDataModule:
    data = GeneratedMotionDataModule(str(root), **options)
    data.prepare_data()
    data.setup()
    return data


def test_batches_hold_the_features_of_the_joints(tmp_path: Path) -> None:
    root = write(tmp_path, {"long": wave(), "short": wave(seconds=2.0)})
    data = open_folder(root)
    (loader,) = data.test_dataloader()
    (batch,) = list(loader)
    assert batch.captions == ["a person does long.", "a person does short."]
    assert batch.lengths.tolist() == [59, 39]
    assert batch.features.shape == (2, 59, 263)
    expected = joints_to_features(torch.from_numpy(wave(seconds=2.0)))[1:].float()
    torch.testing.assert_close(batch.features[1, :39], expected)
    assert not batch.features[1, 39:].any()
    assert len(set(batch.sample_id.tolist())) == 2


def test_features_equal_humanml3ds_own(golden: Callable[[str], np.lib.npyio.NpzFile], tmp_path: Path) -> None:
    archive = golden("humanml3d")
    name = next(key for key in archive.files if key.endswith("joints") and len(archive[key]) > 40)
    features = archive[name.replace("joints", "features")]
    data = open_folder(write(tmp_path, {"clip": archive[name]}))
    batch = next(iter(data.test_dataloader()[0]))
    np.testing.assert_allclose(batch.features[0, : len(features) - 1], features[1:], atol=2e-3)


@pytest.mark.parametrize("fps", [60.0, 30.0, 12.5, 50.0])
def test_other_rates_give_the_same_motion(tmp_path: Path, fps: float) -> None:
    """The wave is one continuous motion, so that splines at any rate have to meet its samples at 20 fps."""
    made = open_folder(write(tmp_path, {"wave": wave(fps=fps)}), fps=fps)
    batch = next(iter(made.test_dataloader()[0]))
    found, truth = (
        features_to_joints(features)
        for features in (batch.features[0], joints_to_features(torch.from_numpy(wave()))[1:].float())
    )
    count = min(len(found), len(truth))
    assert count >= 55
    assert (found[:count] - truth[:count]).norm(dim=-1).max() < (0.003 if fps > 20 else 0.02)


def test_z_up_is_turned(tmp_path: Path) -> None:
    joints = wave()
    turned = np.stack([joints[..., 0], -joints[..., 2], joints[..., 1]], axis=-1)  # Z up, facing -Y
    one, other = write(tmp_path / "y", {"a": joints}), write(tmp_path / "z", {"a": turned})
    first, second = open_folder(one), open_folder(other, up="z")
    torch.testing.assert_close(
        next(iter(first.test_dataloader()[0])).features, next(iter(second.test_dataloader()[0])).features
    )


def test_prompts_from_a_table_and_npz(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", wave())
    np.savez(tmp_path / "b.npz", joints=wave(seconds=2))
    table = "file,text,activity\na.npy,a person waves.,waving\nb,someone waves.,\na.npy,one more caption.,waving\n"
    (tmp_path / "prompts.csv").write_text(table, encoding="utf-8")
    data = open_folder(tmp_path)
    assert data.activities == ["generated", "waving"]
    assert data.captions() == ["a person waves.", "one more caption.", "someone waves."]
    batch = next(iter(data.test_dataloader()[0]))
    assert [data.activities[index] for index in batch.activity.tolist()] == ["generated", "waving"]
    assert batch.captions[0] == "someone waves."
    assert batch.captions[1] in {"a person waves.", "one more caption."}


def test_text_files_may_be_humanml3ds(tmp_path: Path) -> None:
    write(tmp_path, {"a": wave()}, texts=False)
    (tmp_path / "a.txt").write_text("a man walks.#a/DET man/NOUN walk/VERB#0.0#0.0\n\nhe strolls.\n", encoding="utf-8")
    assert open_folder(tmp_path).captions() == ["a man walks.", "he strolls."]


def test_training_and_validation_share_no_motion(tmp_path: Path) -> None:
    root = write(tmp_path, {f"m{number}": wave(seconds=1.5 + 0.05 * number) for number in range(12)})
    data = open_folder(root, samples_per_epoch=64, batch_size=16, mirror=True, window_s=1.0)
    validation = {caption for batch in data.val_dataloader() for caption in batch.captions}
    training = {caption for batch in data.train_dataloader() for caption in batch.captions}
    assert len(validation) == 1
    assert training
    assert not validation & training
    assert set(data.captions()) >= training
    mean, std = data.feature_statistics()
    assert mean.shape == std.shape == (263,)
    assert bool((std > 0).all())


def test_motions_feed_the_simulator(tmp_path: Path) -> None:
    """A body that bobs as one: a sensor on its waist reads gravity and the bobbing, whatever the pose."""
    joints = np.repeat(Body.default().rest_joints[None, :22].double().numpy(), 181, axis=0)
    joints[..., 1] += 0.05 * np.sin(2 * math.pi * 1.5 * np.arange(181) / 60)[:, None]
    data = open_folder(write(tmp_path, {"bob": joints}), fps=60)
    (clip,) = data.clips("test")
    assert (clip.motion.fps, clip.captions, clip.ships) == (60, ("a person does bob.",), False)
    recording = simulate(clip.motion, Body.default(), [Placement.preset("waist")], rate_hz=50)
    felt = recording.accel[25:-25, 0].norm(dim=-1)
    swing = 0.05 * (2 * math.pi * 1.5) ** 2
    assert float(felt.max()) == pytest.approx(9.80665 + swing, rel=0.02)
    assert float(felt.min()) == pytest.approx(9.80665 - swing, rel=0.02)


def test_reference_comes_second(tmp_path: Path, cache_dir: Path) -> None:
    reference = MotionDataModule(cache_dir=str(cache_dir / "motion"), eval_windows_per_activity=1, batch_size=8)
    data = open_folder(write(tmp_path, {"a": wave()}), reference=reference)
    ours, theirs = data.test_dataloader()
    assert [batch.captions for batch in ours] == [["a person does a."]]
    assert sum(len(batch.captions) for batch in theirs) == sum(
        len(batch.captions) for batch in reference.test_dataloader()
    )
    assert "reference" not in data.hparams


def spoil(root: Path, name: str, joints: np.ndarray) -> None:
    np.save(root / f"{name}.npy", joints)


def hole(joints: np.ndarray) -> np.ndarray:
    joints = joints.copy()
    joints[5, 3] = np.nan
    return joints


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda root: spoil(root, "a", hole(wave())), "not finite in 1 of 61 frames"),
        (lambda root: spoil(root, "a", wave()[:, :21]), r"shape \(61, 21, 3\), expected \(T, 22, 3\)"),
        (lambda root: spoil(root, "a", wave().reshape(61, 66)), r"shape \(61, 66\), expected"),
        (lambda root: spoil(root, "a", 1000 * wave()), "convert it to metres"),
        (lambda root: spoil(root, "a", wave()[:10]), "has 10 frames at 20 fps, expected at least 1 s"),
        (lambda root: (root / "a.npy").write_bytes(b"nonsense"), "is no readable array"),
        (lambda root: np.savez(root / "b.npz", other=wave()), "b.txt not found"),
        (lambda root: np.savez(root / "a.npz", joints=wave()), "in two forms"),
        (lambda root: (root / "a.txt").unlink(), "a.txt not found; write it beside the motion"),
        (lambda root: (root / "a.txt").write_text(" \n"), "is blank, expected the prompt"),
        (lambda root: (root / "a.npy").unlink(), "has no .npy, .npz or .bvh file"),
        (lambda root: (root / "prompts.csv").write_text("name,text\na,b\n"), r"columns \['name', 'text'\]"),
        (lambda root: (root / "prompts.csv").write_text("file,text\nz,b\n"), "line 2 of .*prompts.csv is 'z', 'b'"),
        (lambda root: (root / "prompts.csv").write_text("file,text\na, \n"), "line 2 of"),
        (lambda root: (root / "prompts.csv").write_text("file,text\n"), "has no prompt for a.npy"),
        (lambda root: (root / "prompts.csv").write_text(""), "is no readable table"),
    ],
)  # fmt: skip
def test_nonsense_is_one_line(tmp_path: Path, change: Callable[[Path], object], message: str) -> None:
    root = write(tmp_path, {"a": wave()})
    change(root)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as error:
        open_folder(root)
    assert "\n" not in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_npz_without_joints_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "b.npz", other=wave())
    with pytest.raises(ValueError, match="has no array 'joints'"):
        read_joints(tmp_path / "b.npz", fps=20, up="y")


@pytest.mark.parametrize(
    "options", [{"fps": 0.0}, {"up": "x"}, {"window_s": 0.5}, {"batch_size": 0}, {"samples_per_epoch": 0}]
)
def test_bad_options_are_named(tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        GeneratedMotionDataModule(str(tmp_path), **options)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        open_folder(tmp_path / "none")
    with pytest.raises(RuntimeError, match="not set up"):
        GeneratedMotionDataModule(str(tmp_path)).val_dataloader()


@pytest.mark.parametrize("fps", [30.0, 60.0])
def test_the_rate_that_a_file_states_counts(tmp_path: Path, fps: float) -> None:
    np.savez(tmp_path / "a.npz", joints=wave(fps=fps), fps=fps)
    (tmp_path / "a.txt").write_text("a person walks.")
    data = open_folder(tmp_path)
    assert next(iter(data.test_dataloader()[0])).lengths.tolist() == [59]
    assert data.clips("test")[0].motion.fps == fps
    np.savez(tmp_path / "a.npz", joints=wave(fps=fps), fps=[fps, fps])
    with pytest.raises(ValueError, match=r"a\.npz: fps is .*expected one positive number"):
        open_folder(tmp_path)


@pytest.mark.parametrize(("up", "other"), [("y", "z"), ("z", "y")])
def test_a_world_with_another_axis_up_is_refused(tmp_path: Path, up: str, other: str) -> None:
    z_up = wave()[..., [0, 2, 1]] * [1, -1, 1]
    joints = z_up if up == "y" else wave()
    with pytest.raises(ValueError, match=rf"a\.npy: the trunk lies along the floor .*give up: {other}"):
        open_folder(write(tmp_path, {"a": joints}), up=up)
    assert len(open_folder(tmp_path, up=other).clips("test")) == 1
    # Who is said to lie may.
    (tmp_path / "a.txt").write_text("a person is lying on the back.")
    assert len(open_folder(tmp_path, up=up).clips("test")) == 1


def test_hidden_files_need_no_prompt(tmp_path: Path) -> None:
    write(tmp_path, {"a": wave()})
    (tmp_path / "._a.npy").write_bytes(b"\0\5\x16\7")
    assert len(open_folder(tmp_path).clips("test")) == 1


def test_prompts_with_a_byte_order_mark(tmp_path: Path) -> None:
    write(tmp_path, {"a": wave()}, texts=False)
    (tmp_path / "prompts.csv").write_bytes(b"\xef\xbb\xbffile,text\na,she walks\n")
    assert open_folder(tmp_path).captions() == ["she walks"]
    (tmp_path / "prompts.csv").write_bytes("file,text\na,naïve\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"prompts\.csv, line 2 .*save it as UTF-8"):
        open_folder(tmp_path)
