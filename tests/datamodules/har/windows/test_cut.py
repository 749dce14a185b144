"""Cutting windows: counted by hand, resampled against analytic signals, real and virtual along one path."""

import numpy as np
import pytest
import torch

from datamodules.har import Recording, WindowSet, windows_from_imu, windows_from_recordings
from datamodules.har.streams import resample_stream, stream_of_recording
from datamodules.har.windows.cutter import Cutter
from datamodules.har.windows.views import concatenate
from sim.recording import ImuRecording

CLASSES = ("walking", "standing")


def _recording(samples=100, *, labels="walking", rate_hz=50.0, subject="1", sites=1, gravity=True, accel=None):
    rng = np.random.default_rng(samples)
    values = rng.standard_normal((samples, sites, 3)).astype(np.float32) if accel is None else accel
    return Recording(
        accel=values,
        gyro=rng.standard_normal(values.shape).astype(np.float32),
        gravity_included=gravity,
        rate_hz=rate_hz,
        labels=labels,
        subject=subject,
        trial="test/0",
        placements=("waist", "chest")[:sites],
        mounting="none",
    )


def _cut(*recordings, **overrides):
    options = {"classes": CLASSES, "window_s": 0.4, "overlap": 0.5, "rate_hz": 50.0, **overrides}
    return windows_from_recordings(recordings, **options)


def test_windows_lie_where_they_should():
    recording = _recording(100)
    windows, report = _cut(recording)
    assert windows.signals.shape == (9, 20, 6)
    assert windows.channels == ("accel_x", "accel_y", "accel_z", "gyro_x", "gyro_y", "gyro_z")
    np.testing.assert_array_equal(windows.signals[3, :, :3], recording.accel[30:50, 0])
    np.testing.assert_array_equal(windows.signals[3, :, 3:], recording.gyro[30:50, 0])
    assert report.kept == {"walking": 9, "standing": 0}
    assert report.dropped == {}


def test_label_is_the_majority_above_purity():
    labels = np.array(["walking"] * 36 + ["standing"] * 64)
    windows, _ = _cut(_recording(100, labels=labels), overlap=0.0, purity=0.8)
    # Second window: 16 of 20 walking is exactly 0.8.
    assert windows.labels.tolist() == [0, 0, 1, 1, 1]
    _, strict = _cut(_recording(100, labels=labels), overlap=0.0, purity=0.9)
    assert strict.dropped == {"impure": 1}
    labels = np.array(["walking"] * 11 + ["standing"] * 9)
    assert len(_cut(_recording(20, labels=labels), purity=0.55)[0]) == 1


def test_what_is_left_out_is_counted_by_reason():
    broken = np.zeros((40, 1, 3), dtype=np.float32)
    broken[3] = np.nan
    windows, report = _cut(
        _recording(19),
        _recording(40, labels="rowing"),
        _recording(40, labels=""),
        _recording(40, accel=broken),
        overlap=0.0,
    )
    assert len(windows) == 1
    assert report.short_recordings == 1
    assert report.dropped == {"other label": 4, "not finite": 1}
    assert windows.recording.tolist() == [3]


def test_labels_are_mapped():
    windows, _ = _cut(_recording(20, labels="quiet"), label_map={"quiet": "standing"})
    assert windows.labels.tolist() == [1]


@pytest.mark.parametrize("rate_hz", [20.0, 25.0, 100.0, 51.2])
def test_resampling_follows_an_analytic_signal_and_keeps_gravity(rate_hz):
    def wave(time):
        phase = 2 * np.pi * 2.0 * time
        return np.stack([9.80665 + np.sin(phase), np.cos(phase), np.full_like(time, -3.0)], axis=-1)

    accel = wave(np.arange(500) / 50.0)[:, None].astype(np.float32)
    windows, _ = _cut(_recording(accel=accel, labels="walking"), window_s=1.0, overlap=0.0, rate_hz=rate_hz)
    samples = windows.signals.shape[1]
    found = windows.signals[:, :, :3].reshape(-1, 3)
    expected = wave(np.arange(len(found)) / rate_hz)
    assert samples == round(rate_hz)
    middle = slice(samples, -2 * samples)
    np.testing.assert_allclose(found[middle], expected[middle], atol=0.03)
    # No ringing of gravity at the edges either.
    assert np.abs(found[:, 2] + 3.0).max() < 0.02


