"""What the command line says: lines on stdout, and bad input as one line on stderr with exit code 2."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn


class OneLineArgumentParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line in place of a page of usage.

    ``key=value`` may stand anywhere where a command takes ``overrides``: argparse alone would have them in one row.
    """

    def parse_args(  # type: ignore[override]  # of three overloads that differ in the namespace's type alone
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Parse, and take what is left over as overrides where it can be."""
        found, left = self.parse_known_args(args, namespace)
        overrides = getattr(found, "overrides", None)
        if left and isinstance(overrides, list) and all("=" in one and not one.startswith("-") for one in left):
            overrides.extend(left)
        elif left:
            self.error(f"unrecognized arguments: {' '.join(left)}")
        return found

    def error(self, message: str) -> NoReturn:
        """Print one line and leave with exit code 2."""
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


@contextmanager
def one_line_errors() -> Iterator[None]:
    """As :func:`lightning_modules.config_errors.readable_errors`, and for failed tasks and interruptions too.

    ``IMUFORGE_DEBUG=1`` shows the whole traceback.
    """
    # Not above: a parser has to stand before anything of another package is imported (own_packages.py).
    from experiments.pipeline.tasks import StageError
    from lightning_modules.config_errors import readable_errors

    try:
        with readable_errors():
            yield
    except StageError as error:
        if not error.readable or os.environ.get("IMUFORGE_DEBUG"):
            raise
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(2) from error
    except KeyboardInterrupt as error:
        sys.stderr.write("interrupted; finished stages are kept, run the same command again to go on\n")
        raise SystemExit(130) from error


def print_line(line: str) -> None:
    """Print a line as it is: no markup, no colours of numbers, no break at the terminal's width."""
    from rich.console import Console

    Console(highlight=False).print(line, soft_wrap=True, markup=False)
