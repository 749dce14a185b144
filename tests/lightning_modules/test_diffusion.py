"""Noise schedules, posteriors and noising against MDM's own numbers; spacings against their definitions."""

import pytest
import torch

from lightning_modules.diffusion import Schedule

CASES = {
    "cosine1000": lambda: Schedule.cosine(1000),
    "cosine50": lambda: Schedule.cosine(50),
    "cosine10": lambda: Schedule.cosine(10),
    "cosine1000_respaced50": lambda: Schedule.cosine(1000).respaced(50),
    "cosine1000_ddim50": lambda: Schedule.cosine(1000).strided(50),
}
TABLES = {
    "betas": "betas",
    "alphas_cumprod": "alphas_cumprod",
    "alphas_cumprod_prev": "alphas_cumprod_prev",
    "posterior_variance": "posterior_variance",
    "posterior_log_variance_clipped": "posterior_log_variance",
    "posterior_mean_coef1": "posterior_mean_clean",
    "posterior_mean_coef2": "posterior_mean_noisy",
    "timestep_map": "timestep_map",
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("table", TABLES)
def test_tables_equal_mdm(golden, case, table):
    expected = torch.from_numpy(golden("mdm")[f"schedule/{case}/{table}"])
    torch.testing.assert_close(getattr(CASES[case](), TABLES[table]), expected, rtol=1e-11, atol=1e-15)


def test_posterior_equals_mdm(golden):
    data = {key: torch.from_numpy(value) for key, value in golden("mdm").items() if key.startswith("posterior/")}
    mean, log_variance = Schedule.cosine(1000).posterior(
        data["posterior/x_start"], data["posterior/x_t"], data["posterior/t"]
    )
    torch.testing.assert_close(mean, data["posterior/mean"], rtol=0, atol=1e-6)
    torch.testing.assert_close(log_variance, data["posterior/log_variance"][:, 0, 0, 0], rtol=0, atol=1e-6)


def test_noising_equals_mdm(golden):
    data = golden("mdm")
    start, noise, steps, expected = (
        torch.from_numpy(data[f"losses/small_50_plain/{name}"]) for name in ("x_start", "noise", "t", "x_t")
    )
    torch.testing.assert_close(Schedule.cosine(50).add_noise(start, steps, noise), expected, rtol=0, atol=1e-6)


def test_noising_keeps_unit_variance():
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, 3, 40_000, generator=generator, dtype=torch.float64)
    noisy = Schedule.cosine(50).add_noise(clean, torch.tensor([0, 25, 49]), noise)
    torch.testing.assert_close(noisy.var(dim=1), torch.ones(3, dtype=torch.float64), rtol=0.02, atol=0)


def test_respacing_keeps_the_noise_levels():
    full = Schedule.cosine(50)
    for spaced in (full.respaced(7), full.strided(25), full.strided(20), full.spaced_by_noise(7)):
        torch.testing.assert_close(spaced.alphas_cumprod, full.alphas_cumprod[spaced.timestep_map])
    assert full.respaced(7).timestep_map[[0, -1]].tolist() == [0, 49]
    assert full.strided(25).timestep_map[:3].tolist() == [0, 2, 4]
    assert full.strided(20).num_steps == 20
    assert full.respaced(1).num_steps == 1


@pytest.mark.parametrize("steps", [1, 2, 10, 31, 49, 50])
def test_spacing_by_noise_keeps_the_ends_and_takes_each_step_once(steps):
    kept = Schedule.cosine(50).spaced_by_noise(steps).timestep_map.tolist()
    assert len(set(kept)) == steps
    assert kept == sorted(kept)
    assert kept[-1] == 49
    assert kept[0] == (0 if steps > 1 else 49)


@pytest.mark.parametrize("steps", [1, 2, 10, 31, 49, 50])
def test_midway_spacing_lies_between_even_steps_and_even_noise(steps):
    full = Schedule.cosine(50)
    kept = full.spaced_midway(steps).timestep_map.tolist()
    assert len(set(kept)) == steps
    assert kept == sorted(kept)
    assert kept[-1] == 49
    assert kept[0] == (0 if steps > 1 else 49)
    if steps > 1:
        even, by_noise = (s.timestep_map for s in (full.respaced(steps), full.spaced_by_noise(steps)))
        assert all(abs(k - (a + b) / 2) <= 1 for k, a, b in zip(kept, even.tolist(), by_noise.tolist(), strict=True))


def test_spacing_by_noise_is_even_where_the_schedule_is_dense():
    gaps = Schedule.cosine(1000).spaced_by_noise(10).signal_to_noise.log().diff()
    assert float(gaps[1:-2].std() / gaps[1:-2].mean()) < 0.02


def test_the_tail_takes_over_where_the_cosine_falls_too_fast():
    cosine, tail = Schedule.named("cosine", 50), Schedule.named("cosine_tail", 50)
    torch.testing.assert_close(tail.alphas_cumprod[:38], cosine.alphas_cumprod[:38])
    steps = tail.signal_to_noise[37:].log().diff()
    torch.testing.assert_close(steps, steps[:1].expand(12))
    assert float(tail.signal_to_noise[-1]) == pytest.approx(4e-6)
    # Where thousands of numbers that agree begin to show, the cosine has no step.
    counts = [int(((one.signal_to_noise > 2e-5) & (one.signal_to_noise < 5e-4)).sum()) for one in (cosine, tail)]
    assert counts == [0, 4]
    assert float(tail.betas.max()) < 0.65


@pytest.mark.parametrize("steps", [0, 51])
def test_step_counts_out_of_range_are_refused(steps):
    with pytest.raises(ValueError, match="expected 1 to 50"):
        Schedule.cosine(50).respaced(steps)
    with pytest.raises(ValueError, match="expected 1 to 50"):
        Schedule.cosine(50).strided(steps)
    with pytest.raises(ValueError, match="at least 1"):
        Schedule.cosine(0)
