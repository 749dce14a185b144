"""smplx's code is for non-commercial use: whatever is no licensed SMPL file works where it cannot be imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = """\
import sys
sys.modules["smplx"] = sys.modules["smplx.lbs"] = None  # what an import of it meets where it is not installed
import numpy as np
import torch
from experiments.cli import main
from sim import Body, Motion
from sim.body.skinning import skin_mesh

still = Motion(torch.eye(3).expand(40, 22, 3, 3), torch.tensor([0.0, 0.9, 0.0]).expand(40, 3), fps=20.0)
assert Body.default().vertices(still).shape == (40, 13718, 3)
main(["synth", "--prompt", "a person walks.", "--seconds", "2", "--placement", "left_wrist", "--out", "walk.csv",
      "--motion-out", "walk.npz"])
main(["show", "walk.npz", "--placements", "left_wrist", "--out", "walk.html"])
options = ["people.count=3", "recordings_each=1", "motion.steps=2", "motion.tries=1"]
main(["dataset", sys.argv[1], "--out", "people", *options])
body = Body.default()
try:
    skin_mesh(body.model, body.betas[None], torch.eye(3).expand(1, 22, 3, 3))
except ModuleNotFoundError as error:
    sys.stderr.write(f"refused: {error}")
"""


def test_simulator_synth_show_and_dataset_work_without_it(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, str(ROOT / "experiments" / "dataset.yaml")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {"walk.csv", "walk.npz", "walk.html", "people"} <= {path.name for path in tmp_path.iterdir()}
    assert "pip install smplx (its code is for non-commercial use)" in done.stderr
