"""Do acceleration losses make accelerations come out right? ``python -m experiments.acceleration -c FILE.yaml``.

The original prior, its matched control and one arm for each acceleration loss, at the weight that validation clips
choose, over seeds. Every part is a task of :mod:`experiments.pipeline.tasks`: a killed run goes on where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from rich.console import Console

from datamodules.splits import Split
from experiments.acceleration.choose import SweepRow, choose_weight, summarise_run
from experiments.acceleration.config import AccelerationConfig, load_acceleration_config
from experiments.acceleration.draw import draw_results
from experiments.acceleration.measure import Measured, read_measured
from experiments.acceleration.options import parse_options
from experiments.acceleration.page import Part, write_page
from experiments.acceleration.plan import CONTINUED, ORIGINAL, Arm, plan_measure
from experiments.acceleration.summarise import Groups
from experiments.pipeline.executors import open_workers
from experiments.pipeline.one_line_errors import one_line_errors
from experiments.pipeline.runner import Runner
from experiments.pipeline.tasks import Cache


def main(args: Sequence[str] | None = None) -> int:
    """Run the experiment from the command line; returns 0, or leaves with code 2 and one line on bad input."""
    return run_command(parse_options(args))


def run_command(options: argparse.Namespace) -> int:
    """Run the experiment that parsed options ask for; returns as :func:`main`."""
    console = Console(stderr=True)
    with one_line_errors():
        config = load_acceleration_config(options.config, options.overrides)
        page = run_experiment(config, console=console)
        console.print(f"results  {page}", soft_wrap=True, highlight=False)
    return 0


def run_experiment(config: AccelerationConfig, *, console: Console) -> Path:
    """Sweep on validation clips, choose weights, repeat over seeds, report on test clips.

    Returns:
        The page that was written.

    Raises:
        FileNotFoundError: weights or data are missing.
        experiments.pipeline.tasks.StageError: a task failed; what is finished stays in the cache.
    """
    torch.set_num_threads(1)
    groups = Groups(config.still_m_s2, config.high_m_s2)
    folder = Path(config.output)
    folder.mkdir(parents=True, exist_ok=True)
    cache = Path(config.cache)
    with open_workers(config.executor, cache=cache, processes=config.processes, console=console) as workers:
        runner = Runner(Cache(cache), workers, console=console)
        parts = [_run_from(start, config, groups, folder, runner) for start in config.originals]
    return write_page(config, parts, groups=groups, folder=folder)


def _run_from(start: str, config: AccelerationConfig, groups: Groups, folder: Path, runner: Runner) -> Part:
    """Sweep, choose and repeat the arms that start from one of the originals."""
    losses = {name: arm for name, arm in config.arms.items() if arm.starts is None or start in arm.starts}
    arms = [Arm(name, weight) for name, arm in losses.items() for weight in arm.weights]
    references = [Arm(ORIGINAL), Arm(CONTINUED)]
    rows: list[SweepRow] = []
    chosen = arms
    if len(arms) > len(losses):
        swept = measure_arms(
            config, [*references, *arms], start=start, seeds=config.sweep_seeds, split="val", runner=runner
        )
        rows = [summarise_run(arm, runs, groups) for arm, runs in swept.items()]
        chosen = choose_weights(rows, losses, config)
    tested = measure_arms(config, [*references, *chosen], start=start, seeds=config.seeds, split="test", runner=runner)
    pictures = draw_results(tested, rows, groups, folder, suffix=f"_{start}" if len(config.originals) > 1 else "")
    return Part(start, rows, chosen, tested, pictures)


def choose_weights(rows: Sequence[SweepRow], losses: Iterable[str], config: AccelerationConfig) -> list[Arm]:
    """Return each loss at the weight that the sweep chooses."""
    by_loss = {name: [row for row in rows if row.arm.name == name] for name in losses}
    original = next(row for row in rows if row.arm == Arm(ORIGINAL))
    return [choose_weight(mine, original=original, tolerance=config.peak_tolerance).arm for mine in by_loss.values()]


def measure_arms(
    config: AccelerationConfig,
    arms: Sequence[Arm],
    *,
    start: str,
    seeds: Sequence[int],
    split: Split,
    runner: Runner,
) -> dict[Arm, list[Measured]]:
    """Train and measure arms, once a seed; the original once."""
    tasks = {
        (arm, seed): plan_measure(config, arm, start=start, seed=seed, split=split)
        for arm in arms
        for seed in (seeds[:1] if arm.name == ORIGINAL else seeds)
    }
    runner.run(list(tasks.values()))
    return {
        arm: [read_measured(runner.cache.folder(task)) for (owner, _), task in tasks.items() if owner == arm]
        for arm in arms
    }
