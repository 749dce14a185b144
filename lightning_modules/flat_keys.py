"""Flat keys of YAML files and of the command line (``--model.lr 1e-4``), put into their groups before they are parsed.

The parser knows the constructors' signatures, which have groups (``--model.optimiser.lr``); files and habits from
before them have the names of :mod:`lightning_modules.training.flat_names`. Translating on the way in leaves one form
only, so that a later file or option overrides an earlier one whichever way each is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import Final

import yaml
from jsonargparse import get_loader, set_loader
from omegaconf import OmegaConf

from sim.options import FlatNames, flat_names_of, nest

PARSER_MODE: Final = "imuforge"
"""The parser mode that reads YAML with OmegaConf's ``${...}`` and with flat keys."""

_SECTIONS: Final = ("model", "data")
_OPTION: Final = re.compile(
    r"--(?P<section>model|data)\.(?P<init>init_args\.)?(?P<name>\w+)(?P<rest>[.=+].*)?$", re.DOTALL
)
_CLASS_OPTION: Final = re.compile(r"--(?P<section>model|data)(?:\.class_path)?(?:=(?P<value>.*))?$", re.DOTALL)
_CONFIG_OPTION: Final = re.compile(r"(?:-c|--config)(?:=(?P<value>.*))?$", re.DOTALL)

_NONE: Final[Mapping[str, FlatNames]] = MappingProxyType({})
_UNNAMED: Final[Mapping[str, str]] = MappingProxyType({})
_known: ContextVar[Mapping[str, FlatNames]] = ContextVar("flat names by class", default=_NONE)
_owners: ContextVar[Mapping[str, str]] = ContextVar("class of each section", default=_UNNAMED)


def install(classes: Iterable[type]) -> None:
    """Register :data:`PARSER_MODE`, and whose flat names are to be translated.

    Args:
        classes: those that YAML may name shortly.
    """
    _known.set({owner.__name__: names for owner in classes if (names := flat_names_of(owner))})
    set_loader(PARSER_MODE, _load, exceptions=(yaml.YAMLError,))


def nest_arguments(arguments: Sequence[str]) -> list[str]:
    """Return command-line arguments with flat names in their groups; remembers whose they are for the files to come.

    Args:
        arguments: as a shell passes them on.
    """
    owners = _find_owners(arguments)
    _owners.set(owners)
    return [_nest_option(argument, owners) for argument in arguments]


def flat_names_of_path(class_path: str) -> FlatNames:
    """Return the flat names of a class that was installed, by its path or short name; none for any other."""
    return _known.get().get(class_path.rpartition(".")[2], {})


def _load(text: str) -> object:
    value = get_loader("yaml")(text)
    if not isinstance(value, dict | list):
        return value
    resolved: object = OmegaConf.to_object(OmegaConf.create(value))
    return _nest_config(resolved) if isinstance(resolved, dict) else resolved


def _nest_config(config: dict[str, object]) -> dict[str, object]:
    """Translate a whole file, or what stands for one class."""
    if "class_path" in config or "init_args" in config:
        return _nest_class(config, "")
    return {
        key: _nest_class(value, _owners.get().get(key, "")) if key in _SECTIONS and isinstance(value, dict) else value
        for key, value in config.items()
    }


def _nest_class(value: dict[str, object], owner: str) -> dict[str, object]:
    init_args = value.get("init_args")
    if not isinstance(init_args, dict):
        return value
    return {**value, "init_args": nest(init_args, flat_names_of_path(str(value.get("class_path", owner))))}


def _nest_option(argument: str, owners: Mapping[str, str]) -> str:
    found = _OPTION.match(argument)
    if found is None:
        return argument
    path = flat_names_of_path(owners.get(found["section"], "")).get(found["name"])
    if path is None:
        return argument
    return f"--{found['section']}.{found['init'] or ''}{path}{found['rest'] or ''}"


def _find_owners(arguments: Sequence[str]) -> dict[str, str]:
    """Return the class that each section names last, in files or options."""
    owners: dict[str, str] = {}
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        config, named = _CONFIG_OPTION.match(argument), _CLASS_OPTION.match(argument)
        if config is not None:
            owners |= _classes_in(Path(config["value"] or following))
        elif named is not None:
            owners[named["section"]] = named["value"] or following
    return owners


def _classes_in(path: Path) -> dict[str, str]:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}  # the parser comes next, and says what is wrong with the file
    sections = {key: config.get(key) for key in _SECTIONS} if isinstance(config, dict) else {}
    return {
        key: str(section["class_path"])
        for key, section in sections.items()
        if isinstance(section, dict) and "class_path" in section
    }
