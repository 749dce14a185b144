"""The command ``imuforge recordings inspect``: what is in a set of real recordings."""

from __future__ import annotations

import argparse
from pathlib import Path

from experiments.commands.table_names import set_names
from experiments.pipeline.one_line_errors import OneLineArgumentParser, print_line


def add_recording_inspection(commands: argparse._SubParsersAction[OneLineArgumentParser]) -> None:
    """Add ``inspect`` to the commands of ``imuforge recordings``."""
    parser = commands.add_parser("inspect", help="say what is in a set of recordings, and what looks wrong")
    parser.add_argument("name", help=f"one of {', '.join(set_names())}")
    parser.add_argument("root", type=Path, nargs="?", help="folder of the set; for csv_folder the YAML")
    parser.add_argument("--on-bad-file", choices=("error", "skip"), default="error", help="skip leaves bad files out")
    parser.add_argument("--max-gap-s", type=float, default=0.25, help="longest gap to interpolate over (default 0.25)")
    parser.set_defaults(command=_inspect_recordings)


def _inspect_recordings(arguments: argparse.Namespace) -> None:
    from experiments.commands.inspect_recordings import inspect_recordings

    lines = inspect_recordings(
        arguments.name, arguments.root, on_bad_file=arguments.on_bad_file, max_gap_s=arguments.max_gap_s
    )
    for line in lines:
        print_line(line)
