"""Say what is in a set of real recordings and what looks wrong: what ``imuforge recordings inspect`` prints."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from datamodules.har.health import SetHealth, SiteHealth
from datamodules.har.pass_over import Recordings
from datamodules.har.registry import READERS, load_recordings
from datamodules.har.units import DEG
from sim.conventions import STANDARD_GRAVITY


def add_inspection(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], None]) -> None:
    """Add ``recordings inspect NAME ROOT`` to a command line."""
    actions = parser.add_subparsers(required=True, metavar="action")
    inspect = actions.add_parser("inspect", help="say what is in a set of recordings, and what looks wrong")
    inspect.add_argument("name", help=f"one of {', '.join(READERS)}")
    inspect.add_argument("root", type=Path, nargs="?", help="folder of the set; for csv_folder the YAML")
    inspect.add_argument("--on-bad-file", choices=("error", "skip"), default="error", help="skip leaves bad files out")
    inspect.add_argument("--max-gap-s", type=float, default=0.25, help="longest gap to interpolate over (default 0.25)")
    inspect.set_defaults(command=run)


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
    warnings = _judge_clock(health, recordings) + _judge_labels(health)
    for placement, site in health.sites.items():
        lines += _describe_site(placement, site)
        warnings += [f"{placement}: {warning}" for warning in judge_site(site)]
    warnings += [f"left out {path}: {why}" for path, why in recordings.skipped.items()]
    return lines + ([f"! {warning}" for warning in warnings] or ["nothing looks wrong"])


def judge_site(site: SiteHealth) -> list[str]:
    """What looks wrong with a site's sensors, in words."""
    warnings = _judge_rest(site)
    for kind, count in site.clipped.items():
        if count:
            unit = "m/s^2" if kind == "accel" else "rad/s"
            warnings.append(f"{kind} is clipped in {count} samples; its range ends at {site.largest[kind]:.1f} {unit}")
    scale, agreement = site.gyro_scale
    if abs(agreement) > 0.5:
        warnings += _judge_gyro(scale)
    if site.missing > 0.01 * site.samples:
        warnings.append(f"{100 * site.missing / site.samples:.1f}% of samples are missing")
    if site.repeated > 0.2 * site.samples:
        warnings.append(
            f"{100 * site.repeated / site.samples:.0f}% of samples repeat the one before: the sensor is slower than "
            "its rate, or it froze"
        )
    return warnings


def _judge_rest(site: SiteHealth) -> list[str]:
    norm = site.rest_norm
    if np.isnan(norm):
        return ["nothing at rest: units and gravity cannot be judged"]
    said = f"norm at rest is {norm:.3g}"
    g = STANDARD_GRAVITY
    if abs(norm / g - 1) < 0.1:
        return [] if site.gravity_included else [f"{said}: gravity is in it, though the reader says removed"]
    for expected, what in (
        (1.0, "looks like g, not m/s^2"),
        (1000.0, "looks like milli-g, not m/s^2"),
        (g * g, "looks as if g had been turned into m/s^2 twice"),
        (1.0 / g, "looks as if g had been divided by 9.81"),
        (g / 2, "half of gravity: the range or the scale is not what the reader thinks"),
        (2 * g, "twice gravity: the range or the scale is not what the reader thinks"),
    ):
        if abs(norm / expected - 1) < 0.08 and (site.gravity_included or expected != 1.0):
            return [f"{said}: {what}"]
    if not site.gravity_included:
        return [] if norm < 3 else [f"{said}, expected near 0 without gravity"]
    if norm < 3:
        return [f"{said}: gravity is not in it, though the reader says included"]
    return [f"{said} m/s^2, expected {g:.2f}: wrong unit or range, or nobody is at rest"]


def _judge_gyro(scale: float) -> list[str]:
    said = f"the gyroscope has to be multiplied by {scale:.3g} to turn gravity as the accelerometer sees it"
    if abs(abs(scale) / DEG - 1) < 0.5:
        return [f"{said}: looks like deg/s, not rad/s"]
    if scale < 0:
        return [f"{said}: its sense or an axis is turned round against the accelerometer"]
    if not 0.2 < scale < 5.0:
        return [f"{said}: wrong unit or range"]
    return []


def _judge_clock(health: SetHealth, recordings: Recordings) -> list[str]:
    warnings = []
    rates = [report.native_rate_hz for report in recordings.reports() if np.isfinite(report.native_rate_hz)]
    nominal = health.rates_hz.most_common(1)[0][0]
    if rates and abs(np.median(rates) / nominal - 1) > 0.1:
        warnings.append(f"time stamps give {np.median(rates):.1f} Hz, the recordings have {nominal:g} Hz")
    jitters = [report.jitter_s for report in recordings.reports() if np.isfinite(report.jitter_s)]
    if jitters and np.median(jitters) * nominal > 0.2:
        warnings.append(
            f"time stamps jitter by {1000 * np.median(jitters):.1f} ms, "
            f"{100 * np.median(jitters) * nominal:.0f}% of a step"
        )
    return warnings


def _judge_labels(health: SetHealth) -> list[str]:
    total = sum(health.minutes.values())
    unlabelled = sum(minutes for (_, label), minutes in health.minutes.items() if not label)
    warnings = []
    if unlabelled > 0.999 * total:
        warnings.append("nothing is labelled")
    if {subject for subject, _ in health.minutes} == {"unknown"}:
        warnings.append("nobody knows who wore the sensors: no claim about new people can rest on this set")
    return warnings


def _describe_minutes(health: SetHealth) -> list[str]:
    people: dict[str, list[str]] = {}
    for (subject, label), minutes in health.minutes.items():
        people.setdefault(subject, []).append(f"{label or 'unlabelled'} {minutes:.2f}")
    return [f"subject {subject} [min]: {', '.join(sorted(parts))}" for subject, parts in people.items()]


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
    if found is not None:
        axis, angle, spread = found
        up = f"{axis} points up in standing (off by {angle:.0f} deg, people differ by up to {spread:.0f} deg)"
    else:
        up = "which axis points up in standing cannot be told: " + (
            "nobody stands" if site.gravity_included else "no gravity"
        )
    scale, agreement = site.gyro_scale
    gyro = "no gyroscope" if "gyro" not in site.largest else f"largest {site.largest['gyro']:.1f} rad/s"
    if np.isfinite(agreement):
        gyro += f", turns gravity as the accelerometer does with factor {scale:.2f} (r {agreement:.2f})"
    return [
        f"{placement}: norm at rest {site.rest_norm:.2f} m/s^2, gravity {gravity} by the reader; {up}; "
        f"accel largest {site.largest.get('accel', 0.0):.1f} m/s^2, {site.missing} of {site.samples} samples missing; "
        f"{gyro}"
    ]
