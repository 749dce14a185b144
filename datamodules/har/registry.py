"""The real data sets by name: one line for each."""

from __future__ import annotations

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
)
from datamodules.har.recordings.reading import OnBadFile, Reading
from datamodules.har.recordings.real_set import RealSet
from datamodules.har.recordings.recordings_pass import Recordings
from sim.names import check_name

READERS: Mapping[str, RealSet] = {
    "hapt": hapt.SET,
    "uci_har": uci_har.SET,
    "basic_motions": basic_motions.SET,
    "pamap2": pamap2.SET,
    "realworld2016": realworld2016.SET,
    "mhealth": mhealth.SET,
    "dsads": dsads.SET,
    "usc_had": usc_had.SET,
    "utd_mhad": utd_mhad.SET,
    "motionsense": motionsense.SET,
    "opportunity": opportunity.SET,
    "spsw_har": spsw_har.SET,
    "umafall": umafall.SET,
    "wisdm": wisdm.SET,
    "csv_folder": csv_folder.SET,
}
"""Every real data set; a new one is a reader that ends with its ``SET``, a line here and a YAML in experiments/sets."""


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
        root: folder that holds it; None for a set that a pip package brings (``hapt``, ``basic_motions``) or of which a
            part comes with this one (``dsads``); for ``csv_folder`` the YAML that describes the set.
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
