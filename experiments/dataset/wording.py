"""What a prior is asked for each label, by which rule its motions are looked at, and what sounds wrong about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from datamodules.clips.captions import paraphrase
from datamodules.clips.clip import includes
from experiments.dataset.config import NO_CHECK, ActivityConfig, DatasetConfig
from experiments.dataset.judge import RULES, Rule
from lightning_modules.text.doubts import doubts_about_activities, doubts_about_words
from lightning_modules.text.lookup import TextLookup
from sim.names import suggest


class Saying(NamedTuple):
    """A sentence, and the activity that the weights are told beside it; None leaves that to the sentence."""

    text: str
    told: str | None


def sayings_of(config: DatasetConfig, known: Sequence[str]) -> dict[str, tuple[Saying, ...]]:
    """Return what is asked for each label, to be used in turn; of recorded motions one that asks nothing.

    Args:
        config: of the data set.
        known: activities that the weights are told.
    """
    return {
        label: tuple(_sayings(label, activity, known)) if config.generates(label) else (Saying("", None),)
        for label, activity in config.activities.items()
    }


def _sayings(label: str, activity: ActivityConfig, known: Sequence[str]) -> Iterator[Saying]:
    names: Sequence[str | None] = activity.tell
    if activity.prompts:
        names = names or [label if label in known else None]
        ways = [[Saying(text, name) for text in activity.prompts] for name in names]
    else:
        # A word that stands for several activities, such as lying, is asked for as each of them in turn.
        names = names or [name for name in known if includes(label, name)] or [label]
        ways = [[Saying(text, name if name in known else None) for text in paraphrase(str(name))] for name in names]
    for turn in range(max(map(len, ways)) * len(ways)):
        way = ways[turn % len(ways)]
        yield way[turn // len(ways) % len(way)]


def rule_for(label: str, activity: ActivityConfig, told: str | None) -> Rule | None:
    """Return the rule for a motion: the named one, the label's, or that of what the weights are told."""
    if activity.check is not None:
        return None if activity.check == NO_CHECK else RULES[activity.check]
    return RULES.get(label) or RULES.get(told or "")


def doubts_about(
    config: DatasetConfig, sayings: Mapping[str, Sequence[Saying]], texts: TextLookup | None, *, window_s: float | None
) -> list[str]:
    """Return in a line each what may not come out as it is meant; nothing of it keeps a data set from being made.

    Args:
        config: of the data set.
        sayings: what is asked for each label.
        texts: the prior's embeddings and activities; None where nothing is generated.
        window_s: length that the weights were trained on [s], where it is known.
    """
    doubts: list[str] = []
    for label, activity in config.activities.items():
        if not any(rule_for(label, activity, saying.told) for saying in sayings[label]) and activity.check is None:
            doubts.append(f"{label}: there is no rule by which its motions could be checked; name one under check:")
    if texts is None:
        return doubts
    for label in filter(config.generates, config.activities):
        doubts += _doubts_about_words(label, config.activities[label], sayings[label], texts)
    if window_s is not None and config.motion.seconds + 2 * config.motion.trim_s > window_s:
        doubts.append(
            f"motions of {config.motion.seconds:g} s are longer than the {window_s:g} s that the weights were trained "
            "on: they are put together of overlapping windows, and take longer"
        )
    return doubts


def _doubts_about_words(
    label: str, activity: ActivityConfig, sayings: Sequence[Saying], texts: TextLookup
) -> Iterator[str]:
    known = texts.activities
    alone = list(dict.fromkeys(saying.text for saying in sayings if saying.told is None))
    if alone and known and label not in known:
        yield (
            f"{label}: the weights know no activity of that name, so that its sentences alone decide"
            f"{suggest(label, known)}; another name for it can be given under tell:"
        )
    for doubt in (*doubts_about_words(activity.prompts, texts), *doubts_about_activities(alone, texts)):
        yield f"{label}: {doubt}"
