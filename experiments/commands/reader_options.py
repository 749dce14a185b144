"""What can be said of a motion file on a command line: one group of options for every command that opens one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datamodules.motion_files.motion_file import ReadOptions

NAMES: Final = ("fps", "unit_m", "up", "drop_first", "skeleton", "asf", "markers", "static", "body")
"""The options, as :class:`datamodules.motion_files.motion_file.ReadOptions` calls them."""


def add_reader_options(parser: argparse.ArgumentParser, *, without: tuple[str, ...] = ()) -> None:
    """Give a parser the options of :class:`~datamodules.motion_files.motion_file.ReadOptions`.

    Args:
        parser: of a command that opens a motion file.
        without: options that the command has already.
    """
    group = parser.add_argument_group("what the motion file does not say of itself, or says wrongly")
    if "fps" not in without:
        group.add_argument("--fps", type=float, help="frames per second, where the file states none or a wrong one")
    group.add_argument("--unit-m", type=float, help="metres per unit of the file (0.01 for centimetres)")
    group.add_argument("--up", choices=("y", "z"), help="the axis that points up (default: found)")
    group.add_argument("--drop-first", type=int, default=0, help="frames to leave out at the beginning")
    group.add_argument("--skeleton", type=Path, help="YAML that names a skeleton's joints")
    group.add_argument("--asf", type=Path, help="skeleton of an .amc file (default: the one beside it)")
    group.add_argument("--markers", type=Path, help="YAML that says where markers sit")
    group.add_argument("--static", type=Path, help="calibration recording of the person: .trc, .c3d")
    if "body" not in without:
        group.add_argument("--body", type=Path, help="the subject's SMPL-H model, for AMASS files")


def given_options(arguments: argparse.Namespace) -> list[str]:
    """Return the options that were given, as they are typed."""
    return [f"--{name.replace('_', '-')}" for name in NAMES if getattr(arguments, name, None)]


def read_options(arguments: argparse.Namespace, *, body: Path | None = None) -> ReadOptions:
    """Return what was said of the file.

    Args:
        arguments: parsed by a parser that :func:`add_reader_options` was called on.
        body: model of the subject, for commands whose own ``--body`` means something else.

    Raises:
        FileNotFoundError: the body is not there.
        ValueError: a number is out of range.
    """
    from datamodules.motion_files.motion_file import ReadOptions
    from sim.body import Body

    return ReadOptions(
        fps=arguments.fps,
        unit_m=arguments.unit_m,
        up=arguments.up,
        drop_first=arguments.drop_first,
        skeleton=arguments.skeleton,
        asf=arguments.asf,
        markers=arguments.markers,
        static=arguments.static,
        body=None if body is None else Body.from_smpl(body),
    )
