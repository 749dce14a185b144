"""What is known of a real set before it is read: its reader, its words for activities, its files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from datamodules.har.recordings.reading import Reading
from datamodules.har.recordings.recording import Recording
from datamodules.har.recordings.sources import Sources, files_below


@dataclass(frozen=True)
class RealSet:
    """What is known of a real data set before it is read.

    Attributes:
        read: the reader; takes the root folder, None for a set that a pip package or this one brings, and the rules of
            the pass.
        activities: what the set calls an activity in its files -> canonical name, empty string for unlabelled; empty
            where only a description of the files says.
        placements: the sites that windows are cut from where none are named: those with accelerometer and gyroscope
            in each recording, as far as the set has such.
        is_test: whether a recording belongs to the official test split; None where there is no official split.
        sources: lists the files that it is read from.
        sites: tells the placements from the root where ``placements`` are not known before.
        embedded: keys of ``activities`` that come with this package, of a set of which a part does; empty where the set
            comes whole, or not at all.
        subject_independent: whether the official split keeps people apart; False keeps a set out of significance.
        labels: every label that it can return, in the set's order.
    """

    read: Callable[[Path | None, Reading], Iterator[Recording]]
    activities: Mapping[str, str]
    placements: tuple[str, ...]
    is_test: Callable[[Recording], bool] | None = None
    subject_independent: bool = True
    sources: Sources = files_below
    sites: Callable[[Path | None], tuple[str, ...]] | None = None
    embedded: tuple[str, ...] = ()
    labels: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(dict.fromkeys(name for name in self.activities.values() if name)))

    def labels_at(self, root: Path | None) -> tuple[str, ...]:
        """Every label that can come from there; None for what pip packages or this one bring."""
        return tuple(self.activities[key] for key in self.embedded) if root is None and self.embedded else self.labels
