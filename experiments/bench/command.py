"""Run every benchmark in one go, print the tables and write them down (``python -m experiments.bench``)."""

from __future__ import annotations

import argparse
import datetime
import logging
from pathlib import Path

import torch
from rich.console import Console

from experiments.bench.accelerator import accelerator_table
from experiments.bench.body import full_mesh_table, gradient_table, long_recording_table, scaling_table
from experiments.bench.decoding import decoding_table
from experiments.bench.losses import loss_table
from experiments.bench.number_table import number_table
from experiments.bench.real_sensors import real_sensor_table
from experiments.bench.rigid import error_table, speed_table
from experiments.bench.sampling import JUDGED, guidance_table, sampler_table
from experiments.bench.start import start_table
from experiments.bench.training import training_table
from experiments.bench.window_stream import window_stream_table
from experiments.pipeline.files import write_text
from experiments.pipeline.tables import BenchTable, describe_machine

_HEAD = """# Benchmarks of the simulator, of training and of sampling

`make bench` prints these tables and writes this file. One thread, one run, {date}.

Machine: {machine}.
"""


def run_command(options: argparse.Namespace) -> int:
    """Measure, print and write what parsed options ask for; returns 0."""
    out: Path = options.out
    torch.set_num_threads(1)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").setLevel(logging.WARNING)
    console = Console(width=160)
    tables: list[BenchTable] = []

    def judged_sampler_table() -> BenchTable | None:
        return sampler_table(judged=JUDGED if options.judged is None else options.judged)

    for measure in (
        start_table,
        error_table,
        speed_table,
        full_mesh_table,
        scaling_table,
        gradient_table,
        long_recording_table,
        training_table,
        loss_table,
        decoding_table,
        number_table,
        window_stream_table,
        real_sensor_table,
        guidance_table,
        judged_sampler_table,
        accelerator_table,
    ):
        table = measure()
        if table is None:
            console.print(
                f"{measure.__name__} left out: needs real recordings ($IMUFORGE_SHARED), the packaged prior or "
                "transformers, or a GPU"
            )
            continue
        table.print(console)
        tables.append(table)
    head = _HEAD.format(date=datetime.datetime.now(datetime.UTC).date(), machine=describe_machine())
    write_text("\n".join([head, *(table.to_markdown() for table in tables)]).rstrip() + "\n", out)
    console.print(f"written to {out}")
    return 0
