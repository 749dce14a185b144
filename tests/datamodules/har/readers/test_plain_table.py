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
