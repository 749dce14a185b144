"""The command line of har_eval: asking for help need not wait for what :mod:`experiments.har_eval.command` imports."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.pipeline.one_line_errors import OneLineArgumentParser

DEFAULT_CONFIG = Path(__file__).parents[1] / "har_eval.yaml"


def parse_options(args: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse ``config``, ``dry_run`` and ``overrides``; ``args`` replaces ``sys.argv[1:]``."""
    parser = OneLineArgumentParser(
        prog="python -m experiments.har_eval", description="Train on virtual sensors, test on real people."
    )
    add_config(parser)
    parser.add_argument("--dry-run", action="store_true", help="check everything, say what would be done, do nothing")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as generation.seconds=6 seeds=[0,1]")
    options = parser.parse_args(args)
    options.config = options.config or [DEFAULT_CONFIG]
    return options


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add ``-c``, which may be given several times."""
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        action="append",
        help="YAML; the default is har_eval.yaml; a further one is laid over those before it",
    )
