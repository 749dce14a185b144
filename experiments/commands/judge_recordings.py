"""Judge real recordings in words: units, gravity, clipping, axes and rates that look wrong."""

from __future__ import annotations

import numpy as np

from datamodules.har.inspection.gravity_turning import GyroAgreement
from datamodules.har.inspection.health import SetHealth, SiteHealth
from datamodules.har.inspection.plausible_values import NEVER_MOVES, judge_values
from datamodules.har.parsing.units import DEG
from datamodules.har.recordings.recordings_pass import Recordings
from sim.conventions import STANDARD_GRAVITY

_AGREES = 0.5
"""Correlation of gravity's turning and the gyroscope's from which on axes and scale are judged."""

_ENOUGH_WINDOWS = 100
"""Calm windows below which nothing is said of axes and scale."""


def judge_site(site: SiteHealth) -> list[str]:
    """What looks wrong with a site's sensors, in words."""
    turning = _judge_turning(site.gyro_agreement)
    values = judge_values(site.values, gravity_included=site.gravity_included)
    # A gyroscope that turns as gravity does moves.
    warnings = _judge_rest(site) + [line for line in values if not (turning and line.startswith(NEVER_MOVES))]
    for kind, count in site.clipped.items():
        if count:
            unit = "m/s^2" if kind == "accel" else "rad/s"
            warnings.append(f"{kind} is clipped in {count} samples; its range ends at {site.largest[kind]:.1f} {unit}")
    warnings += turning
    if site.missing > 0.01 * site.samples:
        warnings.append(f"{100 * site.missing / site.samples:.1f}% of samples are missing")
    if site.repeated > 0.2 * site.samples:
        warnings.append(
            f"{100 * site.repeated / site.samples:.0f}% of samples repeat the one before: the sensor is slower than "
            "its rate, or it froze"
        )
    if site.frozen_s:
        warnings.append(
            f"nothing changes in {len(site.frozen_s)} stretches of a second or more ({sum(site.frozen_s):.1f} s in "
            "all): the sensor froze, or rows were repeated"
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
    factor = f"if it is, the numbers have to be multiplied by {g / norm:.3g} (scale: of a csv_folder)"
    if norm < 3:
        return [f"{said}: gravity is not in it, though the reader says included; {factor}"]
    return [f"{said} m/s^2, expected {g:.2f}: wrong unit or range, or nobody is at rest; {factor}"]


def _judge_turning(found: GyroAgreement) -> list[str]:
    """What is wrong with the gyroscope if gravity turns as the accelerometer sees it.

    In the real sets at hand (HAPT, DSADS, SP-SW-HAR) the axes as they are agree best, r 0.64 to 0.92, with factors of
    0.74 to 1.2.
    """
    plain, best = found.of_setting(), found.best()
    if found.windows < _ENOUGH_WINDOWS or not best.correlation > _AGREES:
        return []
    if best.correlation - plain.correlation > 0.25:
        return [
            f"gyroscope and accelerometer do not share their axes: they agree with r {best.correlation:.2f} if "
            f"{_say_setting(best.setting)}, as they are with r {plain.correlation:.2f}"
        ]
    if not plain.correlation > _AGREES:
        # Where the two hardly agree, the factor is that of the disagreement.
        return []
    said = f"the gyroscope has to be multiplied by {plain.scale:.3g} to turn gravity as the accelerometer sees it"
    if abs(plain.scale / DEG - 1) < 0.5:
        return [f"{said}: looks like deg/s, not rad/s"]
    if abs(plain.scale * DEG - 1) < 0.5:
        return [f"{said}: looks as if rad/s had been turned from deg/s twice"]
    if not 0.2 < plain.scale < 5.0:
        return [f"{said}: wrong unit or range"]
    if not 0.55 < plain.scale < 1.8:
        return [f"{said}: its range, or the rate of the recording, is off by about that"]
    return []


def _say_setting(setting: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str:
    """A setting of the gyroscope's axes in words; a mirrored axis of the accelerometer shows as the two others."""
    minus = ["xyz"[axis] for axis in range(3) if setting[axis, axis] < 0]
    if not np.array_equal(np.abs(setting), np.eye(3)):
        names = [("-" if row.sum() < 0 else "") + "xyz"[int(np.abs(row).argmax())] for row in setting]
        return f"the gyroscope's axes are taken as ({', '.join(names)})"
    if len(minus) == 3:
        return "the gyroscope's sense is turned round, all three axes"
    if len(minus) == 2:
        other = next(axis for axis in "xyz" if axis not in minus)
        return f"the accelerometer's {other} is turned round, or the gyroscope's {' and '.join(minus)} are"
    return f"the gyroscope's {minus[0]} is turned round"


def judge_clock(health: SetHealth, recordings: Recordings) -> list[str]:
    """What looks wrong with the rates and time stamps of a set, in words."""
    warnings = []
    rates = [report.native_rate_hz for report in recordings.reports() if np.isfinite(report.native_rate_hz)]
    nominal = health.rates_hz.most_common(1)[0][0]
    if rates and abs(np.median(rates) / nominal - 1) > 0.1:
        warnings.append(f"time stamps give {np.median(rates):.1f} Hz, the recordings have {nominal:g} Hz")
    gaps, lost = sum(report.gaps for report in recordings.reports()), sum(r.gap_s for r in recordings.reports())
    if lost > 0.01 * 60 * sum(health.minutes.values()):
        warnings.append(f"{gaps} gaps of {lost:.1f} s in all split the recordings")
    dead = [report.dead for report in recordings.reports() if report.dead]
    if dead:
        warnings.append(
            f"{sum(dead)} samples of {len(dead)} sources are runs of zeros on all axes of an accelerometer: it was "
            "silent there, and they count as missing"
        )
    jitters = [report.jitter_s for report in recordings.reports() if np.isfinite(report.jitter_s)]
    if jitters and np.median(jitters) * nominal > 0.2:
        warnings.append(
            f"time stamps jitter by {1000 * np.median(jitters):.1f} ms, "
            f"{100 * np.median(jitters) * nominal:.0f}% of a step"
        )
    return warnings


def judge_labels(health: SetHealth) -> list[str]:
    """What looks wrong with the labels and subjects of a set, in words."""
    total = sum(health.minutes.values())
    unlabelled = sum(minutes for (_, label), minutes in health.minutes.items() if not label)
    warnings = []
    if unlabelled > 0.999 * total:
        warnings.append("nothing is labelled")
    if {subject for subject, _ in health.minutes} == {"unknown"}:
        warnings.append("nobody knows who wore the sensors: no claim about new people can rest on this set")
    return warnings
