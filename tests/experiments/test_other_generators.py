"""The commands of docs/cookbook/other_generators.md, on a folder of files in each published form."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml

from datamodules import GeneratedMotionDataModule
from datamodules.clips.embedded import load_embedded
from experiments.cli import main
from sim import ImuRecording, Motion
from sim.trajectory import resample_motion
from tests import generator_files as write

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cookbook" / "other_generators.md"
WRITERS = {
    "mdm.npy": write.write_263,
    "streamer.npy": write.write_272,
    "hy_features.npy": write.write_201,
    "hy_motion.npz": write.write_hy_motion,
    "amass.npz": write.write_amass,
    "smplx.npz": write.write_kimodo_smplx,
    "joints.npz": write.write_joints,
}


def write_all(folder: Path) -> None:
    """A walk in every form that a file of it can have, and a made-up body of SOMA's."""
    folder.mkdir(parents=True)
    walk = next(clip.motion for clip in load_embedded() if clip.name.endswith("walk"))
    for name, writer in WRITERS.items():
        writer(folder / name, resample_motion(walk, fps=20.0 if name == "mdm.npy" else 30.0))
    write.write_kimodo_soma(folder / "kimodo.npz", 90)
    write.write_soma_bvh(folder / "soma.bvh", 90)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_every_command_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_all(tmp_path / "others" / "walking")
    said, specification, _ = blocks("yaml")
    (tmp_path / "others" / "motions.yaml").write_text(said, encoding="utf-8")
    (tmp_path / "others.yaml").write_text(specification, encoding="utf-8")
    printed: dict[str, str] = {}
    commands = re.findall(r"^    (imuforge .*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(commands) == 5
    for line in commands:
        more = ["--processes", "1", "--device", "cpu"] if line.startswith("imuforge dataset") else []
        main([*shlex.split(line)[1:], *more])
        printed[line.split(" --")[0]] = capsys.readouterr().out
    look = printed["imuforge motions inspect others/walking/kimodo.npz"]
    assert "Kimodo archive, skeleton SOMA's 77 joints" in look
    assert "terms: Kimodo's SOMA models, NVIDIA Open Model License" in look
    for command in ("synth", "inspect hy.parquet"):
        assert "terms of the motion: HY-Motion 1.0" in printed[f"imuforge {command}"], printed.keys()
    licence = ImuRecording.load("hy.parquet").licence
    assert licence == Motion.load("hy.npz").licence
    assert str(licence) in " ".join(PAGE.read_text(encoding="utf-8").split())

    card = Path("data/README.md").read_text(encoding="utf-8")
    for words in (
        "made by our own model",
        "HY-Motion 1.0",
        "HumanML3D's form",
        "AMASS's form",
        "MotionStreamer's form",
    ):
        assert f"What is known of the files' terms: {words}" in card
        assert f"terms of the motions: {words}" in printed["imuforge inspect data"]


def test_the_remedy_of_the_page_undoes_a_normalisation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    raw, mean, std = generator.normal(size=(40, 272)), generator.normal(size=272), generator.uniform(1, 2, size=272)
    for name, values in (("normalised", (raw - mean) / std), ("Mean", mean), ("Std", std)):
        np.save(f"{name}.npy", values)
    exec(compile(blocks("python")[0], str(PAGE), "exec"), {})
    np.testing.assert_allclose(np.load("raw.npy"), raw, atol=1e-9)


def test_a_flat_folder_with_prompts_holds_every_form(tmp_path: Path) -> None:
    write_all(tmp_path / "flat")
    for path in list((tmp_path / "flat").iterdir()):
        path.with_suffix(".txt").write_text(f"a person walks, says {path.stem}.\n", encoding="utf-8")
    np.save(tmp_path / "flat" / "Mean.npy", np.zeros(272))
    data = GeneratedMotionDataModule(str(tmp_path / "flat"))
    data.setup()
    clips = {clip.name: clip for clip in data.clips("test")}
    assert set(clips) == {"kimodo", "soma", *(name.split(".")[0] for name in WRITERS)}
    assert clips["hy_features"].motion.fps == 30.0
    assert clips["hy_features"].licence.startswith("HY-Motion 1.0")
    assert clips["joints"].licence == ""
    batch = next(iter(data.test_dataloader()[0]))
    assert batch.features.shape[0] == 9

    spec = yaml.safe_load(blocks("yaml")[2])
    assert set(spec["arms"]["others"]) == {"generated", "licence"}
