"""One self-contained HTML page of a ShownClip: plotly.js, our scripts and the data inline, nothing to fetch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from importlib import resources
from string import Template
from typing import TypedDict

import numpy as np

from sim.conventions import STANDARD_GRAVITY
from sim.show.data import PackedArray, ShownClip, pack

SCRIPTS = ("data.js", "words.js", "scene.js", "curves.js", "player.js")
"""Our scripts in the order in which they build on each other."""

START = "player.start();"
"""What is run when all scripts are there."""

SKIN_ARRAYS = ("rest_vertices", "faces", "bones", "weights", "vertex_ids")
"""Arrays of :func:`describe_clip` that are the same for all clips of one body."""


@dataclass(frozen=True)
class Additions:
    """What another program adds to the page, as HTML, CSS and JavaScript that stand in it unchanged.

    Attributes:
        above: HTML between the heading and the scene.
        beside: HTML at the head of the readings.
        style: CSS after ours.
        script: JavaScript before the page starts to play, in one scope with ours.
    """

    above: str = ""
    beside: str = ""
    style: str = ""
    script: str = ""


class PageParts(TypedDict):
    """What a page is made of, for a page that holds several clips and puts each together when it is asked for.

    ``page`` is the template, with ``$name`` for ``title``, ``style``, ``notes`` (list items), ``source_fps``,
    ``bandwidth``, ``rate``, ``data`` (as :func:`describe_clip` returns it), ``plotly`` and ``script``.
    """

    page: str
    style: str
    script: str


def page_parts(additions: Additions | None = None) -> PageParts:
    """Return the page's template, its style and its script."""
    more = additions or Additions()
    return {
        "page": Template(_asset("page.html")).safe_substitute(
            above=more.above.replace("$", "$$"), beside=more.beside.replace("$", "$$")
        ),
        "style": _asset("page.css") + more.style,
        "script": "\n".join([*map(_asset, SCRIPTS), more.script, START]),
    }


def render_page(clip: ShownClip, *, title: str, additions: Additions | None = None) -> str:
    """Return the whole page.

    Args:
        clip: what is shown.
        title: its heading.
        additions: what stands in it besides.

    Raises:
        ModuleNotFoundError: plotly is not installed.
    """
    script, parts = _plotly_script(), page_parts(additions)
    return Template(parts["page"]).substitute(
        title=escape(title),
        style=parts["style"],
        notes="".join(f"<li>{escape(_capitalise(note))}.</li>" for note in clip.notes),
        source_fps=f"{clip.source_fps:g}",
        bandwidth=f"{clip.source_fps / 2:g}",
        rate=f"{clip.rate_hz:g}",
        data=describe_clip(clip, title=title),
        plotly=script,
        script=parts["script"],
    )


def _plotly_script() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "plotly is not installed, expected it for the page's pictures; pip install 'imuforge[report]'"
        ) from error
    return str(get_plotlyjs())


def _asset(name: str) -> str:
    return resources.files("sim.show").joinpath(name).read_text(encoding="utf-8")


def _capitalise(note: str) -> str:
    return note[:1].upper() + note[1:]


def describe_clip(clip: ShownClip, *, title: str) -> str:
    """Return what the page's script reads of a clip, as JSON that may stand in an element of HTML."""
    skin = clip.skin
    arrays: dict[str, PackedArray] = {
        "rest_vertices": pack(skin.rest_vertices),
        "faces": pack(skin.faces.astype(np.uint16 if len(skin.rest_vertices) < 2**16 else np.uint32)),
        "bones": pack(skin.bones),
        "weights": pack(skin.weights),
        "vertex_ids": pack(skin.vertex_ids.astype(np.uint32)),
        "joint_poses": pack(clip.joint_poses),
        "sensor_poses": pack(clip.sensor_poses),
        "accel": pack(clip.accel),
        "gyro": pack(clip.gyro),
    }
    values = {
        "title": title,
        "names": clip.names,
        "drawn_fps": clip.drawn_fps,
        "first_frame": clip.first_frame,
        "rate_hz": clip.rate_hz,
        "first_sample": clip.first_sample,
        "source_fps": clip.source_fps,
        "floor_m": clip.floor_m,
        "pelvis_rest": clip.pelvis_rest.tolist(),
        "gravity": STANDARD_GRAVITY,
        "arrays": arrays,
    }
    # "</script>" or "<!--" in a title or a name would end the element that holds the data, or hide its end.
    return json.dumps(values, allow_nan=False).replace("<", "\\u003c")
