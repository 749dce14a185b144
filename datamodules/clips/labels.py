"""What the files of known sets show: activity, sentences, person and how a mixed file is cut, by declared rules.

The rules stand in ``datamodules/assets/clip_labels.yaml``, one list for each set; nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from typing import Final

import yaml

from datamodules.clips.clip import ACTIVITIES
from datamodules.splits import Split

_TEMPLATES: Final = ("a person {}.", "someone {}.", "the person {}.")
_KEYS: Final = {"files", "activity", "says", "cut", "rest", "person", "why"}
_ABSENT: Final = "absent"


@dataclass(frozen=True)
class ClipLabel:
    """What one file shows.

    Attributes:
        activity: canonical activity; None for a file that is to be left out.
        captions: sentences that hold for this very file.
        person: who moves, by a name that is one in all sets (``cmu/16``), or None where it is not known.
        session: people recorded together, who lie on one side of a split; None where there is none.
        cut: rule of :mod:`datamodules.clips.spans` by which the file is cut, or None.
        rest: activity of stretches that the rule does not name; None leaves them out.
        split: side of the split that the file is on (``datamodules/assets/clip_sides.yaml``).
        why: reason for leaving the file out.
    """

    activity: str | None
    captions: tuple[str, ...] = ()
    person: str | None = None
    session: str | None = None
    cut: str | None = None
    rest: str | None = None
    split: Split = "train"
    why: str = ""


@dataclass(frozen=True)
class _Rule:
    files: str
    activity: str | None
    says: tuple[str, ...]
    cut: str | None
    rest: str | None
    person: str | None
    why: str


@dataclass(frozen=True)
class _SetRules:
    people: re.Pattern[str] | None
    person: str | None
    session: str | None
    rules: tuple[_Rule, ...]


@dataclass(frozen=True)
class _Table:
    sets: Mapping[str, _SetRules]
    sides: Mapping[str, Split]
    same: Mapping[str, str]


def label_of(set_folder: str, path_inside: str) -> ClipLabel:
    """Return what a file of a known set shows.

    Args:
        set_folder: the set's folder, such as ``"snu_tiling"``.
        path_inside: the file's path in it, such as ``"1/chair_2.amc.xz"``; suffixes make no difference.

    Raises:
        ValueError: the set has no rules, or none of them fits the file.
    """
    table = _load_table()
    if set_folder not in table.sets:
        raise ValueError(
            f"no labels are declared for the set {set_folder!r}, expected one of {', '.join(table.sets)}; "
            "add its rules to datamodules/assets/clip_labels.yaml"
        )
    rules, inside = table.sets[set_folder], path_inside.split(".")[0]
    rule = next((one for one in rules.rules if fnmatchcase(inside, one.files)), None)
    if rule is None:
        raise ValueError(
            f"no rule of {set_folder} in datamodules/assets/clip_labels.yaml fits {inside!r}; add one that does"
        )
    found = rules.people.search(inside) if rules.people is not None else None
    groups = found.groups() if found is not None else ()
    person = rules.person if rule.person == _ABSENT else rule.person
    person = _fill(person, groups)
    person = table.same.get(person, person) if person is not None else None
    return ClipLabel(
        rule.activity,
        tuple(template.format(words) for words in rule.says for template in _TEMPLATES),
        person,
        _fill(rules.session, groups),
        rule.cut,
        rule.rest,
        table.sides.get(f"{set_folder}/{inside}", "train"),
        rule.why,
    )


def labelled_sets() -> tuple[str, ...]:
    """Return the folders of all sets that have rules."""
    return tuple(_load_table().sets)


def _fill(name: str | None, groups: tuple[str, ...]) -> str | None:
    if name is None or ("{" in name and not groups):
        return None
    return name.format(*groups)


@cache
def _load_table() -> _Table:
    table, kept = (
        yaml.safe_load(resources.files("datamodules").joinpath(f"assets/{name}.yaml").read_text(encoding="utf-8"))
        for name in ("clip_labels", "clip_sides")
    )
    sides: dict[str, Split] = {
        f"{folder}/{file}": side for side in ("test", "val") for folder, files in kept[side].items() for file in files
    }
    sets = {str(folder): _read_set(str(folder), entry) for folder, entry in table["sets"].items()}
    return _Table(sets, sides, table["same_people"])


def _read_set(folder: str, entry: Mapping[str, object]) -> _SetRules:
    rules = entry["rules"]
    if not isinstance(rules, list):
        raise ValueError(f"clip_labels.yaml: rules of {folder} are {rules!r:.60}, expected a list")
    people, person, session = (entry.get(key) for key in ("people", "person", "session"))
    return _SetRules(
        None if people is None else re.compile(str(people)),
        None if person is None else str(person),
        None if session is None else str(session),
        tuple(_read_rule(folder, rule) for rule in rules),
    )


def _read_rule(folder: str, rule: Mapping[str, object]) -> _Rule:
    unknown = set(rule) - _KEYS
    if unknown or not {"files", "activity"} <= set(rule):
        raise ValueError(f"clip_labels.yaml: rule {dict(rule)} of {folder}, expected files, activity and {_KEYS}")
    activity, says = rule["activity"], rule.get("says") or []
    rest = rule.get("rest", activity)
    for name in (activity, rest):
        if name is not None and name not in ACTIVITIES:
            raise ValueError(f"clip_labels.yaml: {folder} has the activity {name!r}, expected one of {ACTIVITIES}")
    if not isinstance(says, list):
        raise ValueError(f"clip_labels.yaml: says of {rule['files']} is {says!r}, expected a list")
    cut, person = rule.get("cut"), rule.get("person", _ABSENT)
    return _Rule(
        str(rule["files"]),
        None if activity is None else str(activity),
        tuple(str(words) for words in says),
        None if cut is None else str(cut),
        None if rest is None else str(rest),
        None if person is None else str(person),
        str(rule.get("why", "")),
    )
