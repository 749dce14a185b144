"""From what the distances stage wrote of each sensor to the rows of results.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from experiments.har_eval.results import FidelityEntry


def collect_fidelity(arm: str, set_name: str, seed: int, file: Path, placements: Sequence[str]) -> list[FidelityEntry]:
    """Read the fidelity of each activity, sensor and measure.

    Args:
        arm: name of the arm.
        set_name: name of the set.
        seed: of the experiment.
        file: that the stage wrote.
        placements: of the set; where a sensor does not name its own, it is any of them.
    """
    table = json.loads(file.read_text(encoding="utf-8"))
    entries: list[FidelityEntry] = []
    for activity, found in table.items():
        for sensor, measures in ({} if found is None else found["fidelity"]).items():
            site, _, channels = sensor.rpartition(".")
            for measure, estimate in measures.items():
                value, low, high = (None, None, None) if estimate is None else estimate
                entries.append(
                    {
                        "arm": arm,
                        "set": set_name,
                        "seed": seed,
                        "activity": activity,
                        "placement": site or " or ".join(placements),
                        "channels": channels,
                        "measure": measure,
                        "value": value,
                        "low": low,
                        "high": high,
                    }
                )
    return entries
