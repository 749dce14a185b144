"""The wheel: it holds every file of the packages, and from an empty folder all commands work without a checkout."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SITES = ("chest", "right_wrist", "right_thigh")
PACKAGES = ("sim", "datamodules", "lightning_modules", "experiments")
TRAIN_A_LITTLE = "--trainer.accelerator=cpu --trainer.max_steps=1 --data.samples_per_epoch=4 --data.batch_size=4"


def tracked_files() -> list[str]:
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git checkout: which files belong to the packages cannot be told")
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def build_wheel(folder: Path) -> Path:
    """Build from a copy of what git tracks: whatever else lies in the checkout must not get in."""
    source, output = folder / "source", folder / "dist"
    for name in tracked_files():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, source / name)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", output, source],
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
        capture_output=True,
        check=True,
    )
    return next(output.glob("*.whl"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scripts of an environment of its own; it borrows the libraries of this one, but not its imuforge."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (own,) = folder.glob("lib/python*/site-packages")
    # What lies in a folder that a .pth file names is found; .pth files in it, as of an editable imuforge, stay unread.
    lines = [sysconfig.get_path(kind) + "\n" for kind in ("purelib", "platlib")]
    (own / "borrowed.pth").write_text("".join(dict.fromkeys(lines)), encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-q", "--no-deps", "--no-index", "--ignore-installed", wheel], check=True)
    return folder / "bin"


def run(scripts: Path, command: str, folder: Path, *, code: int = 0, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command line in a folder; nothing of the checkout is on Python's path."""
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "IMUFORGE_SHARED")}
    environment = {**kept, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1", **more}
    done = subprocess.run(command.split(), cwd=folder, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == code, done.stderr
    assert not any(str(ROOT / package) in done.stdout + done.stderr for package in PACKAGES)
    return done


def test_the_wheel_holds_every_file_of_the_packages_and_no_other(wheel: Path) -> None:
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.split("/")[0] in PACKAGES}
    expected = {name for name in tracked_files() if name.split("/")[0] in PACKAGES}
    assert held == expected
    assert {f"{package}/py.typed" for package in PACKAGES} <= held


def test_the_wheel_carries_its_licences(wheel: Path) -> None:
    licences = {name.partition("/licenses/")[2] for name in zipfile.ZipFile(wheel).namelist() if "/licenses/" in name}
    assert licences == {"LICENSE", *(f"{package}/assets/NOTICE.md" for package in PACKAGES[:3])}


def test_the_same_sources_make_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    again = build_wheel(tmp_path)
    assert again.name == wheel.name
    first, second = (hashlib.sha256(path.read_bytes()).hexdigest() for path in (wheel, again))
    assert first == second


def test_an_empty_folder_is_enough(scripts: Path, tmp_path: Path) -> None:
    assert "recordings" in run(scripts, "imuforge --help", tmp_path).stdout
    assert "experiments/finetune_acc.yaml" in run(scripts, "lightning --help", tmp_path).stdout
    layered = "lightning fit -c experiments/har.yaml -c experiments/sets/dsads.yaml -c experiments/cluster/ddp.yaml"
    done = run(scripts, f"{layered} --data.root=x --print_config", tmp_path)
    assert "strategy: ddp" in done.stdout
    assert "name: dsads" in done.stdout
    notes = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    installed = scripts.parent.resolve() / "lib"
    for note, name in zip(notes, ("har", "sets/dsads", "cluster/ddp"), strict=True):
        assert note.startswith(f"note: experiments/{name}.yaml is the packaged one, {installed}")
        assert Path(note.rpartition(", ")[2]).is_file()
    assert list(tmp_path.iterdir()) == []


def test_a_project_may_have_an_experiments_folder_of_its_own(scripts: Path, tmp_path: Path) -> None:
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "mine.yaml").write_text("trainer: {max_steps: 7}\n", encoding="utf-8")
    command = "lightning fit -c experiments/finetune_acc.yaml -c experiments/mine.yaml --print_config"
    assert "max_steps: 7" in run(scripts, command, tmp_path, PYTHONPATH=str(tmp_path)).stdout


def test_a_project_with_a_sim_of_its_own_hears_of_it_only_where_it_is_in_the_way(scripts: Path, tmp_path: Path) -> None:
    (tmp_path / "sim").mkdir()
    (tmp_path / "sim" / "__init__.py").touch()
    run(scripts, "imuforge --help", tmp_path)
    for command in ("imuforge motions inspect nowhere.bvh", "lightning fit -c experiments/har.yaml"):
        line = run(scripts, command, tmp_path, code=2, PYTHONPATH=str(tmp_path)).stderr
        assert line.startswith(f"error: sim would be imported from {tmp_path / 'sim'}, expected imuforge's own, ")
        assert len(line.splitlines()) == 1
    line = run(scripts, "python -m experiments.har_eval", tmp_path, code=2).stderr
    assert line.startswith("error: sim would be imported from ")
    assert "python -P -m" in line


@pytest.mark.slow
def test_what_the_readme_shows_works_without_a_checkout(scripts: Path, tmp_path: Path) -> None:
    run(scripts, f"lightning fit -c experiments/finetune_acc.yaml {TRAIN_A_LITTLE}", tmp_path)
    run(scripts, "lightning test -c experiments/finetune_acc.yaml --ckpt_path last --trainer.accelerator=cpu", tmp_path)
    predict = "lightning predict -c experiments/generate.yaml --data.motions_per_activity=1 --trainer.accelerator=cpu"
    run(scripts, predict, tmp_path)
    synth = "imuforge synth --prompt walking --placement left_wrist --out walk.parquet --motion-out walk.npz --steps 3"
    run(scripts, synth, tmp_path)
    run(scripts, "imuforge show walk.npz --out walk.html", tmp_path)
    run(scripts, "python -m sim.show walk.npz --out again.html", tmp_path)
    assert (tmp_path / "again.html").stat().st_size > 1e6
    assert "packages" in run(scripts, "imuforge doctor", tmp_path).stdout


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_experiments_train_their_arms_without_a_checkout(scripts: Path, tmp_path: Path) -> None:
    har_eval = (
        "python -m experiments.har_eval arms.retrain=true arms.steps=1 seeds=[0] generation.motions_per_activity=1 "
        "generation.steps=2 simulation.repeats=1 simulation.mountings=1 resamples=20 classifiers.deepconvlstm.steps=1 "
        "classifiers.cnn.steps=1 "
        + " ".join(f"sets.{task}_{site}=null" for task in ("six", "postures") for site in SITES)
    )
    done = run(scripts, har_eval, tmp_path)
    assert "note: experiments/finetune_acc.yaml is the packaged one" in done.stderr
    assert len(list(tmp_path.glob("runs/har_eval/*/report.html"))) == 1
    acceleration = (
        "python -m experiments.acceleration -c experiments/acceleration.yaml steps=1 seeds=[0] samples=1 resamples=20 "
        "sampling_steps=2 arms.acc_sensors.weights=[1e-5] arms.acc_joints.weights=[1e-4] arms.acc_features.weights=[1]"
    )
    run(scripts, acceleration, tmp_path)
    page = (tmp_path / "runs" / "acceleration" / "acceleration.md").read_text(encoding="utf-8")
    assert "as installed, no git checkout, sources " in page
