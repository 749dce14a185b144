"""Files on their way between machines that share no file system."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias, TypeVar, cast

from experiments.pipeline.tasks import Task

Files: TypeAlias = dict[str, bytes]
"""Content of a folder's files by their relative names, or of one file under the name ``""``."""

Value = TypeVar("Value")


def pack(path: Path) -> Files:
    """Read a file, or all files below a folder."""
    if path.is_file():
        return {"": path.read_bytes()}
    files = sorted(entry for entry in path.rglob("*") if entry.is_file())
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in files}


def unpack(files: Files, target: Path) -> None:
    """Write what :func:`pack` read, as ``target`` or below it, all of it or nothing; what stands there stays.

    Raises:
        ValueError: a name leads out of the folder.
    """
    if target.exists():
        return
    part = target.with_name(f".{target.name}.part")
    if part.is_dir():
        shutil.rmtree(part)
    for name, content in files.items():
        file = part / name if name else part
        if not file.resolve().is_relative_to(part.resolve()):
            raise ValueError(f"a file is named {name!r}, expected a name below the folder that was sent")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    if not files:
        part.mkdir(parents=True)
    part.replace(target)


def paths_in(value: object) -> Iterator[Path]:
    """Yield the paths that a task names itself; those of tasks upstream are theirs."""
    if isinstance(value, Path):
        yield value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            if not isinstance(entry := getattr(value, field.name), Task):
                yield from paths_in(entry)
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from paths_in(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            if not isinstance(entry, Task):
                yield from paths_in(entry)


def replace_paths(value: Value, moved: Mapping[Path, Path], *, root: tuple[Path, Path]) -> Value:
    """Return a task with its paths turned into those of another machine.

    Args:
        value: the task, or anything inside one.
        moved: path there by the path here.
        root: a folder here and there; what lies below it and is not in ``moved`` goes along.
    """
    return cast(Value, _replaced(value, moved, root, outermost=True))


def _replaced(value: object, moved: Mapping[Path, Path], root: tuple[Path, Path], *, outermost: bool = False) -> object:
    if isinstance(value, Path):
        absolute = value.absolute()
        if value in moved:
            return moved[value]
        return root[1] / absolute.relative_to(root[0]) if absolute.is_relative_to(root[0]) else value
    if isinstance(value, Task) and not outermost:
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {entry.name: getattr(value, entry.name) for entry in dataclasses.fields(value) if entry.init}
        new = {name: _replaced(entry, moved, root) for name, entry in fields.items()}
        changed = {name: entry for name, entry in new.items() if entry is not fields[name]}
        return dataclasses.replace(value, **changed) if changed else value
    if isinstance(value, Mapping):
        return {key: _replaced(entry, moved, root) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        entries = [_replaced(entry, moved, root) for entry in value]
        if all(new is old for new, old in zip(entries, value, strict=True)):
            return value
        kind: Callable[..., object] = type(value)
        return kind(*entries) if hasattr(value, "_fields") else kind(entries)
    return value
