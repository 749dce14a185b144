"""How often smoothing is found where it was done, and where it was not: on recorded motion files of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import torch

from datamodules.motion_files import known_suffixes
from datamodules.motion_files.motion_file import suffix_of
from experiments.bandwidth.smoothers import SMOOTHERS
from experiments.bandwidth.spectral_gain import JITTERY, SMOOTHED, Joints, SpectralGain, compare_spectrum
from experiments.pipeline.tables import BenchTable
from sim.files import list_files
from sim.trajectory import sample_position, uniform_times

UNTOUCHED: Final = "as recorded"


def list_motions(folder: Path, limit: int) -> list[Path]:
    """Return motion files below a folder, evenly spread over their sorted list.

    Raises:
        FileNotFoundError: the folder is missing or holds none.
    """
    files = sorted(path for path in list_files(folder) if suffix_of(path) in known_suffixes())
    if not files:
        raise FileNotFoundError(f"{folder} holds no motion file, expected any of {', '.join(known_suffixes())}")
    return files[:: max(1, len(files) // limit)][:limit]


def at_rate(joints: Joints, fps: float, to_fps: float) -> Joints:
    """Return joints ``(T, 22, 3)`` [m] at another rate, through their splines."""
    times_s = uniform_times(len(joints), fps=fps, rate_hz=to_fps)
    paths = torch.from_numpy(np.ascontiguousarray(joints, dtype=np.float64)).movedim(0, 1)
    return np.asarray(sample_position(paths, fps=fps, times_s=times_s).movedim(1, 0).numpy())


def judge_variants(joints: Joints, fps: float) -> Iterator[tuple[str, SpectralGain]]:
    """Judge a recorded motion as it is and behind every smoother, each at that smoother's own rate."""
    judged = compare_spectrum(joints, fps)
    if isinstance(judged, str):
        return
    yield UNTOUCHED, judged
    for smoother in SMOOTHERS:
        if fps < smoother.fps:
            continue
        smoothed = compare_spectrum(smoother.smooth(at_rate(joints, fps, smoother.fps)), smoother.fps)
        if not isinstance(smoothed, str):
            yield smoother.name, smoothed


def tabulate(found: dict[str, list[SpectralGain]], *, skipped: int) -> BenchTable:
    """Return a table of what was said of each variant."""
    rows = []
    by_set = [name for name in found if name.startswith(f"{UNTOUCHED}: ")]
    for name in [*(name for name in found if name not in by_set), *by_set]:
        judged = found[name]
        scores = np.array([each.score for each in judged])
        rows.append(
            [
                name,
                str(len(judged)),
                f"{100 * float((scores < SMOOTHED).mean()):.0f} %",
                f"{100 * float((scores > JITTERY).mean()):.0f} %",
                f"{float(np.median([each.at(5) for each in judged])):.2f}",
                f"{float(np.median([each.at(8) for each in judged])):.2f}",
            ]
        )
    return BenchTable(
        "What is said of recorded motion, and of the same behind a filter",
        ["motion", "files", "called smoothed", "called jittery", "5 Hz, median", "8 Hz, median"],
        rows,
        f"{skipped} files were left out: unreadable without options, too short, too slow, or hardly moving",
    )
