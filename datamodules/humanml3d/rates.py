"""Clips of HumanML3D whose 20 fps is not true, by the recordings they come from.

The set was made with a stride of ``int(rate / 20)`` over AMASS recordings (``raw_pose_processing.ipynb`` of
https://github.com/EricGuo5513/HumanML3D, reported as its issue 176), and with the rates that AMASS states. Where the
quotient is no whole number, or the stated rate is wrong, frames lie further apart or closer than 1/20 s, and
accelerations computed at 20 fps are off by the square of it. Which recording a clip comes from is in the ``index.csv``
of that repository. Rates below were looked up, not measured; what could not be looked up is unknown, not assumed right.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO
from pathlib import Path, PurePosixPath
from typing import Final, Literal

import pandas as pd

from sim.conventions import FEATURE_FPS
from sim.files import read_text_file

Verdict = Literal["mislabelled", "right", "unknown"]

_TOLERANCE: Final = 1e-3
_COLUMNS: Final = ("source_path", "start_frame", "end_frame", "new_name")


@dataclass(frozen=True)
class SourceRate:
    """What is known of the recordings in one folder of ``pose_data``.

    Attributes:
        folder: the folder, or the start of a path in it.
        rate_hz: rate of the recordings [Hz]; None where it is not known, or differs between them.
        stride: how many frames HumanML3D went on from one to the next.
        evidence: where both come from.
    """

    folder: str
    rate_hz: float | None
    stride: int | None
    evidence: str

    @property
    def effective_hz(self) -> float | None:
        """Rate of the clips made from it [Hz], called 20 by the set."""
        return None if self.rate_hz is None or self.stride is None else self.rate_hz / self.stride

    @property
    def acceleration_ratio(self) -> float | None:
        """Acceleration that a clip shows at 20 fps, over the person's."""
        return None if self.effective_hz is None else (FEATURE_FPS / self.effective_hz) ** 2

    @property
    def verdict(self) -> Verdict:
        """Whether the clips' 20 fps is wrong, right or unknown."""
        if self.effective_hz is None:
            return "unknown"
        return "right" if abs(self.effective_hz / FEATURE_FPS - 1) < _TOLERANCE else "mislabelled"


_TEACH: Final = "github.com/athn-nik/teach scripts/process_amass.py corrects the rate"
SOURCE_RATES: Final = (
    SourceRate(
        "SSM_synced/20160930_50032", 60.0, 6, f"{_TEACH}; AMASS says 120 (nghorbani/amass#68), hence the stride"
    ),
    SourceRate(
        "SSM_synced/20161014_50033", 60.0, 6, f"{_TEACH}; AMASS says 120 (nghorbani/amass#68), hence the stride"
    ),
    SourceRate("SSM_synced", 59.9999885559082, 2, "EricGuo5513/HumanML3D#176"),
    SourceRate("TCD_handMocap", 150.0, 7, "nghorbani/amass#49: 150 in the SMPL+H files that HumanML3D used"),
    SourceRate("BMLhandball", 240.0, 6, f"{_TEACH}; stride from the 120 that AMASS is reported to say"),
    SourceRate("humanact12", 15.0, 1, "the author in EricGuo5513/HumanML3D#124; used as it is"),
    SourceRate("Eyes_Japan_Dataset", None, None, "EricGuo5513/HumanML3D#176: 250 Hz (0.92) in part, which is not said"),
    SourceRate("KIT", 100.0, 5, "sanweiliti/RoHM#20; EricGuo5513/HumanML3D#155"),
    SourceRate("EKUT", 100.0, 5, "sanweiliti/RoHM#20"),
    SourceRate("ACCAD", 120.0, 6, "nghorbani/amass#8"),
    SourceRate("SFU", 120.0, 6, "output of raw_pose_processing.ipynb"),
    SourceRate("MPI_HDM05", 120.0, 6, "names of its files end in _120"),
    SourceRate("TotalCapture", 60.0, 3, "nghorbani/amass#49: 60 in the SMPL+H files that HumanML3D used"),
)
"""Sources by folder, the longer before the shorter; of other folders nothing is known for sure."""


def find_source(source_path: str) -> SourceRate:
    """Return what is known of a recording, by its path in ``index.csv`` (``./pose_data/KIT/3/kick02_poses.npy``)."""
    parts = PurePosixPath(source_path).parts
    inside = parts[parts.index("pose_data") + 1 :] if "pose_data" in parts else parts
    path = "/".join(inside)
    for source in SOURCE_RATES:
        if path.startswith(f"{source.folder}/"):
            return source
    return SourceRate(inside[0] if inside else source_path, None, None, "")


def judge_rates(root: str | Path) -> pd.DataFrame:
    """Return a row for each motion that ``index.csv`` names, the mirrored (``M...``) as well.

    Args:
        root: folder of HumanML3D; ``index.csv`` lies in it or in the folder above, as in its repository.

    Returns:
        Columns ``name``, ``source`` (folder), ``verdict``, ``rate_hz``, ``stride``, ``effective_hz``,
        ``acceleration_ratio`` (as shown at 20 fps, over the true one) and ``evidence``.

    Raises:
        FileNotFoundError: there is no ``index.csv``.
        ValueError: it lacks a column.
    """
    candidates = [Path(root) / "index.csv", Path(root).resolve().parent / "index.csv"]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise FileNotFoundError(
            f"{candidates[0]} not found, which says what recording each motion comes from; "
            "copy it from https://github.com/EricGuo5513/HumanML3D, or leave out exclude_mislabelled"
        )
    index = pd.read_csv(StringIO(read_text_file(path)))
    if not set(_COLUMNS) <= set(index.columns):
        raise ValueError(f"{path} has columns {list(index.columns)}, expected {list(_COLUMNS)}; copy it again")
    names = index["new_name"].astype(str).str.removesuffix(".npy")
    sources = [find_source(path) for path in index["source_path"].astype(str)]
    table = pd.DataFrame(
        {
            "name": names,
            "source": [source.folder for source in sources],
            "verdict": [source.verdict for source in sources],
            "rate_hz": [source.rate_hz for source in sources],
            "stride": [source.stride for source in sources],
            "effective_hz": [source.effective_hz for source in sources],
            "acceleration_ratio": [source.acceleration_ratio for source in sources],
            "evidence": [source.evidence for source in sources],
        }
    )
    return pd.concat([table, table.assign(name="M" + names)], ignore_index=True)


def list_mislabelled_rates(root: str | Path) -> pd.DataFrame:
    """Return the rows of :func:`judge_rates` whose rate is known to be wrong, ordered by source and name.

    Raises:
        FileNotFoundError: there is no ``index.csv``.
        ValueError: it lacks a column.
    """
    table = judge_rates(root)
    return table[table["verdict"] == "mislabelled"].sort_values(["source", "name"], ignore_index=True)
