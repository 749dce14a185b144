"""Schema of results.json: everything that har_eval found, enough to write the report again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NotRequired, TypedDict, cast

from experiments.har_eval.arm_config import ArmKind
from experiments.pipeline.files import Json
from experiments.pipeline.provenance import Provenance

SCHEMA = "imuforge har_eval 2"
MEAN = "mean"
"""What stands for a classifier's name where scores are averaged over all classifiers."""

RESULTS = "results.json"
REPORT = "report.html"
PICTURES = "pictures.json"


class IntervalEntry(TypedDict):
    """An estimate and the ends of its 95% interval."""

    mean: float
    low: float
    high: float


class RelativeEntry(TypedDict):
    """A relative change and the ends of its 95% interval; None where a score of zero is divided by."""

    mean: float | None
    low: float | None
    high: float | None


class ArmEntry(TypedDict):
    """An arm as the configuration states it, and whether it was trained in this run; empty words were not given.

    ``decoder`` is how a prior's features became joints, None for other arms; ``licence`` is of a folder of motions,
    ``found_terms`` what files of its folder say of theirs;
    ``people`` is how many real people it trains on, None for none or, where it has no virtual sensors, for all.
    """

    name: str
    kind: ArmKind
    title: str
    colour: str
    start: str | None
    trained_here: bool
    decoder: NotRequired[str | None]
    licence: NotRequired[str]
    found_terms: NotRequired[list[str]]
    people: NotRequired[int | None]
    protocol: NotRequired[str]
    calibrate: NotRequired[list[str]]


class CalibrationEntry(TypedDict):
    """Whom an arm's virtual windows were calibrated by before ``tested`` were predicted, and how far sites were turned.

    ``turn_deg`` is by site, the empty word for the only one; empty where no turn was asked for.
    """

    arm: str
    set: str
    seed: int
    tested: list[str]
    fitted_on: list[str]
    turn_deg: dict[str, float]


class ScoreEntry(TypedDict):
    """One classifier of one arm, set and seed."""

    arm: str
    set: str
    classifier: str
    seed: int
    macro_f1: float
    accuracy: float
    per_class_f1: dict[str, float]
    support: dict[str, int]
    confusion: list[list[int]]
    confusion_by_subject: dict[str, list[list[int]]]


class SummaryEntry(TypedDict):
    """Macro-F1 of one arm over seeds; ``classifier`` is :data:`MEAN` for the mean of all classifiers.

    ``interval`` is None where test subjects are unknown; ``seed_low`` and ``seed_high`` are the worst and best seed.
    """

    arm: str
    set: str
    classifier: str
    macro_f1: float
    accuracy: float
    seed_low: float
    seed_high: float
    interval: IntervalEntry | None


class ComparisonEntry(TypedDict):
    """Macro-F1 of ``arm`` minus that of ``against`` on a set with known subjects, paired by seed and subject.

    ``wilcoxon_p`` is of a signed-rank test over people, ``holm_p`` corrected for all of the same set and classifier.
    ``role`` says in words what ``against`` is to ``arm``; the primary comparison is the one that was chosen beforehand.
    """

    arm: str
    against: str
    role: str
    primary: bool
    set: str
    classifier: str
    absolute: IntervalEntry
    relative: RelativeEntry
    wilcoxon_p: NotRequired[float]
    holm_p: NotRequired[float]


class ErrorEntry(TypedDict):
    """Paired acceleration error: root mean square [m/s^2] and mean square [(m/s^2)^2] over held-out windows.

    Decoded consistently; ``rmse_positions`` is by positions alone, absent from results of before there was a choice.
    """

    rmse: float
    mse: float
    rmse_positions: NotRequired[float]
    windows: int


class PairedEntry(TypedDict):
    """Paired acceleration error of one arm; ``seed`` is None where the weights came from a file.

    ``by_level`` is keyed by percent of the schedule. ``relative_rmse`` and ``relative_mse`` hold, for each arm that it
    is compared with, the relative change with an interval over recordings: -0.1 is an error a tenth
    smaller.
    """

    arm: str
    seed: int | None
    recordings: int
    all: ErrorEntry
    by_activity: dict[str, ErrorEntry]
    by_level: dict[str, ErrorEntry]
    relative_rmse: dict[str, RelativeEntry]
    relative_mse: dict[str, RelativeEntry]


