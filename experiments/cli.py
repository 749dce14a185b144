"""The command ``imuforge``: all of ``lightning``, and what it says of motions, recordings and runs.

What a sub-command does is imported where it is done: help and typing errors are answered before torch is imported.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from experiments.commands.bandwidth_commands import add_bandwidth
from experiments.commands.classifier_commands import add_classify, add_export
from experiments.commands.dataset_commands import add_dataset, add_merge
from experiments.commands.motion_commands import add_motion_inspection
from experiments.commands.reader_options import add_reader_options, read_options
from experiments.commands.recording_commands import add_recording_inspection
from experiments.commands.table_names import decoder_names, motion_suffixes, sampler_names, sensor_names
from experiments.pipeline.one_line_errors import OneLineArgumentParser, one_line_errors, print_line
from experiments.pipeline.own_packages import require_own_packages
from experiments.studio.options import add_studio

LIGHTNING_COMMANDS = ("fit", "validate", "test", "predict")


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; ``args`` replaces ``sys.argv[1:]``.

    Returns:
        0. Bad input leaves with code 2 and one line on stderr.
    """
    require_own_packages()
    given = list(sys.argv[1:] if args is None else args)
    try:
        if given and given[0] in LIGHTNING_COMMANDS:
            from lightning_modules.command import main as lightning

            lightning(given)
            return 0
        arguments = _parser().parse_args(given)
        command: Callable[[argparse.Namespace], None] = arguments.command
        with one_line_errors():
            command(arguments)
    except KeyboardInterrupt:  # while packages are imported, before anything else listens
        sys.stderr.write("interrupted\n")
        raise SystemExit(130) from None
    return 0


