"""The command line of har_eval: asking for help need not wait for what :mod:`experiments.har_eval.command` imports."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.pipeline.one_line_errors import OneLineArgumentParser

DEFAULT_CONFIG = Path(__file__).parents[1] / "har_eval.yaml"


def parse_options(args: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse ``config`` and ``overrides``; ``args`` replaces ``sys.argv[1:]``."""
    parser = OneLineArgumentParser(
        prog="python -m experiments.har_eval", description="Train on virtual sensors, test on real people."
    )
    parser.add_argument("-c", "--config", type=Path, default=DEFAULT_CONFIG, help="YAML; the default is har_eval.yaml")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as generation.seconds=6 seeds=[0,1]")
    return parser.parse_args(args)
