"""Tasks on any :class:`concurrent.futures.Executor`, and the two of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import torch

from experiments.pipeline.tasks import Inputs, StageError, Task, execute

P = ParamSpec("P")
T = TypeVar("T")


class Workers:
    """Runs tasks on an executor.

    Args:
        executor: any; its workers must see the cache.
        at_once: how many tasks to hand out at a time, so that the display names what is really being done; None hands
            out all that can be done, and leaves their order to the executor.
    """

    def __init__(self, executor: Executor, at_once: int | None = None) -> None:
        self.executor = executor
        self.at_once = at_once

    def submit(self, task: Task, folder: Path, inputs: Inputs) -> Future[Any]:
        """Have a task done, its result in ``folder``."""
        return self.executor.submit(execute, task, folder, inputs)

    def finish(self, future: Future[Any], task: Task, folder: Path) -> float:
        """Return the wall time [s] of a task whose future is done; its result lies in ``folder`` then.

        Raises:
            StageError: it failed, or its process was lost.
        """
        del folder
        try:
            return float(future.result())
        except BrokenExecutor as error:
            raise StageError(
                f"{task.stage_title} ({task.title}) lost its process, perhaps to a lack of memory; "
                "run the same command again to go on, with processes=1 if it repeats"
            ) from error


@contextmanager
def in_this_process() -> Iterator[Workers]:
    """Run each task as soon as it is handed out."""
    yield Workers(_Inline(), at_once=1)


@contextmanager
def local_processes(count: int) -> Iterator[Workers]:
    """Run tasks in processes of this machine, of one thread each; those at work when something fails come to an end."""
    others = set(multiprocessing.active_children())
    pool = _QuietPool(count, mp_context=multiprocessing.get_context("spawn"), initializer=start_worker)
    try:
        yield Workers(pool, at_once=count)
    except KeyboardInterrupt:
        pool.shutdown(wait=False, cancel_futures=True)
        # What they were at is made anew; nobody who interrupts wants to wait for it.
        for worker in set(multiprocessing.active_children()) - others:
            worker.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


class _Inline(Executor):
    """Does what it is given at once."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class _QuietPool(ProcessPoolExecutor):
    """A pool whose processes never hear of Ctrl-C, not even while they import: each would print a traceback."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        with _deaf_to_interrupts():
            return super().submit(fn, *args, **kwargs)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Block the signal: a process begins with those blocked that its parent has; what comes meanwhile waits."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start_worker() -> None:
    """Make the process that this is called in a worker: one thread, and gone when its parent is."""
    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def leave_with_parent() -> None:
        # A worker would otherwise wait for ever on its queue after the main process was killed.
        parent.join()
        os._exit(1)

    threading.Thread(target=leave_with_parent, daemon=True).start()
