"""Packages that import their names at first use offer what they declare to type checkers, and the same objects."""

from __future__ import annotations

import ast
import importlib
import pickle
import sys
from pathlib import Path

import pytest

from experiments.pipeline.code_version import _closure
from sim import TriadErrors, simulate

LAZY = ("sim", "sim.show", "lightning_modules")


def declared(package: str) -> dict[str, str]:
    """The names under ``if TYPE_CHECKING`` and the modules that they are imported from there."""
    tree = ast.parse(Path(str(importlib.import_module(package).__file__)).read_text(encoding="utf-8"))
    blocks = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    imports = [line for block in blocks for line in block.body if isinstance(line, ast.ImportFrom)]
    return {alias.name: str(line.module) for line in imports for alias in line.names}


@pytest.mark.parametrize("package", LAZY)
def test_what_type_checkers_see_is_what_a_program_gets(package: str) -> None:
    module = importlib.import_module(package)
    homes = declared(package)
    assert sorted(homes) == sorted(module.__all__)
    for name, home in homes.items():
        assert getattr(module, name) is getattr(importlib.import_module(home), name)
    assert set(module.__all__) <= set(dir(module))
    offered: dict[str, object] = {}
    exec(f"from {package} import *", offered)
    assert set(module.__all__) <= set(offered)


@pytest.mark.parametrize("package", LAZY)
def test_a_name_that_is_not_there_is_named(package: str) -> None:
    module = importlib.import_module(package)
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'Bodyy'"):
        _ = module.Bodyy
    assert not hasattr(module, "__wrapped__")
    with pytest.raises(ImportError, match="cannot import name 'Bodyy'"):
        exec(f"from {package} import Bodyy")


def test_names_and_modules_of_a_package_are_imported_at_first_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "slow_to_load"
    package.mkdir()
    lazily = "import_lazily(__name__, {'slow_to_load.walls': ['BRICK']})"
    (package / "__init__.py").write_text(f"from sim.lazy_names import import_lazily\n__getattr__, __dir__ = {lazily}\n")
    (package / "walls.py").write_text("BRICK = object()\n")
    (package / "roof.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("slow_to_load")
    assert {"BRICK", "__name__"} <= set(dir(module))
    assert not {"slow_to_load.walls", "slow_to_load.roof"} & set(sys.modules)
    assert module.BRICK is sys.modules["slow_to_load.walls"].BRICK
    assert module.BRICK is vars(module)["BRICK"]
    assert module.roof is sys.modules["slow_to_load.roof"]


def test_values_and_functions_are_pickled() -> None:
    errors = TriadErrors(noise_density=0.01)
    assert pickle.loads(pickle.dumps(errors)) == errors
    assert pickle.loads(pickle.dumps(simulate)) is simulate


def test_results_of_experiments_still_depend_on_what_is_behind_the_names() -> None:
    assert {"sim.imu.simulate", "sim.placements.placement", "sim.recording"} <= set(_closure("sim"))
    assert "lightning_modules.motion_diffusion" in _closure("lightning_modules")
