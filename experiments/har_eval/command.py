"""The main experiment: train on virtual sensors, test on real people, for each prior and against both references.

``python -m experiments.har_eval [-c file.yaml] [key=value ...]``; ``make har-eval`` runs it as it stands. Every part is
a task of :mod:`experiments.pipeline.tasks`: a second run redoes only what changed, a killed one goes on where it was.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from experiments.har_eval.checks import load_config
from experiments.har_eval.collect import collect_pictures, collect_results, run_id
from experiments.har_eval.config import HarEvalConfig
from experiments.har_eval.options import parse_options
from experiments.har_eval.plan import make_plan
from experiments.har_eval.report.text import describe_score, state_findings
from experiments.har_eval.report.write import check_installed, write_report
from experiments.har_eval.results import PICTURES, RESULTS, HarEvalResults, as_json
from experiments.har_eval.score_table import write_score_table
from experiments.pipeline.executors import open_workers
from experiments.pipeline.files import write_json
from experiments.pipeline.one_line_errors import one_line_errors
from experiments.pipeline.runner import Runner
from experiments.pipeline.tasks import Cache, in_order


def main(args: Sequence[str] | None = None) -> int:
    """Run the experiment from the command line; returns 0, or leaves with code 2 and one line on bad input."""
    return run_command(parse_options(args))


def run_command(options: argparse.Namespace) -> int:
    """Run the experiment that parsed options ask for; returns as :func:`main`."""
    console = Console(stderr=True)
    with one_line_errors():
        config = load_config(options.config, options.overrides)
        if options.dry_run:
            print_plan(config, console)
            return 0
        folder = run_experiment(config, console=console)
    return 0 if folder.is_dir() else 1


def run_experiment(config: HarEvalConfig, *, console: Console | None = None) -> Path:
    """Run everything, write ``results.json``, ``results.parquet`` and ``report.html``, print the table.

    Args:
        config: checked configuration.
        console: where progress and the table go.

    Returns:
        The folder of the run.

    Raises:
        FileNotFoundError: weights or data are missing.
        ValueError: something that was asked for cannot be done.
        experiments.pipeline.tasks.StageError: a task failed; what is finished stays in the cache.
    """
    console = Console(stderr=True) if console is None else console
    check_installed()
    torch.set_num_threads(1)
    start, cache = time.perf_counter(), Path(config.cache)
    with open_workers(config.executor, cache=cache, processes=config.processes, console=console) as workers:
        plan = make_plan(config)
        outcomes = Runner(Cache(cache), workers, console=console).run(plan.tasks())
    folder = Path(config.output) / run_id(config, plan)
    folder.mkdir(parents=True, exist_ok=True)
    results = collect_results(config, plan, outcomes, total_wall_s=time.perf_counter() - start)
    write_json(as_json(results), folder / RESULTS)
    write_score_table(results, folder)
    write_json(collect_pictures(plan, outcomes), folder / PICTURES)
    report = write_report(folder)
    print_summary(results, console)
    console.print(f"results  {folder / RESULTS}", soft_wrap=True, highlight=False)
    console.print(f"report   {report}", soft_wrap=True, highlight=False)
    return folder


def print_plan(config: HarEvalConfig, console: Console) -> None:
    """Print what a run would do, stage by stage, and what of it lies in the cache; nothing is written.

    Raises:
        FileNotFoundError: weights of an arm do not exist.
    """
    plan, cache = make_plan(config), Cache(Path(config.cache))
    table = Table(title=f"{len(config.arms)} arms, {len(config.sets)} sets, seeds {config.seeds}", box=SIMPLE)
    for heading in ("stage", "tasks", "in the cache"):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    found: dict[str, list[bool]] = {}
    for _, task in in_order(plan.tasks()):
        found.setdefault(task.stage_title, []).append(cache.lookup(task) is not None)
    for title, cached in found.items():
        table.add_row(title, str(len(cached)), str(sum(cached)))
    console.print(table)
    console.print(f"results  {Path(config.output) / run_id(config, plan)}", soft_wrap=True, highlight=False)


def print_summary(results: HarEvalResults, console: Console) -> None:
    """Print macro-F1 of each arm, set and classifier, and what follows from it."""
    for real in results["sets"]:
        mine = [entry for entry in results["summaries"] if entry["set"] == real["name"]]
        classifiers = list(dict.fromkeys(entry["classifier"] for entry in mine))
        table = Table(title=f"{real['name']}: macro-F1 on real people", title_justify="left", box=SIMPLE)
        table.add_column("", no_wrap=True)
        for classifier in classifiers:
            table.add_column(classifier, justify="right", no_wrap=True)
        for arm in dict.fromkeys(entry["arm"] for entry in mine):
            scores = {entry["classifier"]: describe_score(entry, digits=2) for entry in mine if entry["arm"] == arm}
            table.add_row(arm, *(_shorten(scores[classifier]) for classifier in classifiers))
        console.print(table)
    for sentence in state_findings(results):
        console.print(f"- {sentence}", highlight=False)


def _shorten(score: str) -> str:
    """Make a score narrow enough for four of them to fit a plain terminal of 80 columns."""
    return score.replace("1.00", "1.0").replace("0.", ".").replace(",", "")
