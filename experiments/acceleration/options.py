"""The command line of the acceleration experiment; help need not wait for what its command imports."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.pipeline.one_line_errors import OneLineArgumentParser


def parse_options(args: Sequence[str] | None = None, *, denoisers: bool = False) -> argparse.Namespace:
    """Parse ``config`` and ``overrides``.

    Args:
        args: replaces ``sys.argv[1:]``.
        denoisers: for the command that compares denoisers in place of losses.
    """
    module, file, asked = (
        ("acceleration.denoisers", "denoisers", "Which denoiser beats its own input, on equal compute?")
        if denoisers
        else ("acceleration", "acceleration", "Do acceleration losses make accelerations come out right?")
    )
    parser = OneLineArgumentParser(prog=f"python -m experiments.{module}", description=asked)
    parser.add_argument("-c", "--config", type=Path, required=True, help=f"YAML, such as experiments/{file}.yaml")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as steps=200 seeds=[0,1]")
    return parser.parse_args(args)
