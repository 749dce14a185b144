"""The page of the report: sections, figures and tables around one template; needs plotly."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from string import Template

from plotly.offline import get_plotlyjs

from experiments.har_eval.report.bodies import render_bodies
from experiments.har_eval.report.drawings import Drawings
from experiments.har_eval.report.embedding import draw_embeddings
from experiments.har_eval.report.fidelity import tabulate_fidelity
from experiments.har_eval.report.figures import NYQUIST_HZ, draw_paired, draw_scores, draw_signals, draw_spectra
from experiments.har_eval.report.gains import draw_gains, draw_learning_curve
from experiments.har_eval.report.headline import render_headline
from experiments.har_eval.report.limits import list_limits
from experiments.har_eval.report.tables import (
    draw_confusions,
    table,
    tabulate_calibrations,
    tabulate_classes,
    tabulate_comparisons,
    tabulate_distances,
    tabulate_motions,
    tabulate_paired,
    tabulate_scores,
    tabulate_stages,
)
from experiments.har_eval.report.text import describe_decoding, state_failures, state_findings
from experiments.har_eval.results import HarEvalResults, SetEntry

FOLDER = Path(__file__).parent


def render_report(results: HarEvalResults, drawings: Drawings) -> str:
    """Return the whole page."""
    failures = state_failures(results)
    findings = [sentence for sentence in state_findings(results) if sentence not in failures]
    sets = "".join(
        _section(results, real, drawings, unfolded=number == 0) for number, real in enumerate(results["sets"])
    )
    links = "".join(
        f'<a href="#{escape(real["name"])}">{escape(_spaced(real["name"]))}</a>' for real in results["sets"]
    )
    return Template(_read("template.html")).substitute(
        run=escape(results["id"]),
        created=escape(results["provenance"]["created"][:16].replace("T", " ")),
        seeds=escape(", ".join(map(str, results["seeds"]))),
        style=_read("report.css"),
        plotly=get_plotlyjs(),
        script=_read("report.js"),
        links=links,
        headline=render_headline(results),
        findings=_items(findings),
        failures=_items(failures or ["Every activity was produced and is recognised by some classifier and seed."]),
        bodies=render_bodies(results, drawings.get("bodies")),
        sets=sets,
        paired=tabulate_paired(results) + draw_paired(results),
        motions=f'<p class="note">{escape(describe_decoding(results))}</p>{tabulate_motions(results)}',
        limits=_items(list_limits(results)),
        provenance=_provenance(results),
        config=escape(json.dumps(results["config"], indent=1)),
    )


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _items(sentences: list[str]) -> str:
    return "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _section(results: HarEvalResults, real: SetEntry, drawings: Drawings, *, unfolded: bool) -> str:
    name = real["name"]
    pictures = drawings["sets"][name]
    signals = "".join(f"<h4>{escape(activity)}</h4>{draw_signals(pictures, activity)}" for activity in real["classes"])
    ends = (
        "In square brackets: 95% intervals, crossed bootstrap over seeds and test people; in round ones, where an arm "
        "is tested on virtual sensors, the worst and the best seed."
        if real["subject_independent"]
        else "Not subject-independent. In round brackets: the worst and the best seed; no interval, no significance."
    )
    return f"""
<details class="set" id="{escape(name)}"{" open" if unfolded else ""}>
  <summary>{escape(_spaced(name))}<span class="note">{escape(_describe_set(real))}</span></summary><div>
  {tabulate_scores(results, name)}
  <p class="note">{escape(ends)}</p>
  {draw_scores(results, name)}
  {tabulate_comparisons(results, name)}
  {tabulate_calibrations(results, name)}
  {_titled("Learning curve", draw_learning_curve(results, real))}
  {_titled("Gain of each activity", draw_gains(results, real))}
  <h3>Class by class</h3>
  {tabulate_classes(results, real)}
  <p class="note">Confusion in percent of the true class (rows), all seeds and classifiers added up.</p>
  {draw_confusions(results, real)}
  <h3>Signals: a typical window of each activity</h3>
  <p class="note">The window whose acceleration varies as much as the median one of its activity.</p>
  {signals}
  <h3>Embedding, fitted on real training people only</h3>
  <p class="note">Of the classical features, standardised; virtual windows (crosses) are placed on the axes that real
  ones (faint) gave. What lies far outside is drawn at the edge.</p>
  {draw_embeddings(pictures)}
  <h3>Distributions of acceleration magnitude</h3>
  <p class="note">{escape(_describe_band(real))}</p>
  {draw_spectra(results, drawings["spectra"].get(name, {}), real["classes"], highest_hz=real["rate_hz"] / 2)}
  {tabulate_distances(results, name)}
  {tabulate_fidelity(results, name)}
</div></details>"""


def _titled(title: str, figure: str) -> str:
    return f"<h3>{title}</h3>{figure}" if figure else ""


def _describe_set(real: SetEntry) -> str:
    if not real["subject_independent"]:
        people = "training and test series of the same, unnamed people"
    elif (folds := real.get("folds")) is not None:
        people = (
            f"{len(real['test_subjects'])} people in {folds} groups, dealt by each seed, each group in turn recognised "
            "by a classifier of the others"
        )
    elif real["train_subjects"] == real["test_subjects"]:
        people = f"{len(real['test_subjects'])} people, each in turn recognised by a classifier of the others"
    else:
        people = f"{len(real['train_subjects'])} training and {len(real['test_subjects'])} test people"
    return (
        f"{people}; {_describe_sensors(real)}; {len(real['channels'])} channels at "
        f"{real['rate_hz']:g} Hz, windows of {real['window_s']:g} s; "
        f"{sum(real['train_windows'].values())} training and {sum(real['test_windows'].values())} test windows. "
        f"Mounting: {real['mounting'].replace('_', ' ')}."
    )


def _describe_sensors(real: SetEntry) -> str:
    if real.get("together", False):
        return f"sensors on {' and '.join(real['placements'])}, worn together"
    return f"sensor on {' or '.join(real['placements'])}"


def _describe_band(real: SetEntry) -> str:
    where = f" at the {real['placements'][0]}" if real.get("together", False) else ""
    text = f"Spectra{where} against real training people, up to half of the {real['rate_hz']:g} Hz of the sensor."
    if real["rate_hz"] / 2 <= NYQUIST_HZ:
        return f"{text} Motions at 20 frames a second carry all of it."
    return (
        f"{text} The dashed line is {NYQUIST_HZ:g} Hz, the Nyquist limit of motions at 20 frames a second: a virtual "
        "stream carries nothing beyond it."
    )


def _provenance(results: HarEvalResults) -> str:
    origin = results["provenance"]
    commit = "not a git checkout" if origin["git_commit"] is None else origin["git_commit"]
    rows = [
        ["commit", commit + (" with uncommitted changes" if origin["git_dirty"] else "")],
        *([["sources", origin["sources"][:16]]] if "sources" in origin else []),
        ["machine", origin["machine"]],
        ["this run", f"{origin['total_wall_s']:.0f} s"],
        *[[f"weights of {arm}", digest[:16]] for arm, digest in origin["weights"].items()],
        *[[name, version] for name, version in origin["versions"].items()],
    ]
    cards = "".join(
        f"<details><summary>Model card of {escape(arm)}</summary>"
        f"<pre>{escape(json.dumps(card, indent=1))}</pre></details>"
        for arm, card in origin["cards"].items()
    )
    return tabulate_stages(results) + table(["", ""], rows, left=2) + cards
