"""The command ``imuforge motions inspect``: what a motion file is, in words, as a picture and as a page."""

from __future__ import annotations

import argparse
from pathlib import Path

from experiments.commands.reader_options import add_reader_options, given_options, read_options
from experiments.commands.table_names import motion_suffixes
from experiments.pipeline.one_line_errors import OneLineArgumentParser, print_line


def add_motion_inspection(commands: argparse._SubParsersAction[OneLineArgumentParser]) -> None:
    """Add ``inspect`` to the commands of ``imuforge motions``."""
    parser = commands.add_parser("inspect", help="say what a motion file is, and what looks wrong with it")
    parser.add_argument("path", type=Path, help=f"a motion file, or a folder of them: {', '.join(motion_suffixes())}")
    add_reader_options(parser)
    parser.add_argument("--picture", type=Path, metavar="FILE.png", help="also draw the motion")
    parser.add_argument("--page", type=Path, metavar="FILE.html", help="also write the page of imuforge show")
    parser.set_defaults(command=_inspect_motion)


def _inspect_motion(arguments: argparse.Namespace) -> None:
    from rich.console import Console

    from experiments.commands.inspect_motion import draw_motion, inspect_motion, write_motion_page

    if arguments.path.is_dir():
        _inspect_folder(arguments)
        return
    for value, suffix in ((arguments.picture, ".png"), (arguments.page, ".html")):
        if value is not None and value.suffix != suffix:
            raise ValueError(f"{value} ends in {value.suffix!r}, expected {suffix}; rename it")
    options = read_options(arguments, body=arguments.body)
    # A body takes a third of a second for each second of markers; on stderr, and only to a terminal.
    with Console(stderr=True).status(f"reading {arguments.path.name}"):
        read, lines = inspect_motion(arguments.path, options)
    title = arguments.path.name
    for line in lines:
        print_line(line)
    if arguments.picture is not None:
        print_line(draw_motion(read.motion, arguments.picture, title=title))
    if arguments.page is not None:
        for line in write_motion_page(read.motion, arguments.page, title=title):
            print_line(line)


def _inspect_folder(arguments: argparse.Namespace) -> None:
    from experiments.commands.measure_bandwidth import inspect_folder

    given = given_options(arguments) + [f"--{name}" for name in ("picture", "page") if getattr(arguments, name)]
    if given:
        raise ValueError(f"{arguments.path} is a folder, and {', '.join(given)} is for one file; inspect a file in it")
    for line in inspect_folder(arguments.path):
        print_line(line)
