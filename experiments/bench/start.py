"""How long commands and imports take to answer, each in a process of its own, beside what they must stand against.

``python -m experiments.bench.start`` prints the table alone.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console

from experiments.pipeline.tables import BenchTable, time_in_turns
from lightning_modules.own_packages import ROOT

TURNS: Final = 7


@dataclass(frozen=True)
class Start:
    """One thing that is started.

    Attributes:
        name: what a user types.
        python: arguments of the interpreter.
        at_most: largest ratio to ``beside``; None where nothing is asked.
        beside: name of what it is compared with.
    """

    name: str
    python: tuple[str, ...]
    at_most: float | None = None
    beside: str = "import torch"


_IMUFORGE: Final = ("-m", "experiments.cli")
_DOORS: Final = "from sim import Body, ImuRecording, Motion, Placement, SensorErrors, simulate"
STARTS: Final = (
    Start("import lightning.pytorch", ("-c", "import lightning.pytorch")),
    Start("import sim", ("-c", "import sim"), 1.3),
    Start("import torch", ("-c", "import torch")),
    Start(_DOORS, ("-c", _DOORS), 1.3),
    Start("imuforge --help", (*_IMUFORGE, "--help"), 0.5),
    Start("imuforge sinth", (*_IMUFORGE, "sinth"), 0.5),
    *(
        Start(f"imuforge {words} --help", (*_IMUFORGE, *words.split(), "--help"), 0.5)
        for words in ("synth", "show", "report", "inspect", "motions inspect", "recordings inspect", "doctor")
    ),
    *(
        Start(f"python -m {module} --help", ("-m", module, "--help"), 0.5)
        for module in ("sim.show", "experiments.har_eval", "experiments.acceleration", "experiments.bench")
    ),
    Start("lightning --help", ("-m", "lightning_modules", "--help"), 1.0, "import lightning.pytorch"),
    Start("lightning fit --help", ("-m", "lightning_modules", "fit", "--help"), None, "import lightning.pytorch"),
)


def start_table(starts: Sequence[Start] = STARTS, *, turns: int = TURNS) -> BenchTable:
    """Measure all starts in turns.

    Raises:
        RuntimeError: one of them failed in another way than by a typing error's exit code 2.
    """
    times = time_in_turns([_start(one) for one in starts], turns=turns)
    taken = {one.name: seconds for one, seconds in zip(starts, times, strict=True)}
    rows = [
        (
            f"`{one.name}`",
            f"{statistics.median(taken[one.name]):.2f}",
            "" if one.name == one.beside else f"{_ratio(taken[one.name], taken[one.beside]):.2f} of `{one.beside}`",
            "" if one.at_most is None else f"{one.at_most:g}",
        )
        for one in starts
    ]
    return BenchTable(
        "Time to answer, in a fresh process [s]",
        ("what", "seconds", "ratio", "at most"),
        rows,
        f"Medians of {turns} turns, of ratios too; each turn starts all of them, one after the other.",
    )


def _ratio(seconds: Sequence[float], beside: Sequence[float]) -> float:
    # Within each turn, so that what else the machine did in that minute falls on both.
    return statistics.median(one / other for one, other in zip(seconds, beside, strict=True))


def _start(one: Start) -> Callable[[], None]:
    # -P: what is measured is this checkout, whatever folder it is measured from.
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}

    def run() -> None:
        done = subprocess.run([sys.executable, "-P", *one.python], env=environment, capture_output=True, text=True)
        if done.returncode not in (0, 2):
            raise RuntimeError(f"{one.name} left with code {done.returncode}: {done.stderr.strip()[-500:]}")

    return run


if __name__ == "__main__":
    start_table().print(Console(width=160))
