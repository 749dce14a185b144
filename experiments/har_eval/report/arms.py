"""What the report calls the arms and how it colours them: all of it was said in the YAML and lies in the results."""

from __future__ import annotations

from typing import Final

from experiments.har_eval.arm_config import ArmKind
from experiments.har_eval.results import MEAN, ArmEntry, HarEvalResults, SummaryEntry

INK: Final = "#1b2733"
"""Of text, and of real people's data."""

PALETTE: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999933", "#882255")
"""Okabe and Ito's colours, which the colour-blind can tell apart (jfly.uni-koeln.de/color), and two more."""


def find_arm(results: HarEvalResults, name: str) -> ArmEntry:
    """Return what the results say of an arm."""
    return next(arm for arm in results["arms"] if arm["name"] == name)


def name_arm(results: HarEvalResults, name: str) -> str:
    """Return what tables and figures call an arm."""
    return find_arm(results, name)["title"] or name


def colour_of(results: HarEvalResults, name: str) -> str:
    """Return the colour of an arm; one that was given none takes the palette's at its place."""
    names = [arm["name"] for arm in results["arms"]]
    return find_arm(results, name)["colour"] or PALETTE[names.index(name) % len(PALETTE)]


def arms_of_kind(results: HarEvalResults, *kinds: ArmKind) -> list[str]:
    """Return the names of all arms of some kinds, in their order."""
    return [arm["name"] for arm in results["arms"] if arm["kind"] in kinds]


def find_summary(results: HarEvalResults, set_name: str, arm: str) -> SummaryEntry | None:
    """Return an arm's scores on a set over all classifiers, or with the only one; None if there are none."""
    mine = [entry for entry in results["summaries"] if (entry["set"], entry["arm"]) == (set_name, arm)]
    return next((entry for entry in mine if entry["classifier"] == MEAN), mine[0] if mine else None)
