"""The comparison of acceleration losses on little work: figures of known scales and closed forms, and a rerun."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from rich.console import Console

from datamodules.motion import MotionDataModule
from experiments.acceleration.choose import SweepRow, choose_weight
from experiments.acceleration.command import main, run_experiment
from experiments.acceleration.config import load_acceleration_config
from experiments.acceleration.measure import Measured, read_measured
from experiments.acceleration.page import NUMBERS
from experiments.acceleration.plan import Arm
from experiments.acceleration.sensors import Sensed
from experiments.acceleration.summarise import ALL, Groups, compare_errors, compute_rmse, measure_distance
from experiments.arms.fine_tune import WEIGHTS
from experiments.arms.paired_errors import SPACES, paired_errors_in_all_spaces
from experiments.pipeline.intervals import crossed_ratio_interval, draw_resampling
from lightning_modules import MotionDiffusion
from lightning_modules.checkpoints import load_prior, save_prior
from lightning_modules.metrics.dynamics import measure_peak_acceleration
from sim.features import DECODERS, features_to_joints

SHIPPED = Path(__file__).parents[3] / "experiments" / "acceleration.yaml"
GROUPS = Groups(1.0, 12.0)


@pytest.fixture(scope="module")
def config(tmp_path_factory, cache_dir):
    """The shipped configuration, but with a tiny prior, few steps and one loss."""
    folder = tmp_path_factory.mktemp("acceleration")
    torch.manual_seed(0)
    model = MotionDiffusion(width=16, num_layers=1, num_heads=2, feedforward=16, num_steps=10)
    data = MotionDataModule(["embedded"], cache_dir=str(cache_dir / "motion"))
    data.prepare_data()
    data.setup("fit")
    model.statistics.set(*data.feature_statistics())
    save_prior(model, folder / "tiny.safetensors", {})
    content = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    content |= {
        "originals": {"tiny": str(folder / "tiny.safetensors")},
        "config": str(SHIPPED.parents[1] / content["config"]),
        "motion_root": None,
        "steps": 2,
        "options": ["--data.samples_per_epoch=32", f"--data.cache_dir={cache_dir / 'motion'}"],
        "arms": {"acc_joints": {"weights": [1e-4, 1e-3], "options": ["--model.snr_weighted=[acc_joints]"]}},
        "seeds": [0, 1],
        "samples": 1,
        "sampling_steps": 2,
        "resamples": 50,
        "processes": 1,
        "output": str(folder / "results"),
        "cache": str(cache_dir),
    }
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def page(config):
    return run_experiment(load_acceleration_config(config, []), console=Console(quiet=True))


def test_every_arm_is_swept_compared_and_drawn(page):
    numbers = json.loads((page.parent / NUMBERS).read_text(encoding="utf-8"))["tiny"]
    assert [(row["arm"], row["weight"]) for row in numbers["sweep"]] == [
        ("original", None), ("continued", None), ("acc_joints", 1e-4), ("acc_joints", 1e-3),
    ]  # fmt: skip
    compared = {(entry["arm"], entry["against"]) for entry in numbers["changes"]}
    assert compared == {("continued", "original"), ("acc_joints", "original"), ("acc_joints", "continued")}
    assert {entry["space"] for entry in numbers["changes"]} == set(SPACES)
    assert {(entry["arm"], entry["against"]) for entry in numbers["sensors"]} == compared | {
        ("original", None), ("continued", None), ("acc_joints", None)
    }  # fmt: skip
    assert all(entry["low"] <= entry["high"] for entry in numbers["sensors"])
    assert {row["arm"] for row in numbers["sensor_ratios"]} == {"original", "continued", "acc_joints"}
    assert {row["run"] for row in numbers["sensor_ratios"]} == {0, 1}
    assert {"all", "still", "low", "high"} <= {entry["group"] for entry in numbers["changes"]}
    for entry in numbers["changes"]:
        assert entry["low"] <= entry["change"] <= entry["high"] or entry["low"] == pytest.approx(entry["high"])
    text = page.read_text(encoding="utf-8")
    assert "reached" in text
    assert "## Sensor output, generated over recorded: acc_joints" in text
    assert "sensor output of generated motion, mean |ln ratio| to recorded motion against the control" in text
    for picture in ("acceleration_sweep.png", "acceleration_distributions.png"):
        assert f"({picture})" in text
        assert (page.parent / picture).stat().st_size > 10_000


def test_a_second_run_trains_nothing_and_says_the_same(page, config, monkeypatch):
    before = page.read_text(encoding="utf-8")
    monkeypatch.setattr("experiments.arms.fine_tune.lightning", lambda *_: pytest.fail("trained again"))
    assert main(["-c", str(config)]) == 0
    assert page.read_text(encoding="utf-8") == before


def test_squares_agree_with_the_scores_of_the_module(page, config, cache_dir):
    """The module's own torchmetrics add the same errors up in another way."""
    weights = next(path for path in (cache_dir / "fine_tune").glob(f"*/{WEIGHTS}"))
    model = load_prior(weights)
    data = MotionDataModule(["embedded"], cache_dir=str(cache_dir / "motion"))
    data.setup("test")
    sums = dict.fromkeys(("acc_joints", "acc_joints_positions", "sensors_accel", "sensors_gyro"), 0.0)
    counts = dict.fromkeys(sums, 0.0)
    model.scores = type(model.scores)(list(model.scores.means.names[1:]), data.activities)
    for batch in data.test_dataloader():
        with torch.no_grad():
            model.score(batch)
        for space, squares in paired_errors_in_all_spaces(model, batch).items():
            if space in sums:
                sums[space] += float(squares.sums.sum())
                counts[space] += float(squares.counts.sum()) * squares.sums.shape[1]
    scores = model.scores.compute()
    names = {
        "acc_joints": "paired_acc",
        "acc_joints_positions": "paired_acc_positions",
        "sensors_accel": "paired_sensors_accel",
        "sensors_gyro": "paired_sensors_gyro",
    }
    for space, name in names.items():
        assert (sums[space] / counts[space]) ** 0.5 == pytest.approx(float(scores[f"{name}/rmse"]), rel=1e-4)


