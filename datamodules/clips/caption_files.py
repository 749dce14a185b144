"""Captions of a user's motion files: a text beside the file, a table, CMU's descriptions, or the file's own name."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from io import StringIO
from itertools import product
from pathlib import Path
from typing import Final

import yaml

from datamodules.clips.captions import read_cmu_descriptions
from datamodules.humanml3d.files import read_captions
from datamodules.motion_files import known_suffixes
from datamodules.motion_files.motion_file import stem_of
from sim.files import read_text_file

TABLE: Final[str] = "captions.csv"
CMU_TABLE: Final[str] = "cmu_captions.json"


@dataclass(frozen=True)
class NameWords:
    """What words of file names mean (``datamodules/assets/file_names.yaml``)."""

    activities: dict[str, str]
    verbs: dict[str, list[str]]
    manners: dict[str, str]
    templates: list[str]


@dataclass(frozen=True)
class CaptionFiles:
    """The captions that a folder of motion brings along.

    Attributes:
        root: the folder.
        table: sentences by file, of ``captions.csv``: the path within the folder, or the name, suffixes aside.
        cmu: CMU's description of each ``subject_trial``, of ``cmu_captions.json``.
    """

    root: Path
    table: dict[str, tuple[str, ...]] = field(default_factory=dict)
    cmu: dict[str, str] = field(default_factory=dict)

    def find(self, path: Path) -> tuple[str, ...]:
        """Return the sentences of a file: its text's, its row's and CMU's; those of its name if there are none.

        A text is ``NAME.txt`` beside it or in ``texts/`` beside its folder, with lines as HumanML3D's
        (``caption#tokens#start#end``) or plain ones.

        Raises:
            ValueError: the text is empty or damaged.
        """
        stem = _stem(path.name)
        inside = path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.name
        # walk.fbx.bvh may be called walk.fbx, or walk for short.
        stems = tuple(dict.fromkeys((stem, path.name.split(".")[0])))
        found = [line for name in dict.fromkeys((_stem(inside), *stems)) for line in self.table.get(name, ())]
        beside = [folder / f"{one}.txt" for one in stems for folder in (path.parent, path.parent.parent / "texts")]
        for text in beside:
            if text.is_file() and text != path:
                found += read_text_captions(text)
        trial = re.match(r"0*(\d+)_0*(\d+)", stem)
        if trial is not None:
            description = self.cmu.get(f"{int(trial[1]):02d}_{int(trial[2]):02d}")
            found += [description] if description else []
        return tuple(dict.fromkeys(found)) or caption_from_name(stem)


def open_captions(root: str | Path) -> CaptionFiles:
    """Read the tables of a folder: ``captions.csv``, and ``cmu_captions.json`` in it or in ``captions/``.

    Raises:
        ValueError: a table is damaged; the message names the line.
    """
    root = Path(root)
    cmu = next((one for one in (root / CMU_TABLE, root / "captions" / CMU_TABLE) if one.is_file()), root / CMU_TABLE)
    table = root / TABLE
    return CaptionFiles(root, read_caption_table(table) if table.is_file() else {}, read_cmu_descriptions(cmu))


def read_caption_table(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Read a CSV file with the columns ``file`` and ``caption``; a file may have several rows.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a column is missing, or a row lacks one of the two.
    """
    found: dict[str, list[str]] = {}
    with StringIO(read_text_file(path), newline="") as file:
        rows = csv.DictReader(file)
        if not {"file", "caption"} <= set(rows.fieldnames or ()):
            raise ValueError(f"{path} has the columns {rows.fieldnames}, expected file,caption in its first line")
        for row in rows:
            name, caption = (row["file"] or "").strip(), (row["caption"] or "").strip()
            if not name or not caption:
                raise ValueError(f"{path}, line {rows.line_num}: {row}, expected a file and a caption; complete it")
            found.setdefault(_stem(name), []).append(caption)
    return {name: tuple(captions) for name, captions in found.items()}


def read_text_captions(path: Path) -> list[str]:
    """Read a text of captions, HumanML3D's lines or plain ones; captions of a part of a motion are left out.

    Raises:
        ValueError: the file is empty or a line is not of the form.
    """
    lines = [line.strip() for line in read_text_file(path).splitlines() if line.strip()]
    if lines and not any("#" in line for line in lines):
        return lines
    return [caption.text for caption in read_captions(path) if caption.frames is None]


def activity_from_name(name: str) -> str | None:
    """Return the activity that a file's name speaks of, or None."""
    return next((activity for word in _words(name) if (activity := load_name_words().activities.get(word))), None)


def caption_from_name(name: str) -> tuple[str, ...]:
    """Return sentences made of a file's name through templates; none if it speaks of no known activity."""
    words, known = _words(name), load_name_words()
    activity = activity_from_name(name)
    if activity is None:
        return ()
    # "not-confident" is one word of manner; "walk-left" is two.
    manners = [words_for_it for one, words_for_it in known.manners.items() if one in words]
    manner = "".join(f" {one}" for one in dict.fromkeys(manners))
    verbs = known.verbs.get(activity) or [f"is {activity.replace('_', ' ')}"]
    return tuple(template.format(verb=verb, manner=manner) for template, verb in product(known.templates, verbs))


@cache
def load_name_words() -> NameWords:
    """Return the packaged words.

    Raises:
        ValueError: the packaged table is damaged.
    """
    text = resources.files("datamodules").joinpath("assets/file_names.yaml").read_text(encoding="utf-8")
    table = yaml.safe_load(text)
    try:
        return NameWords(**table)
    except TypeError as error:
        raise ValueError(f"datamodules/assets/file_names.yaml: {error}") from error


def _stem(name: str) -> str:
    return stem_of(name, known_suffixes())


def _words(name: str) -> list[str]:
    """Return a name's words in small letters: parts between ``_``, the same glued together, then runs of letters."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name)
    parts = [part.lower() for part in re.split(r"[_\s.]+", spaced)]
    finer = [word for part in parts for word in re.findall(r"[a-z]+", part)]
    glued = ["".join(re.findall(r"[a-z]+", part.replace("-", ""))) for part in parts]
    return list(dict.fromkeys([*parts, *glued, *finer]))
