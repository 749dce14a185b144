"""How long a PAMAP2-sized file takes to read, from bytes to a recording, against the C parser of pandas alone."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from rich.console import Console

from datamodules.har.registry import load_recordings
from experiments.pipeline.tables import BenchTable, median_seconds

ROWS: Final = 376_000
"""Lines of PAMAP2's subject101.dat, about."""


def number_table(rows: int = ROWS) -> BenchTable:
    """Write a file in PAMAP2's layout, read it both ways; the folder is removed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "Protocol" / "subject101.dat"
        write_pamap2(path, rows)
        megabytes = path.stat().st_size / 1e6

        def parse_alone() -> pd.DataFrame:
            return pd.read_csv(path, sep=" ", header=None, engine="c")

        alone = median_seconds(parse_alone, repeats=3)
        ours = median_seconds(lambda: list(load_recordings("pamap2", folder)), repeats=3)
    return BenchTable(
        f"Reading PAMAP2: {rows} lines of 54 columns, {megabytes:.0f} MB",
        ("pandas.read_csv, C engine [s]", "load_recordings [s]", "ratio", "at most"),
        [(f"{alone:.3g}", f"{ours:.3g}", f"{ours / alone:.2f}", "1.5")],
        "load_recordings checks the columns of each line, takes 20 of the 54, fills short gaps, checks the time stamps "
        "and names the labels.",
    )


def write_pamap2(path: Path, rows: int) -> None:
    """Write made-up samples in PAMAP2's layout: one heart rate in eleven lines, a dropped packet in a thousand."""
    generator = np.random.default_rng(0)
    values = generator.normal(size=(1000, 54))
    values[:, 2] = np.where(np.arange(1000) % 11 == 0, 100, np.nan)
    values[500, 3:20] = np.nan
    tail = [" ".join("NaN" if np.isnan(v) else f"{v:.6g}" for v in row) for row in values[:, 2:]]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="ascii") as stream:
        for row in range(rows):
            stream.write(f"{8.38 + row / 100:.2f} {row // 20_000 % 8} {tail[row % 1000]}\n")


if __name__ == "__main__":
    number_table().print(Console(width=160))