def make_measured(*, scale=1.0, peak=(0.1, 5.0, 20.0, 30.0)):
    generator = np.random.default_rng(0)
    squares = {space: scale**2 * generator.gamma(2.0, size=(4, 5)) for space in SPACES}
    recorded = generator.gamma(2.0, size=(4, 40, 22)).astype(np.float32)
    recorded[3, 20:] = np.nan
    sensed = Sensed(*np.zeros((2, 4, 1, 36, 1)), *np.zeros((2, 4, 36, 1)), ("waist",))
    return Measured(
        squares,
        {space: np.full(4, 10.0) for space in SPACES},
        np.array(peak),
        np.array([42, 42, 42, 22]),
        np.array(["standing", "walking", "running", "running"]),
        np.array(["a", "b", "c", "c"]),
        scale * recorded[:, None],
        recorded,
        sensed,
    )


def test_groups_follow_the_measured_peak():
    measured = make_measured()
    chosen = {group: GROUPS.select(measured, group).tolist() for group in ("still", "low", "high", ALL, "running")}
    assert chosen["still"] == [True, False, False, False]
    assert chosen["low"] == [False, True, False, False]
    assert chosen["high"] == chosen["running"] == [False, False, True, True]
    assert chosen[ALL] == [True] * 4


def test_changes_and_distances_of_a_known_scale():
    measured, smaller = make_measured(), make_measured(scale=0.8)
    windows = GROUPS.select(measured, "high")
    expected = (measured.squares["acc_joints"][2:].sum() / 100) ** 0.5
    assert compute_rmse(measured, "acc_joints", windows) == pytest.approx(expected)
    resampling = draw_resampling(3, 3, resamples=200, generator=np.random.default_rng(1))
    change = compare_errors([smaller] * 3, [measured], space="acc_joints", windows=windows, resampling=resampling)
    assert change == pytest.approx((-0.2, -0.2, -0.2))
    distance = measure_distance(smaller, windows)
    assert distance is not None
    assert distance.peak_ratio_p95 == pytest.approx(0.8, rel=1e-5)
    assert measure_distance(measured, windows).wasserstein_m_s2 == 0


