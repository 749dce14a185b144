"""Tables that nothing describes: what their headers may call a sensor, several sites, clocks and gaps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datamodules.har.readers.plain_table import TableFacts, read_plain_table
from datamodules.har.recordings.reading import Reading

RATES = np.arange(60.0).reshape(20, 3) / 100


def write(path: Path, columns: dict[str, np.ndarray], *, sep: str = ",") -> Path:
    pd.DataFrame(columns).to_csv(path, index=False, sep=sep)
    return path


def sensor(names: str, values: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(names.split(","), values.T, strict=True))


@pytest.mark.parametrize(
    ("names", "group"),
    [
        ("gyro_x,gyro_y,gyro_z", "gyro"),
        ("GX,GY,GZ", "gyro"),
        ("Gyr X,Gyr Y,Gyr Z", "gyro"),
        ("gyroscope.x,gyroscope.y,gyroscope.z", "gyro"),
        ("left_wrist_gyro_x,left_wrist_gyro_y,left_wrist_gyro_z", "gyro"),
        ("userAcceleration.x,userAcceleration.y,userAcceleration.z", "linear_accel"),
        ("linear_accel_x,linear_accel_y,linear_accel_z", "linear_accel"),
    ],
)
@pytest.mark.parametrize("sep", [",", ";", "\t"])
def test_common_spellings(names: str, group: str, sep: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", sensor(names, RATES) | sensor("acc_x,acc_y,acc_z", RATES + 9.8), sep=sep)
    wanted = ("accel", "gyro") if group == "gyro" else ("linear_accel",)
    (found,) = read_plain_table(path, wanted, None, TableFacts(rate_hz=50.0), Reading())
    values = found.gyro if group == "gyro" else found.accel
    assert values is not None
    np.testing.assert_allclose(values[:, 0], RATES, atol=1e-6)
    assert found.gravity_included == (group == "gyro")


def test_sites_are_taken_by_name_in_the_order_asked_for(tmp_path: Path) -> None:
    up = RATES + 9.8
    columns = sensor("chest_accel_x,chest_accel_y,chest_accel_z", up) | sensor("waist_ax,waist_ay,waist_az", up + 1)
    path = write(tmp_path / "a.csv", columns)
    (found,) = read_plain_table(path, ["accel"], ["waist", "chest"], TableFacts(50.0, "m/s^2"), Reading())
    assert tuple(found.placements) == ("waist", "chest")
    np.testing.assert_allclose(found.accel[:, 0] - found.accel[:, 1], 1.0, atol=1e-5)
    with pytest.raises(ValueError, match="has no column left_foot_accel_x nor left_foot_accel_y nor left_foot_accel_z"):
        read_plain_table(path, ["accel"], ["left_foot"], TableFacts(50.0), Reading())
    with pytest.raises(ValueError, match="several sensors of accel: chest_accel_x and waist_ax"):
        read_plain_table(path, ["accel"], None, TableFacts(50.0), Reading())


@pytest.mark.parametrize(
    ("clock", "unit", "per_s"), [("time_s", None, 1), ("timestamp", "us", 1e6), ("Time (ms)", None, 1e3)]
)
def test_the_clock_tells_the_rate_and_where_parts_begin(
    clock: str, unit: str | None, per_s: float, tmp_path: Path
) -> None:
    time_s = np.concatenate([np.arange(10), np.arange(60, 70)]) / 50 + 1000
    path = write(tmp_path / "a.csv", {clock: time_s * per_s} | sensor("accel_x,accel_y,accel_z", RATES + 5.6))
    found = read_plain_table(path, ["accel"], None, TableFacts(time_unit=unit), Reading())
    assert [one.rate_hz for one in found] == [50.0, 50.0]
    np.testing.assert_allclose([one.begin_s for one in found], [0.0, 1.2], atol=1e-6)
    np.testing.assert_allclose(np.concatenate([one.accel[:, 0] for one in found]), RATES + 5.6, atol=1e-5)


def test_a_clock_that_stands_and_a_file_that_is_none_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", {"t": np.ones(20)} | sensor("ax,ay,az", RATES + 5.6))
    with pytest.raises(ValueError, match="column t does not tell a rate"):
        read_plain_table(path, ["accel"], None, TableFacts(), Reading())
    with pytest.raises(FileNotFoundError, match="not found"):
        read_plain_table(tmp_path / "b.csv", ["accel"], None, TableFacts(), Reading())
    (tmp_path / "c.parquet").write_bytes(b"none")
    with pytest.raises(ValueError, match="no whole Parquet"):
        read_plain_table(tmp_path / "c.parquet", ["accel"], None, TableFacts(), Reading())


UP = np.tile([0.0, 0.0, 9.81], (20, 1)) + RATES / 10


def write_waist(path: Path, **columns: np.ndarray) -> Path:
    return write(path, columns | sensor("waist_accel_x,waist_accel_y,waist_accel_z", UP))


def test_a_unit_that_values_cannot_be_of_is_refused_also_where_it_is_said(tmp_path: Path) -> None:
    path = write_waist(tmp_path / "a.csv")
    with pytest.raises(ValueError, match="median length of 96"):
        read_plain_table(path, ["accel"], None, TableFacts(50.0, "g"), Reading())
    light = write(tmp_path / "b.csv", sensor("ax,ay,az", UP / 5))
    with pytest.raises(ValueError, match="median length"):
        read_plain_table(light, ["accel"], None, TableFacts(50.0), Reading())
    assert read_plain_table(light, ["accel"], None, TableFacts(50.0, "m/s^2"), Reading())


def test_stamps_of_another_unit_and_another_rate_than_is_said_are_refused(tmp_path: Path) -> None:
    path = write_waist(tmp_path / "a.csv", t=20.0 * np.arange(20))
    with pytest.raises(ValueError, match=r"taken as s, samples come at 0.05 Hz.*--time-unit"):
        read_plain_table(path, ["accel"], None, TableFacts(), Reading())
    (found,) = read_plain_table(path, ["accel"], None, TableFacts(50.0, time_unit="ms"), Reading())
    assert found.rate_hz == 50.0
    with pytest.raises(ValueError, match=r"tells 50 Hz, and --rate-hz 100"):
        read_plain_table(path, ["accel"], None, TableFacts(100.0, time_unit="ms"), Reading())


def test_the_sensor_asked_for_is_the_one_that_is_taken(tmp_path: Path) -> None:
    path = write_waist(tmp_path / "a.csv", **sensor("chest_accel_x,chest_accel_y,chest_accel_z", UP + 1))
    for placement, more in (("waist", 0.0), ("chest", 1.0)):
        (found,) = read_plain_table(path, ["accel"], None, TableFacts(50.0), Reading(), placement=placement)
        np.testing.assert_allclose(found.accel[:, 0], UP + more, atol=1e-5)
    with pytest.raises(ValueError, match="has no column left_wrist_accel_x"):
        read_plain_table(path, ["accel"], None, TableFacts(50.0), Reading(), placement="left_wrist")
    plain = write(tmp_path / "b.csv", sensor("ax,ay,az", UP))  # says of no place, so the user's word holds
    assert read_plain_table(plain, ["accel"], None, TableFacts(50.0), Reading(), placement="left_wrist")
