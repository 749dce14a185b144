"""The specification of ``imuforge dataset`` that goes with what a page shows."""

from __future__ import annotations

import math
import re
from typing import Final

import yaml

from datamodules.batches import SHORTEST_S
from experiments.dataset.config import SiteConfig, WindowConfig
from experiments.studio.motions import KeptMotion
from experiments.studio.wearing import as_yaml
from sim.conventions import FEATURE_FPS

FOLDER: Final = "motions"
"""Where the specification of an uploaded motion looks for motion files."""

PEOPLE: Final = 20
_HEAD: Final = "# imuforge dataset {name}.yaml --out {name}    (docs/datasets.md says what else can stand here)\n"
_FILES: Final = (
    "# Put the motion that the studio saves, and others that show {label}, in a folder {folder}/ beside this file,\n"
    "# and call imuforge from here. A motion is on one side of the split: with three or more, set val and test.\n"
)


def slug(text: str, otherwise: str) -> str:
    """Return a name for files and labels: small letters, digits and underscores."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:40].strip("_") or otherwise


def write_spec(
    kept: KeptMotion, sites: list[SiteConfig], *, label: str, rate_hz: float, device: str, prior: str
) -> str:
    """Return YAML that ``imuforge dataset`` takes.

    Args:
        kept: the motion.
        sites: its sensors, as :func:`experiments.studio.wearing.settle` returns them.
        label: name of the activity; empty takes what the sentence speaks of.
        rate_hz: of the sensors [Hz].
        device: errors of the device.
        prior: weights that the motion was generated with.

    Raises:
        ValueError: the motion is shorter than a data set's may be.
    """
    # A file's clip has to hold as many frames as are asked for.
    frames = math.floor(kept.motion.duration_s * FEATURE_FPS + 1e-6)
    seconds = frames / FEATURE_FPS
    if seconds < SHORTEST_S:
        raise ValueError(
            f"the motion lasts {kept.motion.duration_s:.2g} s, expected at least {SHORTEST_S:g} s for a data set"
        )
    label = slug(label, "") or slug(kept.activity, "") or slug(kept.title, "activity")
    name = f"{label}_data"
    activity: dict[str, object] = {}
    people: dict[str, object] = {"count": PEOPLE}
    motion: dict[str, object] = {"seconds": seconds}
    if kept.uploaded:
        activity = {"motions": FOLDER, "check": "none"}
        people |= {"val": 0.0, "test": 0.0}
        motion["weights"] = None
    else:
        motion["weights"] = prior
        if kept.prompt is not None:
            activity["prompts"] = [kept.prompt]
        if kept.activity and label != kept.activity:
            activity["tell"] = [kept.activity]
    values: dict[str, object] = {
        "name": name,
        "seed": kept.seed,
        "activities": {label: activity},
        "recordings_each": 4,
        "people": people,
        "motion": motion,
        "sites": [as_yaml(site) for site in sites],
        "devices": [device],
        "rate_hz": rate_hz,
        "windows": {"seconds": min(WindowConfig().seconds, seconds)},
    }
    head = _HEAD.format(name=name) + (_FILES.format(label=label, folder=FOLDER) if kept.uploaded else "")
    return head + yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
