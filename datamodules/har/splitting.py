"""Split training windows into training and validation so that no wearer, or at least no recording, is on both sides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datamodules.har.window_set import UNKNOWN_SUBJECT, WindowSet


def split_off_validation(windows: WindowSet, *, fraction: float, seed: int) -> tuple[WindowSet, WindowSet]:
    """Split by subject where there are at least two known ones, by recording otherwise.

    Without subjects the recordings of each class are split on their own, so that a small set keeps every class on
    both sides.

    Args:
        windows: the training windows.
        fraction: share of the subjects (or recordings) to hold out, in [0, 1); 0 holds out nothing.
        seed: which ones.

    Returns:
        Training windows and validation windows; the latter may be empty only if ``fraction`` is 0.

    Raises:
        ValueError: ``fraction`` is out of range, or there is only one subject and recording to split.
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"val_fraction is {fraction}, expected a share in [0, 1) of the training subjects")
    if fraction == 0:
        return windows, windows.select(np.zeros(len(windows), dtype=np.bool_))
    rng = np.random.default_rng(seed)
    subjects = np.unique(windows.subjects)
    if len(subjects) > 1 and UNKNOWN_SUBJECT not in subjects:
        held = np.isin(windows.subjects, _draw(subjects, fraction, rng))
    else:
        held = np.zeros(len(windows), dtype=np.bool_)
        for label in np.unique(windows.labels):
            recordings = np.unique(windows.recording[windows.labels == label])
            if len(recordings) > 1:
                held |= np.isin(windows.recording, _draw(recordings, fraction, rng))
    if not held.any() or held.all():
        raise ValueError(
            f"{len(subjects)} subject and {len(np.unique(windows.recording))} recording cannot be split into training "
            "and validation; give more recordings or val_fraction=0"
        )
    return windows.select(~held), windows.select(held)


def _draw(groups: NDArray[np.generic], fraction: float, rng: np.random.Generator) -> NDArray[np.generic]:
    count = min(max(1, round(fraction * len(groups))), len(groups) - 1)
    return rng.permutation(groups)[:count]
