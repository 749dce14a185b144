"""Fixtures shared by all tests: where the development data lie, and the golden arrays in them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent

torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))
os.environ.setdefault("OMP_NUM_THREADS", str(torch.get_num_threads()))  # no run of a test chooses by a clock


def _shared() -> Path:
    return Path(os.environ.get("IMUFORGE_SHARED", ROOT.parent / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of development data; a test that asks for it is skipped where it is absent."""
    path = _shared()
    if not path.is_dir():
        pytest.skip(f"development data not found in {path}; set IMUFORGE_SHARED to run this test")
    return path


@pytest.fixture(scope="session")
def golden(shared: Path) -> Callable[[str], np.lib.npyio.NpzFile]:
    """Open one of the golden archives, numbers computed by other people's code."""

    def open_archive(name: str) -> np.lib.npyio.NpzFile:
        return np.load(shared / "golden" / f"{name}.npz", allow_pickle=False)

    return open_archive


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache of converted clips and text embeddings for all test files, also when xdist runs several workers."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"


@pytest.fixture(scope="session")
def write_humanml3d() -> Callable[..., Path]:
    """Write a folder in the layout that HumanML3D is published in: motions, lines of captions, split lists."""

    def write(
        root: Path,
        motions: Mapping[str, np.ndarray],
        captions: Mapping[str, Sequence[str]],
        splits: Mapping[str, Sequence[str]],
    ) -> Path:
        for folder in ("new_joint_vecs", "texts"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        for name, features in motions.items():
            np.save(root / "new_joint_vecs" / f"{name}.npy", features)
        for name, lines in captions.items():
            (root / "texts" / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for split in ("train", "val", "test"):
            (root / f"{split}.txt").write_text("\n".join(splits[split]) + "\n", encoding="utf-8")
        frames = np.concatenate([features for features in motions.values() if features.shape[1:] == (263,)])
        np.save(root / "Mean.npy", np.nanmean(frames, axis=0).astype(np.float32))
        np.save(root / "Std.npy", np.maximum(np.nanstd(frames, axis=0), 0.01).astype(np.float32))
        return root

    return write
