"""Which files of a folder are of one trial, by what their paths say: a sensor or a placement each, or twins."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from datamodules.har.readers.csv_facts import FolderDescription
from datamodules.har.recordings.reading import Reading
from sim.placements.presets import find_preset


@dataclass(frozen=True)
class TrialFile:
    """A file, and what its path says.

    Attributes:
        path: the file.
        groups: subject, activity, trial.
        site: placement that the path names, or None.
        kind: the only sensor in it, or None.
    """

    path: Path
    groups: Mapping[str, str]
    site: str | None
    kind: str | None


def join_files(
    found: Sequence[tuple[Path, re.Match[str]]], about: FolderDescription, reading: Reading
) -> list[list[TrialFile]]:
    """Put files of one trial together: one each, or one for each sensor and placement that the path tells apart.

    Args:
        found: files and what the pattern matched, in order.
        about: the description.
        reading: rules of this pass.

    Returns:
        The files of each trial.

    Raises:
        ValueError: a path names a placement or a sensor that is none, or two files are of the same trial and sensor and
            ``on_bad_file`` is ``error``; nothing has been read by then.
    """
    trials: dict[tuple[str, ...], list[TrialFile]] = {}
    for path, match in found:
        groups = {name: text or "" for name, text in match.groupdict().items()}
        if "sensor" not in groups and (word := _unnamed_sensor(match)):
            groups["sensor"] = word
        site, kind = _site_of(groups.pop("placement", None), path, about), _kind_of(groups.pop("sensor", None), path)
        if not groups and not about.trial_column:
            groups["trial"] = path.relative_to(about.root).with_suffix("").as_posix() if site is kind is None else ""
        file = TrialFile(path, groups, site, kind)
        files = trials.setdefault(tuple(groups.values()), [])
        twin = next((one for one in files if (one.site, one.kind) == (site, kind)), None)
        # Columns may tell subjects and trials of one file from those of another.
        if twin is not None and (about.subject_column or about.trial_column):
            trials[(*groups.values(), str(path))] = [file]
        elif twin is not None:
            hint = "; or tell them apart by a group (?P<trial>...) or (?P<sensor>accel|gyro) in files:"
            reading.refuse_twin(str(path), str(twin.path), "/".join([about.name, *groups.values()]), hint)
        else:
            files.append(file)
    return list(trials.values())


def _unnamed_sensor(match: re.Match[str]) -> str | None:
    """The word of a group without a name that tells a sensor, as in ``_(accel|gyro)``."""
    named = set(match.re.groupindex.values())
    words = (match.group(number) or "" for number in range(1, match.re.groups + 1) if number not in named)
    return next((word for word in words if word.lower().startswith(("acc", "gyr"))), None)


def _site_of(text: str | None, path: Path, about: FolderDescription) -> str | None:
    if text is None:
        return None
    if text.lower() in about.placements:
        return about.placements[text.lower()]
    try:
        return find_preset(text.lower())
    except ValueError as error:
        raise ValueError(f"{path}: {error}; add {text!r} to placements: of {about.path}") from None


def _kind_of(text: str | None, path: Path) -> str | None:
    if text is None:
        return None
    kind = next((kind for start, kind in (("acc", "accel"), ("gyr", "gyro")) if text.lower().startswith(start)), None)
    if kind is None:
        raise ValueError(
            f"{path}: the group sensor finds {text!r}, expected a word that begins with acc or gyr; correct files:"
        )
    return kind
