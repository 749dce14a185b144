"""Gains measured through the stages' own code against closed forms of their filters."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.signal import savgol_coeffs

from experiments.bandwidth import stages
from experiments.bandwidth.audit import AT_HZ, CURVE_HZ, Curve, draw_curves, tabulate_curves
from experiments.bandwidth.probe import amplitude, gain, wave
from experiments.bandwidth.smoothers import SMOOTHERS
from experiments.bandwidth.stages import Stage, list_stages
from sim.features import POSITION_STD_M, STEP_STD_M
from sim.features import features_to_joints as decode

FREQUENCY_HZ = torch.tensor(AT_HZ, dtype=torch.float64)
PHASE = 2 * math.pi * FREQUENCY_HZ / 20


def gains(group: str, name: str) -> np.ndarray:
    (stage,) = [stage for stage in list_stages() if stage.group == group and stage.name.startswith(name)]
    return stage.gain(FREQUENCY_HZ).numpy()


def fir(taps: np.ndarray, fps: float) -> np.ndarray:
    """Return the gain of a symmetric filter."""
    place = np.arange(len(taps)) - len(taps) // 2
    turns = np.exp(-2j * np.pi * np.array(AT_HZ)[:, None] * place / fps)
    return np.abs(turns @ taps)


def test_a_gain_is_the_part_that_is_left() -> None:
    sine = wave(FREQUENCY_HZ, 20.0)[..., None]
    truth = amplitude(sine, FREQUENCY_HZ, 20.0)
    assert truth.abs() == pytest.approx(torch.ones(4, 1))
    assert gain(amplitude(0.25 * sine, FREQUENCY_HZ, 20.0), truth) == pytest.approx([0.25] * 4)
    assert gain(1j * truth, truth) == pytest.approx([1.0] * 4)


def test_a_movement_passes_both_decoders() -> None:
    for decoder in ("positions", "consistent"):
        assert gains("decoder", f"{decoder}: a movement") == pytest.approx([1.0] * 4, abs=1e-4)


def test_jitter_passes_by_positions_and_not_consistently() -> None:
    assert gains("decoder", "positions: jitter") == pytest.approx([1.0] * 4, abs=1e-6)
    coupling = (POSITION_STD_M / STEP_STD_M) ** 2
    expected = 1 / (1 + coupling * (2 - 2 * torch.cos(PHASE)))
    assert gains("decoder", "consistent: jitter") == pytest.approx(expected.numpy(), abs=0.005)


def test_a_fit_passes_swings_and_dampens_twists() -> None:
    assert gains("pose fit", "swing") == pytest.approx([1.0] * 4, abs=0.01)
    twist = gains("pose fit", "twist")
    assert (twist < 0.95).all()
    assert (twist > 0.6).all()


def test_skin_and_devices_pass_all() -> None:
    assert gains("skin", "site") == pytest.approx([1.0] * 4, abs=1e-3)
    assert gains("device", "bmi270") == pytest.approx([1.0] * 4, abs=0.01)
    assert gains("device", "xsens_mtw") == pytest.approx([1.0] * 4, abs=0.01)


def test_the_spline_passes_up_to_near_half_the_rate() -> None:
    for name in ("acceleration", "angular rate"):
        (stage,) = [stage for stage in list_stages() if (stage.group, stage.name) == ("spline", name)]
        passed = stage.gain(FREQUENCY_HZ).numpy()
        assert passed[:3] == pytest.approx([1.0] * 3, abs=1e-3)
        assert 0.93 < passed[3] < 0.99
    cut = torch.tensor([stages.CUTOFF_HZ], dtype=torch.float64)
    assert stages.derive(cut, cutoff_hz=stages.CUTOFF_HZ)[0] == pytest.approx([math.sqrt(0.5)], abs=0.01)


def test_windows_are_resampled_without_loss_below_8_hz() -> None:
    assert gains("resampling", "windows, 100 to 50") == pytest.approx([1.0] * 4, abs=0.01)
    assert gains("resampling", "windows, 50 to 20") == pytest.approx([1.0] * 4, abs=0.01)


def test_the_whole_chain_loses_what_its_narrowest_stage_does() -> None:
    passed = gains("whole chain", "features to 50 Hz, consistent")
    assert passed[:3] == pytest.approx([1.0] * 3, abs=0.01)
    assert passed[3] == pytest.approx(gains("resampling", "motion, 20 to 50")[3], abs=0.01)


def test_a_decoder_that_smooths_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def smoothing(features: torch.Tensor, decoder: str) -> torch.Tensor:
        joints = decode(features, decoder)
        return torch.cat([joints[:, :1], (joints[:, :-2] + joints[:, 1:-1] + joints[:, 2:]) / 3, joints[:, -1:]], dim=1)

    monkeypatch.setattr(stages, "features_to_joints", smoothing)
    assert gains("decoder", "positions: a movement") == pytest.approx(fir(np.ones(3) / 3, 20.0), abs=1e-3)


def test_differences_lose_what_their_formulas_say() -> None:
    second = (2 - 2 * torch.cos(PHASE)) / PHASE.square()
    assert gains("elsewhere", "second difference") == pytest.approx(second.numpy(), abs=1e-6)
    central = (torch.sin(PHASE) / PHASE).square()
    assert gains("elsewhere", "numpy.gradient twice") == pytest.approx(central.numpy(), abs=1e-6)


def test_smoothers_have_the_gains_of_their_coefficients() -> None:
    gauss = np.exp(-0.5 * np.arange(-4, 5) ** 2.0)
    taps = (gauss / gauss.sum(), savgol_coeffs(11, 5), savgol_coeffs(9, 2), np.ones(3) / 3, np.ones(5) / 5)
    for smoother, expected in zip(SMOOTHERS, taps, strict=True):
        found = stages.smooth(FREQUENCY_HZ, smoother)
        assert found == pytest.approx(fir(expected, smoother.fps), abs=1e-6), smoother.name


def test_curves_become_a_table_and_a_picture(tmp_path: Path) -> None:
    flat, half = (
        Curve(Stage(group, name, lambda f: f), np.full(len(CURVE_HZ), value))
        for group, name, value in (("spline", "rate", 1.0), ("elsewhere", "filter", 0.5))
    )
    table = tabulate_curves([flat, half]).to_markdown()
    assert "| elsewhere | filter | 0.50 | 0.50 | 0.50 | 0.50 |" in table
    draw_curves([flat, half], tmp_path / "p.png")
    pixels = np.asarray(Image.open(tmp_path / "p.png").convert("RGB")).astype(int)
    blue = (pixels[..., 2] - pixels[..., 0]) > 120
    halves = blue[:, : blue.shape[1] // 2].sum(), blue[:, blue.shape[1] // 2 :].sum()
    assert min(halves) > 300  # one curve in each panel
