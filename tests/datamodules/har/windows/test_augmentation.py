"""Random changes of windows: off by default, of the stated strength, the same for the same seed."""

import numpy as np
import pytest
import torch

from datamodules.har.streams import channel_names
from datamodules.har.windows.augmentation import Augmentation, add_changed
from datamodules.har.windows.window_set import WindowSet

CHANNELS = channel_names(("accel", "gyro"), ("chest", "left_wrist"))
MEAN, STD = torch.arange(12.0), 1 + torch.arange(12.0)


def _apply(augmentation, signals, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return augmentation.apply(signals, channels=CHANNELS, mean=MEAN, std=STD, generator=generator)


def _signals(batch=64, samples=50):
    return torch.randn(batch, samples, 12, generator=torch.Generator().manual_seed(1)) * STD + MEAN


def test_nothing_is_changed_by_default():
    assert Augmentation().is_none
    signals = _signals()
    torch.testing.assert_close(_apply(Augmentation(), signals), signals, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["rotation_deg", "jitter", "scaling", "time_warp", "channel_dropout"])
def test_each_changes_windows_and_depends_on_the_seed_alone(name):
    augmentation = Augmentation(**{name: 0.5})
    signals = _signals()
    first = _apply(augmentation, signals)
    assert not torch.allclose(first, signals)
    torch.testing.assert_close(_apply(augmentation, signals), first, rtol=0, atol=0)
    assert not torch.allclose(_apply(augmentation, signals, seed=1), first)


def test_rotation_keeps_lengths_and_angles_between_sensors_of_a_site():
    signals = _signals()
    turned = _apply(Augmentation(rotation_deg=180.0), signals)
    before, after = signals.unflatten(2, (4, 3)), turned.unflatten(2, (4, 3))
    torch.testing.assert_close(after.norm(dim=-1), before.norm(dim=-1), rtol=1e-4, atol=1e-4)

    def between(vectors, a, b):
        return (vectors[:, :, a] * vectors[:, :, b]).sum(dim=-1)

    torch.testing.assert_close(between(after, 0, 1), between(before, 0, 1), rtol=1e-3, atol=1e-2)
    # Boxes of two sites are mounted one by one.
    assert not torch.allclose(between(after, 0, 2), between(before, 0, 2), rtol=1e-2)


def test_rotation_stays_within_its_angle():
    signals = _signals(batch=500, samples=1)
    turned = _apply(Augmentation(rotation_deg=10.0), signals)
    before, after = signals.unflatten(2, (4, 3)), turned.unflatten(2, (4, 3))
    angles = torch.rad2deg(torch.acos(torch.nn.functional.cosine_similarity(before, after, dim=-1).clamp(-1, 1)))
    assert 5 < float(angles.max()) < 10.1


def test_noise_is_in_standard_deviations_of_the_channel():
    signals = _signals(batch=400)
    noise = _apply(Augmentation(jitter=0.1), signals) - signals
    torch.testing.assert_close(noise.flatten(0, 1).std(dim=0), 0.1 * STD, rtol=0.03, atol=0)


def test_scaling_is_one_factor_for_a_sensor_of_a_window():
    signals = _signals(batch=2000, samples=3)
    factors = (_apply(Augmentation(scaling=0.2), signals) / signals).unflatten(2, (4, 3))
    torch.testing.assert_close(factors, factors[:, :1, :, :1].expand_as(factors), rtol=1e-4, atol=1e-4)
    assert float(factors.mean()) == pytest.approx(1.0, abs=0.01)
    assert float(factors.std()) == pytest.approx(0.2, rel=0.05)


def test_warped_time_runs_forward_from_end_to_end():
    clock = torch.linspace(0, 1, 200)[None, :, None].expand(300, 200, 12).clone()
    warped = _apply(Augmentation(time_warp=0.4), clock)
    torch.testing.assert_close(warped[:, 0], clock[:, 0])
    torch.testing.assert_close(warped[:, -1], clock[:, -1])
    steps = warped.diff(dim=1)
    assert float(steps.min()) > 0
    assert float(steps.max()) > 1.5 / 199  # faster somewhere
    assert float(steps.min()) < 0.7 / 199  # slower elsewhere
    torch.testing.assert_close(warped, warped[:, :, :1].expand_as(warped))  # one clock for all channels


def test_a_dropped_sensor_is_its_mean():
    signals = _signals(batch=3000, samples=2)
    changed = _apply(Augmentation(channel_dropout=0.25), signals)
    gone = (changed == MEAN).unflatten(2, (4, 3)).all(dim=3).all(dim=1)
    assert float(gone.float().mean()) == pytest.approx(0.25, abs=0.02)
    kept = ~gone[:, None, :, None].expand(-1, 2, -1, 3).flatten(2)
    torch.testing.assert_close(changed[kept], signals[kept], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"jitter": -0.1}, r"augment\.jitter is -0\.1, expected >= 0; 0 leaves it out"),
        ({"rotation_deg": 200.0}, "expected >= 0 and <= 180"),
        ({"channel_dropout": 1.0}, "expected >= 0 and < 1"),
        ({"scaling": float("nan")}, r"augment\.scaling is nan"),
    ],
)
def test_bad_strengths_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**options)


def test_changed_copies_stay_of_their_wearer_and_recording():
    """A copy held out apart from what it is made of would stop a training by what it trains on."""
    labels, people = np.array([0, 0, 2, 2, 2]), np.array(["a", "b", "a", "a", "b"])
    signals = np.arange(5, dtype=np.float32)[:, None, None] * np.ones((5, 10, 3), np.float32)
    channels = channel_names(("accel",), ("chest",))
    windows = WindowSet(signals, labels, people, np.arange(5) + 7, ("p", "none", "q"), channels, 25.0)
    weak = Augmentation(jitter=1e-3)
    found = add_changed(windows, weak, per_class=4, generator=torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(found.signals[:5], windows.signals)
    assert (found.counts() - windows.counts()).tolist() == [4, 0, 4]
    made_from = np.rint(found.signals[5:].mean(axis=(1, 2))).astype(int)
    assert sorted(set(made_from)) == [0, 1, 2, 3, 4]
    for name in ("labels", "subjects", "recording"):
        np.testing.assert_array_equal(getattr(found, name)[5:], getattr(windows, name)[made_from])
    assert not np.array_equal(found.signals[5:], windows.signals[made_from])
    same = add_changed(windows, weak, per_class=None, generator=torch.Generator().manual_seed(0))
    assert (same.counts() - windows.counts()).tolist() == [2, 0, 3]
