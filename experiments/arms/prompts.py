"""Prompts of an experiment's YAML: sentences of its own, or the packaged ones of an activity, which no YAML repeats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from datamodules.clips.captions import load_paraphrases
from sim.names import check_name

PACKAGED: Final = "packaged"
"""Stands among the sentences of an activity for the packaged ones; ``packaged/NAME`` for those of another activity."""


def spell_out_prompts(prompts: Mapping[str, Sequence[str]], activities: Iterable[str] = ()) -> dict[str, list[str]]:
    """Return the sentences of each activity, each once, in the order in which they are said.

    Args:
        prompts: activity -> sentences, among which :data:`PACKAGED` may stand.
        activities: further ones; those without prompts of their own get the packaged sentences, if there are any.

    Raises:
        ValueError: sentences are asked for that are not packaged; the nearest activity that has some is named.
    """
    packaged = load_paraphrases()
    wanted = dict(prompts) | {name: [PACKAGED] for name in activities if name not in prompts and name in packaged}
    return {activity: _spell_out(activity, sentences) for activity, sentences in wanted.items()}


def _spell_out(activity: str, sentences: Sequence[str]) -> list[str]:
    packaged, found = load_paraphrases(), list[str]()
    for sentence in sentences:
        word, _, name = sentence.partition("/")
        if word != PACKAGED:
            found.append(sentence)
            continue
        name = name or activity
        check_name(name, tuple(packaged), f"activity of packaged sentences in prompts.{activity}")
        found += packaged[name]
    return list(dict.fromkeys(found))
