"""The commands ``imuforge classify`` and ``imuforge export``: a trained classifier on new files, and elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path

from experiments.pipeline.one_line_errors import OneLineArgumentParser, print_line


def add_classify(parser: OneLineArgumentParser) -> None:
    """Add the options of ``imuforge classify``."""
    parser.add_argument("model", type=Path, help=".ckpt of lightning fit -c experiments/har.yaml, or .onnx of export")
    parser.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="recordings of imuforge synth, tables (.csv, .parquet, ...), or the YAML of own recordings",
    )
    parser.add_argument("--out", type=Path, help="also write every window: .csv or .parquet")
    parser.add_argument("--picture", type=Path, help="also draw the timeline: .png, .pdf or .svg")
    parser.add_argument("--overlap", type=float, default=0.5, help="share that a window repeats (default 0.5)")
    parser.add_argument("--placement", help="which sensor, where a file has several and the classifier takes one")
    parser.add_argument("--description", type=Path, help="YAML that says what the tables' columns are")
    parser.add_argument("--rate-hz", type=float, help="samples per second of tables without a column of time")
    parser.add_argument("--accel-unit", help="of plain tables: m/s^2 (default), g or mg")
    parser.add_argument("--gyro-unit", help="of plain tables: rad/s (default), deg/s, ...")
    parser.add_argument("--time-unit", help="of plain tables' column of time: s (default), ms, us or ns")
    parser.add_argument("--max-gap-s", type=float, default=0.25, help="longest gap to interpolate over (default 0.25)")
    parser.set_defaults(command=_classify)


def add_export(parser: OneLineArgumentParser) -> None:
    """Add the options of ``imuforge export``."""
    parser.add_argument("model", type=Path, help=".ckpt of lightning fit -c experiments/har.yaml")
    parser.add_argument("--format", choices=("onnx", "torch"), default="onnx", help="default onnx")
    parser.add_argument("--out", type=Path, help="file to write: .onnx or .pt2 (default: beside the checkpoint)")
    parser.set_defaults(command=_export)


def _classify(arguments: argparse.Namespace) -> None:
    from datamodules.har.readers.plain_table import TableFacts
    from experiments.classifier.classify import check_table, classify_files, save_table
    from experiments.classifier.model import load_classifier
    from experiments.classifier.picture import MOST, check_picture, draw_timeline
    from experiments.classifier.streams import SourceOptions

    if arguments.out is not None:
        check_table(arguments.out)
    if arguments.picture is not None:
        check_picture(arguments.picture)
    facts = TableFacts(arguments.rate_hz, arguments.accel_unit, arguments.gyro_unit, arguments.time_unit)
    options = SourceOptions(facts, arguments.description, arguments.placement, arguments.max_gap_s)
    classifier = load_classifier(arguments.model)
    found = classify_files(classifier, arguments.files, options, overlap=arguments.overlap)
    for line in [*found.notes, *found.summaries()]:
        print_line(line)
    if arguments.out is not None:
        save_table(found.table, arguments.out)
        print_line(f"{arguments.out}: {len(found.table)} windows of {classifier.spec.window_s:g} s")
    if arguments.picture is not None:
        draw_timeline(found.table, classifier.spec.classes, arguments.picture)
        more = len(set(found.table["file"])) - MOST
        print_line(f"{arguments.picture}" + (f", without the last {more} files" if more > 0 else ""))


def _export(arguments: argparse.Namespace) -> None:
    from experiments.classifier.export import export_classifier

    path, largest = export_classifier(arguments.model, arguments.format, arguments.out)
    print_line(f"{path} ({path.stat().st_size / 1e3:.0f} kB), within {largest:.1g} of the checkpoint's outputs")
