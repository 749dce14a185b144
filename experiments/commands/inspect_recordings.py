"""Say what is in a set of real recordings and what looks wrong: what ``imuforge recordings inspect`` prints."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from datamodules.har.inspection.health import SetHealth, SiteHealth
from datamodules.har.recordings.reading import natural_key
from datamodules.har.recordings.recordings_pass import Recordings
from datamodules.har.registry import load_recordings
from experiments.commands.judge_recordings import judge_clock, judge_labels, judge_site


def inspect_recordings(
    name: str, root: Path | None, *, on_bad_file: str = "error", max_gap_s: float = 0.25
) -> list[str]:
    """Read a whole set and describe it.

    Args:
        name: of the set.
        root: its folder; None for one that a pip package brings.
        on_bad_file: ``error`` or ``skip``.
        max_gap_s: longest stretch to interpolate over [s].

    Returns:
        Lines to print; those that name something wrong start with ``!``.

    Raises:
        ValueError: there is no set of that name, or a file is bad.
        FileNotFoundError: the set is not there.
    """
    recordings = load_recordings(
        name, root, on_bad_file="skip" if on_bad_file == "skip" else "error", max_gap_s=max_gap_s
    )
    mounting = ""

    health = SetHealth()
    for recording in recordings:
        health.add(recording)
        mounting = recording.mounting
    if not health.recordings:
        raise ValueError(f"{name} in {root} holds no recording, expected some")
    lines = [recordings.summary(), *_describe_minutes(health), *_describe_clock(health, recordings)]
    lines.append(f"mounting as declared: {mounting}")
    warnings = judge_clock(health, recordings) + judge_labels(health)
    for placement, site in health.sites.items():
        lines += _describe_site(placement, site)
        warnings += [f"{placement}: {warning}" for warning in judge_site(site)]
    warnings += [f"left out {path}: {why}" for path, why in recordings.skipped.items()]
    return lines + ([f"! {warning}" for warning in warnings] or ["nothing looks wrong"])


def _describe_minutes(health: SetHealth) -> list[str]:
    """Minutes of each subject and label as a table, in several parts where the terminal is too narrow for one."""
    people = sorted({subject for subject, _ in health.minutes}, key=natural_key)
    labels = sorted({label for _, label in health.minutes}, key=lambda label: (not label, label))
    rows = {person: [health.minutes.get((person, label), 0.0) for label in labels] for person in people}
    heads = [(label or "unlabelled").replace("_", "\n") for label in labels]
    if len(labels) > 1:
        heads.append("all")
        rows = {person: [*minutes, sum(minutes)] for person, minutes in rows.items()}
    if len(people) > 1:
        rows["all"] = [sum(column) for column in zip(*rows.values(), strict=True)]
    lines = ["minutes of each subject and label:"]
    first_width = max(len("subject"), *map(len, rows)) + 3
    room = shutil.get_terminal_size((120, 24)).columns
    for part in _parts_that_fit([max(map(len, head.split("\n"))) for head in heads], room - first_width):
        table = Table("subject", *(heads[i] for i in part), box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
        for column in table.columns[1:]:
            column.justify = "right"
        for person, minutes in rows.items():
            table.add_row(person, *(f"{minutes[i]:.2f}" if minutes[i] else "-" for i in part))
        console = Console(width=10_000, highlight=False, markup=False, color_system=None)
        with console.capture() as captured:
            console.print(table)
        lines += [line.rstrip() for line in captured.get().split("\n") if line.strip()]
    return lines


def _parts_that_fit(widths: list[int], room: int) -> list[list[int]]:
    """Columns of such widths in parts that each fit the room, numbers of five places and the padding counted."""
    parts: list[list[int]] = [[]]
    used = 0
    for index, width in enumerate(widths):
        needed = max(width, 5) + 2
        if parts[-1] and used + needed > room:
            parts.append([])
            used = 0
        parts[-1].append(index)
        used += needed
    return parts


def _describe_clock(health: SetHealth, recordings: Recordings) -> list[str]:
    rates = ", ".join(f"{rate:g} Hz in {count}" for rate, count in health.rates_hz.most_common())
    reports = [report for report in recordings.reports() if np.isfinite(report.native_rate_hz)]
    if not any(report.jitter_s > 0 for report in reports):
        return [f"rate: {rates} recordings; no time stamps with jitter"]
    native = np.array([report.native_rate_hz for report in reports])
    jitter = np.array([report.jitter_s for report in reports]) * 1000
    gaps, lost = sum(report.gaps for report in reports), sum(report.gap_s for report in reports)
    return [
        f"rate: {rates} recordings; time stamps give {np.median(native):.2f} Hz ({native.min():.2f} to "
        f"{native.max():.2f}), jitter {np.median(jitter):.2f} ms (up to {jitter.max():.2f}); {gaps} gaps, {lost:.1f} s"
    ]


def _describe_site(placement: str, site: SiteHealth) -> list[str]:
    gravity = "included" if site.gravity_included else "removed"
    found = site.up_axis()
    if found is not None and found[2] > 60:
        up = f"which axis points up in standing cannot be told: people differ by up to {found[2]:.0f} deg"
    elif found is not None:
        axis, angle, spread = found
        up = f"{axis} points up in standing (off by {angle:.0f} deg, people differ by up to {spread:.0f} deg)"
    else:
        up = "which axis points up in standing cannot be told: " + (
            "nobody stands" if site.gravity_included else "no gravity"
        )
    found_turning = site.gyro_agreement.of_setting()
    gyro = "none" if "gyro" not in site.largest else f"largest {site.largest['gyro']:.1f} rad/s"
    if np.isfinite(found_turning.correlation):
        gyro += (
            f", turns gravity as the accelerometer does with factor {found_turning.scale:.2f} "
            f"(r {found_turning.correlation:.2f} in {site.gyro_agreement.windows} calm quarters of a second)"
        )
    cutoff = site.values.cutoff_hz()
    passed = (
        ""
        if cutoff is None
        else f"; acceleration holds nothing above about {cutoff:.3g} Hz: low-passed, or from a slower source"
    )
    return [
        f"{placement}: norm at rest {site.rest_norm:.2f} m/s^2, gravity {gravity} by the reader; {up}",
        f"{placement}: accelerometer's largest {site.largest.get('accel', 0.0):.1f} m/s^2, {site.missing} of "
        f"{site.samples} samples missing; gyroscope: {gyro}{passed}",
    ]
