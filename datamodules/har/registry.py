"""The real data sets by name: one line for each."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

from datamodules.har.readers import (
    basic_motions,
    csv_folder,
    dsads,
    hapt,
    mhealth,
    motionsense,
    opportunity,
    pamap2,
    realworld2016,
    spsw_har,
    uci_har,
    umafall,
    usc_had,
    utd_mhad,
    wisdm,
    wisdm_2010,
)
from datamodules.har.recordings.reading import OnBadFile, Reading
from datamodules.har.recordings.real_set import RealSet
from datamodules.har.recordings.recording import Recording
from datamodules.har.recordings.recordings_pass import Recordings


def _is_hapt_test(recording: Recording) -> bool:
    return recording.subject in hapt.TEST_SUBJECTS


def _is_basic_motions_test(recording: Recording) -> bool:
    return recording.trial.startswith("basic_motions/test")


READERS: Mapping[str, RealSet] = {
    "hapt": RealSet(hapt.read_hapt, hapt.ACTIVITIES, ("waist",), _is_hapt_test, sources=hapt.list_sources),
    "uci_har": RealSet(uci_har.read_uci_har, uci_har.ACTIVITIES, uci_har.PLACEMENTS, uci_har.is_test),
    "basic_motions": RealSet(
        basic_motions.read_basic_motions,
        basic_motions.ACTIVITIES,
        ("right_wrist",),
        _is_basic_motions_test,
        subject_independent=False,
        sources=basic_motions.list_sources,
    ),
    "pamap2": RealSet(pamap2.read_pamap2, pamap2.ACTIVITIES, pamap2.PLACEMENTS),
    "realworld2016": RealSet(
        realworld2016.read_realworld2016, realworld2016.ACTIVITIES, tuple(realworld2016.SITES.values())
    ),
    "mhealth": RealSet(mhealth.read_mhealth, mhealth.ACTIVITIES, mhealth.PLACEMENTS[1:]),
    "dsads": RealSet(dsads.read_dsads, dsads.ACTIVITIES, dsads.PLACEMENTS),
    "usc_had": RealSet(usc_had.read_usc_had, usc_had.ACTIVITIES, usc_had.PLACEMENTS),
    "utd_mhad": RealSet(utd_mhad.read_utd_mhad, utd_mhad.ACTIVITIES, ("right_wrist",), utd_mhad.is_test),
    "motionsense": RealSet(motionsense.read_motionsense, motionsense.ACTIVITIES, motionsense.PLACEMENTS),
    "opportunity": RealSet(
        opportunity.read_opportunity, opportunity.ACTIVITIES, opportunity.PLACEMENTS, opportunity.is_test, False
    ),
    "spsw_har": RealSet(spsw_har.read_spsw_har, spsw_har.ACTIVITIES, spsw_har.PLACEMENTS),
    "umafall": RealSet(umafall.read_umafall, umafall.ACTIVITIES, umafall.PLACEMENTS[1:]),
    "wisdm": RealSet(wisdm.read_wisdm, {**wisdm.ACTIVITIES, **wisdm_2010.V1_ACTIVITIES}, ("right_wrist",)),
    "csv_folder": RealSet(csv_folder.read_csv_folder, {}, (), sources=csv_folder.list_sources),
}
"""Every real data set; a new one is a reader and a line here."""


def real_set(name: str) -> RealSet:
    """The data set of that name.

    Raises:
        ValueError: there is none; names the nearest and all valid ones.
    """
    check_name(name, tuple(READERS), "data set")
    return READERS[name]


def load_recordings(
    name: str, root: str | Path | None = None, *, on_bad_file: OnBadFile = "error", max_gap_s: float = 0.25
) -> Recordings:
    """Read a real data set.

    What was mended and left out is written to the log at the end, and stands in the result.

    Args:
        name: one of :data:`READERS`.
        root: folder that holds it; None for a set that a pip package brings (``hapt``, ``basic_motions``); for
            ``csv_folder`` the YAML that describes the set.
        on_bad_file: ``error`` stops at the first bad file; ``skip`` leaves it out and counts it.
        max_gap_s: longest stretch to interpolate over [s]; longer gaps in the time stamps split a recording, longer
            runs of missing values stay NaN.

    Returns:
        Its recordings, one after the other, in SI units.

    Raises:
        ValueError: there is no set of that name, or a rule is out of range.
        FileNotFoundError: the set is not there; says where to get it.

    Examples:
        >>> load_recordings("hapd")
        Traceback (most recent call last):
        ValueError: unknown data set 'hapd', ... did you mean ...hapt...?
    """
    reading = Reading(on_bad_file, max_gap_s)
    return Recordings(name, real_set(name).read(None if root is None else Path(root).expanduser(), reading), reading)


def check_name(name: str, valid: tuple[str, ...], what: str) -> None:
    """Make sure that a name is among the valid ones.

    Raises:
        ValueError: it is not; names the nearest and all valid ones.
    """
    if name not in valid:
        near = difflib.get_close_matches(name, valid, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"unknown {what} {name!r}, expected one of {list(valid)}{hint}")
