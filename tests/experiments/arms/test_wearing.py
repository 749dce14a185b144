"""The same two words, a body and a device, said to synth, to dataset and to har_eval."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from datamodules.clips.embedded import load_embedded
from experiments.arms.wearing import ErrorsConfig, read_errors
from experiments.cli import main
from experiments.dataset.checks import load_spec
from experiments.dataset.people import read_body
from experiments.har_eval.checks import load_config
from experiments.har_eval.options import DEFAULT_CONFIG
from sim import Body, ImuRecording, Motion, Placement, simulate
from tests import generator_files as write
from tests.cc0_as_smpl import cc0_as_smpl

DEVICE = {"preset": "bmi270", "accel": {"noise_density": 0.004}}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("body") / "SMPL_NEUTRAL.npz"
    cc0_as_smpl(path)
    return path


@pytest.fixture(scope="module")
def walk() -> Motion:
    return next(clip.motion for clip in load_embedded() if clip.name.endswith("walk")).frames(0, 30)


def test_dataset_and_har_eval_are_told_by_the_same_lines(tmp_path: Path, model: Path) -> None:
    said = {"body": str(model), "sensor_errors": DEVICE}
    spec = {**said, "activities": ["walking"], "sites": ["waist"]}
    (tmp_path / "data.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    data = load_spec(tmp_path / "data.yaml")
    assert (data.people.smpl, data.devices) == (str(model), [ErrorsConfig("bmi270", {"noise_density": 0.004})])
    (tmp_path / "layer.yaml").write_text(yaml.safe_dump(said), encoding="utf-8")
    experiment = load_config([DEFAULT_CONFIG, tmp_path / "layer.yaml"])
    assert experiment.simulation.errors == data.devices[0]
    assert experiment.simulation.body == data.people.smpl
    (tmp_path / "device.yaml").write_text(yaml.safe_dump(DEVICE), encoding="utf-8")
    assert read_errors(str(tmp_path / "device.yaml")) == data.devices[0]
    assert read_body(str(model)).num_betas == 10


def test_synth_lays_sensors_on_the_body_in_the_files_shape(tmp_path: Path, model: Path, walk: Motion) -> None:
    path = write.write_amass(tmp_path / "a.npz", walk)
    (tmp_path / "device.yaml").write_text(yaml.safe_dump(DEVICE), encoding="utf-8")
    request = ["synth", "--motion", str(path), "--placement", "left_wrist", "--body", str(model), "--seed", "3"]
    main([*request, "--out", str(tmp_path / "ideal.parquet")])
    body = Body.from_smpl(model)
    expected = simulate(walk, body.with_shape(torch.zeros(10)), [Placement.preset("left_wrist")], rate_hz=50)
    found = ImuRecording.load(tmp_path / "ideal.parquet")
    torch.testing.assert_close(found.accel, expected.accel, atol=0.05, rtol=0)
    main([*request, "--sensor-errors", str(tmp_path / "device.yaml"), "--out", str(tmp_path / "noisy.parquet")])
    noisy = ImuRecording.load(tmp_path / "noisy.parquet")
    assert float((noisy.accel - found.accel).abs().max()) > 1e-3
    assert noisy.licence == found.licence


def test_what_is_no_body_or_device_is_one_line(
    tmp_path: Path, walk: Motion, capsys: pytest.CaptureFixture[str]
) -> None:
    walk.save(tmp_path / "a.npz")
    request = ["synth", "--motion", str(tmp_path / "a.npz"), "--placement", "waist", "--out", str(tmp_path / "b.csv")]
    for more, words in (
        (["--body", str(tmp_path / "absent.npz")], "absent.npz"),
        (["--sensor-errors", "smartfone"], "did you mean 'smartphone'"),
        (["--sensor-errors", str(tmp_path / "absent.yaml")], "absent.yaml"),
    ):
        with pytest.raises(SystemExit) as left:
            main([*request, *more])
        error = capsys.readouterr().err
        assert left.value.code == 2
        assert words in error
        assert len(error.splitlines()) == 1
