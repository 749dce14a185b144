"""One page that plays a motion of every activity: :mod:`sim.show`'s with more clips in it, and a list to choose by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Final

from sim.body import Body
from sim.files import whole_file
from sim.motion import Motion
from sim.placements import Placement
from sim.show.data import TimeSpan, gather
from sim.show.page import render_page

PLACEMENTS: Final = ("left_wrist", "waist")
RATE_HZ: Final = 50.0

_DATA: Final = re.compile(r'<script id="data" type="application/json">(.*?)</script>', re.DOTALL)
_CHOOSE: Final = """<script>
// The clip that the address names takes the first one's place before anything reads it; choosing another loads anew.
{
  const chosen = document.getElementById("sample-" + location.hash.slice(1));
  if (chosen) {
    document.getElementById("data").textContent = chosen.textContent;
    document.querySelector("h1").textContent = JSON.parse(chosen.textContent).title;
  }
  window.addEventListener("hashchange", () => location.reload());
}
</script>"""


def write_samples(motions: Mapping[str, Motion], path: Path, *, title: str) -> None:
    """Write the page.

    Args:
        motions: a motion of each name, its text the prompt.
        path: HTML file to write; it needs nothing else.
        title: of the page.

    Raises:
        ModuleNotFoundError: plotly is not installed.
        ValueError: there is no motion.
    """
    if not motions:
        raise ValueError("no motion to show, expected at least one")
    body, worn = Body.default(), [Placement.preset(name) for name in PLACEMENTS]
    page, blocks = "", []
    for name, motion in motions.items():
        clip = gather(motion, body, worn, rate_hz=RATE_HZ, stretch=TimeSpan(0.0, None))
        prompt = motion.text if isinstance(motion.text, str) else ""
        rendered = render_page(clip, title=f"{title}: {name} (“{prompt}”)")
        page = page or rendered
        blocks.append(f'<script id="sample-{escape(name)}" type="application/json">{_data_of(rendered)}</script>')
    links = " ".join(f'<a href="#{escape(name)}">{escape(name)}</a>' for name in motions)
    page = page.replace("<main>", f'<nav class="samples" style="padding:0 1rem 0.6rem">{links}</nav>\n<main>', 1)
    found = _DATA.search(page)
    if found is None:
        raise ValueError("the page of sim.show holds no data where they are looked for; this program has to be mended")
    whole = f"{page[: found.end()]}\n{chr(10).join(blocks)}\n{_CHOOSE}{page[found.end() :]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as part:
        part.write_text(whole, encoding="utf-8")


def _data_of(page: str) -> str:
    found = _DATA.search(page)
    return "" if found is None else found[1]
