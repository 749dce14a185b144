"""Write constraints-hashed.txt: the pins of constraints.txt with the SHA-256 of every file that PyPI has of them.

``make hashes`` runs it with uv, which asks PyPI. ``pip install --require-hashes -r constraints-hashed.txt`` then takes
no other file: what a mirror, a proxy or an account that was taken over slips in is refused. torch on Linux brings CUDA
along; these libraries, in no other build's dependencies, stand in constraints-hashed-cuda.txt.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

from sim.files import whole_file

ROOT: Final = Path(__file__).resolve().parents[2]
PINS: Final = "constraints.txt"
HASHED: Final = "constraints-hashed.txt"
CUDA: Final = "constraints-hashed-cuda.txt"

LOCAL_BUILDS: Final[Mapping[str, str]] = {
    # torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl, the build without CUDA that CI installs from a folder
    "torch==2.13.0": "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",
}
"""SHA-256 of builds that PyPI does not have, by the pin they satisfy."""

_UV: Final = (
    *("pip", "compile", "--generate-hashes", "--no-annotate", "--no-header", "--no-config", "--quiet"),
    *("--default-index", "https://pypi.org/simple", "--python-version", "3.11.9"),
)
_HEAD: Final = """\
# {what}
# Written by `make hashes`; docs/packaging.md says how to use it.
"""

Resolve = Callable[[Sequence[str]], str]


def read_pins(text: str) -> dict[str, str]:
    """Return the versions that a constraints file pins, by canonical name; hashes and comments are left out."""
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^\s\\;]+)", text, flags=re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pins}


def read_hashes(text: str) -> dict[str, list[str]]:
    """Return the SHA-256 of the files that are admitted, by canonical name."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if pinned := re.match(r"([A-Za-z0-9._-]+)==", line):
            name = canonicalize_name(pinned[1])
            found[name] = []
        elif admitted := re.match(r"\s+--hash=sha256:([0-9a-f]{64})\b", line):
            found[name].append(admitted[1])
    return found


def add_local_builds(text: str, builds: Mapping[str, str]) -> str:
    """Return hashed pins with the files that PyPI does not have; one whose pin is not there is left out."""
    for pin, sha256 in builds.items():
        text = re.sub(
            rf"^{re.escape(pin)} \\\n", rf"{pin} \\\n    --hash=sha256:{sha256} \\\n", text, flags=re.MULTILINE
        )
    return text


def write_hashes(root: Path, resolve: Resolve) -> tuple[int, int]:
    """Write both files into the folder that holds constraints.txt.

    Args:
        root: the folder.
        resolve: answers the arguments of uv with hashed pins.

    Returns:
        How many pins, and how many libraries of CUDA.

    Raises:
        ValueError: a pin has no answer.
    """
    pins = read_pins((root / PINS).read_text(encoding="utf-8"))
    hashed = resolve(["--no-deps", PINS])
    missing = sorted(set(pins) - set(read_pins(hashed)))
    if missing:
        raise ValueError(f"PyPI has no {', '.join(missing)} as {PINS} pins it; pin a version that it has")
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder) / "torch.in"
        with whole_file(alone) as part:
            part.write_text(f"torch=={pins['torch']}\n", encoding="utf-8")
        linux = resolve(["--python-platform", "x86_64-manylinux_2_28", "-c", PINS, str(alone)])
    blocks = re.split(r"\n(?=[A-Za-z0-9])", linux.strip())
    cuda = [block for block in blocks if not set(read_pins(block)) & set(pins)]
    heads = [
        f"The pins of {PINS}, each with the SHA-256 of every file that PyPI has of it.",
        f"What torch of PyPI brings along on Linux, on top of {HASHED}.",
    ]
    texts = [add_local_builds(hashed.strip(), LOCAL_BUILDS), "\n".join(cuda)]
    for name, what, text in zip((HASHED, CUDA), heads, texts, strict=True):
        with whole_file(root / name) as part:
            part.write_text(f"{_HEAD.format(what=what)}{text}\n", encoding="utf-8")
    return len(pins), len(cuda)


def ask_uv(arguments: Sequence[str]) -> str:
    """Answer through uv of this environment, which asks PyPI.

    Raises:
        SystemExit: with code 2 and one line, where uv is not there or gives no answer.
    """
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        sys.stderr.write("uv is not installed, expected it to ask for hashes; run make hashes\n")
        raise SystemExit(2)
    done = subprocess.run([uv, *_UV, *arguments], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        said = " ".join(done.stderr.split())
        sys.stderr.write(f"no hashes from pypi.org, expected to reach it and every pin of {PINS} there: {said}\n")
        raise SystemExit(2)
    return done.stdout


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line; ``args`` replaces ``sys.argv[1:]``."""
    argparse.ArgumentParser(prog="python -m experiments.tools.hash_pins", description=__doc__).parse_args(args)
    pins, cuda = write_hashes(ROOT, ask_uv)
    sys.stdout.write(f"{HASHED}: {pins} pins; {CUDA}: {cuda}\n")


if __name__ == "__main__":
    main()
