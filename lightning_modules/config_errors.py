"""Turns what went wrong in a configuration or its data into one line that says what to do.

jsonargparse answers a typo with a page of usage and a tree of type errors; a person needs the offending key and the
nearest valid one.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import inspect
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Final

from sim.names import nearest_name
from sim.options import flat_names_of

OUR_PACKAGES: Final = ("sim", "datamodules", "lightning_modules", "experiments")

_FILE_ERRORS: Final = (FileNotFoundError, FileExistsError, PermissionError, NotADirectoryError, IsADirectoryError)
_DISK_ERRORS: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO, errno.ENAMETOOLONG, errno.ELOOP)
TORCH_DISK: Final = re.compile(
    r"PytorchStreamWriter failed|unexpected pos \d|^File .* cannot be opened|^Parent directory .* does not exist"
)
_TOP_LEVEL: Final = ("config", "model", "data", "trainer", "optimizer", "lr_scheduler", "seed_everything", "ckpt_path")
_UNKNOWN_KEY: Final = (
    re.compile(r"does not accept option '(?P<key>[^']+)'"),
    re.compile(r"unrecognized arguments: --(?P<key>[^\s=]+)"),
    re.compile(r"Option '(?P<key>[^']+)' is not accepted"),
)
_UNKNOWN_CLASS: Final = re.compile(r"Expected a dot import path string: (?P<name>\S+)")
_OF_CLASS: Final = re.compile(r"Problem with given class_path '(?P<path>[^']+)'")
# Branches of a Union that never were the user's intention, and the echo of the whole value.
_NOISE: Final = re.compile(
    r"^(Subtypes:|Given value|Expected a <class 'NoneType'>|Not a valid subclass|Subclass types expect|a class path|"
    r"a dict with|Expected a path but|Does not validate|Errors:|Problem with given class_path|Parser key|$)"
)


def explain_parser_error(message: str) -> str:
    """Return one line for a message of the argument parser, naming an unknown key and the nearest valid one."""
    owner = _last(_OF_CLASS, message)
    for pattern in _UNKNOWN_KEY:
        found = pattern.search(message)
        if found is None:
            continue
        if found["key"] == "class_path":
            return "a key stands beside class_path; arguments of a class belong under its init_args"
        if owner is None:
            return _explain_unknown_key(found["key"], _list_top_level_keys(), prefix="")
        # The class named last before the offending option is the one that refuses it.
        path = _last(_OF_CLASS, message[: found.start()]) or owner
        prefix = _find_section(message[: found.start()])
        return _explain_unknown_key(found["key"], _list_parameters(path), prefix=prefix, of=path.rpartition(".")[2])
    unknown_class = _UNKNOWN_CLASS.search(message)
    if unknown_class is not None:
        name = unknown_class["name"]
        return f"unknown class {name!r}{_suggest(name, _list_class_names())}"
    return _flatten(message)


def explain_exception(error: BaseException) -> str | None:
    """Return one line for an error that the user can mend, or None for one that needs its traceback.

    The user's errors are those that this project raises on purpose (``ValueError`` from its own modules, by convention
    with one clear message), files that cannot be opened, and settings that Lightning or OmegaConf refuse. A
    ``ValueError`` from the depths of another library is a bug of ours, unless this project caught it and said, by
    raising its own from it, what it means: of a chain of causes the outermost one of ours counts, else the innermost.
    """
    while error.__cause__ is not None and not _is_ours(error):
        error = error.__cause__
    if _is_refused_setting(error):
        return _join(str(error).splitlines())
    text = str(error)
    if isinstance(error, _FILE_ERRORS) or (isinstance(error, OSError) and error.errno in _DISK_ERRORS):
        return _join(text.splitlines())
    if isinstance(error, RuntimeError) and TORCH_DISK.search(text):
        # torch tells a full disk and a read-only folder by what its zip writer noticed last.
        return f"a file could not be written ({_join(text.splitlines()[:1])}); make room, or give another folder"
    if _is_ours(error) or (isinstance(error, ValueError) and _innermost_package(error.__traceback__) == "lightning"):
        return _join(text.splitlines())
    if isinstance(error, RuntimeError) and "loading state_dict" in text:
        return (
            f"the checkpoint has other dimensions than the model: {_join(text.splitlines()[1:2])}; use its own config"
        )
    return None


@contextlib.contextmanager
def readable_errors() -> Iterator[None]:
    """Turn errors of the user's input into one line on stderr and exit code 2; ``IMUFORGE_DEBUG=1`` shows all.

    Notes of an error of ours are what else is wrong, a line for each.
    """
    try:
        yield
    except Exception as error:
        line = explain_exception(error)
        if line is None:
            raise
        if os.environ.get("IMUFORGE_DEBUG"):
            traceback.print_exc()
        code = print_error(line)
        for note in getattr(error, "__notes__", ()) if _is_ours(error) else ():
            print_error(note)
        raise SystemExit(code) from error


def print_error(line: str) -> int:
    """Write one line of complaint on stderr and return the exit code that goes with it."""
    sys.stderr.write(f"error: {line}\n")
    return 2


def suggest_nearest(name: str, valid: Iterable[str]) -> str | None:
    """Return the valid name most like ``name``, or None if nothing comes close."""
    return nearest_name(name, list(valid), cutoff=0.5)


def _explain_unknown_key(key: str, valid: Mapping[str, str], *, prefix: str, of: str | None = None) -> str:
    """Say which of the valid keys was meant; of each, what it is to be shown as."""
    # On the command line a dot descends into a dict, so what follows the first one may be no parameter's name.
    nearest = suggest_nearest(key, valid) or (suggest_nearest(key.split(".")[0], valid) if of is not None else None)
    owner = f" of {of}" if of else ""
    if nearest is None:
        shown = {value for value in valid.values() if of is None or "." not in value}
        return f"unknown key {prefix + key!r}{owner}; valid are {', '.join(sorted(shown))}"
    return f"unknown key {prefix + key!r}{owner}; the nearest valid one is {prefix + valid[nearest]!r}"


def _suggest(name: str, valid: Iterable[str]) -> str:
    candidates = sorted(set(valid))
    nearest = suggest_nearest(name, candidates)
    if nearest is not None:
        return f"; the nearest valid one is {nearest!r}"
    return f"; valid are {', '.join(candidates)}" if candidates else ""


def _find_section(message: str) -> str:
    """Where in model or data a message ends, such as ``data.augment.``; its lines are indented as the keys nest."""
    nested: list[tuple[int, str]] = []
    for line in re.finditer(r'^(?P<indent> *)(?:- )?(?:Parser key "(?P<key>[^"]+)")?', message, re.MULTILINE):
        indent = len(line["indent"])
        nested = [item for item in nested if item[0] < indent]
        if line["key"]:
            nested.append((indent, line["key"]))
    keys = [key for _, key in nested]
    return ".".join(keys) + "." if keys and keys[0] in ("model", "data") else ""


def _list_top_level_keys() -> dict[str, str]:
    from lightning.pytorch import Trainer

    names = (*_TOP_LEVEL, *(f"trainer.{name}" for name in inspect.signature(Trainer).parameters))
    return {name: name for name in names}


def _list_parameters(class_path: str) -> dict[str, str]:
    """Return what a class can be given, shown as it is; flat names of options are shown in their groups."""
    module, _, name = class_path.rpartition(".")
    owner: type = getattr(importlib.import_module(module), name)
    flat = flat_names_of(owner)
    own = {name: name for name in inspect.signature(owner).parameters}
    return {**flat, **{path: path for path in flat.values()}, **own}


def _list_class_names() -> list[str]:
    from lightning.pytorch import Callback, LightningDataModule, LightningModule
    from lightning.pytorch.loggers import Logger

    names: list[str] = []
    pending: list[type] = [LightningModule, LightningDataModule, Callback, Logger]
    while pending:
        children: list[type] = pending.pop().__subclasses__()
        names += [child.__name__ for child in children]
        pending += children
    return names


def _is_refused_setting(error: BaseException) -> bool:
    """Say whether Lightning or OmegaConf refused a setting, by the error's name: an import of theirs takes seconds."""
    kinds = {(kind.__module__.split(".")[0], kind.__name__) for kind in type(error).__mro__}
    return not kinds.isdisjoint({("lightning", "MisconfigurationException"), ("omegaconf", "OmegaConfBaseException")})


def _is_ours(error: BaseException) -> bool:
    """Say whether this project raised an error on purpose: a ``ValueError`` or one of a file, from its own modules."""
    return isinstance(error, ValueError | OSError) and _innermost_package(error.__traceback__) in OUR_PACKAGES


def _innermost_package(traceback: TracebackType | None) -> str:
    package = ""
    while traceback is not None:
        package = str(traceback.tb_frame.f_globals.get("__name__", "")).split(".")[0]
        traceback = traceback.tb_next
    return package


def _flatten(message: str) -> str:
    lines = [line.strip().removeprefix("- ").strip() for line in message.splitlines()]
    section = ".".join(re.findall(r'Parser key "([^"]+)"', message))
    kept = [line for line in lines if not _NOISE.match(line)]
    return _join([f"{section}:" if section else "", *kept] if kept else lines)


def _last(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.findall(text)
    return str(found[-1]) if found else None


def _join(lines: Iterable[str]) -> str:
    return " ".join(line.strip() for line in lines if line.strip())
