"""How long the windows were that weights were trained on, as a card or a checkpoint says it."""

from __future__ import annotations

from collections.abc import Mapping

from sim.conventions import FEATURE_FPS


def frames_of_window(window_s: object) -> int | None:
    """Return the frames of windows of so many seconds; None unless a positive number says them."""
    if isinstance(window_s, bool) or not isinstance(window_s, (int, float)) or not window_s > 0:
        return None
    return max(1, round(window_s * FEATURE_FPS))


def window_of_card(card: Mapping[str, object]) -> int | None:
    """Return the frames of the windows that a model card says the weights were trained on, or None."""
    training = card.get("training")
    named = training.get("window_s") if isinstance(training, Mapping) else None
    return frames_of_window(named) or frames_of_window(card.get("window_s"))


def window_of_checkpoint(content: Mapping[str, object]) -> int | None:
    """Return the frames of the windows that a Lightning checkpoint was trained on, or None."""
    data = content.get("datamodule_hyper_parameters")
    return frames_of_window(data.get("window_s")) if isinstance(data, Mapping) else None
