"""Sets of watches and tags that cannot be had here: signals known in SI units, in exactly the published layout."""

from __future__ import annotations

import numpy as np
import pytest

from datamodules.har import load_recordings

G = 9.80665
UP = np.array([[0.0, 0.0, G], [G, 0.0, 0.0], [0.0, -G, 0.0], [0.0, 0.6 * G, 0.8 * G], [0.8 * G, 0.0, -0.6 * G]])
TURN = np.array([[0.1, 0.2, 0.3], [-0.4, 0.5, 0.6], [0.7, -0.8, 0.9], [1.0, 1.1, -1.2], [1.3, 1.4, 1.5]])
DEG = np.pi / 180


def _wisdm(path, subject, letters, values, start=252207666810782, step=50_000_000, end=";\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines, stamp = [], start
    for letter in letters:
        for _ in range(200):
            stamp += step
            lines.append(f"{subject},{letter},{stamp},{values[0]},{values[1]},{values[2]}")
    path.write_bytes((end.join(lines) + end).encode())


def test_wisdm(tmp_path, expect_still):
    raw = tmp_path / "wisdm-dataset" / "raw"
    for device, end in (("phone", ";\n"), ("watch", ";\r\n")):
        _wisdm(raw / device / "accel" / f"data_1600_accel_{device}.txt", 1600, "AE", UP[0], end=end)
        _wisdm(
            raw / device / "gyro" / f"data_1600_gyro_{device}.txt", 1600, "AE", TURN[0], start=252207666815000, end=end
        )
    (raw / "phone" / "accel" / ".DS_Store").write_text("")
    recordings = list(load_recordings("wisdm", tmp_path))
    assert [(r.placements[0], r.labels) for r in recordings] == [
        ("right_pocket", "walking"),
        ("right_pocket", "standing"),
        ("right_wrist", "walking"),
        ("right_wrist", "standing"),
    ]
    for recording in recordings:
        expect_still(recording, UP[:1], TURN[:1], labels=[recording.labels], subject="1600")
        assert recording.rate_hz == 20


def test_a_second_copy_of_wisdm_is_named_and_left_out_only_if_asked(tmp_path):
    for copy in ("a", "b"):
        for device in ("accel", "gyro"):
            path = tmp_path / copy / "raw" / "phone" / device / f"data_1600_{device}_phone.txt"
            _wisdm(path, 1600, "A", UP[0])
    with pytest.raises(ValueError, match="of the same trial") as caught:
        list(load_recordings("wisdm", tmp_path))
    assert "\n" not in str(caught.value)
    recordings = load_recordings("wisdm", tmp_path, on_bad_file="skip")
    assert len(list(recordings)) == 1
    assert len(recordings.skipped) == 2


def test_wisdm_unknown_letter_is_named_with_its_line(tmp_path):
    path = tmp_path / "raw" / "phone" / "accel" / "data_1600_accel_phone.txt"
    _wisdm(path, 1600, "A", UP[0])
    path.write_text(path.read_text() + "1600,N,252217666810782,0,0,9.8;\n")
    with pytest.raises(ValueError, match=r"data_1600_accel_phone\.txt, line 201 has label 'N', which is not in the"):
        list(load_recordings("wisdm", tmp_path))


def test_wisdm_damaged_line_is_named(tmp_path):
    path = tmp_path / "raw" / "phone" / "accel" / "data_1600_accel_phone.txt"
    _wisdm(path, 1600, "A", UP[0])
    path.write_text(path.read_text() + "1600,A,25220766;\n")
    with pytest.raises(ValueError, match=r"data_1600_accel_phone\.txt, line 201 has 3 columns, expected 6"):
        list(load_recordings("wisdm", tmp_path))


def test_wisdm_2010_with_its_broken_lines(tmp_path):
    stamps = 49105962326000 + 50_000_000 * np.arange(120)
    good = [f"33,Jogging,{stamp},0.0,9.80665,0.0;" for stamp in stamps]
    good[3] += good.pop(4)  # two records on a line
    text = "\n".join(good) + "\n\n33,Jogging,491059,1.0,2.0,;\n11,Walking,0,0,0,0;\n"
    text += "".join(f"17,Walking,{stamp},0.0,9.80665,0.0,;\n" for stamp in stamps)
    (tmp_path / "WISDM_ar_v1.1_raw.txt").write_text(text)
    jog, walk = load_recordings("wisdm", tmp_path)
    assert (jog.labels, jog.subject, len(jog.accel)) == ("jogging", "33", 120)
    assert (walk.labels, walk.subject, len(walk.accel)) == ("walking", "17", 120)
    assert walk.gyro is None
    np.testing.assert_allclose(walk.accel[:, 0], np.tile([0, G, 0], (120, 1)), rtol=1e-6)


def test_umafall(tmp_path):
    lines = [
        "% UMAFall Dataset",
        "% 0; RIGHTPOCKET; lge-LG-H815",
        "% TimeStamp; Sample No; X-Axis; Y-Axis; Z-Axis; Sensor Type; Sensor ID",
    ]
    for index in range(3000):
        x, y, z = UP[0] / G
        lines.append(f"{5 * index}; {index}; {x}; {y}; {z}; 0; 0")
        if index % 10 == 0:
            for sensor in range(1, 5):
                for kind, (x, y, z) in enumerate((UP[sensor] / G, TURN[sensor] / DEG, (20, 20, 20))):
                    lines.append(f"{5 * index + sensor};{index // 10};{x};{y};{z};{kind};{sensor}")
    for movement, activity in (
        ("MakingACall", "making_a_call"),
        ("Sitting_GettingUpOnAChair", "sitting_down_and_getting_up"),
    ):
        name = f"UMAFall_Subject_01_ADL_{movement}_3_2017-04-14_23-38-23.csv"
        (tmp_path / name).write_text("\n".join(lines) + "\n")
        (recording,) = load_recordings("umafall", tmp_path)
        assert (recording.labels, recording.subject) == (activity, "1")
        (tmp_path / name).unlink()
    name = "UMAFall_Subject_02_Fall_backwardFall_1_2016-06-13_20-51-32.csv"
    (tmp_path / name).write_text("\n".join(lines) + "\n")
    (recording,) = load_recordings("umafall", tmp_path)
    assert (recording.labels, recording.subject, recording.rate_hz) == ("fall_backward", "2", 20)
    assert recording.placements == ("right_pocket", "chest", "waist", "right_wrist", "right_ankle")
    np.testing.assert_allclose(recording.accel, np.broadcast_to(UP, recording.accel.shape), rtol=1e-3, atol=1e-3)
    assert np.isnan(recording.gyro[:, 0]).all()
    # SensorTags' x and z are turned round into the axes of the accelerometer.
    turned = np.broadcast_to(TURN[1:] * [-1.0, 1.0, -1.0], recording.gyro[:, 1:].shape)
    np.testing.assert_allclose(recording.gyro[:, 1:], turned, rtol=1e-4)


def _umafall_as_published(rng, values="{:.6f}"):
    """Header as in the download; stamps of arrival in bursts, on an even clock underneath: 200 Hz and 20 Hz."""
    header = ["%;;UMAFall Dataset", "% 5 Sensors", "%f8:95:c7:f3:ba:82; 0; RIGHTPOCKET; lge-LG-H815-5.1", "", ";;;;;;"]
    header.append("% TimeStamp; Sample No; X-Axis; Y-Axis; Z-Axis; Sensor Type; Sensor ID")
    lines = []
    for sensor, rate, start in ((0, 200, 0.0), (2, 20, 0.1)):
        true = start + np.arange(rate * 12) / rate
        stamps = np.maximum.accumulate(np.maximum(true + rng.exponential(0.2 / rate, len(true)), 0.15))
        swing = np.sin(2 * np.pi * 0.8 * true)
        for number, (stamp, x) in enumerate(zip(stamps, swing, strict=True)):
            tail = f"{values.format(0.5 * x)};1;0"
            lines.append(f"{round(1000 * stamp)};{number + 1};{tail};0;{sensor};")
            if sensor:
                lines.append(f"{round(1000 * stamp)};{number + 1};{values.format(30 * x)};0;0;1;{sensor};")
    return "\n".join([*header, *lines]) + "\n"


def test_umafall_spreads_stamps_that_come_in_bursts(tmp_path):
    (tmp_path / "UMAFall_Subject_03_ADL_Walking_1_2016-06-13_20-27-49.csv").write_text(
        _umafall_as_published(np.random.default_rng(2))
    )
    (recording,) = load_recordings("umafall", tmp_path)
    assert recording.placements == ("right_pocket", "waist")
    swing = np.stack([recording.accel[:, 0, 0] / (0.5 * G), recording.accel[:, 1, 0] / (0.5 * G)])
    swing = np.concatenate([swing, [recording.gyro[:, 1, 0] / (-30 * DEG)]])[:, 3:-3]
    time_s = np.arange(len(recording.accel))[3:-3] / 20
    # One delay for all of it: what is left is what the bursts would have cost.
    errors = [np.abs(swing - np.sin(2 * np.pi * 0.8 * (time_s + delay))).max() for delay in np.arange(0.05, 0.2, 0.002)]
    assert min(errors) < 0.06


def test_a_sensor_that_fell_silent_does_not_cut_the_others(tmp_path, caplog):
    text = _umafall_as_published(np.random.default_rng(2))
    for number in range(6):
        text += f"{200 + 50 * number};{number + 1};0;1;0;0;4;\n{200 + 50 * number};{number + 1};0;0;0;1;4;\n"
    (tmp_path / "UMAFall_Subject_03_ADL_Walking_1_2016-06-13_20-27-49.csv").write_text(text)
    (recording,) = load_recordings("umafall", tmp_path)
    assert recording.placements == ("right_pocket", "waist")
    assert len(recording.accel) > 11 * 20
    assert "accel at right_ankle left out, it covers 0.2 of 12" in caplog.text.replace("11.9", "12")


def test_umafall_lost_decimal_points_are_named(tmp_path):
    name = "UMAFall_Subject_13_ADL_Walking_3_2016-06-06_16-43-29.csv"
    text = _umafall_as_published(np.random.default_rng(0))
    (tmp_path / name).write_text(text + "9;1;1.012.598.156.929.010;0;0;0;2\n")
    count = text.count("\n") + 1
    with pytest.raises(ValueError, match=rf"line {count} has '1\.012\.598\.156\.929\.010'.*skip") as caught:
        list(load_recordings("umafall", tmp_path))
    assert "\n" not in str(caught.value)
    (tmp_path / name.replace("_13_", "_14_")).write_text(text)
    recordings = load_recordings("umafall", tmp_path, on_bad_file="skip")
    assert [r.subject for r in recordings] == ["14"]
    assert len(recordings.skipped) == 1


# --- the waist phone of UCI
