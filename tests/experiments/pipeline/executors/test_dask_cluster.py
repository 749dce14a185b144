"""The same graph on a real Dask cluster of two processes: the same files, whoever is killed, wherever the cache is."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console

from experiments.pipeline.executor_config import ExecutorConfig
from experiments.pipeline.executors import Workers, open_workers
from experiments.pipeline.runner import Runner
from experiments.pipeline.tasks import Cache, StageError, task_key

distributed = pytest.importorskip("distributed", reason="Dask is not installed: pip install 'imuforge[cluster]'")

TASKS = '''
import os, time
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
import torch
from experiments.pipeline.tasks import Task

@dataclass(frozen=True)
class Draw(Task):
    """Random numbers of the process's own generator; with a log, the first to draw `slow` waits to be killed."""
    stage: ClassVar[str] = "draw"
    stage_title: ClassVar[str] = "drawing"
    number: int
    source: Path
    log: str = ""
    slow: int = -1

    @property
    def title(self):
        return str(self.number)

    def run(self, inputs, output):
        if self.log:
            with Path(self.log).open("a") as log:
                log.write(f"{self.number} {os.getpid()} {torch.get_num_threads()} {output}\\n")
            try:
                while self.number == self.slow and not Path(self.log + ".go").exists():
                    time.sleep(0.05)
            finally:
                Path(self.log + f".left{self.number}").touch()
        torch.manual_seed(self.number)
        drawn = torch.rand(3) * float(self.source.read_text())
        if drawn[0] < 0:
            raise ValueError(f"source is {self.source.read_text()}, expected above 0")
        torch.save(drawn, output / "drawn.pt")

@dataclass(frozen=True)
class Total(Task):
    stage: ClassVar[str] = "total"
    stage_title: ClassVar[str] = "adding"
    drawn: tuple[Draw, ...]
    cache_dir: Path = field(metadata={"key": False})

    @property
    def title(self):
        return "all"

    def run(self, inputs, output):
        (output / "deep").mkdir()
        total = sum(torch.load(inputs[each] / "drawn.pt") for each in self.drawn)
        (output / "deep" / "total.txt").write_text(repr(total.tolist()))
