"""``make audit``: are vulnerabilities known of the pinned versions? Asked of PyPI, through pip-audit.

pip-audit passes over what its service does not know and leaves with 0; behind a mirror that serves files alone it would
find nothing wrong with anything. Here, what was not looked up is a failure, said in one line.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypedDict

from experiments.tools.hash_pins import HASHED, ROOT, read_pins

_COMMAND: Final = (
    *(sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip", "--progress-spinner", "off"),
    *("--format", "json", "-r"),
)
_PROBE: Final = "lightning"
_FOUND: Final = 1


class Vulnerability(TypedDict):
    """What pip-audit says of one: ``id`` and the versions that mend it."""

    id: str
    fix_versions: list[str]


class Dependency(TypedDict, total=False):
    """What pip-audit says of a dependency; ``vulns`` or ``skip_reason``."""

    name: str
    version: str
    vulns: list[Vulnerability]
    skip_reason: str


Ask = Callable[[Path], Sequence[Dependency]]


def audit(hashed: Path, ask: Ask) -> tuple[int, list[str]]:
    """Look every pin up.

    Args:
        hashed: a file of pins with hashes.
        ask: answers such a file.

    Returns:
        How many were looked up, and a line for each vulnerability.

    Raises:
        ValueError: the service does not answer, or not for all of them.
    """
    text = hashed.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:  # one first: without a service, 150 questions take minutes
        probe = Path(folder) / "probe.txt"
        probe.write_text(_block(text, _PROBE), encoding="utf-8")
        _require_answers(ask(probe))
    found = ask(hashed)
    _require_answers(found)
    lines = [
        f"{one['name']} {one['version']}: {weak['id']}, mended in {', '.join(weak['fix_versions']) or 'no version'}"
        for one in found
        for weak in one["vulns"]
    ]
    return len(found), lines


def ask_pip_audit(path: Path) -> list[Dependency]:
    """Answer through pip-audit of this environment.

    Raises:
        ValueError: it is not installed, or ends without an answer, as it does without a network.
    """
    done = subprocess.run([*_COMMAND, str(path)], capture_output=True, text=True)
    if done.returncode not in (0, _FOUND) or not done.stdout.startswith("{"):
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ValueError(f"nothing was audited: {said}; pip-audit needs to reach pypi.org, make audit installs it")
    found: Mapping[str, list[Dependency]] = json.loads(done.stdout)
    return found["dependencies"]


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line; ``args`` replaces ``sys.argv[1:]``.

    Raises:
        SystemExit: with code 1 where a vulnerability is known, 2 where something was not looked up.
    """
    argparse.ArgumentParser(prog="python -m experiments.tools.audit", description=__doc__).parse_args(args)
    try:
        number, lines = audit(ROOT / HASHED, ask_pip_audit)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.write(f"{number} pins looked up, {len(lines)} known vulnerabilities\n")
    if lines:
        raise SystemExit(1)


def _block(text: str, name: str) -> str:
    """Return the lines of one pin."""
    version = read_pins(text)[name]
    block = text[text.index(f"\n{name}=={version} ") + 1 :]
    lines = block.splitlines(keepends=True)
    end = next((number for number, line in enumerate(lines[1:], 1) if not line.startswith(" ")), len(lines))
    return "".join(lines[:end])


def _require_answers(found: Sequence[Dependency]) -> None:
    skipped = [one["name"] for one in found if "skip_reason" in one]
    if skipped:
        more = f" and {len(skipped) - 3} more" if len(skipped) > 3 else ""
        raise ValueError(
            f"{', '.join(skipped[:3])}{more} not audited: pypi.org/pypi/NAME/VERSION/json did not answer for it; run "
            "make audit where pypi.org itself is reached, not a mirror of its files"
        )


if __name__ == "__main__":
    main()
