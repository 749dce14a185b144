"""What a user of packaged weights has to know: read from the run that made them, as plain values and as a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import matplotlib.pyplot as plt

from datamodules import MotionDataModule
from datamodules.clips.cache import CachedClip
from experiments.pipeline.code_version import file_hash
from experiments.pipeline.files import save_picture, write_text
from experiments.pipeline.provenance import describe_run
from lightning_modules.checkpoints import load_card
from lightning_modules.weights import Plain, find_weights

OBJECTIVE: Final = (
    "kl_weight", "skip", "level_weights", "snr_from", "snr_weighted", "huber_delta", "loss_warmup_steps", "sensor_loss",
    "trainable",
)  # fmt: skip
"""Arguments of the model that say how it was trained; the card lists those that were set."""
PLATEAU_SHARE: Final = 0.2
"""The last fifth of the steps, in which a prior at its plateau improves by under 1% (docs/architecture.md, rule 2)."""
NOTICE: Final = "datamodules/assets/NOTICE.md"

_INTERRUPTED_S: Final = 1200.0


@dataclass(frozen=True)
class Run:
    """A finished training run.

    Attributes:
        kind: class of the model.
        checkpoint: its last checkpoint.
        steps: optimiser steps that led to it.
        asked: optimiser steps that its configuration asks for; -1 where it does not say.
        model: constructor arguments of the model.
        data: constructor arguments of the data module.
        precision: what it trained in; None is Lightning's default.
        seed: what ``seed_everything`` was given.
        curves: step and value of each validation score; the first is that of what was minimised.
        hours: that it took, validation included and interruptions left out; None where the log does not say.
    """

    kind: str
    checkpoint: Path
    steps: int
    asked: int
    model: dict[str, Plain]
    data: dict[str, Plain]
    precision: Plain
    seed: int
    curves: dict[str, list[tuple[int, float]]]
    hours: float | None = None


def hours_of(times: Sequence[float]) -> float | None:
    """Return the hours that a run took, from the times at which it logged [s]; longer gaps are interruptions."""
    gaps = [later - earlier for earlier, later in pairwise(sorted(times))]
    return round(sum(gap for gap in gaps if gap < _INTERRUPTED_S) / 3600, 2) if gaps else None


def late_improvement(curve: Sequence[tuple[int, float]], *, share: float = PLATEAU_SHARE) -> float:
    """Return by what part a falling score fell over the last ``share`` of the steps; negative where it rose."""
    last_step, last = curve[-1]
    before = [value for step, value in curve if step <= (1 - share) * last_step]
    return 1 - last / (before[-1] if before else curve[0][1])


def make_card(run: Run, module: MotionDataModule, *, activities: Sequence[str], note: str) -> dict[str, Plain]:
    """Return what a user of the weights has to know, as plain values.

    Args:
        run: that made them.
        module: its data, set up.
        activities: names that the model is told beside a caption.
        note: what no file of the run tells.
    """
    library = module.library
    trained_on = library.side("train", looped=False)
    return {
        "data": {
            "licences": _names(clip.licence for clip in trained_on),
            "sources": _sources(trained_on),
            "minutes_per_activity": {key: round(value, 2) for key, value in library.minutes("train").items()},
            "constructed": _names(clip.activity for clip in trained_on if clip.constructed),
            "clips": _names(clip.name for clip in trained_on),
        },
        "activities": [*activities],
        "started_from": {
            name: _describe_start(str(run.model[name])) for name in ("init_from", "vae_from") if run.model.get(name)
        },
        "training": {
            "model": run.kind,
            "init_from": run.model.get("init_from"),
            "loss_weights": run.model.get("loss_weights"),
            **{name: run.model[name] for name in OBJECTIVE if run.model.get(name)},
            "steps": run.steps,
            **({"unfinished, of steps": run.asked} if run.steps < run.asked else {}),
            "batch_size": run.data["batch_size"],
            "window_s": run.data["window_s"],
            "lr": run.model["lr"],
            "seed": run.seed,
            "precision": run.precision,
            "hours": run.hours,
        },
        "note": note,
        "curves": {name: [[step, round(value, 5)] for step, value in curve] for name, curve in run.curves.items()},
        "improvement_over_last_fifth": round(late_improvement(next(iter(run.curves.values()))), 4),
        "versions": dict(describe_run({}, total_wall_s=0.0)["versions"]),
    }


def _sources(clips: Sequence[CachedClip]) -> dict[str, Plain]:
    return {source: _names(clip.licence for clip in clips if clip.source == source)
            for source in sorted({clip.source for clip in clips})}  # fmt: skip


def _describe_start(name: str) -> dict[str, Plain]:
    """Say whose weights a run started from, and what those were trained on, as far as the file tells."""
    try:
        path = find_weights(name)
    except FileNotFoundError:
        return {"weights": name}
    said: dict[str, Plain] = {"weights": name, "sha256": file_hash(path)}
    if path.suffix == ".safetensors":
        data = load_card(path).get("data")
        said["sources"] = data.get("sources") if isinstance(data, dict) else None
        said["licences"] = data.get("licences") if isinstance(data, dict) else None
    return said


def _names(values: Iterable[str]) -> list[Plain]:
    return [*sorted(set(values))]


def draw_curves(run: Run, path: Path) -> None:
    """Draw the validation scores over the steps, the last fifth shaded."""
    figure, axes = plt.subplots(1, len(run.curves), figsize=(4.5 * len(run.curves), 3), layout="constrained")
    for axis, (name, curve) in zip(figure.axes if len(run.curves) > 1 else [axes], run.curves.items(), strict=True):
        steps, values = zip(*curve, strict=True)
        axis.plot(steps, values, marker=".")
        axis.axvspan((1 - PLATEAU_SHARE) * steps[-1], steps[-1], alpha=0.1)
        axis.set(xlabel="step", title=name)
    save_picture(figure, path)
    plt.close(figure)


def write_page(name: str, card: dict[str, Plain], path: Path, *, weights: str) -> None:
    """Write the card as Markdown beside its curve; the clips' names stay in the weights' metadata.

    Args:
        name: of the weights.
        card: of :func:`make_card`.
        path: the page to write.
        weights: where the weights lie, for the reader.
    """
    data, training, curves = (_table(card[key]) for key in ("data", "training", "curves"))
    minutes = [f"| {key} | {value} |" for key, value in _table(data["minutes_per_activity"]).items()]
    sources = [f"| `{key}` | {'; '.join(_lines(value))} |" for key, value in _table(data["sources"]).items()]
    told = _lines(card["activities"])
    text = [
        f"# Model card: `{name}`",
        f"Made by `python -m experiments.tools.export_prior`; the same card, with the names of all training clips, "
        f"is in the metadata of `{weights}` (`lightning_modules.checkpoints.load_card`).",
        f"![validation curves]({name}.png)",
        f"`{next(iter(curves))}` improves by "
        f"{100 * float(str(card['improvement_over_last_fifth'])):.2f}% over the last fifth of the steps (shaded).",
        "## Training",
        "\n".join(f"- {key}: `{value}`" for key, value in training.items()),
        *_tell_start(_table(card["started_from"])),
        *([str(card["note"])] if card["note"] else []),
        f"Activities that it is told beside a caption: {', '.join(told)}." if told else "It is told captions alone.",
        "## Data",
        f"Copyright lines and the texts of the licences: `{NOTICE}`.",
        "\n".join(["| source of training clips | terms |", "|---|---|", *sources]),
        f"Constructed, not recorded, at least in part: {', '.join(_lines(data['constructed'])) or 'nothing'}.",
        "\n".join(["| activity | minutes of training clips |", "|---|---|", *minutes]),
    ]
    write_text("\n\n".join(text) + "\n", path)


def _tell_start(starts: dict[str, Plain]) -> list[str]:
    told = []
    for argument, start in starts.items():
        said = _table(start)
        line = f"It started from `{said['weights']}` (`{argument}`"
        line += f", SHA-256 `{str(said['sha256'])[:16]}`)" if "sha256" in said else ", which is gone)"
        licences = _lines(said["licences"]) if said.get("licences") else []
        told.append(f"{line}{', trained on data of these terms: ' + '; '.join(licences) if licences else ''}.")
    return told


def _table(value: Plain) -> dict[str, Plain]:
    if not isinstance(value, dict):
        raise TypeError(f"the card has {value!r} where a table is expected, as make_card writes it")
    return value


def _lines(value: Plain) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]
