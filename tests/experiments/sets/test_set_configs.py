"""A YAML for every real set: each is read by the very command, and those at hand are trained on."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
import yaml

from datamodules import READERS, RealIMUDataModule
from datamodules.har.registry import real_set
from lightning_modules.cli import main

EXPERIMENTS = Path(__file__).resolve().parents[3] / "experiments"
SETS = sorted(path.stem for path in (EXPERIMENTS / "sets").glob("*.yaml"))


@pytest.fixture(scope="module")
def recordings(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sets at hand, unpacked."""
    root = tmp_path_factory.mktemp("sets")
    for name in ("dsads", "spsw_har"):
        with tarfile.open(shared / "data" / "imu" / f"{name}.tar.xz") as archive:
            archive.extractall(root / name, filter="data")
    return root


def test_every_set_has_one() -> None:
    assert {*SETS, "csv_folder"} == set(READERS)  # a folder of one's own has a description of its own


@pytest.mark.parametrize("name", SETS)
def test_it_fits_the_set(name: str, tmp_path: Path) -> None:
    """Classes, sites and split are checked against the set before anything is read; nothing is left to chance."""
    content = yaml.safe_load((EXPERIMENTS / "sets" / f"{name}.yaml").read_text(encoding="utf-8"))
    options = content["data"]["init_args"]
    assert content["data"]["class_path"] == "RealIMUDataModule"
    assert options["name"] == name
    if real_set(name).embedded:  # of which the YAML wants more than comes along
        options["root"] = str(tmp_path)
    data = RealIMUDataModule(**options)
    assert data.num_channels == 3 * len(data.source.channels) * len(data.source.placements)
    assert len(data.classes) == len(set(data.classes)) > 1


@pytest.mark.parametrize("name", SETS)
def test_a_missing_folder_is_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMUFORGE_RUNS", str(tmp_path / "runs"))
    empty = tmp_path / "empty"
    empty.mkdir()
    layers = [word for path in ("har", f"sets/{name}") for word in ("-c", str(EXPERIMENTS / f"{path}.yaml"))]
    options = [f"--data.root={empty}", f"--data.cache_dir={tmp_path / 'cache'}", "--trainer.accelerator=cpu"]
    with pytest.raises(SystemExit) as left:
        main(["fit", *layers, *options])
    assert left.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert "found in" in line
    assert "download" in line or "install" in line


@pytest.mark.parametrize("name", ["dsads", "spsw_har"])
def test_sets_at_hand_are_trained_on(
    name: str, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMUFORGE_RUNS", str(tmp_path / "runs"))
    layers = [word for path in ("har", f"sets/{name}") for word in ("-c", str(EXPERIMENTS / f"{path}.yaml"))]
    options = [f"--data.root={recordings / name}", f"--data.cache_dir={tmp_path / 'cache'}"]
    quick = ["--trainer.max_epochs=1", "--trainer.limit_train_batches=2", "--trainer.enable_progress_bar=false"]
    small = ["--model.network=cnn", "--model.filters=4", "--trainer.accelerator=cpu", "--data.num_folds=2"]
    main(["fit", *layers, *options, *quick, *small, "--data.val_fraction=0.5"])
    assert (tmp_path / "runs" / "har" / "checkpoints" / "last.ckpt").is_file()
