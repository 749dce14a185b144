"""What is known of a window stays with its samples, in every kind of windows; the truth is plain indexing of arrays."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest

from datamodules.har.windows.views import JoinedWindows, TurnedWindows
from datamodules.har.windows.window_index import WindowIndex
from datamodules.har.windows.window_set import Windows, WindowSet

CHANNELS = ("accel_x", "accel_y", "accel_z")
IDENTITY = np.broadcast_to(np.eye(3), (6, 3, 3))


def window_set(count: int) -> WindowSet:
    signals = np.arange(count * 4 * 3, dtype=np.float32).reshape(count, 4, 3)
    people = np.array([f"s{number}" for number in range(count)])
    return WindowSet(signals, np.arange(count) % 2, people, np.arange(count), ("still", "moving"), CHANNELS, 50.0)


KINDS: dict[str, Callable[[], Windows]] = {
    "in memory": lambda: window_set(6),
    "joined": lambda: JoinedWindows.of([window_set(4), window_set(2)]),
    "turned": lambda: TurnedWindows.of(window_set(6), IDENTITY),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chosen", [np.array([4, 0, 4]), np.array([True, False, False, False, True, True])])
def test_a_choice_takes_index_and_samples_alike(kind: str, chosen: np.ndarray) -> None:
    windows = KINDS[kind]()
    found = pickle.loads(pickle.dumps(windows.select(chosen)))
    np.testing.assert_array_equal(found.in_memory().signals, windows.in_memory().signals[chosen])
    np.testing.assert_array_equal(found.labels, windows.labels[chosen])
    np.testing.assert_array_equal(found.subjects, windows.subjects[chosen])
    np.testing.assert_array_equal(found.recording, windows.recording[chosen])
    assert (found.classes, found.channels, found.rate_hz) == (("still", "moving"), CHANNELS, 50.0)
    assert len(found) == len(found.index) == len(windows.labels[chosen])


@pytest.mark.parametrize("short", ["labels", "subjects", "recording"])
def test_an_index_of_unequal_lengths_is_refused(short: str) -> None:
    arrays = {"labels": np.array([0, 1]), "subjects": np.array(["a", "b"]), "recording": np.array([0, 1])}
    arrays[short] = arrays[short][:1]
    with pytest.raises(ValueError, match="one for each window"):
        WindowIndex(**arrays, classes=("still", "moving"), channels=CHANNELS, rate_hz=50.0)


def test_samples_for_another_number_of_windows_are_refused() -> None:
    with pytest.raises(ValueError, match=r"labels have shape \(6,\), expected \(5,\): one for each window"):
        WindowSet.of(window_set(5).signals, window_set(6).index)
