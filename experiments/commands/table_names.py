"""The names that help lists, read from the source of the tables that hold them.

Importing a table brings torch along, which takes twenty times as long as the help does; and a second list of names
beside each table would be one more place to touch. So the table's own source is parsed. What is no literal there is
imported after all: right, only slower.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


def sensor_names() -> list[str]:
    """Return the devices with a preset, as :data:`sim.sensor_errors.SENSOR_NAMES`."""
    return _keys("sim.sensor_errors.presets", "_SHEETS")


def sampler_names() -> list[str]:
    """Return the samplers, as :data:`lightning_modules.sampling.samplers.SAMPLER_NAMES`."""
    return _keys("lightning_modules.sampling.samplers", "_SAMPLERS")


def decoder_names() -> tuple[str, ...]:
    """Return :data:`sim.conventions.DECODERS`; imported here, so that a foreign ``sim`` is told of first."""
    from sim.conventions import DECODERS

    return DECODERS


def set_names() -> list[str]:
    """Return the real data sets, as the keys of :data:`datamodules.har.READERS`."""
    return _keys("datamodules.har.registry", "READERS")


def motion_suffixes() -> list[str]:
    """Return the suffixes of motion files, as :func:`datamodules.motion_files.known_suffixes`."""
    modules = sorted(path.stem for path in (_ROOT / "datamodules" / "motion_files").glob("*.py"))
    tables = [_find_table(f"datamodules.motion_files.{module}", "FORMATS") for module in modules]
    found = {
        node.value
        for table in tables
        if table is not None
        for node in ast.walk(table)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(".")
    }
    if found:
        return sorted(found)
    from datamodules.motion_files import known_suffixes

    return known_suffixes()


def _keys(module: str, name: str) -> list[str]:
    table = _find_table(module, name)
    if isinstance(table, ast.Dict):
        keys = [key.value for key in table.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
        if len(keys) == len(table.keys):
            return keys
    return list(getattr(import_module(module), name))


def _find_table(module: str, name: str) -> ast.expr | None:
    """Return what is assigned to a name on top of a module, None where the source does not tell."""
    path = _ROOT.joinpath(*module.split(".")).with_suffix(".py")
    if not path.is_file():
        return None
    return next(_assigned(ast.parse(path.read_text(encoding="utf-8")), name), None)


def _assigned(tree: ast.Module, name: str) -> Iterator[ast.expr]:
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        if isinstance(value, ast.expr) and any(isinstance(one, ast.Name) and one.id == name for one in targets):
            yield value
