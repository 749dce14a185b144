"""The player of the report: one motion of each activity and arm, the moving body beside what its sensors read."""

from __future__ import annotations

import json
from html import escape

from experiments.har_eval.report.arms import name_arm
from experiments.har_eval.report.drawings import BodiesEntry
from experiments.har_eval.results import HarEvalResults
from sim.show.page import page_parts


def render_bodies(results: HarEvalResults, bodies: BodiesEntry | None) -> str:
    """Return the player and its choices; a sentence where the run has no motions to play."""
    if bodies is None or not bodies["examples"]:
        return '<p class="note">Nothing to play: no arm of this run moves, or the run is older than this part.</p>'
    examples = bodies["examples"]
    activities = list(dict.fromkeys(entry["activity"] for entry in examples))
    arms = list(dict.fromkeys(entry["arm"] for entry in examples))
    data = "".join(
        f'<script type="text/plain" class="example" data-arm="{escape(entry["arm"])}" '
        f'data-activity="{escape(entry["activity"])}" data-note="{escape(_note(entry["produced"]))}">'
        f"{entry['data']}</script>"
        for entry in examples
    )
    options = {
        "activity": [(name, name.replace("_", " ")) for name in activities],
        "arm": [(name, name_arm(results, name)) for name in arms],
    }
    chosen = "".join(
        f'<label>{what} <select id="body-{what}">'
        + "".join(f'<option value="{escape(value)}">{escape(shown)}</option>' for value, shown in pairs)
        + "</select></label>"
        for what, pairs in options.items()
    )
    shell = json.dumps(page_parts()).replace("<", "\\u003c")
    # The player is a page of its own, so that its keys and clock stay its own; it shares the one plotly of this page.
    return (
        f'<div class="controls">{chosen}<output id="body-note" class="note" aria-live="polite"></output></div>'
        '<iframe id="player" title="a moving body beside its signals"></iframe>'
        f'<script type="application/json" id="shell">{shell}</script>'
        f'<script type="text/plain" id="shared">{bodies["shared"]}</script>{data}'
    )


def _note(produced: bool | None) -> str:
    if produced is None:
        return "whether it shows what was asked for, no rule says"
    return "shows what was asked for" if produced else "does not show what was asked for"
