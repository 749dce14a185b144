import numpy as np
import pytest

from datamodules.har.reading import ReadingAccount, ReadOptions
from datamodules.har.timing import align_streams, bridge_missing, estimate_rate, resample_stamped

OPTIONS = ReadOptions(max_gap_s=0.5, max_missing_s=0.1)


def resample(time_s, values, *, rate_hz=50.0, **more):
    account = ReadingAccount("test")
    pieces = list(
        resample_stamped(time_s, values, rate_hz=rate_hz, options=OPTIONS, account=account, where="a file", **more)
    )
    return pieces, account.counts


def jittery(count=400, seed=0):
    generator = np.random.default_rng(seed)
    return np.cumsum(generator.uniform(0.005, 0.015, size=count))


def wave(time_s):
    return np.stack([np.sin(2 * np.pi * time_s), np.cos(2 * np.pi * time_s)], axis=-1)


def test_a_slow_wave_is_found_again_between_jittery_stamps():
    time_s = jittery()
    ((piece,), counts) = resample(time_s, wave(time_s))
    at = piece.start_s + np.arange(len(piece.values)) / 50.0
    assert at[-1] <= time_s[-1] < at[-1] + 0.02
    np.testing.assert_allclose(piece.values, wave(at), atol=2e-3)
    assert np.abs(time_s[piece.source] - at).max() <= 0.0075 + 1e-9
    assert not counts


def test_a_long_gap_parts_and_a_short_one_is_bridged():
    time_s = jittery()
    kept = (time_s < 1.0) | (time_s > 1.2)
    pieces, _ = resample(time_s[kept], wave(time_s[kept]))
    assert len(pieces) == 1
    kept = (time_s < 1.0) | (time_s > 1.8)
    pieces, counts = resample(time_s[kept], wave(time_s[kept]))
    assert len(pieces) == 2
    assert counts["gaps that part a recording"] == 1


def test_stamps_that_repeat_or_go_back():
    time_s = np.array([0.0, 0.02, 0.02, 0.04, 0.06])
    pieces, counts = resample(time_s, np.arange(5.0)[:, None])
    assert counts["repeated stamps"] == 1
    np.testing.assert_allclose(pieces[0].values[:, 0], [0, 1, 3, 4])
    back = np.array([0.0, 0.04, 0.02, 0.06])
    with pytest.raises(ValueError, match=r"a file: time goes back from 0.040 s to 0.020 s at row 3"):
        resample(back, np.arange(4.0)[:, None])
    pieces, counts = resample(back, np.array([[0.0], [2.0], [1.0], [3.0]]), sort=True)
    np.testing.assert_allclose(pieces[0].values[:, 0], [0, 1, 2, 3])
    assert counts["stamps out of order"] == 1
    with pytest.raises(ValueError, match="time stamp of row 2 is nan"):
        resample(np.array([0.0, np.nan]), np.zeros((2, 1)))


def test_short_runs_are_bridged_and_long_ones_stay_missing():
    values = np.arange(100.0)[:, None] * np.ones(2)
    values[10:15, 0] = np.nan
    values[30:36, 0] = np.nan
    values[:2, 1] = np.nan
    account = ReadingAccount("test")
    mended = bridge_missing(values, rate_hz=50.0, options=OPTIONS, account=account)
    np.testing.assert_allclose(mended[10:15, 0], np.arange(10, 15))
    assert np.isnan(mended[30:36, 0]).all()
    assert np.isnan(mended[:2, 1]).all()
    assert account.counts["missing values bridged"] == 5
    assert account.counts["values missing for longer, left missing"] == 8
    assert np.isnan(values[10, 0])  # what was given is left alone


def test_streams_with_clocks_of_their_own_are_aligned():
    one, other = jittery(seed=1), 0.3 + jittery(seed=2)
    time_s, values = align_streams(
        [(one, wave(one)), (other, wave(other))], rate_hz=50.0, options=OPTIONS, account=ReadingAccount("t"), where="x"
    )
    assert time_s[0] == pytest.approx(max(one[0], other[0]))
    np.testing.assert_allclose(values[:, :2], wave(time_s), atol=2e-3)
    np.testing.assert_allclose(values[:, 2:], values[:, :2], atol=4e-3)
    hole = (other < 1.5) | (other > 2.5)
    _, values = align_streams(
        [(one, wave(one)), (other[hole], wave(other[hole]))],
        rate_hz=50.0, options=OPTIONS, account=ReadingAccount("t"), where="x",
    )  # fmt: skip
    assert np.isfinite(values[:, :2]).all()
    assert 45 <= np.isnan(values[:, 2]).sum() <= 52
    with pytest.raises(ValueError, match="no time in common"):
        align_streams(
            [(one, wave(one)), (one + 100, wave(one))],
            rate_hz=50.0, options=OPTIONS, account=ReadingAccount("t"), where="x",
        )  # fmt: skip


def test_the_rate_is_that_of_most_steps():
    assert estimate_rate(np.array([0.0, 0.02, 0.04, 0.06, 1.0])) == pytest.approx(50.0)
    assert np.isnan(estimate_rate(np.array([0.0])))


@pytest.mark.parametrize("changes", [{"on_bad_file": "ignore"}, {"max_gap_s": 0.0}, {"max_missing_s": -1.0}])
def test_options_out_of_range_are_refused(changes):
    with pytest.raises(ValueError, match=r"must be one of|expected above 0"):
        ReadOptions(**changes)
