"""The house keeps its order (CONTRIBUTING.md): rooms, floors in them, short listings; the truth is what is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("sim", "datamodules", "lightning_modules", "experiments")
VALUE_TYPES = {
    "datamodules.batches",
    "datamodules.clips.captions",
    "datamodules.har.windows.loading",
    "datamodules.har.windows.window_set",
}
"""What lightning_modules may take from datamodules: batches, windows, the loader over them, and the sentences of each
activity, by which a sentence alone tells its activity."""

FLOORS: dict[str, tuple[tuple[str, ...], ...]] = {
    "sim": (
        ("conventions", "names", "precision"),
        ("checks", "files", "rotations"),
        ("motion", "recording_files", "sensor_errors", "skeleton_t2m"),
        ("body", "recording", "trajectory"),
        ("placements", "pose_fit"),
        ("features", "imu"),
        ("show",),
    ),
    "datamodules": (
        ("batches", "packs", "splits", "training_position"),
        ("formats", "har", "motion_windows"),
        ("markers", "retargeting"),
        ("feature_statistics", "humanml3d", "motion_files"),
        ("clips",),
        ("generated_motion", "motion", "prompts"),
    ),
    "datamodules.har": (
        ("parsing", "activities"),
        ("recordings",),
        ("readers", "inspection"),
        ("registry",),
        ("streams",),
        ("windows",),
        ("window_module",),
        ("real_module",),
        ("virtual_module",),
        ("mixed_module",),
    ),
    "lightning_modules": (
        ("config_errors", "diffusion", "har", "text", "virtual_sensors"),
        ("spectra", "decoded_motion"),
        ("losses", "networks"),
        ("metrics", "objective"),
        ("training",),
        ("sampling", "weights"),
        ("rollout",),
        ("callbacks", "contrastive_evaluator", "har_evaluation", "motion_diffusion", "motion_vae"),
        ("evaluation", "latent_diffusion"),
        ("checkpoints",),
        ("cli",),
    ),
    "experiments": (
        ("pipeline",),
        ("arms", "bandwidth", "bench", "classifier", "tools"),
        ("acceleration", "har_eval", "prior"),
        ("dataset",),
        ("commands",),
        ("studio",),
        ("cli",),
    ),
}
"""Families and doors of a folder, the lowest floor first; each may import from lower floors only.

A module that stands in no floor is free, as long as it leads no lower floor to a higher one and closes no circle.
"""

MOST_ENTRIES = {"sim": 22, "datamodules": 22, "datamodules.har": 16, "lightning_modules": 30, "experiments": 14}
"""Modules and packages in a folder, its own ``__init__``, ``__main__`` and assets left out."""

MOST_LINES = {**dict.fromkeys(ROOMS, 300), "tests": 350}
MOST_LINES_OF_A_FUNCTION = 80
MOST_LINES_OF_A_BODY = 50
"""Of a function without its signature and docstring."""


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def python_files(folder: str) -> list[Path]:
    return sorted(ROOT.joinpath(*folder.split(".")).rglob("*.py"))


def imported_modules(path: Path) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            modules |= {name if is_module(name) else node.module for name in names}
    return modules


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


@cache
def arrows_in(folder: str) -> dict[str, set[str]]:
    """What each module or package directly in a folder imports of the others there."""
    base, arrows = ROOT.joinpath(*folder.split(".")), dict[str, set[str]]()
    for path in python_files(folder):
        entry = path.relative_to(base).parts[0].removesuffix(".py")
        if entry not in ("__init__", "__main__", "assets"):
            imported = {name.removeprefix(f"{folder}.") for name in imported_modules(path) if name.startswith(folder)}
            arrows.setdefault(entry, set()).update(name.split(".")[0] for name in imported)
    return {entry: (found - {entry}) & arrows.keys() for entry, found in arrows.items()}


def reached_from(entry: str, arrows: dict[str, set[str]]) -> set[str]:
    reached, waiting = set[str](), list(arrows[entry])
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += arrows[name]
    return reached


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for room in ROOMS:
        for path in python_files(room):
            for node in ast.walk(tree_of(path)):
                if isinstance(node, ast.FunctionDef):
                    yield f"{path.relative_to(ROOT)}: {node.name}", node


@pytest.mark.parametrize("room", ROOMS)
def test_no_import_runs_upward(room: str) -> None:
    above = ROOMS[ROOMS.index(room) + 1 :]
    upward = {
        f"{path.relative_to(ROOT)}: {module}"
        for path in python_files(room)
        for module in imported_modules(path)
        if module.split(".")[0] in above
    }
    assert not upward


def test_lightning_modules_take_only_value_types_from_datamodules() -> None:
    taken = {
        f"{path.name}: {module}"
        for path in python_files("lightning_modules")
        if path.name != "cli.py"
        for module in imported_modules(path)
        if module.split(".")[0] == "datamodules" and module not in VALUE_TYPES
    }
    assert not taken


def test_sim_knows_no_lightning() -> None:
    users = {path.name for path in python_files("sim") if any("lightning" in m for m in imported_modules(path))}
    assert not users


@pytest.mark.parametrize("folder", FLOORS)
def test_no_floor_reaches_its_own_or_a_higher_one(folder: str) -> None:
    arrows, height = arrows_in(folder), {name: row for row, names in enumerate(FLOORS[folder]) for name in names}
    assert set(height) <= set(arrows), "a floor names what is not there"
    upward = {
        f"{entry} -> {other}"
        for entry in height
        for other in reached_from(entry, arrows) & height.keys()
        if height[other] >= height[entry]
    }
    assert not upward


@pytest.mark.parametrize("folder", FLOORS)
def test_every_package_stands_on_a_floor(folder: str) -> None:
    base = ROOT.joinpath(*folder.split("."))
    packages = {path.parent.name for path in base.glob("*/__init__.py")} - {"assets"}
    assert packages <= {name for row in FLOORS[folder] for name in row}


def test_no_folder_holds_a_circle() -> None:
    folders = {".".join(path.parent.relative_to(ROOT).parts) for room in ROOMS for path in python_files(room)}
    circles = {
        f"{folder}.{entry}"
        for folder in folders
        for entry in arrows_in(folder)
        if entry in reached_from(entry, arrows_in(folder))
    }
    assert not circles


@pytest.mark.parametrize("folder", MOST_ENTRIES)
def test_a_listing_stays_short(folder: str) -> None:
    assert len(arrows_in(folder)) <= MOST_ENTRIES[folder], sorted(arrows_in(folder))


def test_files_and_functions_stay_short() -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for folder in MOST_LINES
        for path in python_files(folder)
    }
    assert not {name: lines for name, lines in lengths.items() if lines > MOST_LINES[name.split("/")[0]]}
    assert not {
        name: lines
        for name, node in functions()
        if (lines := (node.end_lineno or 0) - node.lineno + 1) > MOST_LINES_OF_A_FUNCTION
    }


def test_bodies_stay_short() -> None:
    long = {}
    for name, node in functions():
        body = node.body[1:] if ast.get_docstring(node) is not None else node.body
        lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
        if lines > MOST_LINES_OF_A_BODY:
            long[name] = lines
    assert not long


def test_every_test_file_says_what_it_holds_to() -> None:
    silent = [
        path.relative_to(ROOT).as_posix() for path in python_files("tests") if ast.get_docstring(tree_of(path)) is None
    ]
    assert not silent
