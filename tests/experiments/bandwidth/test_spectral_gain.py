"""Whether a motion was smoothed, told by its spectrum: on motion made to the reference, and on recorded clips."""

from __future__ import annotations

import math

import numpy as np
import pytest

from datamodules.clips.embedded import load_embedded
from experiments.bandwidth.check import UNTOUCHED, judge_variants, tabulate
from experiments.bandwidth.smoothers import SMOOTHERS
from experiments.bandwidth.spectral_gain import (
    FREQUENCIES_HZ,
    JITTERY,
    REFERENCE,
    SMOOTHED,
    SpectralGain,
    compare_spectrum,
    measure_reference,
    pool,
)
from sim import Body


def noise_like_people(fps: float, *, seconds: float = 120.0, seed: int = 0) -> np.ndarray:
    """Return joints ``(T, 22, 3)`` [m] whose accelerations are noise with the reference's spectrum."""
    frames = round(seconds * fps)
    frequency = np.fft.rfftfreq(frames, 1 / fps)
    power = np.interp(frequency, [1.0, 2.0, *FREQUENCIES_HZ], [0.0, 0.0, *REFERENCE])
    size = np.where((frequency >= 0.1) & (frequency < 10), 10 ** (power / 2), 0.0)
    size /= np.maximum(2 * math.pi * frequency, 1.0) ** 2
    rng = np.random.default_rng(seed)
    parts = rng.normal(size=(2, 22, 3, len(frequency)))
    spectrum = (parts[0] + 1j * parts[1]) * size * math.sqrt(frames * fps)
    return np.moveaxis(np.fft.irfft(spectrum, n=frames), -1, 0)


def compared(joints: np.ndarray, fps: float) -> SpectralGain:
    found = compare_spectrum(joints, fps)
    assert isinstance(found, SpectralGain), found
    return found


@pytest.mark.parametrize("fps", [20.0, 24.0, 30.0, 60.0, 120.0])
def test_motion_like_recorded_motion_is_neither_at_any_rate(fps: float) -> None:
    found = compared(noise_like_people(fps), fps)
    # A window without its mean lacks some of its 1 Hz; recorded motion and the reference lack it alike.
    assert found.at(5) == pytest.approx(1.1, abs=0.1)
    assert found.at(8) == pytest.approx(1.1, abs=0.2)
    assert found.describe().startswith("no sign of smoothing or jitter: 8 Hz at ")


def test_the_gain_of_a_filter_is_found() -> None:
    joints = noise_like_people(30.0)
    found = compared(SMOOTHERS[0].smooth(joints), 30.0)
    # Beside what the filter takes at 1 and 2 Hz, by which everything is normalised: 0.95.
    assert found.at(5) == pytest.approx(0.578 / 0.95, abs=0.08)
    assert found.at(8) == pytest.approx(0.246 / 0.95, abs=0.06)
    assert found.describe().startswith(f"smoothed: 8 Hz at {found.at(8):.2f}, 5 Hz at {found.at(5):.2f}")


@pytest.mark.parametrize("smoother", SMOOTHERS, ids=lambda smoother: smoother.name)
def test_every_smoother_is_found_in_motion_like_recorded_motion(smoother) -> None:
    joints = noise_like_people(smoother.fps)
    assert compared(smoother.smooth(joints), smoother.fps).score < SMOOTHED


def test_jitter_is_said() -> None:
    joints = noise_like_people(20.0)
    jitter = 0.01 * np.random.default_rng(1).normal(size=joints.shape)
    found = compared(joints + jitter, 20.0)
    assert found.score > JITTERY
    assert found.at(8) > 3
    assert found.describe().startswith("suspicious: jitter, 8 Hz at ")


def test_size_does_not_matter_but_movement_does() -> None:
    joints = noise_like_people(30.0)
    assert compared(0.5 * joints, 30.0).log_power == pytest.approx(compared(joints, 30.0).log_power)
    assert compare_spectrum(0.01 * joints, 30.0) == "hardly moves: nothing tells whether it was smoothed"


def test_a_t_pose_in_front_does_not_pass_for_smoothing() -> None:
    joints = noise_like_people(120.0, seconds=10.0)
    expected = compared(joints, 120.0)
    joints[0] += 0.3
    assert compared(joints, 120.0).log_power == pytest.approx(expected.log_power, abs=0.1)
    joints[::50] += 0.3
    assert compare_spectrum(joints, 120.0) == "jumps too often to tell whether it was smoothed"


def test_what_cannot_be_judged_is_said_in_words() -> None:
    joints = noise_like_people(16.0)
    assert str(compare_spectrum(joints, 16.0)).startswith(
        "too low a frame rate to tell whether it was smoothed: 16 fps"
    )
    assert str(compare_spectrum(joints[:21], 20.0)).startswith("too short to tell whether it was smoothed: 21 frames")
    assert isinstance(compare_spectrum(joints[:22], 20.0), SpectralGain)


def test_the_reference_is_what_the_embedded_clips_give() -> None:
    assert measure_reference() == pytest.approx(np.array(REFERENCE), abs=0.02)


def test_embedded_clips_are_not_called_smoothed_unless_they_are() -> None:
    body = Body.default()
    found: dict[str, list[SpectralGain]] = {}
    for clip in load_embedded():
        if not clip.constructed and clip.motion.fps >= 20:
            for name, judged in judge_variants(body.joints(clip.motion).double().numpy(), clip.motion.fps):
                found.setdefault(name, []).append(judged)
    scores = {name: np.array([each.score for each in judged]) for name, judged in found.items()}
    assert len(scores[UNTOUCHED]) >= 15
    assert (scores[UNTOUCHED] < SMOOTHED).sum() <= 2
    assert pool(found[UNTOUCHED]).score == pytest.approx(0.0, abs=0.2)
    for smoother in SMOOTHERS:
        assert (scores[smoother.name] < SMOOTHED).mean() > 0.5, smoother.name
        assert pool(found[smoother.name]).score < SMOOTHED, smoother.name
    rows = {row[0]: row for row in tabulate(found, skipped=3).rows}
    assert rows[UNTOUCHED][1] == str(len(scores[UNTOUCHED]))
    assert rows[UNTOUCHED][2] == f"{100 * (scores[UNTOUCHED] < SMOOTHED).mean():.0f} %"
