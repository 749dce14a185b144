"""A real set is one reader, one line of the registry and one YAML; the truth is the folders, and a set added here."""

from __future__ import annotations

import ast
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml

from datamodules.har import RealIMUDataModule, Recording, load_recordings, readers
from datamodules.har.recordings.building import RecordingFacts, record_even
from datamodules.har.recordings.reading import Reading
from datamodules.har.recordings.real_set import RealSet
from datamodules.har.registry import READERS


def module_of(name: str) -> ModuleType:
    return import_module(f"{readers.__name__}.{name}")


def tree_of(name: str) -> ast.Module:
    return ast.parse((Path(readers.__path__[0]) / f"{name}.py").read_text(encoding="utf-8"))


MODULES = sorted(module.name for module in pkgutil.iter_modules(readers.__path__))
SETS = {name: found for name in MODULES if (found := getattr(module_of(name), "SET", None)) is not None}
YAMLS = Path(__file__).resolve().parents[3] / "experiments" / "sets"
RATE_HZ = 50.0


def test_every_reader_with_a_set_is_registered_once_under_its_name() -> None:
    assert dict(READERS) == SETS
    assert len({id(real) for real in READERS.values()}) == len(READERS)


def test_every_registered_set_has_a_yaml() -> None:
    assert {path.stem for path in YAMLS.glob("*.yaml")} == set(READERS) - {"csv_folder"}
    for name in set(READERS) - {"csv_folder"}:
        options = yaml.safe_load((YAMLS / f"{name}.yaml").read_text(encoding="utf-8"))
        assert options["data"]["init_args"]["name"] == name


def test_a_module_without_a_set_helps_one_that_has_a_set() -> None:
    """No reader lies in the folder that nobody can ask for."""
    used = {
        node.module.rpartition(".")[2]
        for name in SETS
        for node in ast.walk(tree_of(name))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(readers.__name__)
    }
    assert set(MODULES) - set(SETS) <= used | {"plain_table"}  # of files that are no set: `imuforge classify`


@pytest.mark.parametrize("name", sorted(SETS))
def test_a_reader_ends_with_its_set(name: str) -> None:
    last = tree_of(name).body[-1]
    assert isinstance(last, ast.Assign)
    assert ast.unparse(last.targets[0]) == "SET"
    assert ast.unparse(last.value).startswith(f"RealSet(read_{name}, ")
    assert READERS[name].is_test is getattr(module_of(name), "is_test", None)


def test_a_set_that_is_added_can_be_loaded_cut_and_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(READERS, "swings", RealSet(read_swings, {"w": "walking"}, ("chest",), is_test=is_test))
    trials = [recording.trial for recording in load_recordings("swings", tmp_path)]
    assert trials == ["swings/0", "swings/1"]
    data = RealIMUDataModule(
        "swings", str(tmp_path), classes=["walking"], val_fraction=0.0, cache_dir=str(tmp_path / "cache")
    )
    data.prepare_data()
    data.setup()
    assert set(data.train_windows.subjects) == {"0"}
    assert set(data.test_windows.subjects) == {"1"}
    with pytest.raises(ValueError, match="did you mean swings"):
        load_recordings("swing", tmp_path)


def read_swings(root: Path | None, reading: Reading) -> Iterator[Recording]:
    """A reader as a contributor would write one: two people, ten seconds each."""
    for person in ("0", "1"):
        values = np.sin(np.arange(500) / RATE_HZ)[:, None, None] * np.ones((1, 1, 3)) + float(person)
        facts = RecordingFacts(person, f"swings/{person}", "x up", f"{root} {person}")
        yield record_even(values, values, "walking", facts, placements=("chest",), rate_hz=RATE_HZ, reading=reading)


def is_test(recording: Recording) -> bool:
    return recording.subject == "1"
