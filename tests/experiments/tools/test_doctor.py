"""The doctor on healthy and on broken environments (made of real files and requirement strings)."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from experiments.tools import doctor
from experiments.tools.doctor import (
    Finding,
    check_command,
    check_disk,
    check_extra,
    check_folder,
    check_packages,
    check_pins,
    check_shadowing,
    find_claimants,
)

OURS = {"imuforge": "lightning_modules.command"}


def write_script(folder: Path, module: str) -> None:
    (folder / "lightning").write_text(f"#!/usr/bin/python\nimport sys\nfrom {module} import main\nsys.exit(main())\n")


def test_the_command_lightning_of_this_environment_is_ours() -> None:
    assert find_claimants()["imuforge"].startswith("lightning_modules.")
    assert check_command(Path(sys.executable).parent, find_claimants()).verdict == "ok"


def test_a_script_taken_by_another_package_is_named_with_the_repair(tmp_path: Path) -> None:
    rival = {**OURS, "litserve": "litserve.__main__"}
    write_script(tmp_path, "litserve.__main__")
    finding = check_command(tmp_path, rival)
    assert finding.verdict == "problem"
    assert "belongs to litserve; repair: pip install --force-reinstall --no-deps -e ." in finding.text
    write_script(tmp_path, "lightning_modules.command")
    assert check_command(tmp_path, OURS).verdict == "ok"
    finding = check_command(tmp_path, rival)
    assert (finding.verdict, "removing or updating litserve" in finding.text) == ("warning", True)


def test_a_deleted_script_is_a_problem(tmp_path: Path) -> None:
    assert check_command(tmp_path, OURS).verdict == "problem"


def test_another_environment_before_ours_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other, own = tmp_path / "other", tmp_path / "own"
    for folder in (other, own):
        folder.mkdir()
        write_script(folder, "lightning_modules.command")
        (folder / "lightning").chmod(0o755)
    monkeypatch.setenv("PATH", f"{other}:{own}")
    assert check_shadowing(own).verdict == "warning"
    monkeypatch.setenv("PATH", f"{own}:{other}")
    assert check_shadowing(own).verdict == "ok"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "not active" in check_shadowing(own).text


def test_extras_name_what_is_missing_or_too_old() -> None:
    requirements = [
        "torch>=2.6",
        'torch>=99; extra == "text"',
        'no-such-distribution==1.0; extra == "text"',
        'imuforge[text]; extra == "bench"',
        'numpy>=1; extra == "report"',
    ]
    for extra in ("text", "bench"):
        finding = check_extra(extra, requirements)
        assert finding.verdict == "warning"
        assert "no-such-distribution is missing" in finding.text
        assert "expected >=99" in finding.text
        assert f"pip install 'imuforge[{extra}]'" in finding.text
    assert check_extra("report", requirements).verdict == "ok"


def test_pins_that_differ_are_named(tmp_path: Path) -> None:
    constraints = tmp_path / "constraints.txt"
    version = metadata.version("numpy")
    torch_release = metadata.version("torch").split("+")[0]
    constraints.write_text(f"# pins\nNumPy=={version}\ntorch=={torch_release}\nno-such-distribution==1\n")
    assert check_pins(constraints).verdict == "ok"
    constraints.write_text("numpy==0.1\n")
    assert f"numpy {version} (pinned 0.1)" in check_pins(constraints).text
    assert check_pins(tmp_path / "nowhere.txt").verdict == "warning"


def test_little_space_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_disk(tmp_path / "not" / "yet").verdict == "ok"
    monkeypatch.setattr(doctor, "LEAST_FREE_GB", 1e9)
    assert check_disk(tmp_path).verdict == "warning"


def test_packages_of_a_project_that_stand_before_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_packages().verdict == "ok"
    assert check_folder(tmp_path).verdict == "ok"
    (tmp_path / "datamodules").mkdir()
    (tmp_path / "datamodules" / "__init__.py").touch()
    (tmp_path / "sim.py").touch()
    (tmp_path / "experiments").mkdir()  # YAML of ones own
    finding = check_folder(tmp_path)
    assert finding.verdict == "warning"
    assert "would import its own sim and datamodules for imuforge's" in finding.text
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sim")
    finding = check_packages()
    assert finding.verdict == "problem"
    assert f"sim would be imported from {tmp_path / 'sim.py'}, expected imuforge's own, " in finding.text


def test_brackets_are_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: [Finding("extra [a]", "warning", "pip install 'imuforge[bench]'")])
    assert doctor.main() == 0
    assert "warning  extra [a]  pip install 'imuforge[bench]'" in capsys.readouterr().out


def test_main_reports_and_counts_problems() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "experiments.tools.doctor"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == int("problem" in done.stdout)
    for topic in ("machine", "lightning", "packages", "folder", "extra text", "extra c3d", "pins", "weights", "disk"):
        assert topic in done.stdout
