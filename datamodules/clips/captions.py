"""Captions: several sentences per activity, and CMU's own words for a trial."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path

import yaml

from datamodules.formats.skeleton import read_text


@cache
def load_paraphrases() -> dict[str, tuple[str, ...]]:
    """Return the packaged sentences of each activity.

    Raises:
        ValueError: the packaged table is damaged.
    """
    text = resources.files("datamodules").joinpath("assets/captions.yaml").read_text(encoding="utf-8")
    table = yaml.safe_load(text)
    if not isinstance(table, dict) or not all(isinstance(value, list) and value for value in table.values()):
        raise ValueError("datamodules/assets/captions.yaml is not a table of lists, expected sentences per activity")
    return {str(activity): tuple(str(sentence) for sentence in value) for activity, value in table.items()}


def paraphrase(activity: str) -> tuple[str, ...]:
    """Return sentences for an activity; one made from its name where the packaged table has none."""
    return load_paraphrases().get(activity) or (f"a person is {activity.replace('_', ' ')}.",)


def read_cmu_descriptions(path: str | Path) -> dict[str, str]:
    """Read CMU's official description of each trial from a joined table.

    Only ``description`` is taken. The table's other sentences (KIT Motion-Language) have no stated licence, and weights
    that ship must not be trained on them.

    Args:
        path: JSON with ``{"SS_TT": {"description": ...}}``.

    Returns:
        Description by ``subject_trial``; empty if there is no such file.
    """
    if not Path(path).is_file():
        return {}
    table: dict[str, dict[str, object]] = json.loads(read_text(path))
    return {trial: str(entry["description"]) for trial, entry in table.items() if entry.get("description")}


def caption_clip(
    activity: str,
    *,
    description: str | None = None,
    sentences: Sequence[str] | None = None,
    extra: Sequence[str] = (),
) -> tuple[str, ...]:
    """Collect the captions of one clip: those of its activity, then what is known of this very clip.

    Args:
        activity: what the clip shows.
        description: CMU's description of the trial.
        sentences: sentences of the activity in place of the packaged ones.
        extra: sentences of this clip alone.
    """
    known = [text for text in (description, *extra) if text]
    return tuple(dict.fromkeys([*(paraphrase(activity) if sentences is None else sentences), *known]))
