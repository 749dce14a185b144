"""Windows out of memory-mapped files: those that the plain cutter finds, sample by sample, and their statistics."""

import pickle

import numpy as np
import pytest

from datamodules.har.streams import Stream, channel_names
from datamodules.har.streams.label_runs import LabelRuns
from datamodules.har.streams.shards import open_streams, write_streams
from datamodules.har.windows.cutter import Cutter
from datamodules.har.windows.shard_windows import cut_shards
from datamodules.har.windows.views import JoinedWindows, TurnedWindows

CLASSES = ("walking", "standing")
CHANNELS = channel_names(("accel", "gyro"), ("chest", "left_wrist"))


def _streams(seed=0, count=7):
    """Recordings of changing labels, with holes, some too short for a window."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        samples = int(rng.integers(5, 400))
        labels = np.array(["", "lying", *CLASSES])[rng.integers(0, 4, size=1 + samples // 50).repeat(50)[:samples]]
        values = rng.standard_normal((samples, len(CHANNELS))) * 3 + 9.81
        if number % 3 == 1 and samples > 30:
            values[20:22, 4] = np.nan
        found.append(Stream(values, CHANNELS, labels, 20.0, f"s{number % 3}", f"made/{number}"))
    return found


def _write(streams, folder, **options):
    folder.mkdir()
    sides = ((stream, stream.subject == "s2") for stream in streams)
    write_streams(sides, folder, rate_hz=20.0, notes=lambda: ["a note"], what="made", **options)
    return open_streams(folder)


def _judge(stream, cutter):
    """Every window by the letter of the definition, in a plain loop: begin and class, or begin and reason."""
    kept, dropped = [], []
    for begin in range(0, len(stream.values) - cutter.samples + 1, cutter.step):
        values = stream.values[begin : begin + cutter.samples]
        names, counts = np.unique(stream.labels[begin : begin + cutter.samples], return_counts=True)
        name = str(names[counts.argmax()])
        if not np.isfinite(values).all():
            dropped.append("not finite")
        elif counts.max() < cutter.purity * cutter.samples - 1e-6:
            dropped.append("impure")
        elif name not in cutter.classes:
            dropped.append("other label")
        else:
            kept.append((begin, cutter.classes.index(name)))
    return kept, dropped


@pytest.mark.parametrize(("window_s", "overlap", "purity"), [(1.0, 0.5, 0.9), (0.6, 0.0, 0.5), (1.5, 0.9, 1.0)])
def test_windows_are_those_of_the_definition(tmp_path, window_s, overlap, purity):
    streams = _streams()
    cutter = Cutter(CLASSES, {}, window_s, overlap, 20.0, purity)
    windows, report = cut_shards(_write(streams, tmp_path / "pack"), cutter)
    judged = [_judge(stream, cutter) for stream in streams]
    expected = [
        (number, stream.values[begin : begin + cutter.samples].astype(np.float32), label)
        for number, (stream, (kept, _)) in enumerate(zip(streams, judged, strict=True))
        for begin, label in kept
    ]
    assert len(expected) > 5
    assert windows.recording.tolist() == [number for number, _, _ in expected]
    assert windows.labels.tolist() == [label for _, _, label in expected]
    np.testing.assert_array_equal(windows.read(np.arange(len(windows))), [values for _, values, _ in expected])
    reasons = [reason for _, dropped in judged for reason in dropped]
    assert report.dropped == {name: reasons.count(name) for name in set(reasons)}
    assert report.short_recordings == sum(len(stream.values) < cutter.samples for stream in streams)
    in_memory, plain_report = cutter(streams)
    np.testing.assert_array_equal(windows.in_memory().signals, in_memory.signals)
    assert windows.subjects.tolist() == in_memory.subjects.tolist()
    assert plain_report == report


@pytest.fixture
def windows(tmp_path, monkeypatch):
    """Windows of a pack of several files."""
    monkeypatch.setattr("datamodules.har.streams.shards.SHARD_BYTES", 200 * 4 * len(CHANNELS))
    shards = _write(_streams(), tmp_path / "pack")
    assert len(shards.rows) > 2
    found, _ = cut_shards(shards, Cutter(CLASSES, {}, 0.5, 0.5, 20.0, 0.9))
    return found


def test_windows_of_several_files_come_in_the_order_asked_for(windows):
    everything = windows.read(np.arange(len(windows)))
    order = np.random.default_rng(0).permutation(len(windows))
    np.testing.assert_array_equal(windows.read(order), everything[order])
    np.testing.assert_array_equal(windows.select(order).read(np.array([2, 0])), everything[order[[2, 0]]])


def test_statistics_are_those_of_the_windows(windows):
    chosen = windows.select(windows.subjects != "s0")
    flat = chosen.read(np.arange(len(chosen))).reshape(-1, len(CHANNELS)).astype(np.float64)
    found = chosen.statistics()
    np.testing.assert_allclose(found.mean, flat.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.std, flat.std(axis=0), rtol=1e-6)
    in_memory = chosen.in_memory().statistics()
    np.testing.assert_allclose(found.mean, in_memory.mean, rtol=1e-6)
    np.testing.assert_allclose(found.std, in_memory.std, rtol=1e-6)


def test_statistics_of_large_values_lose_no_digits(tmp_path):
    """A spread of a thousandth on ten, over many samples: single precision alone would not do."""
    rng = np.random.default_rng(0)
    values = 9.80665 + 1e-3 * rng.standard_normal((20_000, len(CHANNELS)))
    shards = _write([Stream(values, CHANNELS, np.full(20_000, "walking"), 20.0, "a")], tmp_path / "pack")
    windows, _ = cut_shards(shards, Cutter(CLASSES, {}, 1.0, 0.0, 20.0, 0.9))
    exact = values.astype(np.float32).astype(np.float64)
    np.testing.assert_allclose(windows.statistics().std, exact.std(axis=0), rtol=1e-3)
    np.testing.assert_allclose(windows.statistics().mean, exact.mean(axis=0), rtol=1e-6)


def test_a_pack_knows_who_what_and_on_which_side(tmp_path):
    streams = _streams()
    shards = _write(streams, tmp_path / "pack")
    assert shards.channels == CHANNELS
    assert shards.notes == ("a note",)
    assert shards.trials.tolist() == [stream.trial for stream in streams]
    assert shards.official_test.tolist() == [stream.subject == "s2" for stream in streams]
    assert shards.seconds == pytest.approx(sum(len(stream.values) for stream in streams) / 20)
    for number, stream in enumerate(streams):
        begin, end = shards.start[number], shards.start[number] + shards.runs.lengths[number]
        np.testing.assert_array_equal(shards.map(int(shards.shard[number]))[begin:end], stream.values.astype("f4"))


def test_an_open_pack_goes_to_a_worker_as_names_of_files(windows):
    windows.read(np.arange(4))
    sent = pickle.dumps(windows)
    assert len(sent) < 20_000
    np.testing.assert_array_equal(pickle.loads(sent).read(np.arange(4)), windows.read(np.arange(4)))


def test_streams_of_other_channels_are_refused(tmp_path):
    streams = _streams(count=2)
    other = Stream(streams[1].values[:, :6], CHANNELS[:6], streams[1].labels, 20.0, "a", "made/1")
    with pytest.raises(ValueError, match=r"made/1 of made has channels .*; name placements that all recordings have"):
        _write([streams[0], other], tmp_path / "pack")


def test_a_sensor_that_is_never_there_is_named(tmp_path):
    (stream,) = _streams(count=1)
    stream.values[:, 9:] = np.nan
    shards = _write([stream], tmp_path / "pack")
    with pytest.raises(ValueError, match=r"no recording has values in left_wrist\.gyro_x, .*leave that sensor out"):
        cut_shards(shards, Cutter(CLASSES, {}, 0.5, 0.5, 20.0, 0.5))


def test_labels_in_runs_count_as_the_samples_do():
    rng = np.random.default_rng(1)
    labels = np.array(["a", "b", "c"])[rng.integers(0, 3, size=40).repeat(rng.integers(1, 9, size=40))]
    finite = rng.random(len(labels)) > 0.1
    runs = LabelRuns.joined([LabelRuns.of(labels[:50], finite[:50]), LabelRuns.of(labels[50:], finite[50:])])
    begin = rng.integers(0, len(labels) - 10, size=30)
    for code, name in enumerate(runs.names):
        expected = [(labels[b : b + 10] == name).sum() for b in begin]
        assert runs.count(runs.label == code, begin, begin + 10).tolist() == expected
    assert runs.count(~runs.finite, begin, begin + 10).tolist() == [(~finite[b : b + 10]).sum() for b in begin]


def test_joined_windows_are_those_of_their_parts(windows, tmp_path):
    other, _ = cut_shards(_write(_streams(seed=5), tmp_path / "other"), Cutter(CLASSES, {}, 0.5, 0.5, 20.0, 0.9))
    joined = JoinedWindows.of([windows, other.in_memory()])
    assert len(joined) == len(windows) + len(other)
    assert set(joined.recording[: len(windows)]).isdisjoint(joined.recording[len(windows) :])
    order = np.array([len(windows) + 1, 0, len(windows), 2])
    expected = [other.read(np.array([1])), windows.read(np.array([0])), other.read(np.array([0]))]
    np.testing.assert_array_equal(joined.read(order)[:3], np.concatenate(expected))
    np.testing.assert_array_equal(joined.select(order).read(np.arange(4)), joined.read(order))


def test_turned_windows_keep_lengths_and_turn_both_sensors_alike(windows):
    quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # z stays, x goes to y
    turned = TurnedWindows.of(windows, np.broadcast_to(quarter, (len(windows), 3, 3)))
    before, after = windows.read(np.arange(3)), turned.read(np.arange(3))
    for first in range(0, len(CHANNELS), 3):
        np.testing.assert_allclose(after[..., first], -before[..., first + 1])
        np.testing.assert_allclose(after[..., first + 1], before[..., first])
        np.testing.assert_allclose(after[..., first + 2], before[..., first + 2])
