"""The card of a data set: ``README.md``, whose head the Hugging Face hub reads, and its pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import yaml
from matplotlib.figure import Figure

from datamodules.har.dataset_folder import SIDES
from experiments.dataset.config import DatasetConfig
from experiments.dataset.make import PartReport
from experiments.dataset.publish import Summary
from experiments.pipeline.files import Json, write_text
from sim.conventions import PARENTS
from sim.files import whole_file

CARD, PICTURES = "README.md", "pictures"
_INK: Final = ("#0072B2", "#D55E00", "#009E73")

READ: Final = """\
```python
import imuforge, pandas

X, y, groups = imuforge.load_dataset("DIR", split="train")  # (N, T, C), labels, virtual people
table = pandas.read_parquet("DIR/recordings")               # whole recordings, a row a sample
```

`load_recordings("csv_folder", "DIR")` reads the recordings as those of real people, `datasets.load_dataset("DIR",
"windows")` the windows. scikit-learn takes `X.reshape(len(X), -1)`, aeon and sktime `X.transpose(0, 2, 1)`, Keras `X`
with `numbers=True`.
"""


def write_card(out: Path, config: DatasetConfig, summary: Summary, reports: Sequence[PartReport]) -> Path:
    """Write the card and its pictures.

    Args:
        out: folder of the data set.
        config: its specification.
        summary: what is in it.
        reports: of its parts.

    Returns:
        The card.
    """
    pictures = draw_pictures(out, config, reports)
    head = yaml.safe_dump(_head(summary), sort_keys=False).strip()
    lines = [
        f"---\n{head}\n---\n",
        f"# {summary['name']}\n",
        _say_what(config, summary),
        "## What is in it\n",
        _count_table(summary),
        _say_checks(summary),
        *(f"![{alt}]({path})\n" for alt, path in pictures),
        "## How to read it\n",
        READ.replace("DIR", out.name),
        "## Where it comes from\n",
        _say_origin(config, summary),
        "## What it does not show\n",
        _say_limits(config),
    ]
    write_text("\n".join(lines), out / CARD)
    return out / CARD


def _head(summary: Summary) -> dict[str, Json]:
    sides = [side for side in SIDES if summary["people"][side]]
    return {
        "pretty_name": summary["name"],
        "tags": ["imu", "accelerometer", "gyroscope", "human-activity-recognition", "synthetic"],
        "task_categories": ["time-series-classification"],
        "configs": [
            {
                "config_name": folder,
                **({"default": True} if folder == "windows" else {}),
                "data_files": [{"split": side, "path": f"{folder}/{side}-*.parquet"} for side in sides],
            }
            for folder in ("windows", "recordings")
        ],
    }


def _say_what(config: DatasetConfig, summary: Summary) -> str:
    done, total = summary["parts"]
    recordings = sum(count for sides in summary["recordings"].values() for count in sides.values())
    people = sum(summary["people"].values())
    sites = ", ".join(str(site.preset or site.name) for site in config.sites)
    part = "" if done == total else f"**{done} of {total} parts are here; the others are still to come.** "
    return (
        f"{part}{recordings:,} recordings of {config.motion.seconds:g} s by {people} virtual people at {sites}, "
        f"{config.rate_hz:g} Hz: accelerometer [m/s²] and gyroscope [rad/s] in the sensor's frame. They show "
        f"{summary['motions']:,} different motions{_say_shared(recordings, summary['motions'])}. Nobody, and no "
        "motion, is on two sides of the split.\n"
    )


def _say_shared(recordings: int, motions: int) -> str:
    return "" if recordings <= motions else f", each on {recordings / max(1, motions):.1f} people on average"


def _count_table(summary: Summary) -> str:
    lines = [
        "| Activity | Train | Validation | Test | Windows | Lacking | Motions drawn and left out |",
        "|---|---|---|---|---|---|---|",
    ]
    for label, sides in summary["recordings"].items():
        dropped = ", ".join(f"{reason} {count}" for reason, count in sorted(summary["dropped"][label].items()))
        cells = [label, *(str(sides[side]) for side in SIDES), str(summary["windows"][label])]
        lines.append("| " + " | ".join([*cells, str(summary["lacking"][label]), dropped or "none"]) + " |")
    people = summary["people"]
    lines.append(f"| people | {people['train']} | {people['val']} | {people['test']} | | | |")
    return "\n".join([*lines, ""])


def _say_checks(summary: Summary) -> str:
    words = (
        "Each motion is looked at: posture and speed of its activity, finite numbers, no speed that nobody has, and "
        "none twice. One that fails is drawn anew with another seed; what is counted above as left out are the "
        "motions that failed, and as lacking the recordings for which none passed.\n"
    )
    doubts = "".join(f"- {line}\n" for line in summary["doubts"])
    return words + (f"\nTold before it was made:\n\n{doubts}" if doubts else "")


def _say_origin(config: DatasetConfig, summary: Summary) -> str:
    origin = summary["provenance"]
    weights = ", ".join(f"`{config.motion.weights}` (sha256 {value[:16]})" for value in origin["weights"].values())
    versions = ", ".join(f"{name} {origin['versions'][name]}" for name in ("python", "torch", "numpy", "imuforge"))
    return (
        f"- Motions: {weights or 'recorded files'}; sampler {config.motion.sampler}, {config.motion.steps} steps; the "
        "seed of each is in `index.parquet`.\n"
        f"- Specification: `spec.json`, hash {summary['hash']}, seed {config.seed}.\n"
        f"- Made by {'; '.join(summary['commits'])} with {versions}, {origin['created']}.\n"
        "- `people.parquet` holds each person's body, device and the place of each sensor; `dataset.json` all of the "
        "above.\n"
        "- Whoever passes it on passes on the terms of what the weights were trained on "
        "(their card: `imuforge inspect WEIGHTS`), or of the motion files.\n"
        + "".join(f"- What is known of the files' terms: {words}.\n" for words in summary.get("licences", []))
    )


def _say_limits(config: DatasetConfig) -> str:
    return (
        "- Motions are of 20 frames a second: nothing above 10 Hz is real movement, whatever the rate of the "
        "recordings.\n"
        "- Skeletons of 22 joints know no turn of the forearm about itself and no turn of the head.\n"
        f"- A recording of {config.motion.seconds:g} s is {round(config.motion.seconds * 20)} frames: its first and "
        f"last samples are {config.motion.seconds - 0.05:g} s apart.\n"
        "- The people are virtual: whether a classifier that learns from them knows real ones is to be tested on "
        "real ones (`python -m experiments.har_eval`).\n"
    )


def draw_pictures(out: Path, config: DatasetConfig, reports: Sequence[PartReport]) -> list[tuple[str, str]]:
    """Draw the bodies and the readings of one recording of each label; returns words and path of each picture."""
    figures: dict[str, list[list[list[float]]]] = {}
    for report in reports:
        for label, frames in report["figures"].items():
            figures.setdefault(label, frames)
    if not figures:
        return []
    _save(draw_bodies(figures), out / PICTURES / "motions.png")
    _save(draw_readings(out, config, reports, list(figures)), out / PICTURES / "readings.png")
    return [
        ("a motion of each activity", f"{PICTURES}/motions.png"),
        ("what its sensors read", f"{PICTURES}/readings.png"),
    ]


def draw_bodies(figures: Mapping[str, Sequence[Sequence[Sequence[float]]]]) -> Figure:
    """Draw stick figures, a row for each label, in the order of time; seen from the person's left."""
    figure = Figure(figsize=(9, 1.7 * len(figures)), layout="constrained")
    axes = figure.subplots(len(figures), 1, squeeze=False)[:, 0]
    for axis, (label, frames) in zip(axes, figures.items(), strict=True):
        for number, frame in enumerate(frames):
            joints = np.asarray(frame)
            middle = joints[0, [0, 2]]
            for joint, parent in enumerate(PARENTS):
                if parent >= 0:
                    pair = joints[[joint, parent]]
                    across = (pair[:, 0] - middle[0]) * 0.5 + (pair[:, 2] - middle[1]) + 1.6 * number
                    axis.plot(across, pair[:, 1], color=_INK[0], linewidth=1.5)
        axis.set_aspect("equal")
        axis.set_ylim(-0.15, 2.0 if np.asarray(frames)[..., 1].max() < 2.0 else None)
        axis.set_ylabel(label.replace("_", " "), rotation=0, ha="right", va="center")
        axis.set_xticks([])
        axis.set_yticks([])
        axis.spines[["top", "right", "left"]].set_visible(False)
    return figure


