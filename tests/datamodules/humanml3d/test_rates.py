"""Rates of HumanML3D's sources, on rows of its published index: a wrong rate scales accelerations by its square."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from datamodules import HumanML3DDataModule
from datamodules.humanml3d.rates import SOURCE_RATES, find_source, judge_rates, list_mislabelled_rates

# Rows of the published index.csv, one of each case.
INDEX = """source_path,start_frame,end_frame,new_name
./pose_data/KIT/3/kick_high_left02_poses.npy,0,117,000000.npy
./pose_data/humanact12/humanact12/P11G01R02F1812T1847A0402.npy,0,-1,000001.npy
./pose_data/CMU/80/80_63_poses.npy,516,716,000004.npy
./pose_data/Eyes_Japan_Dataset/hamada/pose-06-hangon-hamada_poses.npy,3,203,000006.npy
./pose_data/SSM_synced/20161014_50033/ATUSquat_sync_poses.npy,0,43,000008.npy
./pose_data/SSM_synced/20160330_03333/chicken_wings_poses.npy,0,158,000162.npy
"""


@pytest.fixture
def root(tmp_path: Path, write_humanml3d: Callable[..., Path]) -> Path:
    names = ["000000", "M000000", "000004", "000162", "M000162"]
    motions = {name: np.random.default_rng(0).uniform(size=(60, 263)).astype(np.float32) for name in names}
    lines = {name: ["whole#x#0.0#0.0", "part#x#0.5#3.0"] for name in names}
    splits = {"train": ["000000", "000162", "M000162"], "val": ["000004"], "test": ["M000000"]}
    return write_humanml3d(tmp_path / "HumanML3D", motions, lines, splits)


def test_verdicts_follow_from_rate_and_stride(root: Path) -> None:
    (root.parent / "index.csv").write_text(INDEX, encoding="utf-8")  # one folder up, as in the repository
    table = judge_rates(root).set_index("name")
    assert table.loc["000000", "verdict"] == "right"
    assert table.loc["000162", "effective_hz"] == pytest.approx(30, abs=1e-4)
    assert table.loc["M000162", "acceleration_ratio"] == pytest.approx(0.444, abs=1e-3)
    assert table.loc["000008", "acceleration_ratio"] == pytest.approx(4.0)
    assert table.loc["000001", "acceleration_ratio"] == pytest.approx(16 / 9)
    assert table.loc["000004", "verdict"] == table.loc["000006", "verdict"] == "unknown"
    wrong = list_mislabelled_rates(root)
    assert sorted(wrong["name"]) == ["000001", "000008", "000162", "M000001", "M000008", "M000162"]
    assert wrong["source"].is_monotonic_increasing


def test_what_is_said_of_a_source_is_backed(root: Path) -> None:
    assert all(source.evidence for source in SOURCE_RATES)
    assert find_source("./pose_data/SSM_synced/20160930_50032/a_poses.npy").stride == 6
    # Where the stride is what int(rate / 20) gives, it is stated so; the others have a wrong rate in AMASS.
    other = {"SSM_synced/20160930_50032", "SSM_synced/20161014_50033", "BMLhandball", "humanact12"}
    for source in SOURCE_RATES:
        if source.rate_hz is not None and source.folder not in other:
            assert source.stride == int(source.rate_hz / 20), source


def test_mislabelled_clips_are_left_out_on_request(root: Path) -> None:
    options = {"cache_dir": str(root.parent / "cache"), "exclude_mislabelled": True}
    data = HumanML3DDataModule(str(root), **options)
    data.prepare_data()
    with pytest.raises(FileNotFoundError, match=r"index\.csv not found.*exclude_mislabelled"):
        data.setup()
    (root / "index.csv").write_text(INDEX, encoding="utf-8")
    data.setup()
    assert data.clips("train") == ["000000", "000000@10-60/1"]
    assert data.clips("val") == ["000004", "000004@10-60/1"]
    (root / "train.txt").write_text("000162\n", encoding="utf-8")
    data = HumanML3DDataModule(str(root), **options)
    data.prepare_data()
    with pytest.raises(ValueError, match="leaves none of the 2 train clips"):
        data.setup()


def test_another_index_is_refused(root: Path) -> None:
    (root / "index.csv").write_text("name,frames\n000000,3\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"columns \['name', 'frames'\], expected"):
        judge_rates(root)
