"""Stages of an experiment, cached by content hash: what is done stays done, also when the run is killed.

A :class:`Task` is a frozen dataclass; its fields are all that its result may depend on. Fields that are tasks
themselves make the graph. The key of a task hashes its class, its fields (a path counts by the file's content, a task
by its own key) and the code behind it; its result lies in ``<cache>/<stage>/<key>/``, written beside and renamed when
complete.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

from filelock import FileLock

from experiments.pipeline.code_version import code_version, file_hash
from lightning_modules.config_errors import explain_exception

DONE = "stage.json"


class Task(ABC):
    """One unit of work; subclasses are frozen dataclasses.

    Attributes:
        stage: name of the stage, which is also the folder of its results.
        stage_title: what the stage does, in words for the progress display, such as "training classifiers".
    """

    stage: ClassVar[str]
    stage_title: ClassVar[str]

    @property
    @abstractmethod
    def title(self) -> str:
        """What tells this task from others of its stage, for the reader of the progress display."""

    @abstractmethod
    def run(self, inputs: Inputs, output: Path) -> None:
        """Do the work: read what upstream tasks wrote from ``inputs[task]``, write files into the folder ``output``."""


class Inputs:
    """Where the results of upstream tasks lie: ``inputs[task]`` is the folder of that task's files."""

    def __init__(self, folders: Sequence[tuple[Task, Path]]) -> None:
        self._folders = tuple(folders)

    def __getitem__(self, task: Task) -> Path:
        for candidate, folder in self._folders:
            if candidate is task or candidate == task:
                return folder
        raise KeyError(f"{task.stage} {task.title} is not upstream of this task; make it a field of the task")


class Outcome(NamedTuple):
    """What became of a task: its folder, the seconds it took when it ran, and whether that was in an earlier run."""

    folder: Path
    wall_s: float
    cached: bool


class StageError(RuntimeError):
    """A task failed; the message names it, ``__cause__`` is what happened. Results of other tasks are kept.

    Attributes:
        readable: whether the message says all that a user needs (their input is at fault, not this program).
    """

    readable: bool = False


@dataclass(frozen=True)
class Cache:
    """The folder of all results, ``<root>/<stage>/<key>/``."""

    root: Path

    def folder(self, task: Task) -> Path:
        """Where the result of ``task`` lies or will lie."""
        return self.root / task.stage / task_key(task)

    def lookup(self, task: Task) -> Outcome | None:
        """Return the finished result of ``task``, or None."""
        folder = self.folder(task)
        try:
            record = json.loads((folder / DONE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return Outcome(folder, float(record["wall_s"]), cached=True)


def upstream(task: Task) -> list[Task]:
    """List the tasks among the fields of ``task``, also those inside tuples and mappings."""
    return [parent for field in _fields(task) for parent in _tasks_in(getattr(task, field.name))]


def task_key(task: Task) -> str:
    """Hash everything the result of ``task`` may depend on.

    Raises:
        TypeError: a field holds something that has no stable hash.
        FileNotFoundError: a field is a path to nothing.
    """
    parts = {field.name: _stable(getattr(task, field.name)) for field in _fields(task)}
    text = json.dumps([type(task).__qualname__, code_version(type(task).__module__), parts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def in_order(targets: Iterable[Task]) -> list[tuple[str, Task]]:
    """List ``targets`` and all that is upstream of them with their keys, each once, upstream first."""
    ordered: dict[str, Task] = {}

    def visit(task: Task) -> None:
        key = task_key(task)
        if key not in ordered:
            for parent in upstream(task):
                visit(parent)
            ordered[key] = task

    for target in targets:
        visit(target)
    return list(ordered.items())


def execute(task: Task, folder: Path, inputs: Inputs) -> float:
    """Run one task into ``folder`` unless it is already there; another process doing the same is waited for.

    Returns:
        Wall time of the work [s], also where it was done by someone else.

    Raises:
        StageError: the task failed; nothing of it is left in ``folder``.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_suffix(".partial")
    with FileLock(folder.with_suffix(".lock")):
        if (folder / DONE).exists():
            return float(json.loads((folder / DONE).read_text(encoding="utf-8"))["wall_s"])
        # Whatever lies here now was left by a process that was killed: the lock says that nobody is at it.
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        partial.mkdir()
        start = time.perf_counter()
        try:
            task.run(inputs, partial)
        except Exception as error:
            shutil.rmtree(partial, ignore_errors=True)
            explained = explain_exception(error)
            reason = explained or f"{type(error).__name__}: {error}"
            failure = StageError(f"{task.stage_title} ({task.title}) failed: {reason}")
            # Kept as an attribute: the cause itself does not survive the way back from a worker process.
            failure.readable = explained is not None
            raise failure from error
        wall_s = time.perf_counter() - start
        record = {"stage": task.stage, "title": task.title, "wall_s": round(wall_s, 3)}
        (partial / DONE).write_text(json.dumps(record), encoding="utf-8")
        partial.replace(folder)
    return wall_s


def _fields(task: object) -> tuple[dataclasses.Field[object], ...]:
    if not dataclasses.is_dataclass(task):
        raise TypeError(f"{type(task).__qualname__} is no dataclass; a Task must be a frozen dataclass")
    return tuple(field for field in dataclasses.fields(task) if field.metadata.get("key", True))


def _tasks_in(value: object) -> Iterator[Task]:
    if isinstance(value, Task):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tasks_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tasks_in(item)


def _stable(value: object) -> object:
    """Turn a field into what JSON can write the same way in every run."""
    if isinstance(value, Task):
        return {"task": task_key(value)}
    if isinstance(value, Path):
        return {"file": file_hash(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _stable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _stable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_stable(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"a field of type {type(value).__qualname__} has no stable hash; use plain values, paths or tasks")
