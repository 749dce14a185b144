"""How much faster two workers of a Dask cluster are than one at training har_eval's classifiers.

``python -m experiments.har_eval.worker_speed [-c YAML ...]`` starts clusters of one and of two processes on this
machine, of one thread each, and gives them the same tasks in turns, as ``executor.address`` would.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from rich.console import Console

from experiments.har_eval.checks import load_config
from experiments.har_eval.config import ClassifierConfig, HarEvalConfig
from experiments.har_eval.options import DEFAULT_CONFIG, add_config
from experiments.har_eval.stages.classify import Classify
from experiments.har_eval.stages.real import RealWindows
from experiments.pipeline.executor_config import ExecutorConfig, check_executor
from experiments.pipeline.executors import open_workers
from experiments.pipeline.one_line_errors import OneLineArgumentParser, one_line_errors
from experiments.pipeline.runner import Runner
from experiments.pipeline.tables import BenchTable, describe_machine, time_in_turns
from experiments.pipeline.tasks import Cache
from lightning_modules.har_evaluation import CLASSIFIERS
from sim.names import check_name


def main(args: Sequence[str] | None = None) -> int:
    """Run from the command line; returns 0, or leaves with code 2 and one line on bad input."""
    options = _parse(args)
    torch.set_num_threads(1)
    with one_line_errors():
        check_executor(ExecutorConfig(kind="dask", address="tcp://127.0.0.1:0"))  # whether Dask is there
        config = load_config(options.config or [DEFAULT_CONFIG], options.overrides)
        entry = options.set or next(iter(config.sets))
        check_name(entry, tuple(config.sets), "entry of sets")
        classifier = options.classifier or config.classifiers_of(entry)[0]
        check_name(classifier, CLASSIFIERS, "classifier")
        if options.tasks < 1 or options.turns < 1:
            raise ValueError(f"tasks is {options.tasks} and turns {options.turns}, expected at least 1 of each")
        real = RealWindows.of(entry, config)
        compare_workers(config, real, classifier, tasks=options.tasks, turns=options.turns).print(Console(width=120))
    return 0


def compare_workers(config: HarEvalConfig, real: RealWindows, classifier: str, *, tasks: int, turns: int) -> BenchTable:
    """Train a classifier on real people, once for each of some seeds, with one worker and with two.

    Args:
        config: of the experiment; how the classifier is trained.
        real: the set.
        classifier: which.
        tasks: how many trainings.
        turns: how often; medians are given, that of the ratio within each turn.
    """
    from distributed import LocalCluster

    settings = config.classifiers.get(classifier, ClassifierConfig())
    targets = [Classify(classifier, settings, real, None, None, 0, seed) for seed in range(tasks)]
    quiet = Console(quiet=True)
    with TemporaryDirectory() as folder, ExitStack() as stack:
        prepared, numbers = Path(folder) / "prepared", count()
        Runner(Cache(prepared), console=quiet).run([real])

        def train_with(workers: int) -> Callable[[], None]:
            cluster = stack.enter_context(
                LocalCluster(workers, threads_per_worker=1, dashboard_address=":0", silence_logs=50)
            )

            def train() -> None:
                cache = Path(folder) / f"turn{next(numbers)}"
                shutil.copytree(prepared, cache)
                address = ExecutorConfig(address=cluster.scheduler_address)
                with open_workers(address, cache=cache, console=quiet) as opened:
                    Runner(Cache(cache), opened, console=quiet).run(targets)

            return train

        one, two = time_in_turns([train_with(1), train_with(2)], turns=turns)
    ratio = statistics.median(first / second for first, second in zip(one, two, strict=True))
    rows = [("1", f"{statistics.median(one):.1f}", ""), ("2", f"{statistics.median(two):.1f}", f"{ratio:.2f}")]
    return BenchTable(
        f"{tasks} trainings of {classifier} on {real.title} by a Dask cluster [s]",
        ("workers", "seconds", "times as fast"),
        rows,
        f"Medians of {turns} turns after one that does not count; connecting is part of them. {describe_machine()}.",
    )


def _parse(args: Sequence[str] | None) -> argparse.Namespace:
    parser = OneLineArgumentParser(
        prog="python -m experiments.har_eval.worker_speed", description="One Dask worker against two."
    )
    add_config(parser)
    parser.add_argument("--set", metavar="NAME", help="entry of its sets; the first where none is named")
    parser.add_argument("--classifier", metavar="NAME", help="the first of the set where none is named")
    parser.add_argument("--tasks", type=int, default=12, help="trainings (default 12)")
    parser.add_argument("--turns", type=int, default=3, help="default 3")
    parser.add_argument("--overrides", nargs="+", default=[], metavar="key=value", help="of the YAML")
    return parser.parse_args(args)


if __name__ == "__main__":
    sys.exit(main())
