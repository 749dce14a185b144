"""The real data sets by name: one line for each."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from datamodules.har import basic_motions, dsads, hapt
from datamodules.har.recording import Recording


@dataclass(frozen=True)
class RealSet:
    """What is known of a real data set before it is read.

    Attributes:
        read: the reader; takes the root folder, None for a set that a pip package brings.
        labels: every label that it can return.
        placements: the sensor sites of each of its recordings.
        is_test: whether a recording belongs to the official test split; None where there is no official split.
        subject_independent: whether the official split keeps people apart; False keeps a set out of significance.
    """

    read: Callable[[Path | None], Iterator[Recording]]
    labels: tuple[str, ...]
    placements: tuple[str, ...]
    is_test: Callable[[Recording], bool] | None
    subject_independent: bool


def _is_hapt_test(recording: Recording) -> bool:
    return recording.subject in hapt.TEST_SUBJECTS


def _is_basic_motions_test(recording: Recording) -> bool:
    return recording.trial.startswith("basic_motions/test")


READERS: Mapping[str, RealSet] = {
    "hapt": RealSet(hapt.read_hapt, hapt.LABELS, ("waist",), _is_hapt_test, True),
    "basic_motions": RealSet(
        basic_motions.read_basic_motions, basic_motions.LABELS, ("right_wrist",), _is_basic_motions_test, False
    ),
    "dsads": RealSet(dsads.read_dsads, dsads.LABELS, dsads.PLACEMENTS, None, True),
}
"""Every real data set; a new one is a reader and a line here."""


def real_set(name: str) -> RealSet:
    """The data set of that name.

    Raises:
        ValueError: there is none; names the nearest and all valid ones.
    """
    check_name(name, tuple(READERS), "data set")
    return READERS[name]


def load_recordings(name: str, root: str | Path | None = None) -> Iterator[Recording]:
    """Read a real data set.

    Args:
        name: one of :data:`READERS`.
        root: folder that holds it; None for a set that a pip package brings (``hapt``, ``basic_motions``).

    Returns:
        Its recordings, one after the other, in SI units.

    Raises:
        ValueError: there is no set of that name.
        FileNotFoundError: the set is not there; says where to get it.
    """
    return real_set(name).read(None if root is None else Path(root))


def check_name(name: str, valid: tuple[str, ...], what: str) -> None:
    """Make sure that a name is among the valid ones.

    Raises:
        ValueError: it is not; names the nearest and all valid ones.
    """
    if name not in valid:
        near = difflib.get_close_matches(name, valid, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"unknown {what} {name!r}, expected one of {list(valid)}{hint}")
