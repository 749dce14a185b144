"""Calibration finds a mounting that is known, leaves what it cannot know, and maps ranks."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from datamodules.har.windows.calibration import fit_calibration
from datamodules.har.windows.turning import turn_windows
from datamodules.har.windows.window_set import WindowSet

CLASSES = ("standing", "sitting", "lying")
GRAVITY = {"standing": (9.8, 0.0, 0.0), "sitting": (6.9, 0.0, 6.9), "lying": (0.0, 0.0, 9.8)}


def draw(people, *, seed, sites=("",), gravity=GRAVITY, classes=CLASSES, scale=1.0):
    """Windows of people who hold still but for noise, 6 of each class and person."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.repeat(np.arange(len(classes)), 6), len(people))
    worn = np.repeat(people, 6 * len(classes))
    names = [f"{site}." if site else "" for site in sites]
    channels = tuple(f"{site}{group}_{axis}" for site in names for group in ("accel", "gyro") for axis in "xyz")
    signals = scale * rng.standard_normal((len(labels), 20, len(channels)))
    for start in range(0, len(channels), 6):
        signals[..., start : start + 3] += np.array([gravity[classes[label]] for label in labels])[:, None]
    return WindowSet(signals.astype(np.float32), labels, worn, np.arange(len(labels)), classes, channels, 25.0)


def turned(windows, rotation):
    return turn_windows(windows, np.broadcast_to(rotation.as_matrix(), (len(windows), 3, 3)))


def angle_deg(matrix, rotation):
    return np.degrees((Rotation.from_matrix(matrix) * rotation.inv()).magnitude())


def test_a_known_turn_is_found_and_turns_the_gyroscope_too():
    mounting = Rotation.from_rotvec([0.3, -0.8, 0.5])
    virtual, as_simulated = draw(["v"], seed=0), draw(["p1", "p2"], seed=1)
    calibration = fit_calibration(virtual, turned(as_simulated, mounting), ["turn"])
    assert calibration.people == ("p1", "p2")
    assert angle_deg(calibration.turns[""], mounting) < 5
    assert calibration.turn_deg[""] == pytest.approx(np.degrees(mounting.magnitude()), abs=5)
    assert calibration.ranks is None
    expected = turned(virtual, Rotation.from_matrix(calibration.turns[""]))
    np.testing.assert_allclose(calibration.apply(virtual).signals, expected.signals, atol=1e-4)


def test_each_site_has_its_own_turn():
    chest, wrist = Rotation.from_rotvec([0.0, 0.4, 0.0]), Rotation.from_rotvec([0.0, 0.0, -0.9])
    people = draw(["p1"], seed=1, sites=("chest", "right_wrist"))
    signals = people.signals.copy()
    for start, turn in ((0, chest), (6, wrist)):
        for part in (slice(start, start + 3), slice(start + 3, start + 6)):
            signals[..., part] = signals[..., part] @ turn.as_matrix().T
    found = fit_calibration(
        draw(["v"], seed=0, sites=("chest", "right_wrist")), WindowSet.of(signals, people.index), ["turn"]
    )
    assert {"chest", "right_wrist"} == found.turns.keys()
    assert angle_deg(found.turns["chest"], chest) < 5
    assert angle_deg(found.turns["right_wrist"], wrist) < 5


def test_what_gravity_does_not_tell_stays():
    """Upright in every class: a turn about the vertical could be any, a tilt is seen."""
    upright = dict.fromkeys(CLASSES, (9.8, 0.0, 0.0))
    tilt, about = Rotation.from_rotvec([0.0, 0.4, 0.0]), Rotation.from_rotvec([1.0, 0.0, 0.0])
    virtual, people = draw(["v"], seed=0, gravity=upright), draw(["p1"], seed=1, gravity=upright)
    assert fit_calibration(virtual, turned(people, about), ["turn"]).turn_deg[""] < 5
    assert angle_deg(fit_calibration(virtual, turned(people, tilt), ["turn"]).turns[""], tilt) < 5


def test_people_count_equally():
    """One person of a hundred windows does not outvote two of six."""
    mine, others = Rotation.identity(), Rotation.from_rotvec([0.0, 0.6, 0.0])
    many = turned(draw(["p1"], seed=1), others)
    few = turned(draw(["p2", "p3"], seed=2), mine)
    row = np.tile(np.arange(len(many)), 10)
    people = WindowSet(
        np.concatenate([many.signals[row], few.signals]),
        np.concatenate([many.labels[row], few.labels]),
        np.concatenate([many.subjects[row], few.subjects]),
        np.arange(len(row) + len(few)),
        CLASSES,
        many.channels,
        25.0,
    )
    turn = fit_calibration(draw(["v"], seed=0), people, ["turn"]).turn_deg[""]
    assert 0.25 < turn / np.degrees(0.6) < 0.45


def test_ranks_are_mapped_and_what_lies_beyond_is_shifted():
    virtual, people = draw(["v"], seed=0), draw(["p1", "p2"], seed=1, scale=3.0)
    calibration = fit_calibration(virtual, people, ["quantiles"])
    assert calibration.turns == {}
    mapped = calibration.apply(virtual)
    levels = np.linspace(0.05, 0.95, 19)
    found, expected = (np.quantile(side.signals[..., 3], levels) for side in (mapped, people))
    np.testing.assert_allclose(found, expected, atol=0.3)
    assert calibration.ranks is not None
    ours, theirs = calibration.ranks[:, -1, 3]
    largest = np.unravel_index(virtual.signals[..., 3].argmax(), virtual.signals[..., 3].shape)
    beyond = virtual.signals[..., 3][largest]
    assert beyond > ours
    assert mapped.signals[..., 3][largest] == pytest.approx(beyond + theirs - ours, rel=1e-5)
    np.testing.assert_array_equal(np.argsort(mapped.signals[0, :, 3]), np.argsort(virtual.signals[0, :, 3]))


def test_only_classes_that_both_have_count():
    virtual, people = draw(["v"], seed=0), draw(["p1", "p2"], seed=1)
    lying = people.labels == 2
    odd = people.signals.copy()
    odd[lying] = odd[lying][..., [2, 0, 1, 3, 4, 5]] * 50
    without = virtual.select(virtual.labels != 2)
    found, expected = (
        fit_calibration(without, WindowSet.of(signals, people.index), ["turn", "quantiles"])
        for signals in (odd, people.signals)
    )
    np.testing.assert_array_equal(found.turns[""], expected.turns[""])
    np.testing.assert_array_equal(found.ranks, expected.ranks)


def test_what_cannot_be_calibrated_is_said():
    virtual, people = draw(["v"], seed=0), draw(["p1"], seed=1)
    with pytest.raises(ValueError, match="unknown calibration 'turns'"):
        fit_calibration(virtual, people, ["turns"])
    with pytest.raises(ValueError, match="share none of"):
        fit_calibration(virtual.select(virtual.labels == 0), people.select(people.labels == 1), ["turn"])
    gyro = [
        WindowSet(s.signals[..., 3:], s.labels, s.subjects, s.recording, CLASSES, s.channels[3:], 25.0)
        for s in (virtual, people)
    ]
    with pytest.raises(ValueError, match="expected accel of every site"):
        fit_calibration(*gyro, ["turn"])
