"""Of which class a checkpoint is, so that one given in the wrong place is named as what it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_MARKS: Final = {
    "HARClassifier": "class_weight",
    "LatentMotionDiffusion": "vae.distribution_tokens",
    "MotionVAE": "average.distribution_tokens",
    "ContrastiveEvaluator": "motion_tower.project.weight",
}
"""A parameter that the checkpoints of one class have, and those of no other."""


def class_of(content: Mapping[str, object]) -> str | None:
    """Return the name of the LightningModule that a checkpoint is of; None where nothing tells.

    Args:
        content: a Lightning checkpoint, as loaded.
    """
    state, arguments = content.get("state_dict"), content.get("hyper_parameters")
    if isinstance(state, Mapping):
        for name, mark in _MARKS.items():
            if mark in state:
                return name
        if "statistics.known" in state and any(str(key).startswith("denoiser.") for key in state):
            return "MotionDiffusion"
    told = str(arguments.get("_class_path", "")) if isinstance(arguments, Mapping) else ""
    return told.rpartition(".")[2] or None


def say_class(content: Mapping[str, object]) -> str:
    """Return ``, but of a HARClassifier`` or the like, for a message that says what was expected."""
    kind = class_of(content)
    return f", but of a {kind}" if kind else ""
