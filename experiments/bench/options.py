"""The command line of the benchmarks; help need not wait for what :mod:`experiments.bench.command` imports."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.pipeline.one_line_errors import OneLineArgumentParser


def parse_options(args: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse ``out`` and ``judged``; ``args`` replaces ``sys.argv[1:]``."""
    parser = OneLineArgumentParser(
        prog="python -m experiments.bench",
        description="Run every benchmark in one go, print the tables and write them down.",
    )
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks.md"), help="Markdown file to write")
    parser.add_argument("--judged", type=int, help="motions whose accelerations samplers are judged by")
    return parser.parse_args(args)
