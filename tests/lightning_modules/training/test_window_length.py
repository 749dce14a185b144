"""What cards and checkpoints say of the windows is read; what they leave out is None."""

from __future__ import annotations

import pytest

from lightning_modules.training.window_length import frames_of_window, window_of_card, window_of_checkpoint


@pytest.mark.parametrize(("seconds", "frames"), [(4.0, 80), (9.8, 196), (1, 20), (None, None), ("4", None), (0, None)])
def test_seconds_become_frames(seconds: object, frames: int | None) -> None:
    assert frames_of_window(seconds) == frames
    assert window_of_card({"training": {"window_s": seconds}}) == frames
    assert window_of_card({"window_s": seconds}) == frames
    assert window_of_checkpoint({"datamodule_hyper_parameters": {"window_s": seconds}}) == frames


def test_what_says_nothing_is_none() -> None:
    assert window_of_card({"training": "long"}) is None
    assert window_of_checkpoint({}) is None
    assert frames_of_window(True) is None
