"""acc_spectrum against scipy and a closed form; what is too short, of another activity or gated counts nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import signal

from lightning_modules.losses import LOSSES, Prediction, reduce_residual
from lightning_modules.networks.packing import mask_frames_of
from lightning_modules.objective import LossOptions, Objective
from lightning_modules.spectra.sensor_spectra import SensorSpectra, average_alike
from lightning_modules.virtual_sensors import VirtualSensors
from sim import Body, Motion
from sim.features import joints_to_features
from sim.imu.padded_readings import PaddedReadings

FRAMES = 60
SENSORS = VirtualSensors(placements=("left_wrist", "chest"))


def swing(amplitude, frequency_hz):
    """Features of a person whose joints all swing about X."""
    time_s = torch.arange(FRAMES + 1, dtype=torch.float64) / 20
    angle = amplitude * torch.sin(2 * torch.pi * frequency_hz * time_s)
    turn = torch.zeros(FRAMES + 1, 22, 3, 3, dtype=torch.float64)
    turn[..., 0, 0] = 1.0
    turn[..., 1, 1] = turn[..., 2, 2] = angle.cos()[:, None]
    turn[..., 2, 1], turn[..., 1, 2] = angle.sin()[:, None], -angle.sin()[:, None]
    position = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64).expand(FRAMES + 1, 3)
    motion = Motion(turn, position, 20.0)
    return joints_to_features(Body.default().to(dtype=torch.float64, device="cpu").joints(motion))


def make_prediction(lengths=(60, 60, 60, 60), activity=(0, 0, 1, 1)):
    target = torch.stack([swing(0.2, 1.0), swing(0.25, 1.2), swing(0.1, 2.0), swing(0.12, 2.1)])
    predicted = torch.stack([swing(0.1, 1.0), swing(0.2, 1.2), swing(0.1, 2.0), swing(0.05, 2.1)])
    mask = mask_frames_of(torch.tensor(lengths), FRAMES)
    statistics = (torch.zeros(263, dtype=torch.float64), torch.ones(263, dtype=torch.float64))
    return Prediction(predicted, target, mask, *statistics, SENSORS, activity=torch.tensor(activity))


def term(prediction):
    return reduce_residual(LOSSES["acc_spectrum"](prediction))


def test_a_density_is_scipys_and_does_not_depend_on_how_the_box_is_turned():
    generator = torch.Generator().manual_seed(0)
    accel, gyro = (torch.randn(2, 70, 2, 3, generator=generator, dtype=torch.float64) for _ in "ab")
    inside = torch.zeros(2, 70, dtype=torch.bool)
    inside[0, 3:67] = inside[1, 3:50] = True
    spectra = SensorSpectra(band_hz=(1.0, 8.0))
    density, long = spectra.measure(PaddedReadings(accel, gyro, inside), SENSORS)
    assert long.tolist() == [True, True]
    assert density.shape == (2, 14, 4)
    for clip, end in ((0, 67), (1, 50)):
        for column, values in enumerate((accel[clip, 3:end, 0], accel[clip, 3:end, 1], 4 * gyro[clip, 3:end, 0])):
            frequency, expected = signal.welch(values.numpy(), fs=20, nperseg=40, axis=0)
            kept = (frequency >= 1) & (frequency < 8)
            np.testing.assert_allclose(density[clip, :, column], expected.sum(axis=1)[kept], rtol=1e-10)
    turned = accel @ torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))[0]
    again, _ = spectra.measure(PaddedReadings(turned, gyro, inside), SENSORS)
    torch.testing.assert_close(again, density)


def test_the_loss_is_the_squared_distance_of_the_logarithms_of_the_averages():
    prediction = make_prediction()
    spectra = prediction.spectra
    powers = [spectra.measure(side.chosen.readings, SENSORS)[0] for side in (prediction.decoded, prediction.truth)]
    means = [torch.stack([power[:2].mean(dim=0), power[2:].mean(dim=0)]) for power in powers]
    logs = [(mean + 1e-3).log() for mean in means]
    expected = (logs[0] - logs[1]).square().mean(dim=(1, 2))[[0, 0, 1, 1]]
    torch.testing.assert_close(term(prediction), expected.float())
    assert expected.min() > 0


def test_a_motion_twice_as_strong_is_log_four_away_above_the_floor():
    readings = make_prediction().truth.chosen.readings
    spectra = SensorSpectra(floor=1e-30)
    one, _ = spectra.measure(readings, SENSORS)
    two, _ = spectra.measure(readings._replace(accel=2 * readings.accel, gyro=2 * readings.gyro), SENSORS)
    torch.testing.assert_close(spectra.log(two) - spectra.log(one), torch.full_like(one, np.log(4)))


def test_gradients_are_those_of_finite_differences():
    base = make_prediction()

    def loss(scale):
        moved = replace(base, predicted=base.predicted * scale)
        residual = LOSSES["acc_spectrum"](moved)
        return residual.values.square().mean()

    scale = torch.ones(4, 1, 263, dtype=torch.float64)
    scale[..., 70:80] = 1.01
    direction = torch.randn(scale.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    leaf = scale.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(leaf), leaf)
    step = 1e-6
    slope = (loss(scale + step * direction) - loss(scale - step * direction)) / (2 * step)
    torch.testing.assert_close((gradient * direction).sum(), slope, rtol=1e-4, atol=1e-9)


def test_a_clip_too_short_for_a_window_takes_no_part():
    short = make_prediction(lengths=(60, 45, 60, 60))
    assert SensorSpectra().shortest_clip(SENSORS) == 46
    alone = make_prediction(activity=(0, 2, 1, 1))
    torch.testing.assert_close(term(short)[0], term(alone)[0])
    assert term(short)[1] == 0
    assert term(make_prediction(lengths=(60, 46, 60, 60)))[1] > 0
    assert term(make_prediction(lengths=(45, 45, 45, 45))).tolist() == [0, 0, 0, 0]


def test_without_activities_all_clips_are_alike():
    prediction = make_prediction()
    torch.testing.assert_close(term(replace(prediction, activity=None)), term(make_prediction(activity=(7, 7, 7, 7))))


def test_noisy_clips_leave_the_average():
    prediction = replace(make_prediction(), signal_to_noise=torch.tensor([2.0, 0.5, 0.1, 0.1]))
    plain, gated = Objective({"acc_spectrum": 1.0}), Objective({"acc_spectrum": 1.0}, snr_from={"acc_spectrum": 1.0})
    terms = gated.compute_terms(prediction)
    alone = term(make_prediction(activity=(0, 2, 1, 1)))
    # Where nobody of an activity counts, its term is as without the gate, and the objective leaves it out.
    expected = torch.cat([alone[:1], alone[:1], plain.compute_terms(prediction)["acc_spectrum"][2:]])
    torch.testing.assert_close(terms["acc_spectrum"], expected)
    shares = gated.weigh(terms, prediction.signal_to_noise)["acc_spectrum"]
    torch.testing.assert_close(shares, expected * torch.tensor([1.0, 0.0, 0.0, 0.0]))


def test_a_gated_clip_has_no_gradient():
    base = make_prediction()
    predicted = base.predicted.clone().requires_grad_()
    prediction = replace(base, predicted=predicted, signal_to_noise=torch.tensor([2.0, 0.5, 5.0, 5.0]))
    objective = Objective({"acc_spectrum": 1.0}, snr_from={"acc_spectrum": 1.0})
    objective.combine(objective.compute_terms(prediction), prediction.signal_to_noise).sum().backward()
    assert [bool(row.any()) for row in predicted.grad] == [True, False, True, True]


def test_weighted_averages_by_hand():
    values = torch.tensor([[1.0], [3.0], [10.0], [20.0]])
    group, counted = torch.tensor([0, 0, 1, 1]), torch.tensor([True, True, True, False])
    weights = torch.tensor([3.0, 1.0, 0.0, 5.0])
    assert average_alike(values, group, weights, counted).tolist() == [[1.5], [1.5], [10.0], [10.0]]
    assert average_alike(values, group, weights, torch.zeros(4, dtype=torch.bool)).tolist() == [[0.0]] * 4


def test_training_data_too_short_for_a_window_are_refused():
    objective = Objective.of(LossOptions({"reconstruction": 1.0, "acc_spectrum": 0.1}))
    objective.check_clips(46)
    with pytest.raises(ValueError, match=r"clips have 45 frames, expected at least 46 .*data.window_s to 2.3"):
        objective.check_clips(45)
    Objective.of(LossOptions({"reconstruction": 1.0})).check_clips(45)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"windows_s": 2.0}, "windows_s.*did you mean window_s"),
        ({"window_s": 0.0}, "expected both above 0"),
        ({"floor": 0.0}, "expected both above 0"),
        ({"band_hz": [3.0, 3.2]}, "at least 0.5 Hz apart"),
        ({"band_hz": [1.0]}, "expected two rising frequencies"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SensorSpectra.from_options(options)


def test_a_band_above_half_the_rate_is_refused():
    prediction = replace(make_prediction(), spectra=SensorSpectra(band_hz=(11.0, 15.0)))
    with pytest.raises(ValueError, match="no frequency up to 10 Hz"):
        term(prediction)
