"""What runs on a worker of a Dask cluster: one task at a time in a process, with one thread, as everywhere else."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import torch
from distributed import get_worker

from experiments.pipeline.code_version import code_version
from experiments.pipeline.executors.parcels import Files, pack, replace_paths, unpack
from experiments.pipeline.tasks import Inputs, StageError, Task, execute, upstream

CACHE_ID: Final = ".cache-id"
"""File by which a cache is known again from elsewhere."""


class Interrupted(Exception):  # noqa: N818  # as KeyboardInterrupt, which Dask would take for its own
    """Whoever asked for the task does not want it any more."""


@dataclass(frozen=True)
class Call:
    """A task to be run.

    Attributes:
        task: what.
        folder: where its result goes, absolute.
        inputs: what it reads.
        run: name of the run that asks for it.
        code: what its code hashes to where it was asked for.
        cwd: working directory there, which relative paths mean.
        cache: root of the cache there.
        cache_id: content of its :data:`CACHE_ID`.
    """

    task: Task
    folder: Path
    inputs: Inputs
    run: str
    code: str
    cwd: Path
    cache: Path
    cache_id: str


class Done(NamedTuple):
    """A task that was done in ``wall_s`` [s], with its files where they are sent back."""

    wall_s: float
    files: Files | None = None


class Failed(NamedTuple):
    """A task that failed, in words; whether they are all that a user needs; and where it happened."""

    message: str
    readable: bool
    trace: str


def sees_cache(cache: str, cache_id: str) -> bool:
    """Whether this process finds that very cache under its path."""
    try:
        return (Path(cache) / CACHE_ID).read_text(encoding="utf-8") == cache_id
    except OSError:
        return False


def run_shared(call: Call) -> Done | Failed:
    """Run a task into the cache, which this worker sees."""

    def run() -> Done:
        if not sees_cache(str(call.cache), call.cache_id):
            raise _refuse(
                call.task, f"does not see {call.cache}; mount it there too, or set executor.shared_files=false"
            )
        with contextlib.chdir(call.cwd) if call.cwd.is_dir() else contextlib.nullcontext():
            return Done(execute(call.task, call.folder, call.inputs))

    return _in_turn(call, run)


def run_sent(
    call: Call, sent: Sequence[tuple[Path, str, Files]], parents: Sequence[tuple[str, Files]]
) -> Done | Failed:
    """Run a task on files that were sent along, in a folder of this worker's own, and send back what it writes.

    Args:
        call: the task.
        sent: for each path that it names, the place below the worker's folder that stands for it, and its files.
        parents: for each task upstream the place of its result below a cache, and its files.
    """
    base = Path(get_worker().local_directory) / "imuforge"

    def run() -> Done:
        cache = base / "cache"
        for place, files in parents:
            unpack(files, cache / place)
        for _, place, files in sent:
            unpack(files, base / place)
        moved = {path: base / place for path, place, _ in sent}
        task = replace_paths(call.task, moved, root=(call.cache, cache))
        inputs = Inputs([(parent, cache / place) for parent, (place, _) in zip(upstream(task), parents, strict=True)])
        folder = cache / call.folder.relative_to(call.cache)
        wall_s = execute(task, folder, inputs)
        return Done(wall_s, pack(folder))

    return _in_turn(call, run)


_turn_lock, _guard = threading.Lock(), threading.Lock()
_at_work: dict[str, int] = {}
_unwanted: set[str] = set()


def _in_turn(call: Call, run: Callable[[], Done]) -> Done | Failed:
    """Wait until nothing else is at work in this process: tasks use its random state and its working directory."""
    with _turn_lock:
        try:
            with _guard:
                if call.run in _unwanted:
                    raise Interrupted
                _at_work[call.run] = threading.get_ident()
            if code_version(type(call.task).__module__) != call.code:
                raise _refuse(
                    call.task,
                    "has other code, torch or NumPy than this machine; install the same there and start it anew",
                )
            torch.set_num_threads(1)
            return run()
        except StageError as error:
            # As a value: neither its cause nor its attributes would survive the way back for certain.
            trace = "" if error.readable else "".join(traceback.format_exception(error))
            return Failed(str(error), error.readable, trace)
        finally:
            with _guard:
                _at_work.pop(call.run, None)


def stop(run: str) -> None:
    """Stop what is at work for a run, between two steps of Python, and let nothing more of it begin."""
    with _guard:
        _unwanted.add(run)
        thread = _at_work.get(run)
        if thread is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Interrupted))


def _refuse(task: Task, reason: str) -> StageError:
    where = f"worker {get_worker().address} (process {os.getpid()})"
    failure = StageError(f"{task.stage_title} ({task.title}) failed: {where} {reason}")
    failure.readable = True
    return failure
