"""New files through a classifier whose answers are known: any order, unit, rate, layout; what cannot be is a line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import torch

from experiments.cli import main
from sim import ImuRecording

GRAVITY = 9.80665
WriteTable = Callable[..., Path]


def classify(*arguments: object) -> None:
    assert main(["classify", *map(str, arguments)]) == 0


def refuse(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run the command, see it leave with code 2, and return its one line."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit_info:
        main(["classify", *map(str, arguments)])
    assert exit_info.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def expect_upright_then_on_back(path: Path) -> pd.DataFrame:
    found = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    clear = (found["end_s"] <= 4.0) | (found["start_s"] >= 4.0)
    wanted = np.where(found["start_s"] < 3.5, "upright", "on_back")
    assert found["label"][clear].tolist() == wanted[clear].tolist()
    np.testing.assert_allclose(found["end_s"] - found["start_s"], 1.0, atol=1e-6)
    np.testing.assert_allclose(found.filter(regex="^p_").sum(axis=1), 1.0, atol=1e-4)
    assert (found["probability"] == found.filter(regex="^p_").max(axis=1)).all()
    return found


def swap_and_rename(table: pd.DataFrame) -> pd.DataFrame:
    """Columns of a phone's app: g and deg/s, milliseconds, another order, and one that is none of ours."""
    table = table.assign(
        time_s=1000 * table["time_s"],
        **{f"accel_{axis}": table[f"accel_{axis}"] / GRAVITY for axis in "xyz"},
        **{f"gyro_{axis}": np.rad2deg(table[f"gyro_{axis}"]) for axis in "xyz"},
        battery=97,
    )
    names = {"time_s": "Timestamp", **{f"accel_{a}": f"Acc{a.upper()}" for a in "xyz"}}
    names |= {f"gyro_{axis}": f"gyr {axis}" for axis in "xyz"}
    return table.rename(columns=names)[["gyr z", "battery", "AccY", "gyr x", "AccX", "AccZ", "Timestamp", "gyr y"]]


UNITS = ("--accel-unit", "g", "--gyro-unit", "deg/s", "--time-unit", "ms")


@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 64.0])
@pytest.mark.parametrize("name", ["new.csv", "new.parquet"])
def test_plain_tables_of_any_rate(
    name: str, rate_hz: float, checkpoint: Path, write_table: WriteTable, tmp_path: Path
) -> None:
    path, out = write_table(name, rate_hz=rate_hz), tmp_path / "out.csv"
    classify(checkpoint, path, "--out", out)
    assert len(expect_upright_then_on_back(out)) == 15