'''

SCRIPT = """
import signal
import sys
from pathlib import Path
from rich.console import Console
from cluster_tasks import Draw
from experiments.pipeline.executor_config import ExecutorConfig
from experiments.pipeline.executors import open_workers
from experiments.pipeline.one_line_errors import one_line_errors
from experiments.pipeline.runner import Runner
from experiments.pipeline.tasks import Cache

signal.signal(signal.SIGINT, signal.default_int_handler)
cache, address, source, log = Path(sys.argv[1]), *sys.argv[2:]
quiet = Console(quiet=True)
with one_line_errors(), open_workers(ExecutorConfig(address=address), cache=cache, console=quiet) as workers:
    tasks = [Draw(number, Path(source), log, slow=number) for number in range(4)]
    Runner(Cache(cache), workers, console=quiet).run(tasks)
"""


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """A module of tasks that workers can import, too."""
    folder = tmp_path_factory.mktemp("modules")
    (folder / "cluster_tasks.py").write_text(TASKS, encoding="utf-8")
    root = Path(__file__).resolve().parents[4]
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setenv("PYTHONPATH", os.pathsep.join([str(root), str(folder), os.environ.get("PYTHONPATH", "")]))
        yield __import__("cluster_tasks")


@pytest.fixture(scope="module")
def cluster(tasks: ModuleType) -> Iterator[str]:
    """Address of a scheduler with two worker processes."""
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    with distributed.LocalCluster(**options, silence_logs=50) as made:
        yield made.scheduler_address


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.txt"
    path.write_text("2.5", encoding="utf-8")
    return path


def wait_for(found: Any, what: str) -> None:
    deadline = time.monotonic() + 120
    while not found():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def run(cache: Path, targets: list[Any], **config: Any) -> str:
    """Run tasks and return what was said."""
    said = io.StringIO()
    console = Console(file=said, width=200)
    with open_workers(ExecutorConfig(**config), cache=cache, console=console) as workers:
        Runner(Cache(cache), workers, console=console).run(targets)
    return said.getvalue()


def files_of(cache: Path) -> dict[str, bytes]:
    """All results, by their names; how long they took is no part of them."""
    found = [path for stage in ("draw", "total") for path in (cache / stage).rglob("*") if path.is_file()]
    return {
        path.relative_to(cache).as_posix(): path.read_bytes()
        for path in found
        if path.name != "stage.json" and path.suffix != ".lock"
    }


def graph(tasks: ModuleType, source: Path, cache: Path, **how: Any) -> list[Any]:
    return [tasks.Total(tuple(tasks.Draw(number, source, **how) for number in range(6)), cache)]


def test_a_killed_worker_costs_nothing_but_time(tasks: ModuleType, cluster: str, source: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    asked = graph(tasks, source, tmp_path, log=str(log), slow=2)

    def kill_who_draws_two() -> None:
        wait_for(lambda: log.exists() and any(row.startswith("2 ") for row in log.read_text().splitlines()), "no start")
        (row,) = [row for row in log.read_text().splitlines() if row.startswith("2 ")]
        os.kill(int(row.split()[1]), signal.SIGKILL)
        Path(f"{log}.go").touch()

    killer = threading.Thread(target=kill_who_draws_two)
    killer.start()
    said = run(tmp_path / "there", asked, address=cluster)
    killer.join()
    begun = [row.split() for row in log.read_text().splitlines()]
    drawers = [pid for number, pid, *_ in begun if number == "2"]
    assert len(drawers) == 2
    assert drawers[0] != drawers[1]
    assert {threads for _, _, threads, _ in begun} == {"1"}
    assert "dask  lost worker" in said

    run(tmp_path / "here", asked)
    assert files_of(tmp_path / "there") == files_of(tmp_path / "here")
    assert len(files_of(tmp_path / "here")) == 7
    assert not [path for path in (tmp_path / "there").rglob("*") if path.suffix == ".partial"]


def test_without_a_shared_file_system_files_go_there_and_back(
    tasks: ModuleType, cluster: str, source: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    asked = graph(tasks, source, tmp_path / "there", log=str(log))
    said = run(tmp_path / "there", asked, address=cluster, shared_files=False)
    assert "send results back" in said
    folders = [row.split()[3] for row in log.read_text().splitlines()]
    assert len(folders) == 6
    assert not any(folder.startswith(str(tmp_path)) for folder in folders), "it wrote into the cache itself"
    run(tmp_path / "here", asked)
    assert files_of(tmp_path / "there") == files_of(tmp_path / "here")
    again = Runner(Cache(tmp_path / "there"), console=Console(quiet=True)).run(asked)
    assert all(outcome.cached for outcome in again.values())


def test_an_error_is_told_as_it_is_here(tasks: ModuleType, cluster: str, source: Path, tmp_path: Path) -> None:
    source.write_text("-1", encoding="utf-8")
    told = []
    for cache, config in (("here", {}), ("there", {"address": cluster})):
        with pytest.raises(StageError) as failed:
            run(tmp_path / cache, [tasks.Draw(1, source)], **config)
        told.append((str(failed.value), failed.value.readable))
    assert told[0] == told[1]
    assert told[0] == ("drawing (1) failed: ValueError: source is -1, expected above 0", False)
    assert "cluster_tasks.py" in "".join(failed.value.__notes__), "where it happened is not told"


def test_another_version_of_the_code_is_refused(
    tasks: ModuleType, cluster: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.pipeline.executors.dask_cluster.code_version", lambda module: "another")
    with pytest.raises(StageError, match=r"worker tcp://\S+ \(process \d+\) has other code") as failed:
        run(tmp_path / "there", [tasks.Draw(1, source)], address=cluster)
    assert failed.value.readable


def test_an_interruption_stops_what_workers_are_at(
    tasks: ModuleType, cluster: str, source: Path, tmp_path: Path
) -> None:
    script, log = tmp_path / "script.py", tmp_path / "log"
    script.write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, str(script), str(tmp_path / "there"), cluster, str(source), str(log)]
    started = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        wait_for(lambda: log.exists() and len(log.read_text().splitlines()) == 2, "two tasks did not begin")
        os.killpg(started.pid, signal.SIGINT)
        _, said = started.communicate(timeout=90)
    finally:
        started.kill()
    assert started.returncode == 130
    assert said == "interrupted; finished stages are kept, run the same command again to go on\n"
    left = [Path(f"{log}.left{row.split()[0]}") for row in log.read_text().splitlines()]
    wait_for(lambda: all(path.exists() for path in left), "workers are still at what nobody wants")
    assert len(log.read_text().splitlines()) == 2, "what had waited was begun"


def test_slurm_is_asked_for_workers(
    tasks: ModuleType, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through dask_jobqueue, with an sbatch and an scancel that start and end the job here."""
    pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed: pip install 'imuforge[cluster]'")
    stubs = tmp_path / "bin"
    stubs.mkdir()
    copy = f'cp "$1" {tmp_path}/job.sh; setsid bash {tmp_path}/job.sh >{tmp_path}/job.log 2>&1 &'
    (stubs / "sbatch").write_text(f"#!/bin/bash\n{copy}\necho Submitted batch job $!\n", encoding="utf-8")
    (stubs / "scancel").write_text(f'#!/bin/bash\necho "$1" >{tmp_path}/cancelled\nkill -- -"$1"\n', encoding="utf-8")
    for stub in stubs.iterdir():
        stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stubs}{os.pathsep}{os.environ['PATH']}")
    slurm = {"queue": "short", "cores": 1, "memory": "2GB", "walltime": "00:10:00", "local_directory": str(tmp_path)}
    asked = graph(tasks, source, tmp_path)
    said = run(tmp_path / "there", asked, slurm=slurm)
    assert "waiting for the first of 1 SLURM jobs" in said
    assert "1 workers, which share the cache" in said
    script = (tmp_path / "job.sh").read_text()
    assert "#SBATCH -p short" in script
    assert "--nthreads 1" in script
    run(tmp_path / "here", asked)
    assert files_of(tmp_path / "there") == files_of(tmp_path / "here")
    wait_for(lambda: (tmp_path / "cancelled").exists(), "the job was not cancelled")


def test_any_executor_runs_the_graph(tasks: ModuleType, source: Path, tmp_path: Path) -> None:
    asked = graph(tasks, source, tmp_path)
    with ThreadPoolExecutor(1) as pool:
        outcomes = Runner(Cache(tmp_path / "there"), Workers(pool), console=Console(quiet=True)).run(asked)
    run(tmp_path / "here", asked)
    assert files_of(tmp_path / "there") == files_of(tmp_path / "here")
    assert outcomes[task_key(asked[0])].wall_s > 0
