"""The options of ``imuforge studio``; what it needs is imported when it is started."""

from __future__ import annotations

import argparse
from typing import Final

from experiments.pipeline.one_line_errors import OneLineArgumentParser

DEFAULT_PORT: Final = 7861


def add_studio(parser: OneLineArgumentParser) -> None:
    """Add the options of ``imuforge studio``."""
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help=f"port on 127.0.0.1 (default {DEFAULT_PORT}); 0 takes a free one"
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open the page in a browser")
    parser.add_argument("--prior", default="prior", help="packaged weights, a file, a folder or hf:owner/name")
    parser.set_defaults(command=_studio)


def _studio(arguments: argparse.Namespace) -> None:
    from experiments.studio.command import run_studio

    run_studio(port=arguments.port, browser=not arguments.no_browser, prior=arguments.prior)
