"""What the reader of the report has to keep in mind."""

from __future__ import annotations

from experiments.har_eval.report.arms import arms_of_kind, name_arm
from experiments.har_eval.report.text import join
from experiments.har_eval.results import HarEvalResults


def list_limits(results: HarEvalResults) -> list[str]:
    """List what the reader has to keep in mind."""
    limits = [
        "Motions come at 20 frames a second, so no virtual stream carries anything above 10 Hz whatever its rate; real "
        "sensors do (impacts, tremor, loose cloth).",
        *_limits_of_arms(results),
        "22 joints do not show how far a forearm is turned or where the head looks. Those twists follow a stated prior "
        "(sim/pose_fit/fit.py); they affect the gyroscope and the direction of gravity at wrist, forearm and head.",
        "The body's skin is rigid to its bones: soft tissue and a swinging phone are not simulated.",
        "Intervals resample seeds and test people, separately (crossed bootstrap, 95%). With few seeds they are too "
        "narrow rather than too wide.",
        "p over people is of Wilcoxon's signed-rank test of each person's macro-F1, mean over seeds, exact, two-sided; "
        "in brackets by Holm for all comparisons of the set and classifier. Five people or fewer cannot bring it below "
        "0.05.",
        "Normalisation, class weights and every other fitted quantity come from the training windows of each row; "
        "distances and the embedding use real training people only.",
    ]
    for real in results["sets"]:
        count = real["train_windows_per_class"]
        if count is not None:
            limits.append(
                f"{real['name']}: every row, the ceiling too, trains on at most {count} windows of each class, so that "
                "the amount of data explains no difference."
            )
        limits.append(f"{real['name']}, prior knowledge of the mounting: {real['mounting_knowledge']}")
    constructed = [
        f"{entry['activity']} ({len(entry['constructed'])} of {len(entry['clips'])})"
        for entry in results["clips"]
        if entry["constructed"]
    ]
    if constructed:
        limits.append(
            f"Among the recorded clips some are postures made by formula, not recordings: {', '.join(constructed)}."
        )
    return limits


def _limits_of_arms(results: HarEvalResults) -> list[str]:
    return [
        *(
            f"{name_arm(results, arm)}: clips are taken at the same 20 frames a second, so that generation alone makes "
            "the difference to the other arms."
            for arm in arms_of_kind(results, "recorded")
        ),
        *(
            f"{name_arm(results, arm['name'])}: motions that something else generated; their terms: "
            + "; what is known of the files: ".join([arm["licence"], *arm.get("found_terms", [])])
            for arm in results["arms"]
            if arm.get("licence")
        ),
        *(
            f"{name_arm(results, arm['name'])}: what is known of the terms of its motion files: {'; '.join(terms)}"
            for arm in results["arms"]
            if (terms := arm.get("found_terms")) and not arm.get("licence") and arm["kind"] == "recorded"
        ),
        *(
            f"{name_arm(results, arm['name'])}: virtual windows are calibrated ({join(arm['calibrate'])}) by training "
            "people, never by who is tested: the run ends where somebody is on both sides. Distances and the embedding "
            "are of windows before that."
            for arm in results["arms"]
            if arm.get("calibrate")
        ),
        *(
            f"{name_arm(results, arm['name'])}: trained on all real training people and tested on virtual sensors; no "
            "people stand behind these scores, so they carry no interval and are compared with none."
            for arm in results["arms"]
            if arm.get("protocol") == "trts"
        ),
    ]
