"""Collect what all tasks wrote into the one value that is results.json."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import cast

import numpy as np

from datamodules.har.registry import READERS
from experiments.har_eval.config import HarEvalConfig
from experiments.har_eval.fidelity import collect_fidelity
from experiments.har_eval.paired_table import tabulate_errors
from experiments.har_eval.plan import Plan
from experiments.har_eval.results import (
    PICTURES,
    SCHEMA,
    ArmEntry,
    CalibrationEntry,
    ClipsEntry,
    DistanceEntry,
    HarEvalResults,
    MotionEntry,
    ScoreEntry,
    SetEntry,
    StageEntry,
)
from experiments.har_eval.scores import compare, score_predictions, summarise
from experiments.har_eval.stages.classify import CALIBRATION
from experiments.har_eval.stages.distances import DISTANCES
from experiments.har_eval.stages.generate import CLIPS, MOTIONS, Recorded
from experiments.har_eval.stages.real import load_real
from experiments.pipeline.files import Json
from experiments.pipeline.provenance import describe_run
from experiments.pipeline.tasks import Outcome, Task, in_order, task_key

Table = Mapping[str, Mapping[str, float | int | None] | None]


def collect_results(
    config: HarEvalConfig, plan: Plan, outcomes: Mapping[str, Outcome], *, total_wall_s: float
) -> HarEvalResults:
    """Read everything that was found.

    Args:
        config: of the experiment.
        plan: its tasks.
        outcomes: what became of each, by key.
        total_wall_s: wall time of this run [s].
    """

    def folder(task: Task) -> Path:
        return outcomes[task_key(task)].folder

    scores = _score_all(config, {key: folder(task) for key, task in plan.classify.items()})
    known = {name: READERS[config.reader(name)].subject_independent for name in config.sets}
    weights = {arm: task.checkpoint for (arm, _), task in plan.paired.items()}
    return {
        "schema": SCHEMA,
        "id": run_id(config, plan),
        "config": cast(dict[str, Json], asdict(config)),
        "seeds": list(config.seeds),
        "arms": [_describe_arm(name, config) for name in config.arms],
        "retrained": any(config.trains(name) for name in config.arms),
        "sets": [_describe_set(name, config, folder(task)) for name, task in plan.real.items()],
        "scores": scores,
        "summaries": summarise(scores, with_intervals=known, resamples=config.resamples),
        "comparisons": compare(
            scores,
            config.all_comparisons,
            primary=config.primary,
            with_intervals=known,
            resamples=config.resamples,
        ),
        "calibrations": _calibrations({key: folder(task) for key, task in plan.classify.items() if task.calibrate}),
        "paired": tabulate_errors(
            {key: folder(task) for key, task in plan.paired.items()},
            config.all_comparisons,
            resamples=config.resamples,
        ),
        "distances": [
            entry for key, task in plan.distances.items() for entry in _distances(*key, _read(folder(task) / DISTANCES))
        ],
        "fidelity": [
            entry
            for key, task in plan.distances.items()
            for entry in collect_fidelity(*key, folder(task) / DISTANCES, config.sets[key[1]].placements)
        ],
        "motions": [
            entry for key, task in plan.motions.items() for entry in _motions(*key, _read(folder(task) / MOTIONS))
        ],
        "clips": _clips(
            [folder(task) for task in plan.motions.values() if isinstance(task, Recorded) and task.embedded]
        ),
        "stages": _stages(plan, outcomes),
        "provenance": describe_run(
            {arm: path for arm, path in weights.items() if isinstance(path, Path)}, total_wall_s=total_wall_s
        ),
    }


def _score_all(config: HarEvalConfig, folders: Mapping[tuple[str, str, str, int], Path]) -> list[ScoreEntry]:
    """Score what Classify tasks wrote, by arm, set, classifier and seed."""
    return [
        score_predictions(
            folder, config.sets[set_name].classes, arm=arm, set_name=set_name, classifier=classifier, seed=seed
        )
        for (arm, set_name, classifier, seed), folder in folders.items()
    ]


def collect_pictures(plan: Plan, outcomes: Mapping[str, Outcome]) -> dict[str, Json]:
    """Read what the report draws: pictures by set, and spectra by set, activity and arm (first seed)."""
    pictures: dict[str, Json] = {}
    for name, task in plan.pictures.items():
        pictures[name] = json.loads((outcomes[task_key(task)].folder / PICTURES).read_text(encoding="utf-8"))
    first = min(seed for _, _, seed in plan.distances) if plan.distances else 0
    spectra: dict[str, dict[str, Json]] = {}
    for (arm, set_name, seed), distance in plan.distances.items():
        if seed == first:
            table = json.loads((outcomes[task_key(distance)].folder / DISTANCES).read_text(encoding="utf-8"))
            spectra.setdefault(set_name, {})[arm] = {
                activity: None if entry is None else entry["spectrum"] for activity, entry in table.items()
            }
    return {"sets": pictures, "spectra": spectra}


def run_id(config: HarEvalConfig, plan: Plan) -> str:
    """Return the name of a run: the same for the same configuration, data and code."""
    # What no task depends on, yet the results and the report do.
    said = {
        "arms": {name: [arm.title, arm.colour] for name, arm in config.arms.items()},
        "primary": None if config.primary is None else asdict(config.primary),
        "comparisons": [asdict(comparison) for comparison in config.comparisons],
        "resamples": config.resamples,
    }
    keys = sorted(task_key(task) for task in plan.tasks())
    return hashlib.sha256("".join([*keys, json.dumps(said)]).encode()).hexdigest()[:12]


def _read(path: Path) -> Table:
    return cast(Table, json.loads(path.read_text(encoding="utf-8")))


def _describe_arm(name: str, config: HarEvalConfig) -> ArmEntry:
    arm = config.arms[name]
    return {
        "name": name,
        "kind": arm.kind,
        "title": arm.title,
        "colour": arm.colour,
        "start": arm.start,
        "trained_here": config.trains(name),
        "decoder": config.generation_of(name).decoder if arm.kind == "prior" else None,
        "licence": arm.licence,
        "people": arm.people,
        "protocol": arm.protocol,
        "calibrate": list(arm.calibrate),
    }


def _describe_set(name: str, config: HarEvalConfig, folder: Path) -> SetEntry:
    entry = config.sets[name]
    train, test = load_real(folder)
    return {
        "name": name,
        "classes": list(entry.classes),
        "channels": list(train.channels),
        "rate_hz": entry.rate_hz,
        "window_s": entry.window_s,
        "placements": list(entry.placements),
        "mounting": entry.mounting,
        "mounting_knowledge": entry.mounting_knowledge,
        "subject_independent": READERS[config.reader(name)].subject_independent,
        "train_subjects": [str(subject) for subject in np.unique(train.subjects)],
        "test_subjects": [str(subject) for subject in np.unique(test.subjects)],
        "train_windows": dict(zip(train.classes, train.counts().tolist(), strict=True)),
        "test_windows": dict(zip(test.classes, test.counts().tolist(), strict=True)),
        "train_windows_per_class": entry.train_windows_per_class,
        "folds": entry.folds,
        "together": bool(entry.worn),
    }


def _distances(arm: str, set_name: str, seed: int, table: Table) -> list[DistanceEntry]:
    return [
        {
            "arm": arm,
            "set": set_name,
            "seed": seed,
            "activity": activity,
            "wasserstein_m_s2": _number(entry, "wasserstein_m_s2"),
            "psd_log10": _number(entry, "psd_log10"),
            "peak_m_s2": _number(entry, "peak_m_s2"),
            "real_peak_m_s2": _number(entry, "real_peak_m_s2"),
            "peak_ratio": _number(entry, "peak_ratio"),
        }
        for activity, entry in table.items()
    ]


def _motions(arm: str, seed: int, table: Table) -> list[MotionEntry]:
    return [
        {
            "arm": arm,
            "seed": seed,
            "activity": activity,
            "motions": int(_number(entry, "motions") or 0),
            "produced": _number(entry, "produced"),
            "speed_m_s": _number(entry, "speed_m_s"),
            "pelvis_height_m": _number(entry, "pelvis_height_m"),
            "trunk_tilt_deg": _number(entry, "trunk_tilt_deg"),
        }
        for activity, entry in table.items()
    ]


def _number(entry: Mapping[str, float | int | None] | None, name: str) -> float | None:
    value = None if entry is None else entry.get(name)
    return None if value is None else float(value)


def _calibrations(folders: Mapping[tuple[str, str, str, int], Path]) -> list[CalibrationEntry]:
    """What was calibrated by whom: of the first classifier, as it is the same for all."""
    first: dict[tuple[str, str, int], Path] = {}
    for (arm, set_name, _, seed), folder in folders.items():
        first.setdefault((arm, set_name, seed), folder)
    return [
        cast(CalibrationEntry, {"arm": arm, "set": set_name, "seed": seed, **entry})
        for (arm, set_name, seed), folder in first.items()
        for entry in json.loads((folder / CALIBRATION).read_text(encoding="utf-8"))
    ]


def _clips(folders: Sequence[Path]) -> list[ClipsEntry]:
    """Clips behind recorded motions; every arm and seed draws from the same ones."""
    if not folders:
        return []
    table = json.loads((folders[0] / CLIPS).read_text(encoding="utf-8"))
    return [cast(ClipsEntry, {"activity": activity, **entry}) for activity, entry in table.items()]


def _stages(plan: Plan, outcomes: Mapping[str, Outcome]) -> list[StageEntry]:
    stages: dict[str, StageEntry] = {}
    for key, task in in_order(plan.tasks()):
        entry = stages.setdefault(
            task.stage, {"stage": task.stage, "title": task.stage_title, "tasks": 0, "cached": 0, "wall_s": 0.0}
        )
        entry["tasks"] += 1
        entry["cached"] += outcomes[key].cached
        entry["wall_s"] = round(entry["wall_s"] + outcomes[key].wall_s, 2)
    return list(stages.values())