class DistanceEntry(TypedDict):
    """Distance of virtual from real acceleration magnitudes; None where the arm has no motion of the activity.

    A peak is the 99th percentile of how far the magnitude strays from the mean of its window; ``peak_ratio`` is the
    virtual one over that of real training people, 1 is right and below 1 too tame.
    """

    arm: str
    set: str
    seed: int
    activity: str
    wasserstein_m_s2: float | None
    psd_log10: float | None
    peak_m_s2: float | None
    real_peak_m_s2: float | None
    peak_ratio: float | None


class FidelityEntry(TypedDict):
    """How far an arm's windows of one activity and sensor are from real people's by one measure, and its interval.

    ``measure`` is one of :data:`lightning_modules.metrics.signal_fidelity.MEASURES`; ``placement`` where it is worn,
    ``channels`` such as ``accel``; the ends are None where fewer than two people are known.
    """

    arm: str
    set: str
    seed: int
    activity: str
    placement: str
    channels: str
    measure: str
    value: float | None
    low: float | None
    high: float | None


class MotionEntry(TypedDict):
    """What the motions of an arm and activity are like (medians): to see what a prior failed to produce.

    ``produced`` of them show the activity by posture and speed; None where no rule says so.
    """

    arm: str
    seed: int
    activity: str
    motions: int
    produced: NotRequired[float | None]
    speed_m_s: float | None
    pelvis_height_m: float | None
    trunk_tilt_deg: float | None


class SetEntry(TypedDict):
    """A real set: its windows, and what is known of it.

    ``folds`` is how many groups people are dealt into, None for one person at a time or an official split; ``together``
    says that sensors at all placements are worn at once.
    """

    name: str
    classes: list[str]
    channels: list[str]
    rate_hz: float
    window_s: float
    placements: list[str]
    mounting: str
    mounting_knowledge: str
    subject_independent: bool
    train_subjects: list[str]
    test_subjects: list[str]
    train_windows: dict[str, int]
    test_windows: dict[str, int]
    train_windows_per_class: int | None
    folds: NotRequired[int | None]
    together: NotRequired[bool]


class ClipsEntry(TypedDict):
    """Recorded clips that an arm takes its motions from, by activity."""

    activity: str
    clips: list[str]
    constructed: list[str]
    too_short: list[str]


class StageEntry(TypedDict):
    """Wall time of a stage, all its tasks together [s], also where they ran in an earlier run."""

    stage: str
    title: str
    tasks: int
    cached: int
    wall_s: float


class HarEvalResults(TypedDict):
    """The whole of results.json."""

    schema: str
    id: str
    config: dict[str, Json]
    seeds: list[int]
    arms: list[ArmEntry]
    retrained: bool
    sets: list[SetEntry]
    scores: list[ScoreEntry]
    summaries: list[SummaryEntry]
    comparisons: list[ComparisonEntry]
    calibrations: NotRequired[list[CalibrationEntry]]
    paired: list[PairedEntry]
    distances: list[DistanceEntry]
    fidelity: NotRequired[list[FidelityEntry]]
    motions: list[MotionEntry]
    clips: list[ClipsEntry]
    stages: list[StageEntry]
    provenance: Provenance


def as_json(results: HarEvalResults) -> Json:
    """Return results as the JSON value that they are; the type checker cannot know."""
    return cast(Json, results)


def read_results(path: Path) -> HarEvalResults:
    """Read results.json, given the file or the folder of its run.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no results.json of this schema.
    """
    file = path / RESULTS if path.is_dir() else path
    if not file.is_file():
        raise FileNotFoundError(f"{file} not found; give the folder of a run, such as runs/har_eval/<id>")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{file} is no JSON ({error}); give the folder of a finished run") from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        found = content.get("schema") if isinstance(content, dict) else type(content).__name__
        raise ValueError(
            f"{file} has schema {found!r}, expected {SCHEMA!r}; run har_eval again with the configuration of that run"
        )
    return cast(HarEvalResults, content)
