"""What ``imuforge bandwidth`` measures and writes, and the spectrum of motions that ``motions inspect`` judges."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from datamodules.motion_files.motion_file import ReadOptions
from experiments.bandwidth.audit import draw_curves, measure_curves, tabulate_curves
from experiments.bandwidth.check import UNTOUCHED, judge_variants, list_motions, tabulate
from experiments.bandwidth.spectral_gain import (
    FREQUENCIES_HZ,
    JITTERY,
    SMOOTHED,
    Joints,
    SpectralGain,
    compare_spectrum,
    measure_reference,
    pool,
)
from experiments.commands.inspect_motion import read_declared
from experiments.pipeline.files import write_text
from experiments.pipeline.tables import BenchTable

PAGE, PICTURE = "bandwidth_table.md", "bandwidth.png"


def audit_stages(out: Path | None) -> Iterator[str]:
    """Measure every stage, print the table, and write it and its picture into a folder, if one is given."""
    curves = measure_curves()
    table = tabulate_curves(curves)
    _print(table)
    if out is not None:
        draw_curves(curves, out / PICTURE)
        write_text(table.to_markdown(), out / PAGE)
        yield f"written: {out / PAGE}, {out / PICTURE}"


def check_smoothing(folder: Path, limit: int) -> Iterator[str]:
    """Print how often recorded motion is called smoothed, as it is and behind filters.

    Raises:
        FileNotFoundError: the folder is missing or holds no motion file.
    """
    found: dict[str, list[SpectralGain]] = defaultdict(list)
    skipped = 0
    files = list_motions(folder, limit)
    for path, (joints, fps) in zip(files, _read_all(files), strict=True):
        judged = [] if joints is None else list(judge_variants(joints, fps))
        skipped += not judged
        for name, gain in judged:
            found[name].append(gain)
            inside = path.relative_to(folder).parts
            if name == UNTOUCHED and len(inside) > 1:
                found[f"{UNTOUCHED}: {inside[0]}"].append(gain)
    if not found:
        raise ValueError(f"no motion file in {folder} could be judged, expected people who move, at 20 fps or more")
    _print(tabulate(found, skipped=skipped))
    yield f"log10 of power from 6 to 9 Hz over recorded motion's: smoothed below {SMOOTHED}, jitter above {JITTERY}"


def print_reference() -> Iterator[str]:
    """Say the reference spectrum as it is measured now."""
    values = ", ".join(f"{value:.2f}" for value in measure_reference())
    yield f"log10 of power at {', '.join(map(str, FREQUENCIES_HZ))} Hz over that at 1 and 2 Hz: {values}"


def inspect_folder(folder: Path) -> list[str]:
    """Say of all motion files in a folder together whether they were smoothed, and which stand out.

    Raises:
        FileNotFoundError: the folder holds no motion file.
        ValueError: none could be read.
    """
    files = list_motions(folder, limit=1_000_000)
    judged: dict[Path, SpectralGain] = {}
    rates: Counter[float] = Counter()
    reasons: Counter[str] = Counter()
    for path, (joints, fps) in zip(files, _read_all(files), strict=True):
        if joints is None:
            reasons["could not be read; inspect it alone"] += 1
            continue
        rates[fps] += 1
        comparison = compare_spectrum(joints, fps)
        if isinstance(comparison, str):
            reasons[comparison.partition(":")[0]] += 1
        else:
            judged[path] = comparison
    if not rates:
        raise ValueError(f"none of {len(files)} motion files in {folder} could be read; inspect one of them alone")
    told = ", ".join(f"{count} at {fps:g} fps" for fps, count in sorted(rates.items()))
    lines = [f"{folder}: {len(files)} motion files, {told}"]
    lines += [f"{count} left out: {reason}" for reason, count in reasons.most_common()]
    if judged:
        smoothed = sum(each.score < SMOOTHED for each in judged.values())
        jittery = sum(each.score > JITTERY for each in judged.values())
        lines.append(f"together {pool(list(judged.values())).describe()}")
        lines.append(f"one by one: {smoothed} of {len(judged)} smoothed, {jittery} jittery")
    return lines


def _read_all(files: list[Path]) -> Iterator[tuple[Joints | None, float]]:
    for path in files:
        try:
            read, _ = read_declared(path, ReadOptions())
        except (OSError, ValueError):
            yield None, 0.0
        else:
            yield read.joints.reshape(-1, *read.joints.shape[-3:])[0], read.motion.fps


def _print(table: BenchTable) -> None:
    table.print(Console())
