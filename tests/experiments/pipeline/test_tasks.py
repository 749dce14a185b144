"""Tasks run in order, once, and are found again; what is killed or fails leaves the rest in place."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest
from rich.console import Console

from experiments.pipeline.code_version import code_version, file_hash
from experiments.pipeline.runner import Runner
from experiments.pipeline.tasks import Cache, Inputs, StageError, Task, execute, in_order, task_key, upstream

QUIET = Console(quiet=True)


@dataclass(frozen=True)
class Write(Task):
    stage: ClassVar[str] = "write"
    stage_title: ClassVar[str] = "writing a number"
    value: int
    log: str = ""
    name: str = field(default="", metadata={"key": False})

    @property
    def title(self):
        return str(self.value)

    def run(self, inputs: Inputs, output: Path):
        if self.log:
            with Path(self.log).open("a") as file:
                file.write(f"{self.value}\n")
        if self.value < 0:
            raise ValueError("negative")
        (output / "value.txt").write_text(str(self.value))


@dataclass(frozen=True)
class Add(Task):
    stage: ClassVar[str] = "add"
    stage_title: ClassVar[str] = "adding numbers"
    terms: tuple[Write, ...]

    @property
    def title(self):
        return "+".join(term.title for term in self.terms)

    def run(self, inputs: Inputs, output: Path):
        total = sum(int((inputs[term] / "value.txt").read_text()) for term in self.terms)
        (output / "value.txt").write_text(str(total))


@dataclass(frozen=True)
class Copy(Task):
    stage: ClassVar[str] = "copy"
    stage_title: ClassVar[str] = "copying a file"
    source: Path

    @property
    def title(self):
        return "file"

    def run(self, inputs: Inputs, output: Path):
        (output / "copy.bin").write_bytes(self.source.read_bytes())


def test_a_graph_runs_upstream_first_and_is_found_again(tmp_path):
    log = tmp_path / "log"
    task = Add(tuple(Write(value, str(log)) for value in (1, 2, 3)))
    runner = Runner(Cache(tmp_path / "cache"), console=QUIET)
    first = runner.run([task])
    assert (first[task_key(task)].folder / "value.txt").read_text() == "6"
    assert not any(outcome.cached for outcome in first.values())
    second = runner.run([task])
    assert all(outcome.cached for outcome in second.values())
    assert {key: outcome.folder for key, outcome in second.items()} == {k: o.folder for k, o in first.items()}
    assert log.read_text().split() == ["1", "2", "3"]


def test_only_what_changed_is_redone(tmp_path):
    log = tmp_path / "log"
    runner = Runner(Cache(tmp_path / "cache"), console=QUIET)
    runner.run([Add((Write(1, str(log)), Write(2, str(log))))])
    outcomes = runner.run([task := Add((Write(1, str(log)), Write(5, str(log))))])
    assert log.read_text().split() == ["1", "2", "5"]
    assert (outcomes[task_key(task)].folder / "value.txt").read_text() == "6"


def test_tasks_that_differ_in_a_name_alone_are_done_once_for_what_follows_from_either(tmp_path):
    log = tmp_path / "log"
    one, other = (Write(4, str(log), name=name) for name in ("one", "other"))
    assert one != other
    sums = [Add((one, Write(1, str(log)))), Add((other, Write(2, str(log))))]
    outcomes = Runner(Cache(tmp_path / "cache"), console=QUIET).run(sums)
    assert [(outcomes[task_key(task)].folder / "value.txt").read_text() for task in sums] == ["5", "6"]
    assert log.read_text().split() == ["4", "1", "2"]


def test_a_path_counts_by_its_content(tmp_path):
    one, other = tmp_path / "a.bin", tmp_path / "b.bin"
    one.write_bytes(b"same")
    other.write_bytes(b"same")
    assert task_key(Copy(one)) == task_key(Copy(other))
    other.write_bytes(b"changed")
    assert task_key(Copy(one)) != task_key(Copy(other))
    assert file_hash(tmp_path) != file_hash(one)


def test_upstream_and_order_name_each_task_once():
    shared = Write(1)
    tasks = [Add((shared, Write(2))), Add((shared, Write(3)))]
    ordered = [task for _, task in in_order(tasks)]
    assert upstream(tasks[0]) == [shared, Write(2)]
    assert len(ordered) == 5
    assert ordered.index(shared) < ordered.index(tasks[0])


def test_a_failure_names_the_task_and_keeps_the_others(tmp_path):
    cache = Cache(tmp_path)
    with pytest.raises(StageError, match=r"writing a number \(-1\) failed: ValueError: negative"):
        Runner(cache, console=QUIET).run([Write(1), Write(-1)])
    assert cache.lookup(Write(1)) is not None
    assert cache.lookup(Write(-1)) is None
    assert not list(tmp_path.rglob("*.partial"))


def test_leftovers_of_a_killed_process_are_cleared(tmp_path):
    cache = Cache(tmp_path)
    partial = cache.folder(Write(4)).with_suffix(".partial")
    partial.mkdir(parents=True)
    (partial / "rubbish").touch()
    execute(Write(4), cache.folder(Write(4)), Inputs([]))
    assert sorted(path.name for path in cache.folder(Write(4)).iterdir()) == ["stage.json", "value.txt"]


def test_code_version_ignores_prose_but_not_code(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    module = tmp_path / "measured_module.py"

    def version(source):
        module.write_text(textwrap.dedent(source))
        code_version.cache_clear()
        return code_version("measured_module")

    base = version('def f():\n    """Doc."""\n    return 1\n')
    assert version('# why\ndef f():\n    """Other words."""\n    return (1)\n') == base
    assert version("def f():\n    return 2\n") != base
    with pytest.raises(ValueError, match="no source found"):
        code_version("no_such_module_of_ours")


def test_code_version_follows_imports_of_ours(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("experiments.pipeline.code_version.ROOMS", ("lower_module", "upper_module"))
    (tmp_path / "lower_module.py").write_text("VALUE = 1\n")
    (tmp_path / "upper_module.py").write_text("def f():\n    from lower_module import VALUE\n    return VALUE\n")
    code_version.cache_clear()
    before = code_version("upper_module")
    (tmp_path / "lower_module.py").write_text("VALUE = 2\n")
    code_version.cache_clear()
    assert code_version("upper_module") != before
    code_version.cache_clear()


TASKS = """
import os, time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from experiments.pipeline.tasks import Task

