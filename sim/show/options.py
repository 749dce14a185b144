"""What the page can be asked for on a command line; :mod:`sim.show.command` brings torch along, and help does not."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from sim.conventions import DECODERS, NUM_FEATURES, NUM_JOINTS

DEFAULT_PLACEMENTS: Final = ("left_wrist", "lower_back", "right_ankle")

DEFAULT_SECONDS: Final = 60.0
"""How much of a longer clip is shown unless asked for more [s]."""

KINDS: Final = (
    f".npz of Motion.save, .npy of features (T, {NUM_FEATURES}), or .npy of joints (T, {NUM_JOINTS}, 3) with their fps"
)
"""What a clip may be, in words."""


def add_arguments(parser: argparse.ArgumentParser, *, kinds: str = KINDS) -> None:
    """Give a parser the options of this command; ``kinds`` says what the clip may be."""
    parser.add_argument("clip", type=Path, metavar="CLIP", help=kinds)
    parser.add_argument(
        "--placements",
        nargs="+",
        default=list(DEFAULT_PLACEMENTS),
        metavar="NAME",
        help=f"where sensors are worn (default: {' '.join(DEFAULT_PLACEMENTS)})",
    )
    parser.add_argument("--out", type=Path, help="page to write (default: CLIP with .html)")
    parser.add_argument("--rate-hz", type=float, default=100.0, help="samples per second (default 100)")
    parser.add_argument("--fps", type=float, help="frames per second of an .npy clip; features have 20")
    parser.add_argument(
        "--decoder",
        default="consistent",
        choices=DECODERS,
        help="joints of features: by positions and steps (consistent, default) or by positions alone",
    )
    parser.add_argument("--clip", dest="member", type=int, default=0, metavar="K", help="which clip of a batch")
    parser.add_argument("--start", type=float, default=0.0, metavar="S", help="second to start from (default 0)")
    parser.add_argument(
        "--seconds", type=float, metavar="S", help=f"how many seconds to show (default: all, up to {DEFAULT_SECONDS:g})"
    )
    parser.add_argument("--body", type=Path, metavar="FILE", help="SMPL, SMPL-H or SMPL-X model (default: CC0 body)")
    parser.add_argument("--errors", default="none", help="device whose errors are added, such as bmi270 (default none)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the errors (default 0)")
    parser.add_argument("--cutoff-hz", type=float, help="smooth a jittery capture above this frequency (default: not)")
    parser.add_argument("--title", help="heading (default: the clip's text or name)")


class _OneLineParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def parse_options(args: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line of ``python -m sim.show``; ``args`` replaces ``sys.argv[1:]``."""
    parser = _OneLineParser(prog="python -m sim.show", description="Write a page that shows sensors on a moving body.")
    add_arguments(parser)
    return parser.parse_args(args)
