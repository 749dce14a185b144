import numpy as np
import pandas as pd
import pytest
import yaml

from datamodules import RealIMUDataModule, load_recordings
from sim.conventions import STANDARD_GRAVITY

DESCRIPTION = {
    "files": "{subject}/{activity}_{trial}.csv",
    "columns": {"time": "t"},
    "time_unit": "ms",
    "rate_hz": 50,
    "units": {"accel": "g", "gyro": "deg/s"},
    "labels": {"wlk": "walking", "std": "standing"},
    "sites": [
        {"placement": "left_wrist", "accel": ["ax", "ay", "az"], "gyro": ["gx", "gy", "gz"], "axes": ["x", "-z", "y"]}
    ],
}


def make_table(count=200, *, step_ms=20.0):
    time_ms = 1000 + np.arange(count) * step_ms
    constant = {"ax": 0.0, "ay": 0.0, "az": -1.0, "gx": 90.0, "gy": 0.0, "gz": 180.0, "spare": 7.0}
    return pd.DataFrame({"t": time_ms} | {name: np.full(count, value) for name, value in constant.items()})


def write(root, *, description=None, files=None):
    root.mkdir(parents=True, exist_ok=True)
    (root / "dataset.yaml").write_text(yaml.safe_dump(DESCRIPTION | (description or {})), encoding="utf-8")
    for name, table in (files or {"anna/wlk_1.csv": make_table(), "ben/std_1.csv": make_table()}).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(path, index=False)
    return root


def read(root, **options):
    return list(load_recordings("csv_folder", root, **options))


