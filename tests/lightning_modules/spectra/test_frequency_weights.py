"""reconstruction_frequency against scipy's cosine transform, reconstruction itself, and its formula."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.fft import dct

from lightning_modules.losses import LOSSES, Prediction, reduce_residual
from lightning_modules.networks.packing import mask_frames_of
from lightning_modules.spectra.frequency_weights import FrequencyWeights

LENGTHS = [24, 15, 1]


def make_prediction(**changes):
    generator = torch.Generator().manual_seed(0)
    target, predicted = torch.randn(2, 3, 24, 263, generator=generator)
    mask = mask_frames_of(torch.tensor(LENGTHS), 24)
    return replace(Prediction(predicted, target, mask, torch.zeros(263), torch.ones(263)), **changes)


def test_equal_weights_are_reconstruction():
    prediction = make_prediction(frequency=FrequencyWeights(cap=1.0))
    weighted, plain = (
        reduce_residual(LOSSES[name](prediction)) for name in ("reconstruction_frequency", "reconstruction")
    )
    torch.testing.assert_close(weighted, plain)


def test_the_formula_holds_clip_by_clip():
    prediction = make_prediction(frequency=FrequencyWeights(corner_hz=2.0, cap=6.0))
    actual = reduce_residual(LOSSES["reconstruction_frequency"](prediction))
    for row, length in enumerate(LENGTHS):
        error = (prediction.predicted - prediction.target)[row, :length].double().numpy()
        coefficients = dct(error, norm="ortho", axis=0)
        weights = np.minimum(1 + (np.arange(length) * 10 / length / 2.0) ** 2, 6.0)
        expected = (weights[:, None] * coefficients**2).mean()
        assert float(actual[row]) == pytest.approx(expected, rel=1e-5)


def test_a_fast_error_counts_as_often_as_its_frequency_says():
    target = torch.zeros(1, 40, 263)
    time_s = (torch.arange(40) + 0.5) / 20
    weights = FrequencyWeights(corner_hz=1.5, cap=10.0)
    mask = torch.ones(1, 40, dtype=torch.bool)
    ratios = []
    for frequency_hz in (0.0, 1.5, 3.0, 9.0):
        error = torch.cos(2 * torch.pi * frequency_hz * time_s)[None, :, None].expand_as(target)
        ratios.append(float(weights.weigh(error, mask).square().sum() / error.square().sum()))
    assert ratios == pytest.approx([1.0, 2.0, 5.0, 10.0], rel=1e-4)


def test_what_lies_beyond_a_clip_has_no_part_in_it():
    base = make_prediction()
    predicted = torch.where(base.mask[..., None], base.predicted, torch.nan).requires_grad_()
    loss = reduce_residual(LOSSES["reconstruction_frequency"](replace(base, predicted=predicted)))
    torch.testing.assert_close(loss, reduce_residual(LOSSES["reconstruction_frequency"](base)))
    loss.sum().backward()
    assert not predicted.grad[~base.mask].any()
    assert predicted.grad[base.mask].abs().min() > 0


def test_autocast_does_not_round_it():
    base = make_prediction()
    with torch.autocast("cpu", torch.bfloat16):
        low = LOSSES["reconstruction_frequency"](base).values
    assert torch.equal(low, LOSSES["reconstruction_frequency"](base).values)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"corner": 1.0}, "'corner'.*did you mean corner_hz"),
        ({"corner_hz": 0.0}, "expected above 0 and at least 1"),
        ({"cap": 0.5}, "expected above 0 and at least 1"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        FrequencyWeights.from_options(options)
