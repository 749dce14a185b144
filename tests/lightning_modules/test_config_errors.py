"""What a user reads when files cannot be written: one line; the truth is a device of the system that is always full."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lightning_modules.config_errors import explain_exception
from sim.conventions import NUM_JOINTS
from sim.files import whole_file
from sim.motion import Motion


def write_to_a_full_disk(path: Path) -> None:
    with whole_file(path) as part:
        part.symlink_to("/dev/full")
        part.write_bytes(b"a motion")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
def test_a_full_disk_is_one_line_for_the_user(tmp_path: Path) -> None:
    path = tmp_path / "motion.npz"
    with pytest.raises(OSError) as refused:
        write_to_a_full_disk(path)
    line = explain_exception(refused.value)
    assert line is not None
    assert line.startswith(f"{path} cannot be written (No space left on device)")
    assert "\n" not in line


def test_a_folder_that_takes_no_file_is_one_line_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")
    motion = Motion(torch.eye(3).expand(2, NUM_JOINTS, 3, 3), torch.zeros(2, 3), 20.0)
    with pytest.raises(OSError) as refused:
        motion.save(tmp_path / "taken" / "motion.npz")
    assert str(explain_exception(refused.value)).startswith(f"{tmp_path / 'taken' / 'motion.npz'} cannot be written")
