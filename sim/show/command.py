"""Show a clip with its sensors: one HTML page where the body plays beside the curves and each sensor's axes are drawn.

    python -m sim.show walk.npz --placements left_wrist chest --out walk.html

It answers which way the axes point: red x, green y and blue z of each sensor frame stand on the moving skin, and the
page says in words where they point at each moment. The page is one file and needs no network; plotly comes from
``pip install 'imuforge[report]'``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from sim.body import Body
from sim.checks import check_rate, check_seed
from sim.files import whole_file
from sim.motion import Motion
from sim.placements import Placement
from sim.sensor_errors import SensorErrors
from sim.show.clip import choose_member, read_clip
from sim.show.data import ShownClip, TimeSpan, gather
from sim.show.options import parse_options
from sim.show.page import render_page


@dataclass(frozen=True)
class WrittenPage:
    """What :func:`write_page` wrote.

    Attributes:
        path: the page.
        clip: the arrays in it.
        notes: what the page leaves out of the clip, in words; it says so itself too.
    """

    path: Path
    clip: ShownClip
    notes: tuple[str, ...]


def write_page(
    motion: Motion,
    body: Body,
    placements: Sequence[Placement],
    path: str | Path,
    *,
    rate_hz: float = 100.0,
    errors: SensorErrors | None = None,
    generator: torch.Generator | None = None,
    title: str | None = None,
    member: int = 0,
    start_s: float = 0.0,
    seconds: float | None = None,
    cutoff_hz: float | None = None,
) -> WrittenPage:
    """Write a page that plays a motion beside the readings of its sensors.

    Args:
        motion: local rotations ``(..., T, 22, 3, 3)`` and translation ``(..., T, 3)`` [m], world Y up.
        body: whose skin; of a batch of shapes or motions one member is shown.
        placements: where the S sensors sit, presets or any others.
        path: HTML file to write; it appears whole or not at all.
        rate_hz: output rate of the sensors [Hz].
        errors: what the devices add to the readings; the drawn axes are the true ones.
        generator: source of the errors' randomness; needed where ``errors`` draws any.
        title: heading of the page; the motion's text if None.
        member: which clip of a batch, counted through its leading dims.
        start_s: from where in the clip [s].
        seconds: how much of it [s]; None shows all, up to 60 s.
        cutoff_hz: smoothing of a jittery capture [Hz], as for :func:`sim.imu.simulate`.

    Returns:
        Where the page lies, what it shows, and what it leaves out. A drawn skin has a few thousand vertices and no pose
        blend shapes; sensor poses and readings are exact, those of :func:`sim.imu.simulate`.

    Raises:
        ModuleNotFoundError: plotly is not installed.
        OSError: the file cannot be written.
        ValueError: as :func:`sim.imu.simulate`; a member, a start or a length that the motion does not have; or more
            samples than a page can hold.
    """
    path = Path(path)
    if path.suffix not in (".html", ".htm"):
        raise ValueError(f"{path} ends in {path.suffix!r}, expected .html; rename the page")
    motion, body = choose_member(motion, body, member)
    clip = gather(
        motion,
        body,
        placements,
        rate_hz=rate_hz,
        stretch=TimeSpan(start_s, seconds),
        errors=errors,
        generator=generator,
        cutoff_hz=cutoff_hz,
    )
    heading = title or (motion.text if isinstance(motion.text, str) else None) or path.stem
    with whole_file(path) as part:
        part.write_text(render_page(clip, title=heading), encoding="utf-8")
    return WrittenPage(path, clip, clip.notes)


def show(arguments: argparse.Namespace, motion: Motion | None = None) -> list[str]:
    """Do what the options of :func:`sim.show.options.add_arguments` ask for.

    Args:
        arguments: the parsed options.
        motion: the clip, where the caller has read it; otherwise it is read by :func:`sim.show.clip.read_clip`.

    Returns:
        Lines to print: the page, then what it leaves out.

    Raises:
        FileNotFoundError: the clip or the body is not there.
        ModuleNotFoundError: plotly is not installed.
        OSError: the page cannot be written.
        ValueError: a name, a rate or a file is not what was expected.
    """
    # What is cheap is checked before joints are fitted.
    placements = [Placement.preset(name) for name in arguments.placements]
    device = SensorErrors.preset(arguments.errors)
    check_rate(arguments.rate_hz, "rate_hz")
    check_seed(arguments.seed)
    if motion is None:
        motion = read_clip(arguments.clip, fps=arguments.fps, decoder=arguments.decoder)
    page = write_page(
        motion,
        Body.default() if arguments.body is None else Body.from_smpl(arguments.body),
        placements,
        arguments.out or arguments.clip.with_suffix(".html"),
        rate_hz=arguments.rate_hz,
        errors=device,
        generator=torch.Generator().manual_seed(arguments.seed),
        title=arguments.title or (None if motion.text else arguments.clip.stem),
        member=arguments.member,
        start_s=arguments.start,
        seconds=arguments.seconds,
        cutoff_hz=arguments.cutoff_hz,
    )
    size_mb = page.path.stat().st_size / 1e6
    samples, sensors = page.clip.accel.shape[:2]
    head = f"{page.path}: {samples} samples at {page.clip.rate_hz:g} Hz of {sensors} sensors, {size_mb:.1f} MB"
    return [head, *(f"note: {note}" for note in page.notes)]


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; ``args`` replaces ``sys.argv[1:]``.

    Returns:
        0, or 2 after bad input and one line on stderr.
    """
    return run(parse_options(args))


def run(arguments: argparse.Namespace) -> int:
    """Write the page that the parsed options ask for; returns 0, or 2 after one line on stderr."""
    try:
        lines = show(arguments)
    except (ModuleNotFoundError, OSError, ValueError) as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        return 2
    sys.stdout.write(lines[0] + "\n")
    sys.stderr.writelines(f"{line}\n" for line in lines[1:])
    return 0