def test_labels_of_one_class_count_together():
    """Half lying on the back and half on the side is lying all through, and upstairs to downstairs is on stairs."""
    labels = np.array(["lying_on_back"] * 10 + ["lying_on_right_side"] * 10 + ["up"] * 10 + ["down"] * 10)
    cutter = Cutter(("lying", "stairs"), {"up": "stairs", "down": "stairs"}, 0.4, 0.5, 50.0, 0.9, broader=True)
    windows, report = cutter([stream_of_recording(_recording(40, labels=labels), ("accel",), None)])
    assert windows.labels.tolist() == [0, 1]
    assert report.dropped == {"impure": 1}


def test_resampling_removes_what_the_new_rate_cannot_carry():
    time = np.arange(1000) / 50.0
    accel = np.zeros((1000, 1, 3), dtype=np.float32)
    accel[:, 0, 0] = np.sin(2 * np.pi * 18.0 * time)
    windows, _ = _cut(_recording(accel=accel), window_s=2.0, rate_hz=20.0)
    assert np.abs(windows.signals[1:-1, :, 0]).max() < 0.05


@pytest.mark.parametrize(("native_hz", "rate_hz", "lost"), [(100.0, 50.0, 5), (50.0, 100.0, 21), (100.0, 30.0, 3)])
def test_a_gap_stays_as_long_as_it_is_through_resampling(native_hz, rate_hz, lost):
    """Ten missing samples of one channel, and not the length of the filter on both sides of them."""
    accel = np.sin(2 * np.pi * 1.5 * np.arange(600) / native_hz)[:, None, None] * np.ones(3)
    holed = accel.astype(np.float32)
    holed[300:310, 0, 1] = np.nan
    holed[:4, 0, 2] = np.inf
    whole, mended = (
        resample_stream(
            stream_of_recording(_recording(accel=values, rate_hz=native_hz), ("accel",), None), rate_hz=rate_hz
        )
        for values in (accel.astype(np.float32), holed)
    )
    missing = np.isnan(mended.values)
    time = np.arange(len(missing)) / rate_hz
    inside = (time > 299 / native_hz + 1e-9) & (time < 310 / native_hz - 1e-9)
    np.testing.assert_array_equal(missing[:, 1], inside)
    assert missing.sum(axis=0).tolist() == [0, lost, int(np.ceil(4 * rate_hz / native_hz - 1e-9))]
    np.testing.assert_array_equal(mended.values[:, 0], whole.values[:, 0])
    far = np.abs(time - 304.5 / native_hz) > 12 / rate_hz + 5 / native_hz
    np.testing.assert_allclose(mended.values[far, 1], whole.values[far, 1], atol=0.02)


def test_a_channel_that_is_never_there_stays_so_through_resampling():
    accel = np.full((200, 1, 3), np.nan, dtype=np.float32)
    accel[..., 0] = 1.0
    stream = resample_stream(stream_of_recording(_recording(accel=accel), ("accel",), None), rate_hz=20.0)
    assert np.isnan(stream.values[:, 1:]).all()
    np.testing.assert_allclose(stream.values[:, 0], 1.0, atol=1e-3)


def test_labels_stay_with_their_samples_through_resampling():
    labels = np.array(["walking"] * 250 + ["standing"] * 250)
    windows, _ = _cut(_recording(500, labels=labels), window_s=1.0, overlap=0.0, rate_hz=20.0, purity=1.0)
    assert windows.labels.tolist() == [0] * 5 + [1] * 5


def _imu(batch=2, samples=60, sites=("waist",), rate_hz=50.0):
    torch.manual_seed(0)
    shape = (batch, samples, len(sites), 3)
    return ImuRecording(
        accel=torch.randn(shape),
        gyro=torch.randn(shape),
        linear_accel=torch.randn(shape),
        orientation=torch.eye(3).expand(*shape, 3).clone(),
        position=torch.zeros(shape),
        rate_hz=rate_hz,
        names=tuple(sites),
    )


