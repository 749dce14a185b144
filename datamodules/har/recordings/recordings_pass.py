"""One pass over a data set as an iterator that counts what was mended and left out, and logs it at the end."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from datamodules.har.recordings.reading import Reading
from datamodules.har.recordings.recording import Recording, TimingReport

logger = logging.getLogger(__name__)


class Recordings(Iterator[Recording]):
    """The recordings of a set, one after the other.

    Args:
        name: of the set.
        source: what the reader yields.
        reading: rules of this pass; its ``skipped`` names files left out and why.
    """

    def __init__(self, name: str, source: Iterator[Recording], reading: Reading) -> None:
        self.reading = reading
        self._name, self._source = name, source
        self._origin: dict[str, str] = {}
        self._reports: dict[int, TimingReport] = {}
        self._samples = 0
        self._done = False

    def __next__(self) -> Recording:
        while True:
            try:
                recording = next(self._source)
            except StopIteration:
                if not self._done:
                    self._done = True
                    logger.info("%s", self.summary())
                raise
            if not self._is_twin(recording):
                break
        self._samples += len(recording.accel)
        if recording.timing is not None:
            self._reports[id(recording.timing)] = recording.timing
        return recording

    @property
    def skipped(self) -> dict[str, str]:
        """File -> why it was left out."""
        return self.reading.skipped

    def reports(self) -> list[TimingReport]:
        """What was mended so far, one for each source."""
        return list(self._reports.values())

    def summary(self) -> str:
        """What was read so far, mended and left out, in one line."""
        reports = self.reports()
        lines = [f"{self._name}: {len(self._origin)} recordings, {self._samples} samples"]
        gaps = sum(report.gaps for report in reports)
        if gaps:
            lines.append(f"split at {gaps} gaps of {sum(report.gap_s for report in reports):.1f} s in all")
        for what in _WORDS:
            count = sum(int(getattr(report, what)) for report in reports)
            if count:
                lines.append(f"{count} {_WORDS[what]}")
        resampled = sum(report.resampled for report in reports)
        if resampled:
            lines.append(f"{resampled} of {len(reports)} sources interpolated onto an even grid")
        if self.skipped:
            lines.append(f"{len(self.skipped)} files left out: {', '.join(self.skipped)}")
        return "; ".join(lines)

    def _is_twin(self, recording: Recording) -> bool:
        """Whether a recording of the same trial came from another file; an error or left out, as the rules say."""
        other = self._origin.setdefault(recording.trial, recording.source)
        if other == recording.source:
            return False
        hint = " or tell them apart by a group (?P<trial>...) in files:" if self._name == "csv_folder" else ""
        self.reading.refuse_twin(recording.source, other, recording.trial, hint)
        return True


_WORDS = {
    "dead": "samples of nothing but zeros taken as missing",
    "filled": "missing samples filled",
    "missing": "missing samples left as NaN",
    "bridged": "longer steps interpolated over",
    "duplicates": "samples with equal time stamps averaged",
    "disordered": "samples sorted by time",
}
