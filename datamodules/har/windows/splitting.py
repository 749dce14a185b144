"""Split windows so that no wearer, or at least no recording, is on both sides: validation, folds, few people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from datamodules.har.recordings.reading import natural_key
from datamodules.har.recordings.recording import UNKNOWN_SUBJECT
from datamodules.har.windows.window_set import Windows


def split_off_validation(windows: Windows, *, fraction: float, seed: int) -> tuple[Windows, Windows]:
    """Split by subject where there are at least two known ones, by recording otherwise.

    Without subjects the recordings of each class are split on their own, so that a small set keeps every class on
    both sides.

    Args:
        windows: the training windows.
        fraction: share of the subjects (or recordings) to hold out, in [0, 1); 0 holds out nothing.
        seed: which ones.

    Returns:
        Training windows and validation windows; the latter may be empty only if ``fraction`` is 0.

    Raises:
        ValueError: ``fraction`` is out of range, or there is only one subject and recording to split.
    """
    held = draw_validation(windows, fraction=fraction, seed=seed)
    if fraction and (not held.any() or held.all()):
        raise ValueError(
            f"{len(np.unique(windows.subjects))} subject and {len(np.unique(windows.recording))} recording cannot be "
            "split into training and validation; give more recordings or val_fraction=0"
        )
    return windows.select(~held), windows.select(held)


def draw_validation(windows: Windows, *, fraction: float, seed: int, turn: int = 0) -> NDArray[np.bool_]:
    """Draw what :func:`split_off_validation` holds out: a mask ``(N,)``, all alike where nothing can be parted.

    Args:
        windows: the training windows.
        fraction: share of the subjects (or recordings) to hold out, in [0, 1).
        seed: in which order they take their turns.
        turn: whose turn it is: another one holds out others, as far as there are enough.

    Raises:
        ValueError: ``fraction`` is out of range.
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"val_fraction is {fraction}, expected a share in [0, 1) of the training subjects")
    held = np.zeros(len(windows), dtype=np.bool_)
    if fraction == 0:
        return held
    rng = np.random.default_rng(seed)
    subjects = np.unique(windows.subjects)
    if len(subjects) > 1 and UNKNOWN_SUBJECT not in subjects:
        return np.isin(windows.subjects, _draw(subjects, fraction, rng, turn))
    for label in np.unique(windows.labels):
        recordings = np.unique(windows.recording[windows.labels == label])
        if len(recordings) > 1:
            held |= np.isin(windows.recording, _draw(recordings, fraction, rng, turn))
    return held


def _draw(groups: NDArray[np.generic], fraction: float, rng: np.random.Generator, turn: int) -> NDArray[np.generic]:
    count = min(max(1, round(fraction * len(groups))), len(groups) - 1)
    return np.roll(rng.permutation(groups), -turn * count)[:count]


def split_off_last(windows: Windows, people: Sequence[str], *, fraction: float) -> tuple[Windows, Windows]:
    """Hold out the last of a row of people, so that who is trained on grows with the row and nobody is swapped.

    Args:
        windows: the training windows.
        people: at least two, as :func:`choose_people` draws them.
        fraction: share of them to hold out, in [0, 1); 0 holds out nobody, any other at least one.

    Returns:
        Training windows and validation windows.

    Raises:
        ValueError: ``fraction`` is out of range.
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"val_fraction is {fraction}, expected a share in [0, 1) of the training subjects")
    count = min(max(1, round(fraction * len(people))), len(people) - 1) if fraction else 0
    held = np.isin(windows.subjects, people[len(people) - count :])
    return windows.select(~held), windows.select(held)


def list_subjects(subjects: NDArray[np.str_], *, what: str) -> list[str]:
    """Every wearer once, in natural order: 2 before 10.

    Args:
        subjects: wearer of each recording or window.
        what: what to call the set in messages.

    Raises:
        ValueError: the set does not say who wore the sensors.
    """
    names = {str(name) for name in subjects}
    if UNKNOWN_SUBJECT in names:
        raise ValueError(
            f"{what} does not say who wore the sensors, so that people cannot be kept apart; split otherwise"
        )
    return sorted(names, key=natural_key)


def choose_fold(subjects: Sequence[str], *, fold: int, num_folds: int | None, seed: int) -> frozenset[str]:
    """The people that one fold tests on; every person is in exactly one.

    Args:
        subjects: all people, in natural order.
        fold: which fold, from 0.
        num_folds: number of folds, dealt by chance; None leaves one person out at a time, in natural order.
        seed: decides who is in which fold.

    Raises:
        ValueError: there is no such fold, or there are fewer people than folds.
    """
    count = len(subjects) if num_folds is None else num_folds
    if not 2 <= count <= len(subjects):
        raise ValueError(f"{count} folds of {len(subjects)} people, expected 2 to {len(subjects)} folds")
    if not 0 <= fold < count:
        raise ValueError(f"fold is {fold}, expected 0 to {count - 1}")
    if num_folds is None:
        return frozenset([subjects[fold]])
    dealt = np.random.default_rng(seed).permutation(np.array(subjects))
    return frozenset(str(name) for name in np.array_split(dealt, count)[fold])


def choose_people(subjects: Sequence[str], count: int, *, seed: int) -> tuple[str, ...]:
    """A few people by chance, in the order they were drawn: the choice of fewer people begins that of more.

    Args:
        subjects: all people, in natural order.
        count: how many.
        seed: decides who.

    Raises:
        ValueError: there are fewer people.
    """
    if not 0 <= count <= len(subjects):
        raise ValueError(f"{count} people asked for, expected 0 to {len(subjects)}: {', '.join(subjects)}")
    return tuple(str(name) for name in np.random.default_rng(seed).permutation(np.array(subjects))[:count])


def check_apart(fitted: Windows, tested: Windows, *, what: str) -> None:
    """Make sure that nobody who is tested is among those that something is fitted on.

    Args:
        fitted: windows that something is fitted on.
        tested: windows that are predicted.
        what: what is fitted, for the message.

    Raises:
        ValueError: somebody is on both sides, or nobody can say so, as a side does not name its people.
    """
    sides = [{str(name) for name in side.subjects} for side in (fitted, tested)]
    both = sorted(sides[0] & sides[1], key=natural_key)
    if UNKNOWN_SUBJECT in sides[0] | sides[1]:
        raise ValueError(f"{what}: windows do not say who wore the sensors, so that people cannot be kept apart")
    if both:
        raise ValueError(
            f"{what} is fitted on {', '.join(both)}, who are tested; expected nobody on both sides: split otherwise"
        )
