"""Options that belong together as one frozen dataclass, which callers may also give flat, by the names of before.

A class with many parameters takes them in groups (``optimiser={"lr": 1e-4}``); :func:`takes_flat_names` lets it take
the flat names too (``lr=1e-4``), as older YAML files, checkpoints and calls have them. Flat names go with version 1.0.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

from sim.names import check_name

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

FlatNames = Mapping[str, str]
"""Flat name -> ``group.field``, such as ``{"loss_weights": "losses.weights"}``."""

_ATTRIBUTE: Final = "flat_names"

Init = TypeVar("Init", bound=Callable[..., None])
Options = TypeVar("Options", bound="DataclassInstance")
Value = TypeVar("Value")


def takes_flat_names(names: FlatNames) -> Callable[[Init], Init]:
    """Let a constructor with groups of options take mappings for a group, and the flat names of its fields.

    The constructor's own signature, by which YAML is read, stays as it is written. A flat name wins over its group; a
    mapping changes the fields that it names and leaves the others at the group's default.

    Args:
        names: the flat names; every group is a keyword parameter whose default is a frozen dataclass.

    Raises:
        ValueError: from the constructor, when a mapping has a field that the group lacks, or a group is no mapping.
    """

    def decorate(init: Init) -> Init:
        defaults: dict[str, DataclassInstance] = {
            name: parameter.default
            for name, parameter in inspect.signature(init).parameters.items()
            if is_dataclass(parameter.default) and not isinstance(parameter.default, type)
        }

        @functools.wraps(init)
        def gather(self: object, *args: object, **given: object) -> None:
            nested = nest(given, names)
            for group in defaults.keys() & nested.keys():
                nested[group] = _resolve(nested[group], defaults[group], group)
            init(self, *args, **nested)

        setattr(gather, _ATTRIBUTE, dict(names))
        return gather  # type: ignore[return-value]  # takes what init takes, and the flat names

    return decorate


def flat_names_of(owner: type) -> FlatNames:
    """Return the flat names that a class takes, none for one that has no groups."""
    names: FlatNames = getattr(vars(owner).get("__init__"), _ATTRIBUTE, {})
    return names


def nest(values: Mapping[str, object], names: FlatNames) -> dict[str, object]:
    """Return values with each flat name put into its group; such groups come out as mappings.

    Raises:
        ValueError: a group that a flat name belongs to is neither a mapping nor a dataclass.
    """
    nested = {name: value for name, value in values.items() if name not in names}
    for name in values.keys() & names.keys():
        group, _, field = names[name].partition(".")
        inside = nested.get(group, {})
        if not isinstance(inside, Mapping) and not is_dataclass(inside):
            raise ValueError(f"{group} is {inside!r}, expected a mapping of its fields, or none beside {name}")
        nested[group] = {**(inside if isinstance(inside, Mapping) else plain(inside)), field: values[name]}
    return nested


def flatten(values: Mapping[str, Value], names: FlatNames) -> dict[str, Value]:
    """Return values with the fields of each group, a mapping, under their flat names; the inverse of :func:`nest`."""
    groups = groups_of(names)
    flat = {name: value for name, value in values.items() if name not in groups}
    for name, path in names.items():
        group, _, field = path.partition(".")
        inside = values.get(group)
        if name not in flat and isinstance(inside, Mapping) and field in inside:
            flat[name] = inside[field]
    return flat


def groups_of(names: FlatNames) -> frozenset[str]:
    """Return the groups that flat names belong to."""
    return frozenset(path.partition(".")[0] for path in names.values())


def refuse_nulls(owner: type, given: Mapping[str, object], where: str) -> None:
    """Refuse null where a constructor expects a value; a YAML's parser may let it through.

    Args:
        owner: the class.
        given: its arguments, by name.
        where: what stands before a name in messages, such as ``data.``.

    Raises:
        ValueError: an argument is null whose type and whose default are another; names it and its default.
    """
    init = inspect.unwrap(owner.__init__)  # type: ignore[misc]  # its signature is all that is looked at
    try:
        hints = get_type_hints(init)
    except (NameError, TypeError):  # of a class of others, whose hints are for a type checker alone
        return
    for name, parameter in inspect.signature(init).parameters.items():
        if name not in given or given[name] is not None or name not in hints or parameter.default is None:
            continue
        if not _admits_none(hints[name]):
            usual = "" if parameter.default is inspect.Parameter.empty else f", which is {parameter.default!r}"
            kind = getattr(hints[name], "__name__", str(hints[name]))
            raise ValueError(
                f"{where}{name} is null, expected {kind}; give a value, or leave it out for the usual one{usual}"
            )


def _admits_none(hint: object) -> bool:
    if get_origin(hint) in (Union, UnionType):
        return any(map(_admits_none, get_args(hint)))
    return hint is None or hint is NoneType or hint is object or hint is Any or isinstance(hint, TypeVar)


def plain(options: object) -> dict[str, object]:
    """Return a dataclass as the plain values that checkpoints and YAML hold.

    Raises:
        ValueError: it is no dataclass.
    """
    if not is_dataclass(options) or isinstance(options, type):
        raise ValueError(f"options are {options!r}, expected a dataclass or a mapping of its fields")
    return asdict(options)


def _resolve(value: object, default: Options, group: str) -> Options:
    if isinstance(value, type(default)):
        return value
    if not isinstance(value, Mapping):
        raise ValueError(f"{group} is {value!r}, expected a mapping of {type(default).__name__}'s fields")
    valid = [field.name for field in fields(default)]
    for key in value:
        check_name(str(key), valid, f"field of {group}")
    return replace(default, **value)
