"""The report: one HTML file with everything in it, made from results.json and pictures.json, opens offline."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

from experiments.har_eval.results import PICTURES, REPORT, read_results
from experiments.pipeline.files import write_text


def check_installed() -> None:
    """Make sure that figures can be drawn, before hours are spent on numbers.

    Raises:
        ValueError: plotly is not installed; says how to install it.
    """
    if importlib.util.find_spec("plotly") is None:
        raise ValueError('the report needs plotly, which is not installed; pip install "imuforge[report]"')


def write_report(folder: Path) -> Path:
    """Write ``report.html`` of a run.

    Args:
        folder: of the run; holds results.json and pictures.json.

    Returns:
        The report's path.

    Raises:
        FileNotFoundError: the folder lacks one of them.
        ValueError: results.json is not of this program, or plotly is not installed.
    """
    check_installed()
    from experiments.har_eval.report.page import render_report

    results = read_results(folder)
    folder = folder if folder.is_dir() else folder.parent
    if not (folder / PICTURES).is_file():
        raise FileNotFoundError(f"{folder / PICTURES} not found; it is written beside results.json, run har_eval again")
    drawings = json.loads((folder / PICTURES).read_text(encoding="utf-8"))
    path = folder / REPORT
    write_text(render_report(results, drawings), path)
    return path
