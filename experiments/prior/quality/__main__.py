"""Write the quality page of a prior: ``python -m experiments.prior.quality PRIOR [-c FILE] [key=value ...]``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.pipeline.one_line_errors import OneLineArgumentParser, one_line_errors, print_line

DOCS = Path("docs/models")


def main(args: Sequence[str] | None = None) -> int:
    """Measure, write, print; returns 0, or leaves with code 2 and one line on bad input."""
    parser = OneLineArgumentParser(prog="python -m experiments.prior.quality", description=__doc__)
    parser.add_argument("prior", help="packaged weights, a .safetensors or a .ckpt")
    parser.add_argument("-c", "--config", type=Path, default=Path("experiments/prior/quality.yaml"))
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as motions_per_activity=4")
    parser.add_argument("--name", help="what the page calls it (default: the file's name)")
    parser.add_argument("--out", type=Path, default=DOCS, help=f"folder of the page and its pictures (default {DOCS})")
    parser.add_argument("--samples", type=Path, help="HTML page that plays a motion of each activity")
    options = parser.parse_intermixed_args(args)
    with one_line_errors():
        from experiments.prior.quality.command import write_quality

        for line in write_quality(
            options.prior,
            config_path=options.config,
            overrides=options.overrides,
            name=options.name,
            out=options.out,
            samples=options.samples,
        ):
            print_line(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
