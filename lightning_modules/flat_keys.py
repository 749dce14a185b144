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
_COMMANDS: Final = ("fit", "validate", "test", "predict")
_OPTION: Final = re.compile(r"--(?P<path>(?:model|data)(?:\.\w+)+)(?P<rest>[=+].*)?$", re.DOTALL)
_CLASS_OPTION: Final = re.compile(r"--(?P<path>(?:model|data)(?:\.\w+)*)(?:=(?P<value>.*))?$", re.DOTALL)
_CONFIG_OPTION: Final = re.compile(r"(?:-c|--config)(?:=(?P<value>.*))?$", re.DOTALL)
_INIT_ARGS, _CLASS_PATH = "init_args", "class_path"

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
    if text == "None":  # as which jsonargparse hands the null of an option on to the parser of a group
        return None
    value = get_loader("yaml")(text)
    if not isinstance(value, dict | list):
        return value
    resolved: object = OmegaConf.to_object(OmegaConf.create(value))
    return _nest_config(resolved) if isinstance(resolved, dict) else resolved


def _nest_config(config: dict[str, object]) -> dict[str, object]:
    """Translate a whole file, or what stands for one class."""
    if _CLASS_PATH in config or _INIT_ARGS in config:
        return _nest_class(config, "")
    nested = dict(config)
    for key, value in config.items():
        if isinstance(value, dict) and key in (*_SECTIONS, *_COMMANDS):
            nested[key] = _nest_class(value, key) if key in _SECTIONS else _nest_config(value)
    return nested


def _nest_class(value: dict[str, object], place: str) -> dict[str, object]:
    """Translate the arguments of a class, and of classes among them; a layer may leave out which class it is."""
    init_args = value.get(_INIT_ARGS)
    if not isinstance(init_args, dict):
        return value
    names = flat_names_of_path(str(value.get(_CLASS_PATH, _owners.get().get(place, ""))))
    inner = {
        key: _nest_class(entry, f"{place}.{key}") if isinstance(entry, dict) and _INIT_ARGS in entry else entry
        for key, entry in init_args.items()
    }
    # jsonargparse appends to a list where the key ends in a plus.
    return {**value, _INIT_ARGS: nest(inner, {**names, **{f"{name}+": f"{path}+" for name, path in names.items()}})}


def _nest_option(argument: str, owners: Mapping[str, str]) -> str:
    """Translate ``--model.lr``, ``--model.init_args.lr`` or ``--data.real.window_s``, with or without a value."""
    found = _OPTION.match(argument)
    if found is None:
        return argument
    place, written = "", ""
    parts = found["path"].split(".")
    for index, part in enumerate(parts):
        group = flat_names_of_path(owners.get(place, "")).get(part) if place else None
        if group is not None:
            return ".".join([written, group, *parts[index + 1 :]]) + (found["rest"] or "")
        written = f"{written}.{part}" if written else f"--{part}"
        if part != _INIT_ARGS:
            place = f"{place}.{part}" if place else part
    return argument


def _find_owners(arguments: Sequence[str]) -> dict[str, str]:
    """Return the class that each place, such as ``data.real``, is given last, in files or options."""
    owners: dict[str, str] = {}
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        config, named = _CONFIG_OPTION.match(argument), _CLASS_OPTION.match(argument)
        if config is not None:
            owners |= _classes_in(_read_config(config["value"] or following))
        elif named is not None:
            place = ".".join(part for part in named["path"].split(".") if part not in (_INIT_ARGS, _CLASS_PATH))
            value = named["value"] or following
            # At other places than these, what is no class of ours is a value like any other.
            if value.startswith("{"):
                owners |= _classes_in({place: _parse(value)})
            elif place in _SECTIONS or _CLASS_PATH in named["path"] or flat_names_of_path(value):
                owners[place] = value
    return owners


def _read_config(value: str) -> object:
    """Read what stands behind ``--config``: a file, or YAML itself."""
    try:
        return _parse(Path(value).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return _parse(value)


def _parse(text: str) -> object:
    try:
        content: object = yaml.safe_load(text)
    except yaml.YAMLError:
        return None  # the parser comes next, and says what is wrong with it
    return content


def _classes_in(config: object) -> dict[str, str]:
    """Return the class at each place of a configuration, or of what stands for a command in one."""
    if not isinstance(config, dict):
        return {}
    found: dict[str, str] = {}
    for command in _COMMANDS:
        found |= _classes_in(config.get(command))
    pending = [(str(place), section) for place, section in config.items() if place not in _COMMANDS]
    while pending:
        place, section = pending.pop()
        if not isinstance(section, dict):
            continue
        if _CLASS_PATH in section:
            found[place] = str(section[_CLASS_PATH])
        init_args = section.get(_INIT_ARGS)
        pending += (
            [(f"{place}.{key}", value) for key, value in init_args.items()] if isinstance(init_args, dict) else []
        )
    return found
