"""Commands of several processes, run to their end by a test."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WAIT_S = 250
"""After which a command is taken for one that stands still [s]."""


def clean_environment(runs: Path, **more: str) -> dict[str, str]:
    """Variables of a command of this checkout, with runs in a folder of their own and nothing of a cluster's."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM_", "PYTEST_"))}
    return {**kept, "IMUFORGE_RUNS": str(runs), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **more}


def run_whole(command: Sequence[str], environment: dict[str, str]) -> str:
    """Run a command and all that it starts to the end, and return what it said; it must end well."""
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=WAIT_S)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)  # the other ranks with it
            raise
    assert process.returncode == 0, said
    return said
