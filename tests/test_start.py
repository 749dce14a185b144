"""Help, typing errors and imports answer quickly: judged by what they leave unimported, as clocks differ by machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"torch", "lightning", "numpy", "pandas", "scipy", "matplotlib", "transformers", "sklearn", "omegaconf"}
NOT_FOR_SIM = {"torch._dynamo", "scipy", "scipy.signal", "pandas", "pyarrow", "roma", "matplotlib", "lightning"}

RUN_MODULE = """\
import runpy, sys
sys.argv[1:] = {arguments!r}
try:
    runpy.run_module({module!r}, run_name="__main__", alter_sys=True)
except SystemExit as left:
    code = left.code
else:
    code = 0
sys.stderr.write("\\n".join(["", f"code {{code or 0}}", *sys.modules]))
"""


def run(code: str) -> tuple[str, list[str]]:
    """Run a program in a new process; return what it printed and the lines that it wrote on stderr."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-P", "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr.splitlines()


@pytest.mark.parametrize(
    ("module", "arguments", "code", "answer"),
    [
        ("experiments.cli", ["--help"], 0, "synth"),
        ("experiments.cli", ["sinth"], 2, "invalid choice: 'sinth'"),
        ("experiments.cli", ["synth", "--help"], 0, "smartphone"),
        ("experiments.cli", ["show", "--help"], 0, ".mvnx"),
        ("experiments.cli", ["studio", "--help"], 0, "7861"),
        ("experiments.cli", ["report", "--help"], 0, "results.json"),
        ("experiments.cli", ["inspect", "--help"], 0, "path"),
        ("experiments.cli", ["motions", "inspect", "--help"], 0, ".bvh"),
        ("experiments.cli", ["recordings", "inspect", "--help"], 0, "pamap2"),
        ("experiments.cli", ["doctor", "--help"], 0, "doctor"),
        ("sim.show", ["--help"], 0, "left_wrist"),
        ("experiments.har_eval", ["--help"], 0, "key=value"),
        ("experiments.acceleration", ["--help"], 0, "key=value"),
        ("experiments.bench", ["--help"], 0, "--judged"),
        ("lightning_modules", ["--help"], 0, "experiments/finetune_acc.yaml"),
        ("lightning_modules", [], 2, "expected one of fit, validate, test, predict"),
        ("lightning_modules", ["fitt"], 2, "did you mean 'fit'?"),
        ("lightning_modules", ["fit", "-c", "finetune_ac.yaml"], 2, "experiments/finetune_acc.yaml"),
    ],
)
def test_what_needs_no_torch_imports_none(module: str, arguments: list[str], code: int, answer: str) -> None:
    printed, said = run(RUN_MODULE.format(module=module, arguments=arguments))
    place = said.index(f"code {code}")
    assert answer in printed + "\n".join(said[:place])
    assert len([line for line in said[:place] if line]) == (1 if code else 0)
    assert not HEAVY & set(said[place:])


def test_the_doors_of_sim_open_without_compilers_tables_and_filters() -> None:
    doors = "import sim, sys; from sim import *; import sim.features; assert callable(simulate) and callable(Body)"
    _, loaded = run(f"{doors}; sys.stderr.write('\\n'.join(sys.modules))")
    assert "torch" in loaded
    assert not NOT_FOR_SIM & set(loaded)
