"""Run a graph of tasks in a few processes, with a progress bar per stage and without redoing what is cached."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from experiments.pipeline.tasks import Cache, Inputs, Outcome, StageError, Task, execute, in_order, task_key, upstream


class Runner:
    """Executes tasks, each once, as soon as what they need is there.

    Args:
        cache: where results lie.
        processes: how many tasks run at the same time; 1 runs them in this process.
        console: where progress goes; a bar per stage on a terminal, a line per task elsewhere.
    """

    def __init__(self, cache: Cache, *, processes: int = 1, console: Console | None = None) -> None:
        if processes < 1:
            raise ValueError(f"processes is {processes}, expected at least 1")
        self.cache = cache
        self.processes = processes
        self.console = console if console is not None else Console(stderr=True)

    def run(self, targets: Sequence[Task]) -> dict[str, Outcome]:
        """Bring all ``targets`` and what they depend on into the cache.

        Returns:
            The outcome of every task by its key (:func:`experiments.pipeline.tasks.task_key`).

        Raises:
            StageError: a task failed, or a worker process died; finished results are kept.
        """
        ordered = in_order(targets)
        display = _Display(self.console, [task for _, task in ordered])
        outcomes: dict[str, Outcome] = {}
        folders = {key: self.cache.root / task.stage / key for key, task in ordered}
        waiting: list[tuple[str, Task, Inputs, set[str]]] = []
        for key, task in ordered:
            found = self.cache.lookup(task)
            if found is not None:
                outcomes[key] = found
                display.finished(task, found)
                continue
            # By key and not by equality: what stands in `ordered` may differ in fields that do not count, as a name.
            parents = [(parent, task_key(parent)) for parent in upstream(task)]
            inputs = Inputs([(parent, folders[parent_key]) for parent, parent_key in parents])
            waiting.append((key, task, inputs, {parent_key for _, parent_key in parents}))
        with display:
            if self.processes == 1:
                for key, task, inputs, _ in waiting:
                    display.started(task)
                    outcomes[key] = Outcome(folders[key], execute(task, folders[key], inputs), cached=False)
                    display.finished(task, outcomes[key])
            elif waiting:
                self._run_parallel(waiting, folders, outcomes, display)
        return outcomes

    def _run_parallel(
        self,
        waiting: list[tuple[str, Task, Inputs, set[str]]],
        folders: dict[str, Path],
        outcomes: dict[str, Outcome],
        display: _Display,
    ) -> None:
        running: dict[Future[float], tuple[str, Task]] = {}
        context, others = multiprocessing.get_context("spawn"), set(multiprocessing.active_children())
        with ProcessPoolExecutor(self.processes, mp_context=context, initializer=_start_worker) as pool:
            try:
                while waiting or running:
                    # No more are handed out than can run, so that the display names what is really being done.
                    ready = [item for item in waiting if item[3] <= outcomes.keys()][: self.processes - len(running)]
                    for item in ready:
                        waiting.remove(item)
                        key, task, inputs, _ = item
                        display.started(task)
                        with _deaf_to_interrupts():
                            running[pool.submit(execute, task, folders[key], inputs)] = (key, task)
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        key, task = running.pop(future)
                        outcomes[key] = Outcome(folders[key], _result(future, task), cached=False)
                        display.finished(task, outcomes[key])
            except BaseException as error:
                pool.shutdown(wait=False, cancel_futures=True)
                if isinstance(error, KeyboardInterrupt):
                    # What they were at is made anew; nobody who interrupts wants to wait for it.
                    for worker in set(multiprocessing.active_children()) - others:
                        worker.terminate()
                raise


def _result(future: Future[float], task: Task) -> float:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise StageError(
            f"{task.stage_title} ({task.title}) lost its process, perhaps to a lack of memory; "
            "run the same command again to go on, with processes=1 if it repeats"
        ) from error


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Start workers that never hear of Ctrl-C, not even while they import: each would print a traceback of its own.

    A process begins with the signals blocked that its parent has blocked; what comes meanwhile waits for this one.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker() -> None:
    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def leave_with_parent() -> None:
        # A worker would otherwise wait for ever on its queue after the main process was killed.
        parent.join()
        os._exit(1)

    threading.Thread(target=leave_with_parent, daemon=True).start()


class _Display:
    """A bar per stage on a terminal, a line per task where there is none."""

    def __init__(self, console: Console, tasks: Sequence[Task]) -> None:
        self.console = console
        self.running: dict[str, list[str]] = {}
        columns = (
            TextColumn("{task.description:<34}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[titles]}"),
        )
        self.progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self.bars: dict[str, TaskID] = {}
        for task in tasks:
            self.running.setdefault(task.stage, [])
            if task.stage not in self.bars:
                total = sum(other.stage == task.stage for other in tasks)
                self.bars[task.stage] = self.progress.add_task(task.stage_title, total=total, titles="", start=False)

    def __enter__(self) -> _Display:
        self.progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.progress.stop()

    def started(self, task: Task) -> None:
        self.running[task.stage].append(task.title)
        self.progress.start_task(self.bars[task.stage])
        self._show(task)
        if not self.console.is_terminal:
            self.console.print(f"{task.stage_title}: {task.title} ...", highlight=False, soft_wrap=True)

    def finished(self, task: Task, outcome: Outcome) -> None:
        if task.title in self.running[task.stage]:
            self.running[task.stage].remove(task.title)
        self.progress.start_task(self.bars[task.stage])
        self.progress.advance(self.bars[task.stage])
        self._show(task)
        if not self.console.is_terminal and not outcome.cached:
            self.console.print(
                f"{task.stage_title}: {task.title} {outcome.wall_s:.1f} s", highlight=False, soft_wrap=True
            )

    def _show(self, task: Task) -> None:
        bar = self.bars[task.stage]
        self.progress.update(bar, titles=", ".join(self.running[task.stage]))
        if self.progress.tasks[self.progress.task_ids.index(bar)].finished:
            self.progress.stop_task(bar)
