"""The real data sets by name: one line for each."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from datamodules.har import (
    basic_motions,
    csv_folder,
    dsads,
    hapt,
    mhealth,
    motionsense,
    pamap2,
    realworld2016,
    spsw_har,
    uci_har,
    usc_had,
    utd_mhad,
    wisdm,
)
from datamodules.har.reading import ReadOptions
from datamodules.har.recording import Recording


@dataclass(frozen=True)
class RealSet:
    """What is known of a real data set before it is read.

    Attributes:
        read: the reader; takes the root folder, None for a set that a pip package brings, and what to do about what is
            wrong in files.
        labels: every label that it can return; empty where only the files say.
        placements: the sensor sites of its recordings; of sets whose recordings hold one each, all there are.
        is_test: whether a recording belongs to the official test split; None where there is no official split.
        subject_independent: whether the official split keeps people apart; False keeps a set out of significance.
    """

    read: Callable[[Path | None, ReadOptions], Iterator[Recording]]
    labels: tuple[str, ...]
    placements: tuple[str, ...]
    is_test: Callable[[Recording], bool] | None
    subject_independent: bool


Reader = Callable[[Path | None], Iterator[Recording]]


def _packaged(read: Reader) -> Callable[[Path | None, ReadOptions], Iterator[Recording]]:
    """Give a reader of one packaged file the door of the others: there is no file to skip, nor a gap in it."""
    return lambda root, options: read(root)


def _is_hapt_test(recording: Recording) -> bool:
    return recording.subject in hapt.TEST_SUBJECTS


def _is_basic_motions_test(recording: Recording) -> bool:
    return recording.trial.startswith("basic_motions/test")


READERS: Mapping[str, RealSet] = {
    "hapt": RealSet(_packaged(hapt.read_hapt), hapt.LABELS, ("waist",), _is_hapt_test, True),
    "basic_motions": RealSet(
        _packaged(basic_motions.read_basic_motions), basic_motions.LABELS, ("right_wrist",), _is_basic_motions_test,
        False,
    ),
    "csv_folder": RealSet(csv_folder.read_csv_folder, (), (), None, True),
    "dsads": RealSet(dsads.read_dsads, dsads.LABELS, dsads.PLACEMENTS, None, True),
    "mhealth": RealSet(mhealth.read_mhealth, mhealth.LABELS, mhealth.PLACEMENTS, None, True),
    "motionsense": RealSet(motionsense.read_motionsense, motionsense.LABELS, ("left_pocket",), None, True),
    "pamap2": RealSet(pamap2.read_pamap2, pamap2.LABELS, pamap2.PLACEMENTS, None, True),
    "realworld2016": RealSet(
        realworld2016.read_realworld2016, realworld2016.LABELS, realworld2016.PLACEMENTS, None, True
    ),
    "spsw_har": RealSet(spsw_har.read_spsw_har, spsw_har.LABELS, tuple(spsw_har.DEVICES.values()), None, True),
    "uci_har": RealSet(uci_har.read_uci_har, uci_har.LABELS, ("waist",), _is_hapt_test, True),
    "usc_had": RealSet(usc_had.read_usc_had, usc_had.LABELS, ("right_pocket",), None, True),
    "utd_mhad": RealSet(utd_mhad.read_utd_mhad, utd_mhad.LABELS, ("right_wrist", "right_thigh"), None, True),
    "wisdm": RealSet(wisdm.read_wisdm, wisdm.LABELS, tuple(wisdm.DEVICES.values()), None, True),
}  # fmt: skip
"""Every real data set; a new one is a reader and a line here."""


def real_set(name: str) -> RealSet:
    """The data set of that name.

    Raises:
        ValueError: there is none; names the nearest and all valid ones.
    """
    check_name(name, tuple(READERS), "data set")
    return READERS[name]


def load_recordings(
    name: str,
    root: str | Path | None = None,
    *,
    on_bad_file: str = "raise",
    max_gap_s: float = 0.5,
    max_missing_s: float = 0.1,
) -> Iterator[Recording]:
    """Read a real data set.

    Args:
        name: one of :data:`READERS`.
        root: folder that holds it; None for a set that a pip package brings (``hapt``, ``basic_motions``).
        on_bad_file: ``raise``, or ``skip``: a file that cannot be read is named in the log, counted and left out.
        max_gap_s: longest step between time stamps that is bridged; a longer one parts a recording in two [s].
        max_missing_s: longest run of missing values that is interpolated; a longer one stays NaN [s].

    Returns:
        Its recordings, one after the other, in SI units.

    Raises:
        ValueError: there is no set of that name, an option is out of range, or a file is damaged.
        FileNotFoundError: the set is not there; says where to get it.
    """
    options = ReadOptions(on_bad_file, max_gap_s, max_missing_s)
    return real_set(name).read(None if root is None else Path(root), options)


def check_name(name: str, valid: tuple[str, ...], what: str) -> None:
    """Make sure that a name is among the valid ones.

    Raises:
        ValueError: it is not; names the nearest and all valid ones.
    """
    if name not in valid:
        near = difflib.get_close_matches(name, valid, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"unknown {what} {name!r}, expected one of {list(valid)}{hint}")
