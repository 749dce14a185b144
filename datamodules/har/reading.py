"""What all readers of real sets share: options, files one by one, and an account of what was passed over."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from datamodules.har.recording import Recording

log = logging.getLogger(__name__)

ON_BAD_FILE: Final = ("raise", "skip")


@dataclass(frozen=True)
class ReadOptions:
    """How a reader treats what is wrong in files.

    Attributes:
        on_bad_file: ``raise``, or ``skip``: a file that cannot be read is named in the log, counted and left out.
        max_gap_s: longest step between two samples that is bridged; a longer one parts a recording in two [s].
        max_missing_s: longest run of missing values that is interpolated; a longer one stays missing [s].

    Raises:
        ValueError: a value is out of range.
    """

    on_bad_file: str = "raise"
    max_gap_s: float = 0.5
    max_missing_s: float = 0.1

    def __post_init__(self) -> None:
        if self.on_bad_file not in ON_BAD_FILE:
            raise ValueError(f"on_bad_file is {self.on_bad_file!r}, must be one of {list(ON_BAD_FILE)}")
        if not self.max_gap_s > 0 or self.max_missing_s < 0:
            raise ValueError(
                f"max_gap_s is {self.max_gap_s} and max_missing_s {self.max_missing_s}, expected above 0 and at least 0"
            )


DEFAULT_OPTIONS: Final = ReadOptions()


@dataclass
class ReadingAccount:
    """What was found and mended while a set was read; it says so in the log when the set is through.

    Attributes:
        set_name: of the set.
        counts: how often each thing was found, by its name in words.
    """

    set_name: str
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, what: str, count: int = 1) -> None:
        """Count something, if there is anything to count."""
        if count:
            self.counts[what] += count

    def __str__(self) -> str:
        found = ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items())) or "nothing out of order"
        return f"{self.set_name}: {found}"


def find_files(root: Path | None, patterns: Sequence[str], *, set_name: str, layout: str, source: str) -> list[Path]:
    """List the files of a set, sorted as people count (subject2 before subject10).

    Args:
        root: folder that holds the set.
        patterns: globs below ``root``; the first that finds anything is taken.
        set_name: of the set, for the message.
        layout: what the files are called, for the message.
        source: where to get them, for the message.

    Raises:
        FileNotFoundError: there is no root, or nothing in it fits.
    """
    if root is not None and root.is_dir():
        for pattern in patterns:
            found = [path for path in root.glob(pattern) if path.is_file() and not path.name.startswith("._")]
            if found:
                return sorted(found, key=_as_counted)
    raise FileNotFoundError(
        f"no {layout} of {set_name} in root {root}; either give a different root or download it from {source}"
    )


def _as_counted(path: Path) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", str(path)) if part]


def read_each(
    files: Iterable[Path],
    parse: Callable[[Path], Iterable[Recording]],
    options: ReadOptions,
    account: ReadingAccount,
) -> Iterator[Recording]:
    """Parse files one after the other, skip bad ones if asked to, and log the account at the end.

    Raises:
        ValueError: a file is bad and is not to be skipped; or no file is left.
    """
    yielded, total = 0, 0
    for path in files:
        total += 1
        try:
            # All of a file or nothing: half a file that turned out bad must not have been handed out.
            recordings = list(parse(path))
        except ValueError as error:
            if options.on_bad_file == "raise":
                raise
            log.warning("skipped: %s", error)
            account.add("files skipped")
            continue
        yielded += len(recordings)
        yield from recordings
    log.info("%s", account)
    if not yielded:
        raise ValueError(f"none of the {total} files of {account.set_name} holds a recording ({account}); check root")
