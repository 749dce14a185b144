"""Draw the picture of docs/architecture.md, the way the data flows: ``python -m experiments.tools.draw_data_way``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final, NamedTuple

from experiments.pipeline.files import write_text

ROOT: Final = Path(__file__).resolve().parents[2]
FILE: Final = ROOT / "docs" / "assets" / "data_way.svg"

_ROOMS: Final = {
    "datamodules": ("#2e7d32", "#e6f3e7"),
    "lightning_modules": ("#6a3fb5", "#eee8fa"),
    "sim": ("#1565c0", "#e3eefb"),
    "experiments": ("#b26a00", "#fdf0dc"),
}
"""Line and filling of each room's steps; values that pass from one to the next are white."""


class _Box(NamedTuple):
    """A step (of a room) or a value (of none): place and size [px], and what it says, the name first."""

    x: int
    y: int
    width: int
    room: str | None
    name: str
    text: str = ""

    @property
    def height(self) -> int:
        return 58 if self.text else 38

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


_BOXES: Final = {
    "prompt": _Box(20, 60, 150, None, "prompt", "“a person runs”"),
    "prior": _Box(220, 60, 210, "lightning_modules", "MotionDiffusion", "text encoder, denoiser, sampler"),
    "features": _Box(480, 60, 150, None, "features", "(T, 263) at 20 fps"),
    "decode": _Box(680, 60, 190, "sim", "features_to_motion", "decode, fit the pose"),
    "mocap": _Box(20, 160, 150, None, "motion capture", "BVH, AMASS, markers …"),
    "read_motion": _Box(220, 160, 210, "datamodules", "read_motion", "any format, Y up, metres"),
    "motion": _Box(680, 160, 190, None, "Motion", "22 rotations, a path, fps"),
    "simulate": _Box(680, 260, 190, "sim", "simulate", "skin, spline, derivatives"),
    "worn": _Box(440, 260, 190, None, "Body, Placement", "whose skin, where on it"),
    "errors": _Box(680, 360, 190, "sim", "SensorErrors", "noise, bias, clipping …"),
    "imu": _Box(680, 460, 190, None, "ImuRecording", "accel, gyro at rate_hz"),
    "real": _Box(20, 360, 150, None, "real people", "recordings as published"),
    "load": _Box(220, 360, 190, "datamodules", "load_recordings", "SI units, labels, people"),
    "windows": _Box(440, 460, 190, "datamodules", "windows", "cut, split by person"),
    "har": _Box(220, 460, 170, "lightning_modules", "HARClassifier", "or a forest"),
    "report": _Box(20, 460, 150, "experiments", "har_eval", "tables, report.html"),
}

_ARROWS: Final = (
    ("prompt", "prior"),
    ("prior", "features"),
    ("features", "decode"),
    ("decode", "motion"),
    ("mocap", "read_motion"),
    ("read_motion", "motion"),
    ("motion", "simulate"),
    ("worn", "simulate"),
    ("simulate", "errors"),
    ("errors", "imu"),
    ("imu", "windows"),
    ("real", "load"),
    ("load", "windows"),
    ("windows", "har"),
    ("har", "report"),
)


def _draw_box(box: _Box) -> str:
    line, fill = _ROOMS[box.room] if box.room else ("#777777", "#ffffff")
    radius = 4 if box.room else 19
    centre = box.x + box.width / 2
    below = f'<text x="{centre}" y="{box.y + 43}" class="small">{escape(box.text)}</text>' if box.text else ""
    return (
        f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="{radius}" fill="{fill}" '
        f'stroke="{line}"/><text x="{centre}" y="{box.y + 24}" class="name">{escape(box.name)}</text>{below}'
    )


def _draw_arrow(start: _Box, end: _Box) -> str:
    if start.x == end.x and start.width == end.width:  # one stands below the other
        x = start.x + start.width / 2
        path = f"M{x} {start.y + start.height}L{x} {end.y}"
    elif start.y == end.y:
        right = end.x > start.x
        path = f"M{start.x + start.width * right} {start.middle}L{end.x + end.width * (not right)} {end.middle}"
    else:  # along, then down onto its top
        x = end.x + end.width / 2
        path = f"M{start.x + start.width} {start.middle}L{x} {start.middle}L{x} {end.y}"
    return f'<path d="{path}" class="arrow" marker-end="url(#tip)"/>'


def draw() -> str:
    """Return the picture as SVG."""
    legend = "".join(
        f'<rect x="{20 + 145 * k}" y="14" width="16" height="16" rx="3" fill="{fill}" stroke="{line}"/>'
        f'<text x="{43 + 145 * k}" y="27" class="small left">{room}/</text>'
        for k, (room, (line, fill)) in enumerate(_ROOMS.items())
    )
    gradient = (
        '<path d="M870 289L905 289L905 44L325 44L325 60" class="arrow back" marker-end="url(#tip)"/>'
        '<text x="905" y="36" class="small right">the loss acc_sensors: gradients through the simulator</text>'
    )
    arrows = "\n".join(_draw_arrow(_BOXES[start], _BOXES[end]) for start, end in _ARROWS)
    boxes = "\n".join(map(_draw_box, _BOXES.values()))
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 925 535" font-family="sans-serif">
<style>.name{{font-size:15px;font-weight:600;text-anchor:middle;fill:#222}}
.small{{font-size:12px;text-anchor:middle;fill:#444}}
.left{{text-anchor:start}}.right{{text-anchor:end}}
.arrow{{fill:none;stroke:#555;stroke-width:1.6}}.back{{stroke-dasharray:6 4}}</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>
<rect width="925" height="535" rx="6" fill="#fcfcfc"/>
{legend}
{gradient}
{arrows}
{boxes}
</svg>
"""


def main(args: Sequence[str] | None = None) -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.tools.draw_data_way", description="Draw the picture of docs/architecture.md."
    )
    parser.add_argument("file", nargs="?", type=Path, default=FILE)
    write_text(draw(), parser.parse_args(args).file)


if __name__ == "__main__":
    main()
