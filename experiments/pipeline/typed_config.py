"""Read YAML into a typed, frozen dataclass: a misspelt key or a wrong type costs a line, not an hour."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from lightning_modules.packaged_configs import find_config
from sim.files import read_text_file
from sim.names import nearest_name

Schema = TypeVar("Schema")

Values: TypeAlias = dict[str, object]
"""What a YAML file holds, before it is checked."""

BASED_ON: Final = "based_on"
"""Key by which a YAML file names the one that it is laid over."""

_MOST_FAULTS: Final = 8
"""Mistakes that one line tells."""

_STEPS: Final = re.compile(r"\[\d+\]|[^.\[\]]+")
"""Keys and places in ``sites[0].mounting``."""


def read_typed(
    schema: type[Schema],
    path: Path | Sequence[Path],
    overrides: Sequence[str] = (),
    *,
    spell_out: Callable[[Values], Values] = dict,
) -> Schema:
    """Read YAML, apply ``key=value`` overrides, and return it as the schema.

    Args:
        schema: a dataclass whose fields are all that the file may hold.
        path: the YAML file, or the name of a packaged one (:mod:`lightning_modules.packaged_configs`); several are
            layered as :func:`read_layers` does it.
        overrides: such as ``generation.seconds=4`` or ``seeds=[0,1]``.
        spell_out: turns shorter ways of writing into those of the schema; given what the layers hold so far after each
            of them, and again with the overrides.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: keys are unknown (each named with the nearest valid one) or values of a wrong type, all of them in
            one line; or a file or an override is no YAML.
    """
    paths = [path] if isinstance(path, Path) else list(path)
    path = find_config(paths[-1])
    for override in overrides:
        if "=" not in override:
            raise ValueError(f"override {override!r} is not of the form key=value, such as seeds=[0,1]")
    try:
        # The files for themselves first: an override of one figure is to meet the mapping that a short form stands for.
        written = OmegaConf.merge(read_layers(paths, spell_out=spell_out), _read_overrides(overrides))
        values = spell_out(_plain(written))
    # "from None", here and below: what OmegaConf says would otherwise stand in for these lines.
    except OmegaConfBaseException as error:
        raise ValueError(_explain(error, path)) from None
    config = _fill_in(schema, values, path)
    if not isinstance(config, schema):
        raise ValueError(f"{path} holds a {type(config).__name__}, expected keys and values")
    return config


def _fill_in(schema: type[object], values: Values, path: Path) -> object:
    """Return values as the schema.

    Raises:
        ValueError: some do not fit; what the first one hides is found by leaving it out.
    """
    faults: list[str] = []
    while len(faults) < _MOST_FAULTS:
        try:
            config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), values))
        except OmegaConfBaseException as error:
            faults.append(_explain(error, path))
            key = str(error.full_key or "")
            # Within an entry of a list OmegaConf counts keys from the entry.
            if not (_leave_out(values, key) or any(_leave_out(entry, key) for entry in _entries_of_lists(values))):
                break
        else:
            if not faults:
                return config
            break
    if len(faults) == 1:
        raise ValueError(faults[0])
    told = "; ".join(f"({number}) {fault}" for number, fault in enumerate(faults, 1))
    raise ValueError(f"{path.name} has {len(faults)} mistakes: {told}")


def _entries_of_lists(values: object) -> Iterator[object]:
    if isinstance(values, list):
        yield from values
    for inner in values.values() if isinstance(values, dict) else values if isinstance(values, list) else ():
        yield from _entries_of_lists(inner)


def _leave_out(values: object, key: str) -> bool:
    """Take what ``sites[0].mounting`` names out of plain values; return whether it was there."""
    parts: list[str | int] = [int(part[1:-1]) if part[0] == "[" else part for part in _STEPS.findall(key)]
    for part in parts[:-1]:
        there = part in values if isinstance(values, dict) else isinstance(values, list) and part in range(len(values))
        if not there:
            return False
        values = values[part]  # type: ignore[index]  # a mapping by key, or a list by number
    last = parts[-1] if parts else ""
    if isinstance(values, dict):
        return values.pop(last, values) is not values
    if isinstance(values, list) and isinstance(last, int) and last < len(values):
        del values[last]
        return True
    return False


def _explain(error: OmegaConfBaseException, path: Path) -> str:
    if isinstance(error, ConfigKeyError):
        return _explain_unknown_key(error, path)
    return f"{error.full_key or path.name}: {str(error).splitlines()[0]}; see the comments in {path.name}"


def read_layers(paths: Sequence[Path], *, spell_out: Callable[[Values], Values] = dict) -> Values:
    """Return what YAML files hold, each laid over those before it: mappings are merged, all else is replaced.

    A file that says ``based_on: OTHER.yaml`` is itself laid over that one, a path from its own folder or the
    name of a packaged file.

    Args:
        paths: the files, or names of packaged ones.
        spell_out: as for :func:`read_typed`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a file is no YAML or holds no mapping, or files are based on one another in a circle.
    """
    values: Values = {}
    for file in [layer for path in paths for layer in _find_layers(path, ())]:
        content = {key: value for key, value in _plain(_load(file)).items() if key != BASED_ON}
        values = spell_out(_plain(OmegaConf.merge(values, content)))
    return values


def _find_layers(path: Path, above: tuple[Path, ...]) -> list[Path]:
    """Return a file and before it what it is based on, the lowest first."""
    file = find_config(path)
    way = (*above, file.resolve())
    if file.resolve() in above:
        raise ValueError(f"{' <- '.join(each.name for each in way)}: based on one another in a circle; break it")
    content = _load(file)
    if not isinstance(content, DictConfig):
        raise ValueError(f"{file} holds a list, expected keys and values")
    base = content.get(BASED_ON)
    if base is None:
        return [file]
    beside = file.parent / str(base)
    return [*_find_layers(beside if beside.is_file() else Path(str(base)), way), file]


def _load(file: Path) -> DictConfig | ListConfig:
    if file.is_dir():
        raise ValueError(f"{file} is a folder, expected a YAML file")
    text = read_text_file(file)
    try:
        return OmegaConf.load(io.StringIO(text))
    except (yaml.YAMLError, OSError, RecursionError) as error:  # OSError: a number alone, or nothing that is a mapping
        raise ValueError(f"{file} is no YAML of keys and values ({' '.join(str(error).split())}); mend it") from None


def _read_overrides(overrides: Sequence[str]) -> DictConfig:
    config = OmegaConf.create()
    for override in overrides:
        try:
            config.merge_with_dotlist([override])
        except yaml.YAMLError as error:
            told = getattr(error, "problem", None) or "it is no YAML"
            raise ValueError(f"override {override!r} cannot be read ({told}), expected such as seeds=[0,1]") from None
    return config


def _plain(values: object) -> Values:
    """Return a configuration as plain values; references such as ``${oc.env:HOME}`` stay as they are."""
    content = OmegaConf.to_container(values, resolve=False)
    return {str(key): value for key, value in content.items()} if isinstance(content, dict) else {}


def _explain_unknown_key(error: ConfigKeyError, path: Path) -> str:
    key = str(error.full_key)
    parent, _, name = key.rpartition(".")
    valid = [entry.name for entry in fields(error.object_type)] if is_dataclass(error.object_type) else []
    near = nearest_name(name, valid, cutoff=0.0)
    nearest = f"; the nearest valid one is {'.'.join([*parent.split('.'), near]).lstrip('.')!r}" if near else ""
    return f"unknown key {key!r} in {path.name} or the overrides{nearest} (valid: {', '.join(valid)})"