class _Version(argparse.Action):
    """Says the version; looked up only where it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:  # noqa: A002
        super().__init__(option_strings, dest=argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *given: object) -> None:
        from importlib import metadata

        print_line(f"imuforge {metadata.version('imuforge')}")
        parser.exit(0)


def _parser() -> argparse.ArgumentParser:
    from sim.show.options import KINDS, add_arguments

    parser = OneLineArgumentParser(
        prog="imuforge",
        description="Virtual wearable sensors from text or motion capture.",
        epilog=f"{', '.join(LIGHTNING_COMMANDS)} are those of `lightning`, such as imuforge fit -c experiment.yaml",
    )
    parser.add_argument("--version", action=_Version, help="say which version this is, and leave")
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_synth(commands.add_parser("synth", help="simulate sensors from a prompt or a motion file"))
    add_dataset(commands.add_parser("dataset", help="make many labelled recordings of virtual people from one YAML"))
    page = commands.add_parser("show", help="write a page that plays a clip with its sensors' axes and curves")
    add_arguments(page, kinds=f"{KINDS}; or any of {', '.join(motion_suffixes())}")
    add_reader_options(page, without=("fps", "body"))
    page.set_defaults(command=_show)
    add_studio(commands.add_parser("studio", help="serve a page on this machine where sensors are dragged on a body"))
    report = commands.add_parser("report", help="write report.html of a har_eval run again, or compare several")
    report.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folder of a run, or its results.json")
    report.add_argument("--out", type=Path, help="write the comparison there too: .md or .html")
    report.set_defaults(command=_report)
    motions = commands.add_parser("motions", help="look at motion files of any format")
    add_motion_inspection(motions.add_subparsers(required=True, metavar="what"))
    look = commands.add_parser("inspect", help="say what is in a motion, a recording, a data set, weights or a run")
    look.add_argument("path", type=Path)
    add_reader_options(look)
    look.set_defaults(command=_inspect)
    recordings = commands.add_parser("recordings", help="look at a set of real recordings")
    add_recording_inspection(recordings.add_subparsers(required=True, metavar="what"))
    add_merge(commands.add_parser("merge", help="make arrays of the shards that many processes generated"))
    add_classify(commands.add_parser("classify", help="say what is done in recorded files, by a trained classifier"))
    add_export(commands.add_parser("export", help="write a trained classifier as ONNX or torch.export"))
    add_bandwidth(commands.add_parser("bandwidth", help="say how much of a movement each stage lets through"))
    doctor = commands.add_parser("doctor", help="say what is installed, what is wrong with it, and how to repair it")
    doctor.set_defaults(command=_doctor)
    return parser


def _add_synth(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--prompt", help='what the person does, for example "a person walks"')
    source.add_argument("--motion", type=Path, help=f"motion file: {', '.join(motion_suffixes())}")
    parser.add_argument("--placement", action="append", required=True, help="where a sensor is worn; may be repeated")
    parser.add_argument("--label", help="activity: also list the recording in the manifest.csv of its folder")
    parser.add_argument("--subject", help="virtual wearer, for --label (default: virtual)")
    parser.add_argument("--rate-hz", type=float, default=50.0, help="samples per second (default 50)")
    parser.add_argument("--out", type=Path, required=True, help="recording to write: .parquet or .csv")
    parser.add_argument(
        "--sensor-errors",
        "--errors",
        default="none",
        help=f"device: {', '.join(sensor_names())} (default none), or a YAML of figures",
    )
    parser.add_argument("--body", type=Path, help="SMPL model of who wears the sensors (default: the built-in body)")
    parser.add_argument(
        "--mounting", action="append", help="how every box is turned: x_up_z_out or the like, or a device (smartwatch)"
    )
    parser.add_argument("--cutoff-hz", type=float, help="smooth a jittery motion file above this frequency")
    parser.add_argument("--motion-out", type=Path, help="also write the motion, for imuforge show: .npz")
    parser.add_argument("--seed", type=int, default=0, help="seed of the motion and of the sensor errors")
    parser.add_argument("--seconds", type=float, help="length of a generated motion, 1 to 60 s (default 4)")
    parser.add_argument("--prior", help="packaged weights, a file, a folder or hf:owner/name (default: prior)")
    parser.add_argument("--guidance", type=float, help="classifier-free guidance (default: the weights' own)")
    parser.add_argument("--sampler", choices=sampler_names(), help="default: dpm++")
    parser.add_argument("--steps", type=int, help="network calls of the sampler (default 20)")
    parser.add_argument(
        "--decoder",
        choices=decoder_names(),
        help="joints of a generated motion: by positions and steps (consistent, default) or by positions alone",
    )
    add_reader_options(parser, without=("body",))
    parser.set_defaults(command=_synth)


def _synth(arguments: argparse.Namespace) -> None:
    from datamodules.har.streams.manifest import add_to_manifest
    from experiments.arms.wearing import read_errors
    from experiments.commands.synth import synthesise
    from lightning_modules.sampling.normalised import SamplingOptions

    _settle_generation(arguments)
    recording = synthesise(
        prompt=arguments.prompt,
        motion_path=arguments.motion,
        options=read_options(arguments),
        body=arguments.body,
        placements=arguments.placement,
        rate_hz=arguments.rate_hz,
        seconds=arguments.seconds,
        prior=arguments.prior,
        sensor_errors=read_errors(arguments.sensor_errors),
        mounting=None if arguments.mounting is None else arguments.mounting[0],
        cutoff_hz=arguments.cutoff_hz,
        motion_out=arguments.motion_out,
        seed=arguments.seed,
        sampling=SamplingOptions(arguments.guidance, arguments.sampler, arguments.steps),
        decoder=arguments.decoder,
        out=arguments.out,
    )
    if arguments.label is not None:
        add_to_manifest(
            arguments.out, label=arguments.label, subject="virtual" if arguments.subject is None else arguments.subject
        )
    count = recording.accel.shape[-3]
    print_line(f"{arguments.out}: {count} samples at {recording.rate_hz:g} Hz of {', '.join(recording.names)}")
    if recording.licence is not None:
        print_line(f"terms of the motion: {recording.licence}")


_GENERATION = {
    "seconds": 4.0,
    "prior": "prior",
    "guidance": None,
    "sampler": "dpm++",
    "steps": 20,
    "decoder": "consistent",
}
"""Options of a generated motion and what each is where it is not given."""


def _settle_generation(arguments: argparse.Namespace) -> None:
    """Put defaults in place; with a motion file these options would do nothing, and are refused."""
    for name, usual in _GENERATION.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, usual)
        elif arguments.motion is not None:
            raise ValueError(f"--{name} is of generated motions, and --motion gives a file; leave it out")
    if arguments.label is not None and not arguments.label.strip():
        raise ValueError(f"label is {arguments.label!r}, expected a name")
    if arguments.subject is not None and arguments.label is None:
        raise ValueError("--subject is written into manifest.csv beside a label; give --label too, or leave it out")
    if arguments.mounting is not None and len(arguments.mounting) > 1:
        raise ValueError(
            f"--mounting is given {len(arguments.mounting)} times ({', '.join(arguments.mounting)}) and turns the "
            "boxes of all placements; give it once, and make a recording for each way to wear them"
        )


def _show(arguments: argparse.Namespace) -> None:
    from datamodules.motion_files.clip_files import is_joint_clip, is_saved_motion
    from datamodules.motion_files.motion_file import ReadOptions
    from experiments.commands.synth import load_motion
    from sim.show import show

    # What sim.show reads needs no mocap reader; a .bvh and its kin do, and an archive that no Motion.save wrote.
    options = read_options(arguments)
    ours = arguments.clip.suffix == ".npy" or (
        arguments.clip.suffix == ".npz" and (not arguments.clip.is_file() or is_saved_motion(arguments.clip))
    )
    told = options != ReadOptions(fps=options.fps) or is_joint_clip(arguments.clip, options)
    motion = load_motion(arguments.clip, options) if told or not ours else None
    for line in show(arguments, motion):
        print_line(line)


def _report(arguments: argparse.Namespace) -> None:
    if len(arguments.runs) == 1 and arguments.out is None:
        from experiments.har_eval.report.write import write_report

        print_line(str(write_report(arguments.runs[0])))
        return
    from experiments.har_eval.report.compare import compare_runs, format_lines, write_comparison

    table = compare_runs(arguments.runs)
    if arguments.out is not None:
        write_comparison(table, arguments.out)
    for line in format_lines(table):
        print_line(line)


def _inspect(arguments: argparse.Namespace) -> None:
    from experiments.commands.inspect_path import inspect_path

    for line in inspect_path(arguments.path, read_options(arguments, body=arguments.body)):
        print_line(line)


def _doctor(arguments: argparse.Namespace) -> None:
    from experiments.tools.doctor import main as doctor

    if code := doctor():
        raise SystemExit(code)


if __name__ == "__main__":
    sys.exit(main())