@pytest.mark.parametrize("channels", [("accel", "gyro"), ("linear_accel", "gyro"), ("gyro",)])
def test_virtual_recordings_take_the_very_same_path(channels):
    imu = _imu()
    options = {"classes": CLASSES, "window_s": 0.4, "rate_hz": 25.0, "channels": channels}
    virtual, report = windows_from_imu(imu, ["walking", "standing"], subjects=["a", "b"], **options)
    gravity = channels[0] != "linear_accel"
    real, real_report = windows_from_recordings(
        [
            Recording(
                accel=(imu.accel if gravity else imu.linear_accel)[b].numpy(),
                gyro=imu.gyro[b].numpy(),
                gravity_included=gravity,
                rate_hz=50.0,
                labels=label,
                subject=subject,
                trial=str(b),
                placements=("waist",),
                mounting="none",
            )
            for b, (label, subject) in enumerate([("walking", "a"), ("standing", "b")])
        ],
        **options,
    )
    real.check_compatible(virtual)
    for name in ("signals", "labels", "subjects", "recording"):
        np.testing.assert_array_equal(getattr(virtual, name), getattr(real, name))
    assert report == real_report


def test_padding_of_virtual_recordings_is_left_out():
    windows, report = windows_from_imu(
        _imu(), "walking", classes=CLASSES, window_s=0.4, overlap=0.0, num_samples=[60, 10], rate_hz=50.0
    )
    assert len(windows) == 3
    assert report.short_recordings == 1


def test_sites_are_chosen_by_name_and_named_where_there_are_several():
    two = _recording(40, sites=2)
    both, _ = _cut(two)
    assert both.channels[:2] == ("waist.accel_x", "waist.accel_y")
    chest, _ = _cut(two, placements=("chest",))
    assert chest.channels[0] == "accel_x"
    np.testing.assert_array_equal(chest.signals[0, :, :3], two.accel[:20, 1])
    np.testing.assert_array_equal(both.signals[0, :, 6:9], two.accel[:20, 1])
    with pytest.raises(ValueError, match=r"placements \['head'\] asked of test/0, expected one or more of"):
        _cut(two, placements=("head",))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"rate_hz": 0.0}, "rate_hz is 0.0, expected > 0"),
        ({"overlap": 1.0}, "overlap is 1.0"),
        ({"purity": 0.0}, "purity is 0.0"),
        ({"window_s": 0.01}, "give a longer window_s"),
        ({"classes": ()}, "expected at least one name"),
        ({"classes": ("a", "a")}, "none twice"),
        ({"channels": ("acc",)}, "expected one or more of"),
        ({"label_map": {"x": "flying"}}, "label_map leads to"),
    ],
)
def test_bad_arguments_are_named(overrides, message):
    with pytest.raises(ValueError, match=message):
        _cut(_recording(), **overrides)


def test_gravity_is_neither_invented_nor_taken_away():
    with pytest.raises(ValueError, match="recorded with gravity, so linear_accel is not there; ask for accel"):
        _cut(_recording(), channels=("linear_accel",))
    with pytest.raises(ValueError, match="recorded without gravity, so accel is not there; ask for linear_accel"):
        _cut(_recording(gravity=False))


def test_no_recording_is_an_error():
    with pytest.raises(ValueError, match="no recording to cut"):
        _cut()


def test_joined_sets_keep_recordings_apart():
    first, _ = _cut(_recording(40), _recording(40))
    joined = concatenate([first, first])
    assert len(np.unique(joined.recording)) == 4
    other, _ = _cut(_recording(40), window_s=0.6)
    with pytest.raises(ValueError, match="samples per window"):
        concatenate([first, other])


def test_window_set_refuses_labels_outside_the_classes():
    with pytest.raises(ValueError, match="labels run from 0 to 2"):
        WindowSet(
            np.zeros((2, 4, 1), dtype=np.float32),
            np.array([0, 2]),
            np.array(["", ""]),
            np.array([0, 1]),
            ("a", "b"),
            ("accel_x",),
            50.0,
        )
