"""The page of the studio: that of ``imuforge show`` with a form above it and the sensors' controls beside it."""

from __future__ import annotations

import json
from html import escape
from importlib import resources
from string import Template
from typing import Final

from datamodules.motion_files import known_suffixes
from experiments.studio.guard import HEADER
from experiments.studio.motions import KeptMotion
from experiments.studio.wearing import MOUNTINGS, Site, Wearing, remember, settle
from sim.body import Body
from sim.placements import PLACEMENT_NAMES
from sim.sensor_errors import SENSOR_NAMES
from sim.show.page import Additions, render_page

FIRST_SITE: Final = "left_wrist"


def render_studio(kept: KeptMotion) -> str:
    """Return the page of one motion with one sensor; the browser remembers which others were there."""
    body = Body.default()
    worn = settle(Wearing(motion=kept.name, sites=[Site(preset=FIRST_SITE)]), body)
    values = {
        "motion": kept.name,
        "header": HEADER,
        "sites": remember(*worn, body),
        "presets": PLACEMENT_NAMES,
        "mountings": MOUNTINGS,
        "devices": SENSOR_NAMES,
        "prompt": kept.prompt or "",
        "seconds": round(kept.motion.duration_s, 2) if kept.prompt else 4,
        "seed": kept.seed,
        "label": kept.activity,
    }
    additions = Additions(
        above=Template(_asset("make.html")).substitute(
            notes="".join(f"<li>{escape(note)}</li>" for note in kept.notes),
            suffixes=",".join(known_suffixes()),
            data=json.dumps(values, allow_nan=False).replace("<", "\\u003c"),
        ),
        beside=_asset("worn.html"),
        style=_asset("studio.css"),
        script=_asset("pick.js") + _asset("studio.js"),
    )
    return render_page(kept.drawn, title=kept.title, additions=additions)


def render_gone(line: str) -> str:
    """Return a page that says in one line what is not there."""
    return Template(_asset("gone.html")).substitute(line=escape(line))


def _asset(name: str) -> str:
    return resources.files("experiments.studio").joinpath(name).read_text(encoding="utf-8")
