"""The commands ``imuforge dataset``, labelled recordings of virtual people from one YAML, and ``imuforge merge``."""

from __future__ import annotations

import argparse
from pathlib import Path

from experiments.pipeline.one_line_errors import OneLineArgumentParser, print_line


def add_dataset(parser: OneLineArgumentParser) -> None:
    """Add the options of ``imuforge dataset``."""
    parser.add_argument("spec", help="YAML, such as experiments/dataset.yaml")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as people.count=40 motion.seconds=6")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the data set; goes on there")
    parser.add_argument("--shard", metavar="i/n", help="make the i-th of n shares; all in one folder are the whole")
    parser.add_argument("--processes", type=int, help="parts made at once (default: one for each core)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.set_defaults(command=_dataset)


def _dataset(arguments: argparse.Namespace) -> None:
    from experiments.dataset.command import make_dataset

    named = [arguments.spec, *arguments.overrides]
    # A key=value may come first; the YAML is what is none, or a file.
    spec = next((one for one in named if "=" not in one or Path(one).is_file()), None)
    if spec is None:
        raise ValueError(f"no YAML among {', '.join(named)}, expected one; give such as experiments/dataset.yaml")
    lines = make_dataset(
        Path(spec),
        arguments.out,
        overrides=[one for one in named if one != spec],
        shard=arguments.shard,
        processes=arguments.processes,
        device=arguments.device,
    )
    for line in lines:
        print_line(line)


def add_merge(parser: OneLineArgumentParser) -> None:
    """Add the options of ``imuforge merge``."""
    parser.add_argument("shards", type=Path, metavar="DIR", help="folder that ShardWriter named, with all shards in it")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to make (default: merged, in that folder)")
    parser.set_defaults(command=_merge)


def _merge(arguments: argparse.Namespace) -> None:
    from lightning_modules.callbacks.shard_files import merge_shards

    out = arguments.out or arguments.shards / "merged"
    told = merge_shards(arguments.shards, out)
    windows = f", {told['windows']} windows of {len(told['channels'])} channels" if told["channels"] else ""
    print_line(f"{out}: {told['total']} motions of {told['shards']} shards{windows}")
