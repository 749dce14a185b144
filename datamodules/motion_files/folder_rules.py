"""What a user says of the files in a folder of motion: ``motions.yaml``, options of the readers and sentences.

files:
  - {match: "jumps/*.bvh", activity: jumping, fps: 60, drop_first: 1, skeleton: my_skeleton.yaml}
  - {match: "*.trc", markers: my_markers.yaml, static: static.trc}
paraphrases:
  juggling: [a person juggles., someone is juggling.]
licence: our laboratory's, for research
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from datamodules.motion_files.motion_file import ReadOptions
from sim.files import parse_yaml, read_text_file
from sim.names import nearest_name

RULES: Final[str] = "motions.yaml"
PATHS: Final[tuple[str, ...]] = ("skeleton", "asf", "markers", "static")
NUMBERS: Final[tuple[str, ...]] = ("fps", "unit_m")
KEYS: Final[frozenset[str]] = frozenset({"match", "activity", *(one.name for one in fields(ReadOptions))} - {"body"})


@dataclass(frozen=True)
class FileRule:
    """What is said of the files that a pattern fits.

    Attributes:
        match: pattern of the path within the folder, as of a shell.
        options: how they are read.
        activity: what they show; None takes the folder's or the file's name.
    """

    match: str
    options: ReadOptions
    activity: str | None = None


@dataclass(frozen=True)
class FolderRules:
    """What is said of a folder.

    Attributes:
        files: rules in order; the first that fits a file holds.
        paraphrases: sentences of an activity, in place of the packaged ones.
        licence: terms of all files, in words; None where nothing is said.
    """

    files: tuple[FileRule, ...] = ()
    paraphrases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    licence: str | None = None

    def find(self, inside: str) -> FileRule:
        """Return the rule of a file by its path within the folder; one that says nothing where none fits."""
        return next((rule for rule in self.files if fnmatch(inside, rule.match)), FileRule("*", ReadOptions()))

    def uses(self, path: Path) -> bool:
        """Say whether a rule names a file, which then is no motion: a calibration recording, a description."""
        named = (getattr(rule.options, name) for rule in self.files for name in PATHS)
        return path.name == RULES or any(one is not None and one.resolve() == path.resolve() for one in named)


def read_folder_rules(root: str | Path) -> FolderRules:
    """Read ``motions.yaml`` of a folder; files that it names lie in the folder.

    Raises:
        FileNotFoundError: a file that it names is not there.
        ValueError: the file is not of this form; the message names the entry.
    """
    path = Path(root) / RULES
    if not path.is_file():
        return FolderRules()
    table = parse_yaml(read_text_file(path), path)
    if not isinstance(table, dict) or set(table) - {"files", "paraphrases", "licence"}:
        raise ValueError(f"{path} holds {table!r:.80}, expected 'files', 'paraphrases' and 'licence' only")
    licence = table.get("licence")
    if licence is not None and (not isinstance(licence, str) or not licence.strip()):
        raise ValueError(f"{path}: licence is {licence!r:.80}, expected the terms of its files in words")
    entries, sentences = table.get("files") or [], table.get("paraphrases") or {}
    if not isinstance(entries, list) or not isinstance(sentences, dict):
        raise ValueError(f"{path}: expected a list under 'files' and sentences by activity under 'paraphrases'")
    paraphrases = {str(name): _read_sentences(path, str(name), value) for name, value in sentences.items()}
    files = tuple(_read_rule(path, number, one) for number, one in enumerate(entries, 1))
    return FolderRules(files, paraphrases, licence)


def _read_sentences(path: Path, activity: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) and one.strip() for one in value):
        raise ValueError(f"{path}: paraphrases of {activity} are {value!r:.80}, expected a list of sentences")
    return tuple(value)


def _read_rule(path: Path, number: int, entry: object) -> FileRule:
    place = f"{path}, entry {number} of files"
    if not isinstance(entry, dict) or not isinstance(entry.get("match"), str):
        raise ValueError(f"{place} is {entry!r:.80}, expected match: a pattern such as '*.bvh', and options")
    odd = sorted(str(key) for key in set(entry) - KEYS)
    if odd:
        near = nearest_name(odd[0], KEYS)
        raise ValueError(f"{place} has {odd}, {f'did you mean {near}? ' if near else ''}known are {sorted(KEYS)}")
    for name in NUMBERS:
        value = entry.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value)):
            raise ValueError(f"{place}: {name} is {value!r}, expected a number")
    up, drop = entry.get("up"), entry.get("drop_first", 0)
    if up not in (None, "y", "z") or isinstance(drop, bool) or not isinstance(drop, int):
        raise ValueError(f"{place}: up is {up!r} and drop_first {drop!r}, expected y or z and a whole number")
    files = {name: path.parent / str(entry[name]) for name in PATHS if entry.get(name) is not None}
    absent = [str(one) for one in files.values() if not one.is_file()]
    if absent:
        raise FileNotFoundError(f"{place} names {', '.join(absent)}, not found; paths count from the folder")
    try:
        options = ReadOptions(
            fps=entry.get("fps"),
            unit_m=entry.get("unit_m"),
            up=up,
            drop_first=drop,
            skeleton=files.get("skeleton"),
            asf=files.get("asf"),
            markers=files.get("markers"),
            static=files.get("static"),
        )
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error
    activity = entry.get("activity")
    return FileRule(entry["match"], options, None if activity is None else str(activity))
