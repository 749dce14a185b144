"""The command ``imuforge bandwidth``: the gain of every stage, and how sure "smoothed" is."""

from __future__ import annotations

import argparse
from pathlib import Path

from experiments.pipeline.one_line_errors import OneLineArgumentParser, print_line


def add_bandwidth(parser: OneLineArgumentParser) -> None:
    """Add the options of ``imuforge bandwidth``."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--out", type=Path, metavar="FOLDER", help="also write the table (.md) and a picture (.png)")
    what.add_argument("--check", type=Path, metavar="FOLDER", help="how often recorded motions are called smoothed")
    what.add_argument("--reference", action="store_true", help="the spectrum of recorded motion, measured again")
    parser.add_argument("--limit", type=int, default=200, help="motion files that --check reads (default 200)")
    parser.set_defaults(command=_bandwidth)


def _bandwidth(arguments: argparse.Namespace) -> None:
    if arguments.limit < 1:
        raise ValueError(f"limit is {arguments.limit}, expected at least 1 motion file")
    from experiments.commands.measure_bandwidth import audit_stages, check_smoothing, print_reference

    if arguments.check is not None:
        lines = check_smoothing(arguments.check, arguments.limit)
    else:
        lines = print_reference() if arguments.reference else audit_stages(arguments.out)
    for line in lines:
        print_line(line)
