"""The command ``lightning``: help and typing errors are answered here, before torch is imported; cli.py goes on."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from lightning_modules.own_packages import require_own_packages

COMMANDS: Final = {
    "fit": "train, and validate in between",
    "validate": "measure on the validation data",
    "test": "measure on the test data, which nothing was chosen by",
    "predict": "write what the model makes of its data, such as motions from prompts",
}

_CONFIG_FLAGS: Final = ("-c", "--config")
_EPILOG: Final = """\
lightning fit --help lists all options, --model.help MotionDiffusion those of a class; --print_config shows what a run
would use.

  lightning fit  -c experiments/finetune_acc.yaml
  lightning test -c experiments/finetune_acc.yaml --ckpt_path last
  lightning fit  -c experiments/har.yaml -c experiments/sets/dsads.yaml --data.root FOLDER
"""


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line; ``args`` replaces ``sys.argv[1:]``.

    Raises:
        SystemExit: with code 2 and one line on stderr when the input is at fault.
    """
    require_own_packages()
    try:
        _run(list(sys.argv[1:] if args is None else args))
    except KeyboardInterrupt:  # while packages are imported, before anything else listens
        sys.stderr.write("interrupted\n")
        raise SystemExit(130) from None


def _run(given: list[str]) -> None:
    from lightning_modules.config_errors import readable_errors

    if given in (["-h"], ["--help"]):
        _print_help()
        return
    with readable_errors():
        _check_command(given)
        given = _find_configs(given)
    from lightning_modules.cli import main as run

    run(given)


def _print_help() -> None:
    parser = argparse.ArgumentParser(
        prog="lightning",
        usage="lightning COMMAND [-c FILE.yaml ...] [--KEY VALUE ...]",
        description="Train and measure what a YAML file describes; of several, later ones override.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="command")
    for name, what in COMMANDS.items():
        commands.add_parser(name, help=what)
    parser.add_argument("-c", "--config", metavar="FILE.yaml", help="a file of yours, or a packaged one by its name")
    parser.add_argument("--ckpt_path", help="checkpoint to go on from or to measure; last: the run's newest")
    parser.add_argument("--strict-classes", action="store_true", help="only classes of imuforge, Lightning and torch")
    parser.add_argument("--KEY", metavar="VALUE", help="any key of the YAML, such as --trainer.max_steps 100")
    parser.print_help()


def _check_command(given: Sequence[str]) -> None:
    """Raise a ValueError unless a command comes first; an option may, as in ``lightning -c FILE fit``."""
    known = ", ".join(COMMANDS)
    if not given:
        raise ValueError(f"no command, expected one of {known}; see lightning --help")
    if not given[0].startswith("-") and given[0] not in COMMANDS:
        from sim.names import suggest

        hint = suggest(given[0], COMMANDS) or "; see lightning --help"
        raise ValueError(f"unknown command {given[0]!r}, expected one of {known}{hint}")


def _find_configs(given: Sequence[str]) -> list[str]:
    """Put the path of a packaged YAML where one is named and no such file is there."""
    found: list[str] = []
    for argument in given:
        flag, equals, value = argument.partition("=")
        if found and found[-1] in _CONFIG_FLAGS:
            found.append(_find_config(argument))
        elif equals and flag in _CONFIG_FLAGS:
            found.append(f"{flag}={_find_config(value)}")
        else:
            found.append(argument)
    return found


def _find_config(value: str) -> str:
    from lightning_modules.packaged_configs import find_config

    # Anything else is for jsonargparse to read: YAML may stand on the command line itself.
    return str(find_config(value)) if value.endswith((".yaml", ".yml")) and "\n" not in value else value
