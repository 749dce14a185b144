"""Jitter against a closed form; drop-outs against their statistics and against pandas."""

from __future__ import annotations

import math

import pandas as pd
import pytest
import torch

from sim.sensor_errors import SensorErrors, TimingErrors, TriadErrors

RATE = 100.0


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _ramp(count: int, sensors: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Time itself as a stream [s]: what is read from it are the instants of sampling."""
    return (torch.arange(count, dtype=torch.float64) / RATE).to(dtype)[:, None, None].expand(-1, sensors, 3)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-7), (torch.float32, 2e-4)])
def test_jitter_reads_the_signal_at_the_jittered_instants(dtype, tolerance):
    errors = SensorErrors(timing=TimingErrors(jitter_std_s=0.002))
    ramp = _ramp(4000, 3, dtype)
    sine = torch.sin(2 * math.pi * 1.5 * ramp)
    instants, read = errors.apply(ramp, sine, rate_hz=RATE, generator=_generator())
    assert read.dtype == dtype
    # The accelerometer and the gyroscope share their instants, and so do the three axes.
    torch.testing.assert_close(read, torch.sin(2 * math.pi * 1.5 * instants), atol=tolerance, rtol=0)
    assert torch.equal(instants[..., 0], instants[..., 2])
    delay = (instants - ramp)[..., 0].double()
    assert float(delay.std()) == pytest.approx(0.002, rel=0.03)
    assert float(delay.mean()) == pytest.approx(0, abs=1e-4)
    # Independent from sample to sample and from device to device.
    assert abs(float(torch.corrcoef(torch.stack([delay[1:, 0], delay[:-1, 0]]))[0, 1])) < 0.06
    assert abs(float(torch.corrcoef(delay[:, :2].T)[0, 1])) < 0.06


def test_jitter_is_exact_for_polynomials_up_to_degree_five():
    times = _ramp(60, 2)
    timing = TimingErrors(jitter_std_s=0.03)
    instants, read = timing.resample(times, times**5, rate_hz=RATE, generator=_generator())
    torch.testing.assert_close(read, instants**5, atol=1e-12, rtol=0)
    assert float(instants.min()) == 0
    assert float(instants.max()) <= 0.59 + 1e-12


@pytest.mark.parametrize("count", [1, 2, 5])
def test_jitter_of_a_few_samples(count):
    times = _ramp(count, 2)
    instants, read = TimingErrors(jitter_std_s=0.002).resample(times, 3 * times, rate_hz=RATE, generator=_generator())
    torch.testing.assert_close(read, 3 * instants)
    assert bool(torch.isfinite(read).all())


@pytest.mark.parametrize(("rate", "mean_s", "length"), [(0.1, 0.0, 1 / 0.9), (0.02, 0.08, 8.0), (0.6, 0.05, 5.0)])
def test_drop_outs_have_their_rate_and_geometric_bursts(rate, mean_s, length):
    timing = TimingErrors(drop_rate=rate, mean_drop_s=mean_s, fill="nan")
    (read,) = timing.drop(torch.zeros(2, 20_000, 20, 3), rate_hz=RATE, generator=_generator())
    lost = read.isnan()
    assert torch.equal(lost[..., 0], lost[..., 1])
    lost = lost[..., 0]
    assert not bool(lost[:, 0].any())
    assert float(lost.float().mean()) == pytest.approx(rate, rel=0.05)
    flat = torch.nn.functional.pad(lost, (0, 0, 1, 1)).movedim(-1, 0).flatten().int()
    bursts = (flat.diff() == -1).nonzero()[:, 0] - (flat.diff() == 1).nonzero()[:, 0]
    assert float(bursts.float().mean()) == pytest.approx(length, rel=0.05)
    # Geometric: a burst ends after its first sample with probability 1 / mean, and so it does after any other.
    assert float((bursts == 1).float().mean()) == pytest.approx(1 / length, abs=0.025)
    longer = bursts[bursts >= 2]
    assert float((longer == 2).float().mean()) == pytest.approx(1 / length, abs=0.025)


def test_hold_repeats_the_last_delivered_sample():
    truth = torch.randn(2, 500, 3, 3, generator=_generator(1))
    gaps, held = (
        SensorErrors(timing=TimingErrors(drop_rate=0.3, mean_drop_s=0.05, fill=fill)).apply(
            truth, 2 * truth, rate_hz=RATE, generator=_generator()
        )
        for fill in ("nan", "hold")
    )
    for gap, hold in zip(gaps, held, strict=True):
        columns = pd.DataFrame(gap.movedim(1, 0).flatten(1).numpy())
        assert columns.isna().to_numpy().any()
        assert (columns.ffill().to_numpy() == hold.movedim(1, 0).flatten(1).numpy()).all()
    assert torch.equal(gaps[0].isnan(), gaps[1].isnan())
    assert not torch.equal(gaps[0][0].isnan(), gaps[0][1].isnan())
    assert not torch.equal(gaps[0][0, :, 0].isnan(), gaps[0][0, :, 1].isnan())


def test_drop_outs_come_after_the_noise():
    errors = SensorErrors(accel=TriadErrors(noise_density=1.0), timing=TimingErrors(drop_rate=0.5))
    read, _ = errors.apply(torch.zeros(300, 1, 3), torch.zeros(300, 1, 3), rate_hz=RATE, generator=_generator())
    repeated = (read[1:] == read[:-1]).all(dim=-1)
    assert 0.4 < float(repeated.float().mean()) < 0.6


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_same_samples_are_lost_in_either_precision(dtype):
    lost = [
        TimingErrors(drop_rate=0.2, fill="nan").drop(
            torch.zeros(99, 2, 3, dtype=kind), rate_hz=9, generator=_generator()
        )
        for kind in (dtype, torch.float64)
    ]
    assert lost[0][0].dtype == dtype
    assert torch.equal(lost[0][0].isnan(), lost[1][0].isnan())


def test_gradients_pass_through_jitter_and_hold():
    timing = TimingErrors(jitter_std_s=0.003, drop_rate=0.3)
    errors = SensorErrors(TriadErrors(misalignment_std=0.1), TriadErrors(low_pass_hz=20.0), 0.1, timing)

    def read(accel: torch.Tensor, gyro: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return errors.apply(accel, gyro, rate_hz=RATE, generator=_generator())

    streams = [torch.randn(12, 2, 3, dtype=torch.float64, generator=_generator(i)).requires_grad_() for i in (1, 2)]
    assert torch.autograd.gradcheck(read, streams)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"jitter_std_s": -1e-3}, r"jitter_std_s is -0.001, expected >= 0 and finite; leave jitter_std_s out"),
        ({"drop_rate": math.nan}, "drop_rate is nan, expected >= 0 and finite"),
        ({"drop_rate": 5.0}, r"drop_rate is 5.0, expected a part in \[0, 1\); divide by 100 if it is in per cent"),
        ({"mean_drop_s": math.inf}, "mean_drop_s is inf, expected >= 0 and finite"),
        ({"fill": "zero"}, r"fill is 'zero', expected one of \['hold', 'nan'\]"),
    ],
)
def test_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        TimingErrors(**arguments)


@pytest.mark.parametrize("timing", [TimingErrors(jitter_std_s=1e-3), TimingErrors(drop_rate=0.1)])
def test_needs_a_generator(timing):
    with pytest.raises(ValueError, match="generator is None; pass generator="):
        SensorErrors(timing=timing).apply(torch.zeros(5, 1, 3), torch.zeros(5, 1, 3), rate_hz=RATE)
    with pytest.raises(ValueError, match="rate_hz is 0"):
        timing.resample(torch.zeros(5, 1, 3), rate_hz=0, generator=_generator())
    with pytest.raises(ValueError, match="rate_hz is 0"):
        timing.drop(torch.zeros(5, 1, 3), rate_hz=0, generator=_generator())
