"""Run a graph of tasks on any executor, with a progress bar per stage and without redoing what is cached."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from experiments.pipeline.executors import Workers, in_this_process
from experiments.pipeline.tasks import Cache, Inputs, Outcome, Task, in_order, task_key, upstream


class _Waiting(NamedTuple):
    """A task that is to be done, where its result goes, what it reads, and the keys of what has to be there first."""

    key: str
    task: Task
    folder: Path
    inputs: Inputs
    parents: set[str]


class Runner:
    """Executes tasks, each once, as soon as what they need is there.

    Args:
        cache: where results lie.
        workers: what runs tasks (:func:`experiments.pipeline.executors.open_workers`, or any executor in
            :class:`experiments.pipeline.executors.Workers`); None runs them in this process.
        console: where progress goes; a bar per stage on a terminal, a line per task elsewhere.
    """

    def __init__(self, cache: Cache, workers: Workers | None = None, *, console: Console | None = None) -> None:
        self.cache = cache
        self.workers = workers
        self.console = console if console is not None else Console(stderr=True)

    def run(self, targets: Sequence[Task]) -> dict[str, Outcome]:
        """Bring all ``targets`` and what they depend on into the cache.

        Returns:
            The outcome of every task by its key (:func:`experiments.pipeline.tasks.task_key`).

        Raises:
            experiments.pipeline.tasks.StageError: a task failed, or the process that ran it was lost; finished results
                are kept.
        """
        ordered = in_order(targets)
        display = _Display(self.console, [task for _, task in ordered])
        outcomes: dict[str, Outcome] = {}
        folders = {key: self.cache.root / task.stage / key for key, task in ordered}
        waiting: list[_Waiting] = []
        for key, task in ordered:
            found = self.cache.lookup(task)
            if found is not None:
                outcomes[key] = found
                display.finished(task, found)
                continue
            # By key and not by equality: what stands in `ordered` may differ in fields that do not count, as a name.
            parents = [(parent, task_key(parent)) for parent in upstream(task)]
            inputs = Inputs([(parent, folders[parent_key]) for parent, parent_key in parents])
            waiting.append(_Waiting(key, task, folders[key], inputs, {parent_key for _, parent_key in parents}))
        with display:
            if self.workers is not None:
                _run_on(self.workers, waiting, outcomes, display)
            else:
                with in_this_process() as here:
                    _run_on(here, waiting, outcomes, display)
        return outcomes


def _run_on(workers: Workers, waiting: list[_Waiting], outcomes: dict[str, Outcome], display: _Display) -> None:
    running: dict[Future[Any], _Waiting] = {}
    try:
        while waiting or running:
            ready = [item for item in waiting if item.parents <= outcomes.keys()]
            for item in ready if workers.at_once is None else ready[: workers.at_once - len(running)]:
                waiting.remove(item)
                display.started(item.task, named=workers.at_once is not None)
                running[workers.submit(item.task, item.folder, item.inputs)] = item
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                item = running.pop(future)
                wall_s = workers.finish(future, item.task, item.folder)
                outcomes[item.key] = Outcome(item.folder, wall_s, cached=False)
                display.finished(item.task, outcomes[item.key])
    finally:
        for future in running:
            future.cancel()


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

    def started(self, task: Task, *, named: bool) -> None:
        """Show that a task was handed out; by name where that means that it is being done."""
        self.progress.start_task(self.bars[task.stage])
        if not named:
            return
        self.running[task.stage].append(task.title)
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
