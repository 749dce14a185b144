"""Tasks on a Dask cluster: one that runs, found by its address, or one that SLURM is asked for.

Dask schedules, sees workers come and go, and gives what a lost one was at to another. Here is only what it cannot know:
that a task's result is a folder of the cache, whether workers see that cache, and how a failure is told.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import dask
from distributed import Client, KilledWorker
from distributed import Future as DaskFuture
from distributed.cfexecutor import ClientExecutor
from filelock import FileLock
from rich.console import Console

from experiments.pipeline.code_version import code_version, file_hash
from experiments.pipeline.executor_config import ExecutorConfig
from experiments.pipeline.executors import worker
from experiments.pipeline.executors.local import Workers
from experiments.pipeline.executors.parcels import Files, pack, paths_in, unpack
from experiments.pipeline.tasks import DONE, Inputs, StageError, Task, upstream
from sim.files import whole_file

ANSWER_S: Final = 5
"""How long a scheduler is waited for [s]."""

WORKERS_S: Final = 30
"""How long the first worker of a scheduler that runs is waited for [s]; SLURM's, as long as it takes."""

_SETTINGS: Final = {
    "distributed.admin.large-graph-warning-threshold": "4GB",  # files that are sent along are meant to be
    "distributed.worker.daemon": False,  # else a task could not start processes of its own
}


@contextmanager
def dask_workers(config: ExecutorConfig, *, cache: Path, console: Console) -> Iterator[Workers]:
    """Connect to a cluster; what is still queued or at work when this is left by an exception is cancelled.

    Args:
        config: which.
        cache: folder of all results.
        console: where is said what was found, and which workers were lost.

    Raises:
        ValueError: nothing answers at the address, it has no workers, or SLURM's arguments cannot be.
    """
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(_SETTINGS))
        client = stack.enter_context(_connect(config, stack))
        _wait_for_workers(client, config, console)
        workers = DaskWorkers(client, cache=cache, shared=config.shared_files, console=console)
        try:
            yield workers
        except BaseException:
            workers.cancel()
            raise
        finally:
            with suppress(OSError, TimeoutError):  # the scheduler may be gone
                client.unsubscribe_topic("all")


class DaskWorkers(Workers):
    """Runs tasks on the workers of a Dask client.

    Args:
        client: connected to a scheduler that has workers.
        cache: folder of all results.
        shared: whether workers see it; None asks those that are there.
        console: where is said which workers were lost.
    """

    def __init__(self, client: Client, *, cache: Path, shared: bool | None, console: Console) -> None:
        executor: ClientExecutor = client.get_executor(pure=False)
        super().__init__(executor)
        self._executor, self._client, self._console = executor, client, console
        self._cache, self._run = cache.absolute(), f"imuforge-{uuid.uuid4().hex[:8]}"
        self._cache_id = _identify(self._cache)
        seen = client.run(worker.sees_cache, str(self._cache), self._cache_id)
        self._shared = all(seen.values()) if shared is None else shared
        self._sent: dict[Path, DaskFuture] = {}
        client.subscribe_topic("all", self._hear)
        info = client.scheduler_info(n_workers=-1)
        threads = [entry["nthreads"] for entry in info["workers"].values()]
        files = "share the cache" if self._shared else "are sent files and send results back"
        self._say(f"{info['address']}: {len(threads)} workers, which {files}")
        if max(threads, default=1) > 1:
            self._say(f"up to {max(threads)} threads a worker, of which one is used; start more with --nthreads 1")

    def submit(self, task: Task, folder: Path, inputs: Inputs) -> Future[Any]:
        """Have a task done by a worker; another one does it if that is lost."""
        parents = [(parent, inputs[parent].absolute()) for parent in upstream(task)]
        call = worker.Call(
            task,
            folder.absolute(),
            Inputs(parents),
            run=self._run,
            code=code_version(type(task).__module__),
            cwd=Path.cwd(),
            cache=self._cache,
            cache_id=self._cache_id,
        )
        key = f"{task.stage}-{folder.name}-{self._run}"
        if self._shared:
            return self._executor.submit(worker.run_shared, call, key=key)
        arguments = [(place.relative_to(self._cache).as_posix(), self._send(place)) for _, place in parents]
        return self._executor.submit(worker.run_sent, call, self._send_paths(task), arguments, key=key)

    def finish(self, future: Future[Any], task: Task, folder: Path) -> float:
        """Return the wall time [s] of a task; what was sent back is in ``folder`` then.

        Raises:
            StageError: it failed, several workers in turn were lost over it, or the scheduler was.
        """
        try:
            told = future.result()
        except KilledWorker as error:
            reason = f"{_number_of_losses()} workers were lost over it, perhaps to a lack of memory; see their logs"
            raise _failure(task, reason) from error
        except CancelledError as error:
            reason = "the connection to the Dask scheduler was lost; run the same command again to go on"
            raise _failure(task, reason) from error
        except ModuleNotFoundError as error:
            raise _failure(task, f"a worker finds no module {error.name!r}; install this project there") from error
        except Exception as error:
            raise StageError(f"{task.stage_title} ({task.title}) failed: {type(error).__name__}: {error}") from error
        if isinstance(told, worker.Failed):
            failure = StageError(told.message)
            failure.readable = told.readable
            if told.trace:
                failure.add_note(told.trace)
            raise failure
        if told.files is not None:
            with FileLock(folder.with_suffix(".lock")):
                if not (folder / DONE).exists():
                    unpack(told.files, folder)
        return float(told.wall_s)

    def cancel(self) -> None:
        """Let go of what waits, and stop what workers are at."""
        self._executor.shutdown(wait=False)
        with suppress(OSError, TimeoutError):
            self._client.run(worker.stop, self._run, on_error="ignore")

    def _send(self, path: Path) -> DaskFuture:
        """Hand a file or folder to the scheduler, once for all tasks that read it."""
        if path not in self._sent:
            key = f"files-{path.name}-{self._run}-{len(self._sent)}"
            self._sent[path] = self._client.submit(_as_it_is, pack(path), key=key)
        return self._sent[path]

    def _send_paths(self, task: Task) -> list[tuple[Path, str, DaskFuture]]:
        """Hand over the files that a task names; a folder of the cache is the worker's own there."""
        sent: list[tuple[Path, str, DaskFuture]] = []
        for path in dict.fromkeys(paths_in(task)):
            inside = path.absolute().is_relative_to(self._cache)
            if path.is_file() or (path.is_dir() and not inside):
                place = f"sent/{file_hash(path)[:24]}/{path.name}"
                sent.append((path, place, self._send(path)))
        return sent

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        told = event[1]
        if not isinstance(told, dict) or told.get("action") != "remove-worker":
            return
        lost = [key for key in told["processing-tasks"] if self._run in str(key)]
        if lost:
            self._say(f"lost worker {told['worker']}; what it was at ({len(lost)} tasks) is done anew")

    def _say(self, line: str) -> None:
        self._console.print(f"dask  {line}", highlight=False, soft_wrap=True, markup=False)


