"""The list of simulated recordings in a folder: what each is of, whose, and for which side of the split."""

from __future__ import annotations

import os
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock

from datamodules.har.parsing.number_table import MISSING
from sim.files import read_text_file, whole_file
from sim.names import check_name

MANIFEST = "manifest.csv"
"""Table beside the recordings; see :func:`read_manifest`."""

_COLUMNS = ("file", "label", "subject", "split")


def add_to_manifest(recording: Path, *, label: str, subject: str = "virtual", split: str = "train") -> Path:
    """List a recording in the ``manifest.csv`` of its folder; several processes may do so at once.

    Args:
        recording: the file; a row that lists it already is replaced.
        label: activity.
        subject: name of the (virtual) wearer.
        split: ``train`` or ``test``.

    Returns:
        The manifest.

    Raises:
        ValueError: the split has another name, label or subject are blank, or the manifest there lacks a column.
    """
    check_name(split, ("train", "test"), "split")
    for what, text in (("label", label), ("subject", subject)):
        if not text.strip():
            raise ValueError(f"{what} is {text!r}, expected a name; {recording} is not listed")
    path = recording.parent / MANIFEST
    with FileLock(path.with_suffix(".lock")):
        before = _read_table(path) if path.is_file() else pd.DataFrame(columns=list(_COLUMNS))
        if "file" not in before.columns:
            raise ValueError(f"{path} has columns {list(before.columns)}, expected file among them; mend or remove it")
        row = pd.DataFrame([dict(zip(_COLUMNS, (recording.name, label, subject, split), strict=True))])
        table = pd.concat([before[before["file"] != recording.name], row], ignore_index=True)
        with whole_file(path) as part:
            table.to_csv(part, index=False)
    return path


def read_manifest(root: Path) -> pd.DataFrame:
    """Read the list of simulated recordings in a folder.

    ``manifest.csv`` has columns ``file`` (path of an ImuRecording, relative to the folder) and ``label`` (activity),
    and may have ``subject`` (virtual wearer; ``virtual`` where absent) and ``split`` (``train`` or ``test``; ``train``
    where absent).

    Args:
        root: the folder.

    Returns:
        A table of text with exactly these four columns.

    Raises:
        FileNotFoundError: there is no manifest, or it lists a file that is not there.
        ValueError: a column or a cell is missing, a file is listed twice, there is no row, or a split has another name.
    """
    path = root / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(
            f"{MANIFEST} not found in root {root}; imuforge synth --label LABEL writes one, or give another root"
        )
    table = _read_table(path)
    missing = [name for name in ("file", "label") if name not in table.columns]
    if missing:
        raise ValueError(f"{path} has columns {list(table.columns)}, expected also {missing}")
    for name, default in (("subject", "virtual"), ("split", "train")):
        table[name] = table[name].where(table[name] != "", default) if name in table.columns else default
    for split in table["split"].unique():
        check_name(str(split), ("train", "test"), f"split in {path}")
    if table.empty:
        raise ValueError(f"{path} lists no recording, expected at least one row")
    for name in ("file", "label"):
        blank = np.flatnonzero(table[name].isin(MISSING))
        if len(blank):
            found = table[name][blank[0]]
            what = f"the {name} {found}, which stands for none," if found else f"no {name},"
            raise ValueError(f"{path}, line {blank[0] + 2} has {what} expected one; complete the row or remove it")
    twice = np.flatnonzero(table["file"].map(os.path.normpath).duplicated())
    if len(twice):
        raise ValueError(
            f"{path}, line {twice[0] + 2}: {table['file'][twice[0]]} is listed twice, expected each once; remove one"
        )
    absent = [file for file in table["file"] if not (root / file).is_file()]
    if absent:
        raise FileNotFoundError(f"{path} lists {absent[0]} and {len(absent) - 1} others that are not in {root}")
    return table[["file", "label", "subject", "split"]]


def _read_table(path: Path) -> pd.DataFrame:
    """Read a table as text, empty where a cell is missing."""
    text = read_text_file(path)
    if not text.strip():
        raise ValueError(f"{path} is empty, expected the columns {', '.join(_COLUMNS)}; mend or remove it")
    try:
        table = pd.read_csv(StringIO(text), dtype=str, keep_default_na=False)
    except pd.errors.ParserError as error:
        raise ValueError(f"{path} is no table ({' '.join(str(error).split())}); mend or remove it") from None
    return table.fillna("").map(str.strip)