def test_names_units_and_axes_come_out_as_described(tmp_path):
    walking, standing = read(write(tmp_path))
    assert (walking.subject, walking.labels, walking.rate_hz) == ("anna", "walking", 50)
    assert (standing.subject, standing.labels, standing.placements) == ("ben", "standing", ["left_wrist"])
    np.testing.assert_allclose(walking.accel[5, 0], [0, STANDARD_GRAVITY, 0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(walking.gyro[5, 0], [np.pi / 2, -np.pi, 0], rtol=1e-5, atol=1e-5)
    assert walking.accel.shape == (200, 1, 3)


def test_a_column_of_labels_even_samples_and_two_sites(tmp_path):
    table = make_table(100).drop(columns="t")
    table["what"] = ["wlk"] * 60 + ["none"] * 20 + ["std"] * 20
    table[["bx", "by", "bz"]] = 500.0
    sites = [DESCRIPTION["sites"][0], {"placement": "waist", "accel": ["bx", "by", "bz"]}]
    changes = {
        "files": "{subject}.tsv", "format": "tsv", "columns": {"label": "what"}, "sites": sites,
        "units": {"accel": "mg", "gyro": "mdeg/s"}, "unlabelled": ["none"], "gravity": "removed",
    }  # fmt: skip
    root = write(tmp_path, description=changes, files={})
    table.to_csv(root / "cleo.tsv", index=False, sep="\t")
    (recording,) = read(root)
    assert recording.labels.tolist() == ["walking"] * 60 + [""] * 20 + ["standing"] * 20
    assert not recording.gravity_included
    np.testing.assert_allclose(recording.accel[0, 1], np.full(3, 0.5 * STANDARD_GRAVITY), rtol=1e-5)
    np.testing.assert_allclose(recording.gyro[0, 0, 0], np.deg2rad(0.09), rtol=1e-5)
    assert np.isnan(recording.gyro[:, 1]).all()


def test_parquet_is_read_as_csv_is(tmp_path):
    root = write(tmp_path, description={"files": "{subject}_{activity}.parquet", "format": "parquet"}, files={})
    make_table().to_parquet(root / "dora_wlk.parquet")
    (recording,) = read(root)
    assert (recording.subject, recording.labels, len(recording.accel)) == ("dora", "walking", 200)
    (root / "dora_wlk.parquet").write_bytes(b"PAR1 cut")
    with pytest.raises(ValueError, match="no readable Parquet file"):
        read(root)


def test_windows_come_out_of_the_data_module(tmp_path):
    root = write(tmp_path, files={f"{who}/{what}_1.csv": make_table() for who in "ab" for what in ("wlk", "std")})
    module = RealIMUDataModule(
        "csv_folder", str(root), classes=["walking", "standing"], placements=["left_wrist"], split="subjects",
        test_subjects=["b"], window_s=1.0, val_fraction=0.0, batch_size=4,
    )  # fmt: skip
    train, test = module.load_windows()
    assert set(train.subjects.tolist()) == {"a"}
    assert set(test.subjects.tolist()) == {"b"}
    assert train.counts().tolist() == [7, 7]
    with pytest.raises(ValueError, match="give placements"):
        RealIMUDataModule("csv_folder", str(root), classes=["walking"], split="subjects", test_subjects=["b"])


def spoil_stamp(table):
    table.loc[50, "t"] = 1.0
    return table


def repeat_stamp(table):
    table.loc[50, "t"] = table.loc[49, "t"]
    return table


def spoil_cell(table):
    return table.astype({"ax": object}).assign(ax=["?", *table["ax"].tolist()[1:]])


@pytest.mark.parametrize(
    ("description", "files", "message"),
    [
        ({"units": {"accel": "ft/s^2"}}, None, r"units.accel is 'ft/s\^2', must be one of"),
        ({"time_unit": "minutes"}, None, "time_unit is 'minutes', must be one of"),
        ({"rate": 50}, None, "unknown key 'rate'.*nearest valid one is"),
        ({"labels": {"wlk": "walking"}}, None, r"std_1\.csv: label 'std' is not in the map"),
        ({"files": "{subject}/{who}_{trial}.csv"}, None, r"expected \{subject\}, \{activity\}"),
        ({"sites": []}, None, "gives no sites"),
        ({"rate_hz": 0}, None, "rate_hz is 0.0, expected above 0"),
        ({"columns": {"time": "when"}}, None, r"lacks the columns \['when'\], it has \['t', 'ax'"),
        ({}, {"a/wlk_1.csv": spoil_stamp(make_table())}, r"wlk_1\.csv: time goes back .* at row 51"),
        ({}, {"a/wlk_1.csv": repeat_stamp(make_table())}, r"wlk_1\.csv, line 52: the time stamp .* repeats"),
        ({}, {"a/wlk_1.csv": spoil_cell(make_table())}, r"wlk_1\.csv, line 2: column ax holds '\?'"),
        ({}, {"a/wlk_1.csv": make_table(0)}, r"wlk_1\.csv has no row below its header"),
        (
            {"files": "*/{subject}_{activity}_{trial}.csv"},
            {"x/a_wlk_1.csv": make_table(), "y/a_wlk_1.csv": make_table()},
            "are of the same subject, activity and trial",
        ),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, description, files, message):
    with pytest.raises(ValueError, match=message) as error:
        read(write(tmp_path, description=description, files=files))
    assert "\n" not in str(error.value)


def test_axes_must_be_a_turn_of_three(tmp_path):
    site = DESCRIPTION["sites"][0] | {"axes": ["x", "x", "z"]}
    with pytest.raises(ValueError, match="expected x, y and z once each"):
        read(write(tmp_path, description={"sites": [site]}))


def test_a_repeated_stamp_can_be_allowed_and_a_bad_file_skipped(tmp_path, caplog):
    files = {"a/wlk_1.csv": repeat_stamp(make_table()), "b/wlk_1.csv": spoil_stamp(make_table())}
    root = write(tmp_path, description={"repeated_stamps": True}, files=files)
    caplog.set_level("INFO")
    (recording,) = read(root, on_bad_file="skip")
    assert recording.subject == "a"
    assert "b/wlk_1.csv: time goes back" in caplog.text
    assert "1 files skipped, 1 repeated stamps" in caplog.text


def test_nothing_there_says_what_was_looked_for(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no dataset\.yaml in root"):
        read(tmp_path)
    write(tmp_path, files={"readme.csv": make_table()})
    with pytest.raises(FileNotFoundError, match=r"no file below .* fits"):
        read(tmp_path)
