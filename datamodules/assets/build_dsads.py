"""Build dsads.npz from the whole set or a selection of it: python build_dsads.py ROOT [dsads.npz].

Kept so that the asset can be made again; nothing runs it at install time. What goes in: all eight people, nine of the
nineteen activities, every other segment of 5 s (s01, s03 to s59), accelerometer and gyroscope without the magnetometer,
rounded. Origin and terms: NOTICE.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from datamodules.har.readers.dsads import ACTIVITIES
from datamodules.har.readers.dsads_pack import EMBEDDED, EMBEDDED_ACTIVITIES, STEP_ACCEL, STEP_GYRO, write_embedded
from datamodules.har.recordings.recording import Recording
from datamodules.har.registry import load_recordings


def build(root: Path, output: Path) -> None:
    """Choose, round and write.

    Args:
        root: what ``load_recordings("dsads", root)`` reads.
        output: the ``.npz`` to write.
    """
    folders = {ACTIVITIES[folder]: folder for folder in EMBEDDED_ACTIVITIES}
    segments = [
        recording
        for recording in load_recordings("dsads", root)
        if recording.labels in folders and int(recording.trial.rpartition("/s")[2]) % 2
    ]
    write_embedded(output, segments, folders)
    print(f"{len(segments)} segments, {output.stat().st_size / 1e6:.2f} MB")
    for name, unit, step in (("accel", "m/s^2", STEP_ACCEL), ("gyro", "rad/s", STEP_GYRO)):
        few, half = np.quantile(noise_at_rest(segments, name), (0.05, 0.5))
        noise = f"noise lying {few:.4f} (5%) to {half:.4f} (half)"
        print(f"{name}: {noise}, rounding {step / 12**0.5:.4f} {unit} RMS")


def noise_at_rest(segments: Sequence[Recording], name: str) -> list[float]:
    """Noise of each channel in each segment of lying: differences of neighbours over the square root of two, RMS.

    Args:
        segments: of the set, before they are rounded.
        name: ``accel`` [m/s^2] or ``gyro`` [rad/s].
    """
    lying = [getattr(each, name) for each in segments if str(each.labels).startswith("lying")]
    return [float(value) for values in lying for value in (np.diff(values, axis=0).std(axis=0) / 2**0.5).ravel()]


def main(args: Sequence[str] | None = None) -> None:
    """Run from the command line; ``args`` replaces ``sys.argv[1:]``."""
    parser = argparse.ArgumentParser(description="Build the embedded part of DSADS.")
    parser.add_argument("root", type=Path, help="folder or file that holds the set")
    parser.add_argument("output", type=Path, nargs="?", default=EMBEDDED, help="the .npz to write")
    options = parser.parse_args(args)
    build(options.root, options.output)


if __name__ == "__main__":
    main()
