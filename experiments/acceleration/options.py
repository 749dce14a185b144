"""The command line of the acceleration experiment; help need not wait for what its command imports."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.pipeline.one_line_errors import OneLineArgumentParser


def parse_options(args: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse ``config`` and ``overrides``; ``args`` replaces ``sys.argv[1:]``."""
    parser = OneLineArgumentParser(
        prog="python -m experiments.acceleration",
        description="Do acceleration losses make accelerations come out right?",
    )
    parser.add_argument("-c", "--config", type=Path, required=True, help="YAML, such as experiments/acceleration.yaml")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as steps=200 seeds=[0,1]")
    return parser.parse_args(args)
