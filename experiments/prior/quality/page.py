"""The page of a prior in ``docs/models/``: tables, pictures, and what to look at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

import numpy as np

from experiments.pipeline.tables import describe_machine
from experiments.prior.quality.assess import Naming, Quality
from experiments.prior.quality.compare import COUNTED, RANGES, Scores, count_inside
from experiments.prior.quality.config import QualityConfig
from experiments.prior.quality.nearest import CROP_S
from experiments.prior.quality.recognise import balanced_accuracy


def render_quality(name: str, quality: Quality, config: QualityConfig, *, arguments: Sequence[str] = ()) -> str:
    """Return the page as Markdown; its pictures lie beside it as ``quality-NAME-*.png``.

    Args:
        name: of the prior.
        quality: what was measured.
        config: how.
        arguments: what else was said on the command line, which the page repeats.
    """
    guidance = "the weights' own guidance" if (scale := config.sampling.guidance) is None else f"guidance {scale:g}"
    parts = [
        f"# Quality: `{name}`",
        f"Made by `{' '.join(['python -m experiments.prior.quality', name, *arguments])}`. "
        f"{config.sampling.sampler}, {config.sampling.steps} calls, {guidance}, "
        f"motions of {config.window_s:g} s, decoded consistently. {describe_machine()}.",
        *_recognised(name, quality),
        *_lying(quality),
        *_distribution(quality),
        *_unrecorded(quality),
        *_sets(quality),
        *_long(quality, config),
        *([] if quality.speed is None else ["## Speed", f"{quality.speed}."]),
        "## Looked at",
        f"One motion of each activity, nine moments of each, the first that was drawn and not the best:\n\n"
        f"![stick figures](quality-{name}-motions.png)",
    ]
    return "\n\n".join(parts) + "\n"


def summarise(name: str, quality: Quality) -> list[str]:
    """Return what the command prints, a line each."""
    naming = quality.decided or quality.named
    lines = [
        f"{name}: {percent(balanced_accuracy(naming.generated))} of motions named right among {len(naming.activities)} "
        f"activities (recorded test windows {percent(balanced_accuracy(naming.recorded))})"
    ]
    lines += [
        f"  {activity}: {percent(named.right)}" for activity, named in naming.generated.items() if named.right < 0.9
    ]
    for side, found in quality.lying.items():
        lines.append(f"{side}: {found.count(side)} of {len(found)} lie so")
    if quality.distribution is not None:
        (asked, goal), total = count_inside(quality.distribution)
        lines.append(f"sensor output: {asked} of {total} cells in 0.8 to 1.25, {goal} in 0.9 to 1.1")
    for prompt, one in quality.long:
        lines.append(f"{prompt!r} for long: {one.inside} of {len(one.stretches)} stretches in 0.8 to 1.2")
    if quality.speed is not None:
        lines.append(str(quality.speed))
    return lines


def percent(share: float) -> str:
    """Return a share in percent, a dash for nan."""
    return "-" if math.isnan(share) else f"{share:.0%}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _recognised(name: str, quality: Quality) -> list[str]:
    parts = [
        "## Can one tell what is generated?",
        "Extremely randomised trees that have seen recorded training clips and their mirror images name each motion by "
        "its decoded joints (`experiments/prior/quality/traits.py`). How often they are right on recorded test clips "
        "is the most to be asked for.",
    ]
    if quality.decided is not None:
        parts += ["Among these alone:", _named_table(quality.decided, quality)]
    parts += ["Among all activities:", _named_table(quality.named, quality)]
    if quality.missing:
        parts.append(f"No recorded training clip shows: {', '.join(quality.missing)}. They are not judged.")
    if quality.unproven:
        parts.append(
            f"No recorded test clip shows: {', '.join(quality.unproven)}. How far the trees can be trusted "
            "with these is not known."
        )
    return [*parts, f"![what was called what](quality-{name}-confusion.png)"]


def _named_table(naming: Naming, quality: Quality) -> str:
    rows = []
    for activity in naming.activities:
        made, real = naming.generated[activity], naming.recorded.get(activity)
        mistakes = ", ".join(f"{other} {count}" for other, count in made.mistakes[:3])
        recorded = "-" if real is None else f"{percent(real.right)} of {real.count}"
        rows.append(
            [activity, f"{percent(made.right)} of {made.count}", recorded, str(quality.windows[activity]), mistakes]
        )
    means = [percent(balanced_accuracy(side)) for side in (naming.generated, naming.recorded)]
    rows.append(["**mean**", means[0], means[1], "", ""])
    return _table(
        ["activity", "generated, named right", "recorded test windows", "training windows", "called instead"], rows
    )


def _lying(quality: Quality) -> list[str]:
    if not quality.lying:
        return []
    rows = []
    for side, found in quality.lying.items():
        others = sorted({other for other in found if other != side})
        rest = ", ".join(f"{other} {found.count(other)}" for other in others)
        rows.append([side, f"{found.count(side)} of {len(found)}", rest])
    note = "By how the trunk lies to gravity in the second half of each motion, no classifier asked."
    return ["## Which side do they lie on?", note, _table(["asked for", "lie so", "others"], rows)]


def _distribution(quality: Quality) -> list[str]:
    table = quality.distribution
    if table is None:
        return []
    rows = []
    placements = list(dict.fromkeys(row.placement for row in table.rows))
    for activity in [*dict.fromkeys(row.activity for row in table.rows), None]:
        inside, total = count_inside(table, activity)
        own = [row for row in table.rows if row.activity == activity]
        motions = f"{own[0].motions_generated} / {own[0].motions_recorded}" if own else ""
        rows.append([activity or "**all**", str(total), *(f"{count}" for count in inside), motions])
    header = ["activity", "cells", *(f"{low:g} to {high:g}" for low, high in RANGES), "motions generated / recorded"]
    note = (
        f"Generated over recorded test motion, of {', '.join(COUNTED)} of |specific force| at "
        f"{', '.join(placements)}; mean |ln ratio| over those that decide: {table.summary():.3f} "
        "([definitions](../evaluation.md#sensor-output))."
    )
    return ["## What sensors read", note, _table(header, rows), table.to_markdown().strip()]


def _unrecorded(quality: Quality) -> list[str]:
    if not quality.unrecorded:
        return []
    return [f"Not compared, as no test clip of it was recorded: {', '.join(quality.unrecorded)}."]


def _sets(quality: Quality) -> list[str]:
    if quality.generated is None or quality.recorded is None:
        return []
    columns = {"generated": quality.generated, "recorded": quality.recorded}
    rows = [[name, *_score_cells(scores)] for name, scores in columns.items()]
    header = [
        "",
        "feet slide",
        "by positions",
        "R-precision",
        "top 3",
        "diversity",
        "nearest training clip [m]",
        "nearest 5% [m]",
    ]
    note = (
        "Motions made from captions of recorded test clips, beside those clips. Nearest: RMS distance of joints, "
        f"seen from the root, over crops of {CROP_S:g} s; a generated motion much nearer to a training clip than "
        "people are to each other is learnt by heart."
    )
    if math.isnan(quality.generated.r_precision):
        note += (
            " R-precision and diversity need an evaluator (`evaluator=FILE`, from `lightning fit "
            "-c experiments/evaluator.yaml`)."
        )
    return ["## Sets of motions", note, _table(header, rows)]


def _score_cells(scores: Scores) -> list[str]:
    def plain(value: float) -> str:
        return "-" if math.isnan(value) else f"{value:.2f}"

    near = (
        [f"{median(scores.nearest_m):.3f}", f"{np.percentile(scores.nearest_m, 5):.3f}"]
        if scores.nearest_m
        else ["-", "-"]
    )
    return [
        percent(scores.skating),
        percent(scores.skating_positions),
        plain(scores.r_precision),
        plain(scores.r_precision_top3),
        plain(scores.diversity),
        *near,
    ]


def _long(quality: Quality, config: QualityConfig) -> list[str]:
    if not quality.long:
        asked = f"None: such a prior makes whole motions, and {config.long_seconds:g} s is more than it was trained on."
        return ["## Long motions", asked] if config.long_prompts else []
    rows = [
        [prompt, " ".join(f"{value:.2f}" for value in one.stretches), f"{one.inside} of {len(one.stretches)}",
         " / ".join(f"{value:.2f}" for value in one.at_seams)]
        for prompt, one in quality.long
    ]  # fmt: skip
    note = (
        f"{config.long_motions} motions of {config.long_seconds:g} s: the RMS of what ankle sensors read beside "
        "gravity in every stretch of 4 s, over that of motions of 4 s. At seams: velocity / acceleration / jerk within "
        "two frames of a window's edge over that elsewhere."
    )
    header = ["prompt", "ankle RMS of each 4 s", "0.8 to 1.2", "at seams"]
    return ["## Long motions", note, _table(header, rows)]
