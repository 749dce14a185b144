"""Which code made a result: the commit in a checkout, the version and a hash of the sources where there is none."""

from __future__ import annotations

import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from experiments.pipeline import provenance
from experiments.pipeline.provenance import describe_commit, describe_run, source_hash


def copy_of_the_sources(folder: Path) -> Path:
    """A copy of one package, as an installation has it, and the place of provenance.py in it."""
    for package in ("experiments", "sim"):
        shutil.copytree(
            Path(provenance.__file__).parents[2] / package, folder / package, ignore=shutil.ignore_patterns("*.pyc")
        )
    return folder / "experiments" / "pipeline" / "provenance.py"


def test_an_installed_package_is_told_by_version_and_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "__file__", str(copy_of_the_sources(tmp_path)))
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    installed = f"imuforge {metadata.version('imuforge')} as installed, no git checkout, sources {source_hash()[:10]}"
    assert describe_commit() == installed
    run = describe_run({}, total_wall_s=1.0)
    assert (run["git_commit"], run["git_dirty"], run["sources"]) == (None, None, source_hash())


def test_the_commit_of_a_repository_around_the_environment_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "__file__", str(copy_of_the_sources(tmp_path)))
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for arguments in (["init", "-q"], [*identity, "commit", "-q", "--allow-empty", "-m", "theirs"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    assert "no git checkout" in describe_commit()
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    subprocess.run(["git", *identity, "commit", "-q", "-m", "ours"], cwd=tmp_path, check=True)
    assert describe_commit().startswith("commit ")


def test_the_hash_changes_with_any_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_of_the_sources(tmp_path)
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    before = source_hash()
    with (tmp_path / "sim" / "motion.py").open("a", encoding="utf-8") as file:
        file.write("\n")
    assert source_hash() != before
