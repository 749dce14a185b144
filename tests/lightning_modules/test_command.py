"""The command ``lightning`` before Lightning is imported: packaged YAML from any folder, packages that are not ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import cli
from lightning_modules import command
from lightning_modules.command import _find_configs
from lightning_modules.own_packages import PACKAGES, ROOT, find_shadow
from lightning_modules.packaged_configs import find_config, list_configs


def test_a_file_of_ones_own_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    own = Path("experiments/har.yaml")
    assert find_config(own) == ROOT / own
    assert capsys.readouterr().err == f"note: {own} is the packaged one, {ROOT / own}\n"
    assert find_config(own) == ROOT / own
    assert capsys.readouterr().err == ""  # once is enough
    own.parent.mkdir()
    own.touch()
    assert find_config(own) == own
    assert find_config("./experiments/cluster/../sets/dsads.yaml") == ROOT / "experiments/sets/dsads.yaml"


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ("finetune_ac.yaml", "experiments/finetune_acc.yaml"),
        ("experiments/finetune_acc.yml", "experiments/finetune_acc.yaml"),
        ("pamap.yaml", "experiments/sets/pamap2.yaml"),
        ("experiments/sets/dsad.yaml", "experiments/sets/dsads.yaml"),
        ("/elsewhere/experiments/har.yaml", "experiments/har.yaml"),
    ],
)
def test_a_file_that_is_nowhere_names_the_nearest(
    given: str, nearest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=f"configuration {given} not found; .* packaged one is {nearest}"):
        find_config(given)


@pytest.mark.parametrize("given", ["../pyproject.yaml", "mine.yaml", "specs/walking_people.yaml"])
def test_a_file_of_ones_own_that_is_absent_is_no_packaged_one(given: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"check the path, .*packaged ones are called experiments/NAME\.yaml"):
        find_config(given)


def test_every_yaml_of_the_checkout_is_packaged() -> None:
    assert set(list_configs()) == {path.relative_to(ROOT).as_posix() for path in (ROOT / "experiments").rglob("*.yaml")}
    assert "experiments/cluster/ddp.yaml" in list_configs()


def test_only_files_after_the_flag_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    packaged = str(ROOT / "experiments" / "har.yaml")
    given = ["fit", "-c", "experiments/har.yaml", "--config=experiments/har.yaml", "--config", "experiments/har.yaml"]
    assert _find_configs(given) == ["fit", "-c", packaged, f"--config={packaged}", "--config", packaged]
    untouched = ["fit", "--data.root", "experiments/har.yaml", "-c", "{trainer: {max_steps: 1}}", "--data.x=a.yaml"]
    untouched += ["-c", "data:\n  root: experiments/har.yaml"]
    assert _find_configs(untouched) == untouched


def test_packages_that_are_ours_and_that_are_not(tmp_path: Path) -> None:
    assert [find_shadow(name) for name in PACKAGES] == [None] * len(PACKAGES)
    line = find_shadow("sim", root=tmp_path)
    assert line is not None
    assert line.startswith(f"sim would be imported from {ROOT / 'sim'}, expected imuforge's own, {tmp_path / 'sim'}; ")


@pytest.mark.parametrize("name", ["sim", "datamodules", "lightning_modules"])
@pytest.mark.parametrize("module", ["experiments.cli", "experiments.har_eval", "lightning_modules"])
def test_a_project_with_a_folder_of_the_same_name_is_told_so_in_one_line(
    name: str, module: str, tmp_path: Path
) -> None:
    if name == module:
        pytest.skip("nothing of ours is reached: Python runs the project's own")
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("from nowhere import nothing\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-P", "-m", module, *(["inspect", "x"] if module == "experiments.cli" else [])],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    place = f"{tmp_path / name}, expected imuforge's own, {ROOT / name}"
    assert done.stderr.startswith(f"error: {name} would be imported from {place}; rename what is there")


@pytest.mark.parametrize("name", ["lightning", "imuforge"])
def test_an_interrupt_while_packages_are_imported_is_one_line(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if name == "lightning":
        monkeypatch.setattr(command, "_run", interrupt)
        run = command.main
    else:
        monkeypatch.setattr(cli, "_parser", interrupt)
        run = cli.main
    with pytest.raises(SystemExit) as left:
        run(["doctor"])
    assert left.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"
