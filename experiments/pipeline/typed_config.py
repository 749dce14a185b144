"""Read YAML into a typed, frozen dataclass: a misspelt key or a wrong type costs a line, not an hour."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TypeVar

from omegaconf import OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from lightning_modules.packaged_configs import find_config

Schema = TypeVar("Schema")


def read_typed(schema: type[Schema], path: Path, overrides: Sequence[str] = ()) -> Schema:
    """Read YAML, apply ``key=value`` overrides, and return it as the schema.

    Args:
        schema: a dataclass whose fields are all that the file may hold.
        path: the YAML file, or the name of a packaged one (:mod:`lightning_modules.packaged_configs`).
        overrides: such as ``generation.seconds=4`` or ``seeds=[0,1]``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a key is unknown (named with the nearest valid one), or a value is of a wrong type.
    """
    path = find_config(path)
    for override in overrides:
        if "=" not in override:
            raise ValueError(f"override {override!r} is not of the form key=value, such as seeds=[0,1]")
    try:
        merged = OmegaConf.merge(
            OmegaConf.structured(schema), OmegaConf.load(path), OmegaConf.from_dotlist(list(overrides))
        )
        config = OmegaConf.to_object(merged)
    # "from None", here and below: what OmegaConf says would otherwise stand in for these lines.
    except ConfigKeyError as error:
        raise ValueError(_explain_unknown_key(error, path)) from None
    except OmegaConfBaseException as error:
        first = str(error).splitlines()[0]
        raise ValueError(f"{error.full_key or path.name}: {first}; see the comments in {path.name}") from None
    if not isinstance(config, schema):
        raise ValueError(f"{path} holds a {type(config).__name__}, expected keys and values")
    return config


def _explain_unknown_key(error: ConfigKeyError, path: Path) -> str:
    key = str(error.full_key)
    parent, _, name = key.rpartition(".")
    valid = [entry.name for entry in fields(error.object_type)] if is_dataclass(error.object_type) else []
    near = difflib.get_close_matches(name, valid, n=1, cutoff=0.0)
    nearest = f"; the nearest valid one is {'.'.join([*parent.split('.'), near[0]]).lstrip('.')!r}" if near else ""
    return f"unknown key {key!r} in {path.name} or the overrides{nearest} (valid: {', '.join(valid)})"
