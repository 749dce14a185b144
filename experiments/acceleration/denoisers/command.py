"""Which denoiser beats its own input, and what does it sample? ``python -m experiments.acceleration.denoisers``.

Every arm is trained for as many floating-point operations (:mod:`experiments.acceleration.denoisers.compute`), over
seeds, and measured as the arms of :mod:`experiments.acceleration` are, beside the scaled input a x_t. Every part is a
task of :mod:`experiments.pipeline.tasks`: a killed run goes on where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console

from experiments.acceleration.denoisers.config import DenoisersConfig, load_denoisers_config
from experiments.acceleration.denoisers.page import Denoiser, write_page
from experiments.acceleration.denoisers.plan import (
    plan_budgets,
    plan_input,
    plan_measure,
    plan_training,
    read_input_errors,
)
from experiments.acceleration.measure import read_measured
from experiments.acceleration.options import parse_options
from experiments.pipeline.executors import open_workers
from experiments.pipeline.one_line_errors import one_line_errors
from experiments.pipeline.runner import Runner
from experiments.pipeline.tasks import Cache
from lightning_modules.weights import find_weights


def main(args: Sequence[str] | None = None) -> int:
    """Run the comparison from the command line; returns 0, or leaves with code 2 and one line on bad input."""
    return run_command(parse_options(args, denoisers=True))


def run_command(options: argparse.Namespace) -> int:
    """Run the comparison that parsed options ask for; returns as :func:`main`."""
    console = Console(stderr=True)
    with one_line_errors():
        config = load_denoisers_config(options.config, options.overrides)
        page = run_comparison(config, console=console)
        console.print(f"results  {page}", soft_wrap=True, highlight=False)
    return 0


def run_comparison(config: DenoisersConfig, *, console: Console) -> Path:
    """Count what steps cost, train all arms for as much, measure them, and write the page.

    Returns:
        The page that was written.

    Raises:
        FileNotFoundError: weights or data are missing.
        SystemExit: an arm has an option that ``lightning fit`` does not know.
        experiments.pipeline.tasks.StageError: a task failed; what is finished stays in the cache.
    """
    torch.set_num_threads(1)
    cache = Path(config.cache)
    with open_workers(config.executor, cache=cache, processes=config.processes, console=console) as workers:
        return _compare(config, Runner(Cache(cache), workers, console=console), console=console)


def _compare(config: DenoisersConfig, runner: Runner, *, console: Console) -> Path:
    budgets = plan_budgets(config)
    for name, budget in budgets.items():
        console.print(f"{name}: {budget.steps} steps of {budget.cost.flops / 1e9:.1f} GFLOP", highlight=False)
    trainings = {
        name: [plan_training(config, name, seed=seed, steps=budget.steps) for seed in config.seeds]
        for name, budget in budgets.items()
    }
    measures = {
        name: [plan_measure(config, name, task) for task in trainings[name]]
        if arm.trained
        else [plan_measure(config, name, find_weights(str(arm.init_from)))]
        for name, arm in config.arms.items()
    }
    scaled, cache = plan_input(config), runner.cache
    runner.run([scaled, *(task for tasks in measures.values() for task in tasks)])
    denoisers = [
        Denoiser(
            name,
            budgets.get(name),
            [found.wall_s for task in trainings.get(name, []) if (found := cache.lookup(task)) is not None],
            [read_measured(cache.folder(task)) for task in tasks],
        )
        for name, tasks in measures.items()
    ]
    return write_page(config, denoisers, read_input_errors(cache.folder(scaled)), folder=Path(config.output))