def draw_readings(out: Path, config: DatasetConfig, reports: Sequence[PartReport], labels: Sequence[str]) -> Figure:
    """Draw the accelerometer of the first recording of each label: a row for each label, a column for each site."""
    sites = [str(site.preset or site.name) for site in config.sites]
    found: dict[str, pd.DataFrame] = {}
    for report in reports:
        wanted = {fact["label"]: fact["recording"] for fact in reversed(report["recordings"])}
        if set(wanted) <= set(found):
            continue
        table = pd.read_parquet(out / "recordings" / f"{report['stem']}.parquet")
        for label, recording in wanted.items():
            found.setdefault(label, table[table["recording"] == recording])
    figure = Figure(figsize=(4.5 * len(sites), 1.7 * len(labels)), layout="constrained")
    axes = figure.subplots(len(labels), len(sites), squeeze=False, sharex=True)
    for row, label in enumerate(labels):
        names = [column for column in found[label].columns if column.endswith(("_accel_x", "_accel_y", "_accel_z"))]
        for column, site in enumerate(sites):
            axis = axes[row, column]
            for colour, name in zip(_INK, names[3 * column : 3 * column + 3], strict=True):
                axis.plot(found[label]["time_s"], found[label][name], color=colour, linewidth=1, label=name[-1])
            if row == 0:
                axis.set_title(site.replace("_", " "))
            if column == 0:
                axis.set_ylabel(f"{label.replace('_', ' ')}\n[m/s²]")
    axes[0, -1].legend(loc="upper right", fontsize="small", ncols=3)
    for axis in axes[-1]:
        axis.set_xlabel("time [s]")
    return figure


def _save(figure: Figure, path: Path) -> None:
    with whole_file(path) as part:
        figure.savefig(part, dpi=110, format="png")