def test_crossed_intervals_widen_with_what_differs_between_recordings():
    generator = np.random.default_rng(2)
    reference = generator.gamma(2.0, size=(5, 30))
    resampling = draw_resampling(5, 30, resamples=400, generator=generator)
    even = crossed_ratio_interval(0.81 * reference, reference, resampling)
    assert even == pytest.approx((-0.1, -0.1, -0.1))
    uneven = crossed_ratio_interval(reference * generator.gamma(2.0, 0.4, size=30), reference, resampling)
    assert uneven.high - uneven.low > 0.05
    with pytest.raises(ValueError, match=r"expected the same \(S, U\)"):
        crossed_ratio_interval(reference, reference[:, :3], resampling)


def row(weight, error, balance):
    return SweepRow(Arm("acc_joints", weight), {"acc_joints": error}, {}, balance)


def test_the_lowest_error_is_chosen_among_weights_that_leave_peaks_alone():
    original = row(None, 15.0, 0.8)
    rows = [row(1.0, 14.0, 0.85), row(2.0, 12.0, 0.78), row(4.0, 9.0, 0.5), row(8.0, 13.0, 1.2)]
    assert choose_weight(rows, original=original, tolerance=0.05).arm.weight == 2.0
    assert choose_weight(rows, original=original, tolerance=1.0).arm.weight == 4.0
    assert choose_weight(rows[2:], original=row(None, 15.0, 1.0), tolerance=0.05).arm.weight == 8.0


def test_peak_acceleration_of_a_shaken_body():
    """A body that is shaken as a whole: every joint accelerates alike, by the second difference of a sine."""
    features = torch.zeros(2, 60, 263)
    features[..., 3] = 1.0 + 0.1 * torch.sin(2 * torch.pi * torch.arange(60) / 20)
    features[..., 5:67:3] = features[..., 3:4]
    features[:, :-1, 194:259:3] = features[..., 3:4].diff(dim=1)  # the steps, which say the same
    for decoder in DECODERS:
        joints = features_to_joints(features, decoder)
        assert torch.allclose(joints[..., 1], features[..., 3:4].expand(-1, -1, 22), atol=1e-6)
    size = features[0, :, 3].diff(n=2).abs() * 400
    peaks = measure_peak_acceleration(features, torch.tensor([60, 2]))
    assert float(peaks[0]) == pytest.approx(float(size.quantile(0.95)), rel=1e-4)
    assert float(peaks[1]) == 0.0


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seeds=[100]", "overlap, expected different ones"),
        ("arms.acc_joint.weights=[1]", "did you mean 'acc_joints'"),
        ("arms.acc_joints.weights=[0]", "expected weights above 0"),
        ("steps=0", "expected at least 1 of each"),
        ("still_m_s2=20", "expected 0 < still_m_s2 < high_m_s2"),
        ("motion_root=/nowhere", "/nowhere not found"),
        ("sampler=euler", "must be one of"),
        ("placements=[left_paw]", "unknown placement 'left_paw'"),
        ("stepz=3", "nearest valid one is 'steps'"),
    ],
)
def test_bad_input_is_one_line_and_code_2(config, override, message, capsys):
    with pytest.raises(SystemExit) as leaving:
        main(["-c", str(config), override])
    assert leaving.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error


def test_measurements_are_read_as_they_were_written(page, cache_dir):
    folder = next((cache_dir / "measure").glob("*/measured.npz")).parent
    measured = read_measured(folder)
    windows, frames = measured.recorded.shape[:2]
    assert measured.generated.shape == (windows, 1, frames, 22)
    assert np.array_equal(np.isnan(measured.recorded[..., 0]).sum(axis=1), frames + 2 - measured.length)
    sensed = measured.sensed
    assert sensed.placements == ("waist", "chest", "left_wrist", "left_thigh")
    assert sensed.force_generated.shape == sensed.rate_generated.shape == (windows, 1, frames + 2, 4)
    inside = np.maximum(measured.length - 6, 0)  # three frames at either end are the spline's
    assert np.array_equal((~np.isnan(sensed.force_recorded[..., 0])).sum(axis=1), inside)
    assert np.array_equal((~np.isnan(sensed.rate_generated[:, 0, :, 3])).sum(axis=1), inside)
    assert json.loads((folder / "stage.json").read_text(encoding="utf-8"))["stage"] == "measure"
