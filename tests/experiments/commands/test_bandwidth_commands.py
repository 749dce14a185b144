"""`imuforge bandwidth`, and `imuforge motions inspect` of a folder of generated motions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datamodules.clips.embedded import load_embedded
from experiments.bandwidth.check import at_rate
from experiments.bandwidth.smoothers import SMOOTHERS
from experiments.cli import main
from experiments.commands import measure_bandwidth
from experiments.commands.measure_bandwidth import PAGE, PICTURE
from sim import Body


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of walks, dances and kicks, joints at 30 fps, smoothed as HY-Motion smooths its rotations."""
    folder = tmp_path_factory.mktemp("generated")
    for name in ("walk", "jump", "turn_left0", "turn_left1"):
        motion = next(clip.motion for clip in load_embedded() if clip.name == name)
        joints = at_rate(Body.default().joints(motion).double().numpy(), motion.fps, 30.0)
        np.savez(folder / f"{name}.npz", joints=SMOOTHERS[0].smooth(joints).astype(np.float32), fps=30.0)
    return folder


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([*map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_a_folder_of_smoothed_motions_is_said_to_be_one(generated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "motions", "inspect", generated)
    assert "4 motion files, 4 at 30 fps" in out
    assert "together smoothed: 8 Hz at 0." in out
    assert "of 4 smoothed, 0 jittery" in out


def test_a_file_alone_tells_its_spectrum(generated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "smoothed: 8 Hz at 0." in said(capsys, "motions", "inspect", generated / "turn_left0.npz")


def test_the_reference_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert "at 3, 4, 5, 6, 7, 8, 9 Hz over that at 1 and 2 Hz: -0.1" in said(capsys, "bandwidth", "--reference")


def test_a_check_counts_what_is_called_smoothed(generated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "bandwidth", "--check", generated, "--limit", "3")
    assert "as recorded" in out
    assert "0 files were left out" in out
    assert "smoothed below -0.75" in out


def test_the_audit_writes_its_table_and_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    curves = measure_bandwidth.measure_curves
    monkeypatch.setattr(measure_bandwidth, "measure_curves", lambda: _few(curves))
    out = said(capsys, "bandwidth", "--out", tmp_path / "new")
    assert "second difference at 20 fps" in out
    assert "| 0.99 | 0.93 | 0.81 | 0.57 |" in (tmp_path / "new" / PAGE).read_text()
    assert (tmp_path / "new" / PICTURE).stat().st_size > 10_000


def _few(measure):
    from experiments.bandwidth import audit, stages

    listed = [stage for stage in stages.list_stages() if stage.group == "elsewhere"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit, "list_stages", lambda: listed)
        return measure()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["motions", "inspect", "FOLDER", "--fps", "30"], "is a folder, and --fps is for one file"),
        (["motions", "inspect", "EMPTY"], "holds no motion file"),
        (["bandwidth", "--check", "EMPTY"], "holds no motion file"),
        (["bandwidth", "--limit", "0"], "limit is 0, expected at least 1"),
        (["bandwidth", "--out", "a", "--reference"], "not allowed with argument"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    arguments: list[str], message: str, generated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"FOLDER": str(generated), "EMPTY": str(tmp_path)}
    with pytest.raises(SystemExit) as left:
        main([places.get(argument, argument) for argument in arguments])
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
