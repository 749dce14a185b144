"""Turns of the sensor axes: rotations indeed, of the distribution they claim."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from datamodules.har.windows.turning import (
    axis_permutations,
    draw_turns,
    random_rotations,
    rotations_about,
    turn_windows,
    turned_copies,
)
from datamodules.har.windows.window_set import WindowSet

CHANNELS = tuple(f"{group}_{axis}" for group in ("accel", "gyro") for axis in "xyz")


@pytest.fixture
def windows():
    signals = np.random.default_rng(0).standard_normal((5, 8, 6)).astype(np.float32)
    return WindowSet(signals, np.arange(5) % 2, np.array(list("abcde")), np.arange(5), ("p", "q"), CHANNELS, 50.0)


def test_axis_permutations_are_the_rotations_of_the_cube():
    matrices = axis_permutations()
    cube = Rotation.create_group("O").as_matrix()
    assert matrices.shape == (24, 3, 3)
    np.testing.assert_array_equal(matrices[0], np.eye(3))
    as_set = {tuple(np.round(m).astype(int).ravel()) for m in matrices}
    assert as_set == {tuple(np.round(m).astype(int).ravel()) for m in cube}


@pytest.mark.parametrize("turning", ["up_axis", "full", "axis_permutations"])
def test_every_turn_is_a_proper_rotation(turning):
    matrices = draw_turns(turning, 200, generator=np.random.default_rng(1), up_axis=1)
    np.testing.assert_allclose(
        matrices @ matrices.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (200, 3, 3)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(matrices), 1.0, atol=1e-12)


def test_full_turns_are_uniform():
    """Of a uniform rotation the angle has density (1 - cos a) / pi, mean pi / 2 + 2 / pi."""
    matrices = random_rotations(20_000, generator=np.random.default_rng(2))
    angles = np.arccos(np.clip((np.trace(matrices, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert angles.mean() == pytest.approx(np.pi / 2 + 2 / np.pi, abs=0.01)
    np.testing.assert_allclose(matrices.mean(axis=0), 0.0, atol=0.02)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_turn_about_an_axis_agrees_with_scipy(axis):
    angles = np.linspace(-3, 3, 7)
    expected = Rotation.from_rotvec(angles[:, None] * np.eye(3)[axis]).as_matrix()
    np.testing.assert_allclose(rotations_about(axis, angles), expected, atol=1e-12)


def test_accelerometer_and_gyroscope_turn_together(windows):
    matrices = random_rotations(5, generator=np.random.default_rng(3))
    turned = turn_windows(windows, matrices)
    for n in range(5):
        for start in (0, 3):
            part = slice(start, start + 3)
            expected = Rotation.from_matrix(matrices[n]).apply(windows.signals[n, :, part])
            np.testing.assert_allclose(turned.signals[n, :, part], expected, atol=1e-5)


def test_copies_keep_label_and_wearer(windows):
    copies = turned_copies(windows, "axis_permutations", copies=3, generator=np.random.default_rng(4))
    assert copies.subjects.tolist() == list("abcde") * 3
    assert copies.labels.tolist() == windows.labels.tolist() * 3
    np.testing.assert_allclose(
        np.sort(np.abs(copies.signals[:5, :, :3]), axis=-1),
        np.sort(np.abs(windows.signals[..., :3]), axis=-1),
        rtol=1e-6,
    )
    assert turned_copies(windows, "none", copies=3, generator=np.random.default_rng(4)) is windows


def test_bad_input_is_named(windows):
    generator = np.random.default_rng(0)
    with pytest.raises(ValueError, match="unknown turning 'spin'"):
        draw_turns("spin", 1, generator=generator)
    with pytest.raises(ValueError, match="expected at least 1"):
        turned_copies(windows, "full", copies=0, generator=generator)
    with pytest.raises(ValueError, match="axis is 3"):
        rotations_about(3, np.zeros(1))
    with pytest.raises(ValueError, match="one for each window"):
        turn_windows(windows, np.eye(3)[None])