@dataclass(frozen=True)
class Slow(Task):
    stage: ClassVar[str] = "slow"
    stage_title: ClassVar[str] = "waiting"
    number: int

    @property
    def title(self):
        return str(self.number)

    def run(self, inputs, output):
        (output / "half.txt").write_text("half")
        with Path(os.environ['SLOW_LOG']).open("a") as log:
            log.write(f"{self.number}\\n")
        time.sleep(0.0 if self.number < 2 else float(os.environ['SLOW_S']))
        (output / "whole.txt").write_text("whole")
"""

SCRIPT = """
import signal
import sys
from pathlib import Path
from rich.console import Console
from experiments.pipeline.executor_config import ExecutorConfig
from experiments.pipeline.executors import open_workers
from experiments.pipeline.one_line_errors import one_line_errors
from experiments.pipeline.runner import Runner
from experiments.pipeline.tasks import Cache
from slow_tasks import Slow

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background inherits deaf ears
    tasks = [Slow(number) for number in range(4)]
    cache, count = Path(sys.argv[1]), int(sys.argv[2])
    with one_line_errors(), open_workers(ExecutorConfig(), cache=cache, processes=count) as workers:
        runner = Runner(Cache(cache), workers, console=Console(quiet=True))
        print(sum(outcome.cached for outcome in runner.run(tasks).values()))
"""


def start_slow(tmp_path, processes, **how):
    """Start four tasks, of which two never end, and wait until the third is begun."""
    script, log = tmp_path / "slow_script.py", tmp_path / "log"
    script.write_text(SCRIPT)
    (tmp_path / "slow_tasks.py").write_text(TASKS)
    root = Path(__file__).resolve().parents[3]
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{tmp_path}", "SLOW_LOG": str(log)}
    command = [sys.executable, str(script), str(tmp_path / "cache"), processes]

    started = subprocess.Popen(command, env={**environment, "SLOW_S": "600"}, stderr=subprocess.PIPE, text=True, **how)
    deadline = time.monotonic() + 90
    while not (log.exists() and "2" in log.read_text().split()):
        assert started.poll() is None, "the script ended by itself"
        assert time.monotonic() < deadline, "the script did not come to its third task"
        time.sleep(0.05)
    return started, command, environment


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_killed_run_goes_on_where_it_was(tmp_path, processes):
    killed, command, environment = start_slow(tmp_path, processes)
    log = tmp_path / "log"
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    again = subprocess.run(
        command, env={**environment, "SLOW_S": "0"}, capture_output=True, text=True, timeout=90, check=True
    )
    assert again.stdout.strip() == "2", "two tasks were finished before the kill"
    counts = [log.read_text().split().count(str(number)) for number in range(4)]
    assert counts[:2] == [1, 1]
    assert counts[2] == 2
    assert len(list((tmp_path / "cache").rglob("whole.txt"))) == 4
    assert not list((tmp_path / "cache").rglob("*.partial"))


@pytest.mark.parametrize("processes", ["1", "2"])
def test_an_interruption_is_one_line_and_waits_for_nobody(tmp_path, processes):
    started, _, _ = start_slow(tmp_path, processes, start_new_session=True)
    os.killpg(started.pid, signal.SIGINT)  # as a terminal does: all of them hear it
    _, said = started.communicate(timeout=90)
    assert started.returncode == 130
    assert said == "interrupted; finished stages are kept, run the same command again to go on\n"