@contextmanager
def _connect(config: ExecutorConfig, stack: ExitStack) -> Iterator[Client]:
    where: object = config.address
    if config.slurm is not None:
        where = stack.enter_context(_slurm_cluster(config.slurm, config.jobs))
    with _silent("distributed"):
        try:
            client = Client(where, timeout=ANSWER_S, set_as_default=False, name="imuforge")
        except (OSError, TimeoutError) as error:
            raise ValueError(
                f"nothing answers at executor.address {config.address} within {ANSWER_S} s, expected a Dask scheduler; "
                "start one with `dask scheduler`, or leave executor out"
            ) from error
    with client:
        yield client


@contextmanager
def _slurm_cluster(options: dict[str, Any], jobs: int) -> Iterator[object]:
    from dask_jobqueue import SLURMCluster

    try:
        scheduler = {"dashboard_address": ":0"}  # any port: another run may have the usual one
        cluster = SLURMCluster(**{"processes": options["cores"], "scheduler_options": scheduler, **options})
        cluster.job_script()
    except (TypeError, ValueError) as error:
        told = " ".join(str(error).split())
        raise ValueError(f"executor.slurm cannot be handed to SLURMCluster: {told}; see docs/cluster.md") from error
    with cluster:
        cluster.scale(jobs=jobs)
        yield cluster


def _wait_for_workers(client: Client, config: ExecutorConfig, console: Console) -> None:
    if config.slurm is not None:
        console.print(f"dask  waiting for the first of {config.jobs} SLURM jobs", highlight=False, soft_wrap=True)
        client.wait_for_workers(1)
        return
    try:
        client.wait_for_workers(1, timeout=WORKERS_S)
    except TimeoutError as error:
        raise ValueError(
            f"the scheduler at executor.address {config.address} had no worker for {WORKERS_S} s, expected at least "
            f"one; start some with `dask worker {config.address} --nthreads 1`"
        ) from error


def _identify(cache: Path) -> str:
    """Return the name of a cache that is the same from wherever it is looked at."""
    cache.mkdir(parents=True, exist_ok=True)
    file = cache / worker.CACHE_ID
    if not file.exists():
        with whole_file(file) as part:
            part.write_text(uuid.uuid4().hex, encoding="utf-8")
    return file.read_text(encoding="utf-8")


def _as_it_is(files: Files) -> Files:
    return files


def _number_of_losses() -> int:
    return int(dask.config.get("distributed.scheduler.allowed-failures")) + 1


def _failure(task: Task, reason: str) -> StageError:
    failure = StageError(f"{task.stage_title} ({task.title}) failed: {reason}")
    failure.readable = True
    return failure


@contextmanager
def _silent(name: str) -> Iterator[None]:
    """Keep a library from telling in its own words what is told here in a line."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
