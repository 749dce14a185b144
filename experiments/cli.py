"""The command ``imuforge``: what ``lightning`` does, and ``synth``, ``show``, ``report``, ``inspect``, ``motions``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from datamodules.motion_file import ReadOptions
from datamodules.motion_files import known_suffixes
from experiments.errors import OneLineArgumentParser, one_line_errors
from experiments.inspection import inspect_path
from experiments.motion_inspection import draw_motion, inspect_motion, write_motion_page
from experiments.report import write_report
from experiments.synth import DEFAULT_PRIOR, load_motion, synthesise
from lightning_modules.cli import main as lightning
from lightning_modules.samplers import SAMPLER_NAMES
from sim.body import Body
from sim.sensor_errors import SENSOR_NAMES
from sim.show import add_arguments as add_show_arguments
from sim.show import show
from sim.show_clip import KINDS as CLIP_KINDS

LIGHTNING_COMMANDS = ("fit", "validate", "test", "predict")


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; ``args`` replaces ``sys.argv[1:]``.

    Returns:
        0. Bad input leaves with code 2 and one line on stderr.
    """
    given = list(sys.argv[1:] if args is None else args)
    if given and given[0] in LIGHTNING_COMMANDS:
        lightning(given)
        return 0
    arguments = _parser().parse_args(given)
    command: Callable[[argparse.Namespace], None] = arguments.command
    with one_line_errors():
        command(arguments)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = OneLineArgumentParser(
        prog="imuforge",
        description="Virtual wearable sensors from text or motion capture.",
        epilog=f"{', '.join(LIGHTNING_COMMANDS)} are those of `lightning`, such as imuforge fit -c experiment.yaml",
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_synth(commands.add_parser("synth", help="simulate sensors from a prompt or a motion file"))
    page = commands.add_parser("show", help="write a page that plays a clip with its sensors' axes and curves")
    add_show_arguments(page, kinds=f"{CLIP_KINDS}; or any of {', '.join(known_suffixes())}")
    page.set_defaults(command=_show)
    report = commands.add_parser("report", help="write report.html of a finished har_eval run again")
    report.add_argument("run", type=Path, help="folder of the run, or its results.json")
    report.set_defaults(command=_report)
    motions = commands.add_parser("motions", help="look at motion files of any format")
    _add_motions(motions.add_subparsers(required=True, metavar="what"))
    look = commands.add_parser("inspect", help="say what is in a motion, a recording, weights or a run")
    look.add_argument("path", type=Path)
    look.set_defaults(command=_inspect)
    return parser


def _add_synth(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--prompt", help='what the person does, for example "a person walks"')
    source.add_argument("--motion", type=Path, help=f"motion file: {', '.join(known_suffixes())}")
    parser.add_argument("--placement", action="append", required=True, help="where a sensor is worn; may be repeated")
    parser.add_argument("--rate-hz", type=float, default=50.0, help="samples per second (default 50)")
    parser.add_argument("--out", type=Path, required=True, help="recording to write: .parquet or .csv")
    parser.add_argument("--errors", default="none", help=f"sensor preset: {', '.join(SENSOR_NAMES)} (default none)")
    parser.add_argument("--mounting", help="how every box is turned: x_up_z_out or the like, or a device (smartwatch)")
    parser.add_argument("--cutoff-hz", type=float, help="smooth a jittery motion file above this frequency")
    parser.add_argument("--motion-out", type=Path, help="also write the motion, for imuforge show: .npz")
    parser.add_argument("--seed", type=int, default=0, help="seed of the motion and of the sensor errors")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a generated motion (default 4)")
    parser.add_argument("--prior", default=DEFAULT_PRIOR, help="packaged weights or a file (default: prior)")
    parser.add_argument("--guidance", type=float, default=2.5, help="classifier-free guidance (default 2.5)")
    parser.add_argument("--sampler", default="ddim", choices=SAMPLER_NAMES)
    parser.add_argument("--steps", type=int, default=None, help="network calls of the sampler; default: all")
    parser.set_defaults(command=_synth)


def _synth(arguments: argparse.Namespace) -> None:
    recording = synthesise(
        prompt=arguments.prompt,
        motion_path=arguments.motion,
        placements=arguments.placement,
        rate_hz=arguments.rate_hz,
        seconds=arguments.seconds,
        prior=arguments.prior,
        errors=arguments.errors,
        mounting=arguments.mounting,
        cutoff_hz=arguments.cutoff_hz,
        motion_out=arguments.motion_out,
        seed=arguments.seed,
        guidance=arguments.guidance,
        sampler=arguments.sampler,
        steps=arguments.steps,
        out=arguments.out,
    )
    count = recording.accel.shape[-3]
    _print(f"{arguments.out}: {count} samples at {recording.rate_hz:g} Hz of {', '.join(recording.names)}")


def _show(arguments: argparse.Namespace) -> None:
    # What sim.show reads needs no mocap reader; a .bvh and its kin do.
    motion = load_motion(arguments.clip) if arguments.clip.suffix not in (".npz", ".npy") else None
    for line in show(arguments, motion):
        _print(line)


def _report(arguments: argparse.Namespace) -> None:
    _print(str(write_report(arguments.run)))


def _inspect(arguments: argparse.Namespace) -> None:
    for line in inspect_path(arguments.path):
        _print(line)


def _add_motions(commands: argparse._SubParsersAction[OneLineArgumentParser]) -> None:
    parser = commands.add_parser("inspect", help="say what a motion file is, and what looks wrong with it")
    parser.add_argument("path", type=Path, help=f"a motion file: {', '.join(known_suffixes())}")
    parser.add_argument("--fps", type=float, help="frames per second, where the file states none or a wrong one")
    parser.add_argument("--unit-m", type=float, help="metres per unit of the file (0.01 for centimetres)")
    parser.add_argument("--up", choices=("y", "z"), help="the axis that points up (default: found)")
    parser.add_argument("--drop-first", type=int, default=0, help="frames to leave out at the beginning")
    parser.add_argument("--skeleton", type=Path, help="YAML that names a skeleton's joints")
    parser.add_argument("--asf", type=Path, help="skeleton of an .amc file (default: the one beside it)")
    parser.add_argument("--markers", type=Path, help="YAML that says where markers sit")
    parser.add_argument("--static", type=Path, help="calibration recording of the person: .trc, .c3d")
    parser.add_argument("--body", type=Path, help="the subject's SMPL-H model, for AMASS files")
    parser.add_argument("--picture", type=Path, metavar="FILE.png", help="also draw the motion")
    parser.add_argument("--page", type=Path, metavar="FILE.html", help="also write the page of imuforge show")
    parser.set_defaults(command=_inspect_motion)


def _inspect_motion(arguments: argparse.Namespace) -> None:
    for value, suffix in ((arguments.picture, ".png"), (arguments.page, ".html")):
        if value is not None and value.suffix != suffix:
            raise ValueError(f"{value} ends in {value.suffix!r}, expected {suffix}; rename it")
    options = ReadOptions(
        fps=arguments.fps,
        unit_m=arguments.unit_m,
        up=arguments.up,
        drop_first=arguments.drop_first,
        skeleton=arguments.skeleton,
        asf=arguments.asf,
        markers=arguments.markers,
        static=arguments.static,
        body=None if arguments.body is None else Body.from_smpl(arguments.body),
    )
    read, lines = inspect_motion(arguments.path, options)
    title = arguments.path.name
    for line in lines:
        _print(line)
    if arguments.picture is not None:
        _print(draw_motion(read.motion, arguments.picture, title=title))
    if arguments.page is not None:
        for line in write_motion_page(read.motion, arguments.page, title=title):
            _print(line)


def _print(line: str) -> None:
    Console(highlight=False).print(line, soft_wrap=True, markup=False)


if __name__ == "__main__":
    sys.exit(main())
