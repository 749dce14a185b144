"""Open what an experiment's YAML asks tasks to be run on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from experiments.pipeline.executor_config import ExecutorConfig, check_executor
from experiments.pipeline.executors.local import Workers, in_this_process, local_processes


@contextmanager
def open_workers(
    config: ExecutorConfig, *, cache: Path, processes: int = 1, console: Console | None = None
) -> Iterator[Workers]:
    """Start or find the workers, and leave none behind that was started here.

    Args:
        config: which; checked (:func:`experiments.pipeline.executor_config.check_executor`).
        cache: folder of all results.
        processes: how many of this machine, where they are local; 1 runs tasks in this process.
        console: where is said what was found.

    Raises:
        ValueError: the configuration cannot be, nothing answers at the address, or ``processes`` is below 1.
    """
    check_executor(config)
    if processes < 1:
        raise ValueError(f"processes is {processes}, expected at least 1")
    if config.is_dask:
        # Not above: distributed takes a second to import, and few have it.
        from experiments.pipeline.executors.dask_cluster import dask_workers

        opened = dask_workers(config, cache=cache, console=Console(stderr=True) if console is None else console)
    else:
        opened = in_this_process() if processes == 1 else local_processes(processes)
    with opened as workers:
        yield workers
