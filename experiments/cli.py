"""The command ``imuforge``: all of ``lightning``, and what it says of motions, recordings and runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from datamodules.har.streams.manifest import add_to_manifest
from datamodules.motion_files import known_suffixes
from experiments.commands.inspect_path import inspect_path
from experiments.commands.inspect_recordings import add_inspection, inspect_recordings
from experiments.commands.motion_commands import add_motion_inspection
from experiments.commands.synth import DEFAULT_PRIOR, load_motion, synthesise
from experiments.har_eval.report.write import write_report
from experiments.pipeline.one_line_errors import OneLineArgumentParser, one_line_errors, print_line
from lightning_modules.cli import main as lightning
from lightning_modules.sampling.samplers import SAMPLER_NAMES
from sim.sensor_errors import SENSOR_NAMES
from sim.show import add_arguments as add_show_arguments
from sim.show import show
from sim.show.clip import KINDS as CLIP_KINDS

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
    add_motion_inspection(motions.add_subparsers(required=True, metavar="what"))
    look = commands.add_parser("inspect", help="say what is in a motion, a recording, weights or a run")
    look.add_argument("path", type=Path)
    look.set_defaults(command=_inspect)
    add_inspection(commands.add_parser("recordings", help="look at a set of real recordings"), _inspect_recordings)
    return parser


def _add_synth(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--prompt", help='what the person does, for example "a person walks"')
    source.add_argument("--motion", type=Path, help=f"motion file: {', '.join(known_suffixes())}")
    parser.add_argument("--placement", action="append", required=True, help="where a sensor is worn; may be repeated")
    parser.add_argument("--label", help="activity: also list the recording in the manifest.csv of its folder")
    parser.add_argument("--subject", default="virtual", help="virtual wearer, for --label (default: virtual)")
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
    if arguments.label is not None:
        add_to_manifest(arguments.out, label=arguments.label, subject=arguments.subject)
    count = recording.accel.shape[-3]
    print_line(f"{arguments.out}: {count} samples at {recording.rate_hz:g} Hz of {', '.join(recording.names)}")


def _show(arguments: argparse.Namespace) -> None:
    # What sim.show reads needs no mocap reader; a .bvh and its kin do.
    motion = load_motion(arguments.clip) if arguments.clip.suffix not in (".npz", ".npy") else None
    for line in show(arguments, motion):
        print_line(line)


def _report(arguments: argparse.Namespace) -> None:
    print_line(str(write_report(arguments.run)))


def _inspect(arguments: argparse.Namespace) -> None:
    for line in inspect_path(arguments.path):
        print_line(line)


def _inspect_recordings(arguments: argparse.Namespace) -> None:
    lines = inspect_recordings(
        arguments.name, arguments.root, on_bad_file=arguments.on_bad_file, max_gap_s=arguments.max_gap_s
    )
    for line in lines:
        print_line(line)


if __name__ == "__main__":
    sys.exit(main())