def test_order_names_units_and_layouts_do_not_matter(
    checkpoint: Path, write_table: WriteTable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, out = write_table("plain.csv"), [tmp_path / f"{number}.csv" for number in range(5)]
    phone = write_table("phone.csv", change=swap_and_rename)
    bare = write_table("bare.csv", change=lambda table: table.drop(columns="time_s"))
    description = tmp_path / "imuforge.yaml"
    description.write_text(
        "files: 'phone.csv'\nrate_hz: 50\ntime: {column: Timestamp, unit: ms}\nunits: {accel: g, gyro: deg/s}\n"
        "gravity: included\nsensors:\n  chest: {accel: [AccX, AccY, AccZ], gyro: [gyr x, gyr y, gyr z]}\n"
    )
    classify(checkpoint, plain, "--out", out[0])
    classify(checkpoint, phone, *UNITS, "--out", out[1])
    classify(checkpoint, bare, "--rate-hz", 50, "--out", out[2])
    classify(checkpoint, phone, "--description", description, "--out", out[3])
    classify(checkpoint, description, "--out", out[4])
    first, *others = (expect_upright_then_on_back(path) for path in out)
    for other in others:
        np.testing.assert_allclose(other.filter(regex="^p_|_s$"), first.filter(regex="^p_|_s$"), atol=1e-4)
    assert "plain.csv: 15 windows over 8.0 s: " in capsys.readouterr().out


def test_recordings_of_synth_and_one_of_several_sensors(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    accel = torch.zeros(150, 2, 3)
    accel[:, 0, 0], accel[:, 1, 2] = GRAVITY, GRAVITY
    zero, turn = torch.zeros(150, 2, 3), torch.eye(3).expand(150, 2, 3, 3)
    both = ImuRecording(accel, zero, zero, turn, zero, 50.0, ("chest", "waist"))
    both.save(tmp_path / "both.csv")
    for site, label in (("chest", "upright"), ("waist", "on_side")):
        classify(checkpoint, tmp_path / "both.csv", "--placement", site, "--out", tmp_path / "out.parquet")
        assert set(pd.read_parquet(tmp_path / "out.parquet")["label"]) == {label}
    line = refuse(capsys, checkpoint, tmp_path / "both.csv")
    assert "has sensors at ['chest', 'waist'], the classifier takes one; say which with --placement" in line
    line = refuse(capsys, checkpoint, tmp_path / "both.csv", "--placement", "left_wrist")
    assert "has no sensor at left_wrist" in line


def lose_samples(table: pd.DataFrame) -> pd.DataFrame:
    """Readings missing for 0.6 s, their times kept."""
    table.loc[100:129, table.columns[1:]] = np.nan
    return table


def test_times_go_on_across_a_gap_and_missing_samples_are_counted(
    checkpoint: Path, write_table: WriteTable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.csv"
    classify(checkpoint, write_table(change=lambda table: table.drop(index=range(100, 170))), "--out", out)
    starts = expect_upright_then_on_back(out)["start_s"]
    np.testing.assert_allclose(starts, [0.0, 0.5, 1.0, *np.arange(3.4, 7.0, 0.5)], atol=1e-6)
    classify(checkpoint, write_table(change=lose_samples), "--out", out)
    assert "3 windows left out, samples are missing in them" in capsys.readouterr().out
    assert len(expect_upright_then_on_back(out)) == 12


def test_the_picture_shows_a_row_for_each_file(checkpoint: Path, write_table: WriteTable, tmp_path: Path) -> None:
    files = [write_table(f"{number}.csv") for number in range(2)]
    for count in (1, 2):
        classify(checkpoint, *files[:count], "--picture", tmp_path / f"{count}.png")
    one, two = (matplotlib.image.imread(tmp_path / f"{count}.png") for count in (1, 2))
    assert two.shape[0] > 1.4 * one.shape[0]
    assert (np.ptp(one[..., :3], axis=-1) > 0.2).mean() > 0.01


@pytest.mark.parametrize(
    ("change", "more", "says"),
    [
        (lambda table: table.drop(columns="gyro_y"), (), "has no column gyro_y (it has time_s, "),
        (lambda table: table.head(30), (), "is 0.60 s long without a gap, expected at least one window of 1 s"),
        (lambda table: table.drop(columns="time_s"), (), "no column of time"),
        (lambda table: table / GRAVITY, (), "median length of 1, expected about 9.81 m/s^2; give --accel-unit g"),
        (lambda table: table.assign(gyro_x=90.0), (), "expected at most 35 rad/s; give --gyro-unit deg/s"),
        (lambda table: table.assign(acc_x=0.0, acc_y=0.0, acc_z=0.0), (), "several sensors of accel"),
        (lambda table: table, ("--overlap", "1"), "overlap is 1.0, expected a share in [0, 1)"),
        (lambda table: table, ("--accel-unit", "gg"), "unit of accel is 'gg'"),
        (lambda table: table, ("--out", "found.xlsx"), "expected one of .csv, .parquet"),
        (lambda table: table, ("--picture", "found.gif"), "expected .png, .pdf or .svg"),
    ],
)
def test_what_cannot_be_is_one_line(
    change: Callable[[pd.DataFrame], pd.DataFrame],
    more: tuple[str, ...],
    says: str,
    checkpoint: Path,
    write_table: WriteTable,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert says in refuse(capsys, checkpoint, write_table(change=change), *more)


def test_a_slow_recording_is_told_of(
    checkpoint: Path, write_table: WriteTable, capsys: pytest.CaptureFixture[str]
) -> None:
    classify(checkpoint, write_table(rate_hz=20.0))
    assert "recorded at 20 Hz, the classifier was trained at 50 Hz: nothing above 10 Hz" in capsys.readouterr().out
