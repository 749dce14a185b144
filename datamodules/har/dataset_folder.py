"""What ``imuforge dataset`` wrote, as arrays: ``X, y, groups = load_dataset(DIR)``."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.har.windows.window_set import WindowSet
from datamodules.har.windows.window_tables import read_windows
from sim.names import check_name

SIDES: Final = ("train", "val", "test")
"""Sides of the split; nobody is on two of them."""

WINDOWS: Final = "windows"
"""Folder of the windows, ``SIDE-NUMBER.parquet``."""


class Arrays(NamedTuple):
    """Windows as arrays.

    Attributes:
        X: channels ``(N, T, C)``, float32, m/s^2 and rad/s in the sensors' frames.
        y: label of each ``(N,)``: names, or numbers where these were asked for.
        groups: the virtual person of each ``(N,)``, for scikit-learn's ``GroupKFold`` and the like.
    """

    X: NDArray[np.float32]
    y: NDArray[np.str_] | NDArray[np.int64]
    groups: NDArray[np.str_]


def load_dataset(root: str | Path, split: str | None = None, *, numbers: bool = False) -> Arrays:
    """Read the windows of a data set that ``imuforge dataset`` wrote.

    Args:
        root: its folder.
        split: ``train``, ``val`` or ``test``; None for all of them.
        numbers: labels as indices into the data set's classes, int64, for what takes no text (Keras).

    Returns:
        ``X (N, T, C)``, ``y (N,)``, ``groups (N,)``; scikit-learn takes ``X.reshape(len(X), -1)``, aeon and sktime
        ``X.transpose(0, 2, 1)``, Keras ``X`` with ``numbers=True``.

    Raises:
        FileNotFoundError: there is no such folder, or it holds no windows of that side.
        ValueError: the split has another name, or a file is damaged.
    """
    windows = load_window_set(root, split)
    names = np.array(windows.classes, dtype=np.str_)
    return Arrays(windows.signals, windows.labels if numbers else names[windows.labels], windows.subjects)


def load_window_set(root: str | Path, split: str | None = None) -> WindowSet:
    """Read the same as a :class:`WindowSet`, which also knows classes, channels and the rate; raises as above."""
    if not isinstance(root, str | Path):
        raise ValueError(f"root is {root!r}, expected the path of a folder that `imuforge dataset` wrote")
    if split is not None and not isinstance(split, str):
        raise ValueError(f"split is {split!r}, expected one of {', '.join(SIDES)}, or none for all")
    folder = Path(root).expanduser()
    if split is not None:
        check_name(split, SIDES, "split")
    wanted = SIDES if split is None else (split,)
    paths = [path for side in wanted for path in sorted((folder / WINDOWS).glob(f"{side}-*.parquet"))]
    if not paths:
        raise FileNotFoundError(
            f"{folder / WINDOWS} holds no {split or 'train, val or test'}-*.parquet, expected what `imuforge dataset "
            "SPEC.yaml --out DIR` wrote; check the folder"
        )
    return read_windows(paths)[0]
