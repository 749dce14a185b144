"""Recordings come back from disk exactly as they went, and say in the file what their numbers mean."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from sim import Body, ImuRecording, Motion, Placement, SensorErrors, TimingErrors, simulate
from sim.conventions import DECODERS
from sim.placements.soft_tissue import SoftTissue

QUANTITIES = ("accel", "gyro", "linear_accel", "orientation", "position")


def _recording(*batch: int, dtype: torch.dtype = torch.float32, count: int = 7) -> ImuRecording:
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*batch, count, 2, *shape, generator=generator, dtype=dtype)

    return ImuRecording(draw(3), draw(3), draw(3), draw(3, 3), draw(3), 100 / 3, ("left_wrist", "chest"))


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [(), (3,), (2, 2)])
def test_round_trip_is_exact(tmp_path, suffix, dtype, batch):
    recording = _recording(*batch, dtype=dtype)
    path = tmp_path / f"recording{suffix}"
    recording.save(path)
    loaded = ImuRecording.load(path)
    for quantity in QUANTITIES:
        assert getattr(loaded, quantity).dtype == dtype
        assert torch.equal(getattr(loaded, quantity), getattr(recording, quantity))
    assert loaded.rate_hz == recording.rate_hz
    assert loaded.names == recording.names
    assert torch.equal(loaded.time_s, recording.time_s)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_the_decoder_of_the_motion_comes_back(tmp_path, suffix):
    turn, place = torch.eye(3).expand(30, 22, 3, 3), torch.tensor([0.0, 0.9, 0.0]).expand(30, 3)
    for decoder in (None, *DECODERS):
        motion = Motion(turn, place, 20.0, decoder=decoder)
        motion.save(tmp_path / "motion.npz")
        assert Motion.load(tmp_path / "motion.npz").decoder == decoder
        read = simulate(motion.frames(2), Body.default(), [Placement.preset("chest")], rate_hz=20.0)
        assert read.decoder == decoder
        read.every(2).save(tmp_path / f"recording{suffix}")
        assert ImuRecording.load(tmp_path / f"recording{suffix}").decoder == decoder


def test_files_from_before_there_was_a_choice_open(tmp_path):
    turn, place = np.broadcast_to(np.eye(3), (5, 22, 3, 3)), np.zeros((5, 3))
    np.savez(tmp_path / "old.npz", rotations=turn, translation=place, fps=np.float64(20), text=np.array("null"))
    assert Motion.load(tmp_path / "old.npz").decoder is None
    recording = _recording()
    recording.save(tmp_path / "new.csv")
    head, rest = (tmp_path / "new.csv").read_text(encoding="utf-8").split("\n", 1)
    metadata = json.loads(head.removeprefix("# "))
    del metadata["decoder"]
    (tmp_path / "old.csv").write_text(f"# {json.dumps(metadata)}\n{rest}", encoding="utf-8")
    assert ImuRecording.load(tmp_path / "old.csv").decoder is None


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_placements_and_lost_samples_come_back(tmp_path, suffix):
    placements = [
        Placement.preset("left_wrist").mounted("smartwatch").jitter(along_mm=5.0, generator=torch.Generator()),
        Placement.at("spot", 5000, [0.2, 0.3, 0.5], stand_off_m=0.01).attached(SoftTissue.resonating(20.0)),
    ]
    errors = SensorErrors(timing=TimingErrors(drop_rate=0.3, fill="nan"))
    rest = Motion(torch.eye(3).expand(20, 22, 3, 3), torch.zeros(20, 3), 20.0)
    recording = simulate(
        rest, Body.default(), placements, rate_hz=50, errors=errors, generator=torch.Generator().manual_seed(0)
    )
    assert int(recording.accel.isnan().sum()) > 0
    recording.save(tmp_path / f"recording{suffix}")
    loaded = ImuRecording.load(tmp_path / f"recording{suffix}")
    torch.testing.assert_close(loaded.accel, recording.accel, atol=0, rtol=0, equal_nan=True)
    assert loaded.placements == recording.placements
    again = [Placement.from_description(description) for description in loaded.placements]
    assert [placement.describe() for placement in again] == [placement.describe() for placement in placements]
    assert simulate(rest, Body.default(), again, rate_hz=50).names == ("left_wrist", "spot")


def test_dataframe():
    recording = _recording()
    frame = recording.to_dataframe()
    assert list(frame.columns[:4]) == ["time_s", "left_wrist_accel_x", "left_wrist_accel_y", "left_wrist_accel_z"]
    assert "chest_orientation_zy" in frame.columns
    assert frame["chest_gyro_y"].tolist() == recording.gyro[:, 1, 1].tolist()
    assert frame["chest_orientation_zy"].tolist() == recording.orientation[:, 1, 2, 1].tolist()
    assert frame["time_s"].tolist() == [k / (100 / 3) for k in range(7)]
    assert len(frame.columns) == 1 + 2 * (4 * 3 + 9)
    batch = _recording(3).to_dataframe()
    assert batch["clip"].tolist() == [0] * 7 + [1] * 7 + [2] * 7


def test_gradients_do_not_hinder_saving(tmp_path):
    recording = _recording()
    replace(recording, accel=recording.accel.clone().requires_grad_()).save(tmp_path / "recording.parquet")
    assert torch.equal(ImuRecording.load(tmp_path / "recording.parquet").accel, recording.accel)


def test_parquet_says_its_units(tmp_path):
    _recording().save(tmp_path / "recording.parquet")
    schema = pq.read_schema(tmp_path / "recording.parquet")
    metadata = json.loads(schema.metadata[b"imuforge"])
    assert metadata["rate_hz"] == 100 / 3
    assert metadata["units"]["gyro"] == "rad/s"
    assert "Y up" in metadata["frame"]
    assert schema.field("left_wrist_linear_accel_x").metadata[b"unit"] == b"m/s^2"
    assert schema.field("chest_gyro_z").metadata[b"unit"] == b"rad/s"
    assert schema.field("time_s").metadata[b"unit"] == b"s"


def test_units_go_by_the_quantity_and_not_by_the_sensors_name(tmp_path):
    replace(_recording(), names=("accel_test", "time")).save(tmp_path / "recording.parquet")
    schema = pq.read_schema(tmp_path / "recording.parquet")
    assert schema.field("accel_test_gyro_x").metadata[b"unit"] == b"rad/s"
    assert schema.field("time_position_x").metadata[b"unit"] == b"m"
    assert schema.field("time_orientation_xy").metadata[b"unit"].startswith(b"rotation matrix")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_writer_that_is_stopped_leaves_what_was_there(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"recording{suffix}"
    _recording().save(path)
    before = path.read_bytes()

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pd.DataFrame, "to_csv", stop)
    monkeypatch.setattr(pq, "write_table", stop)
    with pytest.raises(KeyboardInterrupt):
        _recording(dtype=torch.float64).save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_csv_is_read_by_pandas_as_it_stands(tmp_path):
    recording = _recording()
    recording.save(tmp_path / "recording.csv")
    frame = pd.read_csv(tmp_path / "recording.csv", comment="#")
    assert list(frame.columns) == list(recording.to_dataframe().columns)
    with (tmp_path / "recording.csv").open() as file:
        assert json.loads(file.readline().removeprefix("# "))["names"] == ["left_wrist", "chest"]


def test_rejects_files(tmp_path):
    with pytest.raises(ValueError, match=r"expected one of \.parquet, \.csv"):
        _recording().save(tmp_path / "recording.mat")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        ImuRecording.load(tmp_path / "absent.csv")
    pd.DataFrame({"time_s": [0.0]}).to_parquet(tmp_path / "other.parquet")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "text.parquet").write_text("no parquet")
    for name in ("other.parquet", "other.csv", "text.parquet"):
        with pytest.raises(ValueError, match=r"ImuRecording\.save"):
            ImuRecording.load(tmp_path / name)
    _recording().save(tmp_path / "cut.csv")
    text = (tmp_path / "cut.csv").read_text().replace("chest_gyro_z", "chest_gyro_q")
    (tmp_path / "cut.csv").write_text(text)
    with pytest.raises(ValueError, match="lacks the column chest_gyro_z"):
        ImuRecording.load(tmp_path / "cut.csv")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "\n".join(text.splitlines()[:5]), "holds 3 rows, expected 7; the file was cut off"),
        (lambda text: text.splitlines()[0], "is no readable CSV"),
        (lambda text: text.replace('"rate_hz": 33', '"rate_hz": "33'), "carries no"),
        (lambda text: text.replace('"dtype": "float32"', '"dtype": "int32"'), "metadata 'dtype' is 'int32'"),
        (lambda text: text.replace('"batch_shape": []', '"batch_shape": [-1]'), "metadata 'batch_shape' is"),
        (lambda text: text.replace('"names": ["left_wrist", "chest"]', '"names": null'), "metadata 'names' is None"),
        (lambda text: text[: text.rindex(",") + 1] + "x\n", "holds something else than numbers"),
    ],
)
def test_changed_files_are_refused(tmp_path, change, message):
    path = tmp_path / "recording.csv"
    _recording().save(path)
    path.write_text(change(path.read_text()))
    with pytest.raises(ValueError, match=message):
        ImuRecording.load(path)


def test_a_batch_of_none_comes_back(tmp_path):
    for suffix in (".csv", ".parquet"):
        _recording(0).save(tmp_path / f"none{suffix}")
        assert ImuRecording.load(tmp_path / f"none{suffix}").orientation.shape == (0, 7, 2, 3, 3)


@pytest.mark.parametrize("names", [("a", "a"), ("a", "a_linear"), ("a\rb", "c")])
def test_names_that_a_file_could_not_hold_are_refused(names):
    with pytest.raises(ValueError, match="expected names whose columns differ"):
        replace(_recording(), names=names)


def test_rejects_shapes():
    recording = _recording()
    with pytest.raises(ValueError, match="gyro has shape"):
        replace(recording, gyro=recording.gyro[:-1])
    with pytest.raises(ValueError, match="orientation has shape"):
        replace(recording, orientation=recording.position)
    with pytest.raises(ValueError, match="accel has shape"):
        replace(recording, names=("left_wrist",))
    with pytest.raises(ValueError, match="rate_hz is 0"):
        replace(recording, rate_hz=0.0)
    with pytest.raises(ValueError, match="1 placements, expected none or one for each"):
        replace(recording, placements=({"name": "left_wrist"},))
