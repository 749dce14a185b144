"""What all readers share: how to find the files, what to do about a bad one, and the tally of what was read."""

from __future__ import annotations

import logging
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from datamodules.har.recordings.recording import Recording
from sim.files import list_files

logger = logging.getLogger(__name__)

OnBadFile = Literal["error", "skip"]
Source = TypeVar("Source")


@dataclass
class Reading:
    """One pass over a data set: the rules it is read by, and what was left out.

    Attributes:
        on_bad_file: ``error`` stops at the first bad file; ``skip`` leaves it out and counts it.
        max_gap_s: longest stretch to interpolate over [s]; a longer gap in the time stamps splits the recording, a
            longer run of missing values stays NaN.
        skipped: file -> why it was left out.

    Raises:
        ValueError: an attribute is out of range.
    """

    on_bad_file: OnBadFile = "error"
    max_gap_s: float = 0.25
    skipped: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.on_bad_file not in ("error", "skip"):
            raise ValueError(f"on_bad_file is {self.on_bad_file!r}, expected error or skip")
        if not 0 <= self.max_gap_s < float("inf"):
            raise ValueError(f"max_gap_s is {self.max_gap_s}, expected seconds from 0 on")

    def max_run(self, rate_hz: float) -> int:
        """Longest run of missing samples to fill at that rate."""
        return int(self.max_gap_s * rate_hz + 1e-9)

    def each(
        self,
        sources: Iterable[Source],
        parse: Callable[[Source], Iterable[Recording]],
        name: Callable[[Source], str] = str,
    ) -> Iterator[Recording]:
        """Read source after source; a bad one stops it all or is left out, as ``on_bad_file`` says.

        Args:
            sources: files, or groups of files that belong together.
            parse: reads one of them.
            name: how to call a source in messages.

        Raises:
            ValueError: a source is bad, or each of them was and was left out.
        """
        count = 0
        failed: list[tuple[str, str]] = []
        for source in sources:
            count += 1
            try:
                found = list(parse(source))
            except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
                message = " ".join(str(error).split())
                if self.on_bad_file == "error":
                    raise ValueError(message) from None
                self._leave_out(name(source), message)
                failed.append((name(source), message))
                continue
            yield from found
        if failed and len(failed) == count:
            raise ValueError(f"none of {count} files could be read; the first, {failed[0][0]}: {failed[0][1]}")

    def refuse_twin(self, source: str, other: str, trial: str, hint: str = "") -> None:
        """Deal with a file of a trial that another file is of: an error, or left out, as ``on_bad_file`` says.

        Args:
            source: the file.
            other: the file that came first.
            trial: of both.
            hint: what to do besides removing one.

        Raises:
            ValueError: ``on_bad_file`` is ``error``.
        """
        message = f"{source} and {other} are of the same trial {trial}, expected one; remove one of them{hint}"
        if self.on_bad_file == "error":
            raise ValueError(message)
        self._leave_out(source, message)

    def _leave_out(self, source: str, message: str) -> None:
        self.skipped[source] = message
        logger.warning("left out %s: %s", source, message)


@dataclass(frozen=True)
class SetFiles:
    """What the files of a set are called, and where to get them.

    Attributes:
        pattern: regular expression that the end of a file's path below the root matches, in any capitals; its first
            character is matched at a ``/``.
        layout: the layout in words, for messages.
        download: page to get the set from.
    """

    pattern: str
    layout: str
    download: str

    def find(self, root: Path | None) -> list[tuple[Path, re.Match[str]]]:
        """All files of that name below a root, in natural order, extra files and folders ignored.

        Args:
            root: folder that holds the set, at any depth.

        Raises:
            FileNotFoundError: there is no such folder or no such file; says where to get the set.
        """
        if root is not None and root.is_dir():
            expression = re.compile(rf"(?:^|.*?/){self.pattern}", re.IGNORECASE)
            found = []
            for path in list_files(root):
                match = expression.fullmatch(path.relative_to(root).as_posix())
                if match:
                    found.append((path, match))
            if found:
                return sorted(found, key=lambda item: natural_key(item[0].relative_to(root).as_posix()))
        raise FileNotFoundError(self.explain(root))

    def is_there(self, root: Path) -> bool:
        """Whether a root holds such files."""
        try:
            return bool(self.find(root))
        except FileNotFoundError:
            return False

    def explain(self, root: Path | None) -> str:
        """Why nothing was found and what to do, in one line."""
        if root is not None and root.is_dir():
            inside = [path.name for path in sorted(root.iterdir())[:5]]
            zips = [path.name for path in root.rglob("*.zip")][:1]
            hint = f"; unpack {zips[0]} first" if zips else ""
            what = f"it holds {', '.join(inside)}{hint}" if inside else "the folder is empty"
        else:
            what = "no folder was given" if root is None else "there is no such folder"
        return (
            f"no {self.layout} found in root {root} ({what}); either give a different root or download it from "
            f"{self.download}"
        )


def natural_key(text: str) -> list[tuple[int, str]]:
    """Sort key that puts 2 before 10."""
    return [(int(part), "") if part.isdigit() else (-1, part.lower()) for part in re.split(r"(\d+)", text)]
