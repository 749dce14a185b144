"""Shorter and older ways to write har_eval.yaml, turned into the one way that its dataclasses state.

Older: until arms had names of their own, ``arms`` held ``checkpoints``, ``configs``, ``mocap`` and the settings of
fine-tuning. ``arms.retrain=true``, ``arms.motion_root=DIR`` and ``arms.steps=N`` stay; ``arms.checkpoints.NAME=FILE``
and ``arms.configs.NAME=FILE`` are taken with a warning for arms that the YAML names.
"""

from __future__ import annotations

import warnings
from dataclasses import fields
from typing import Final

from experiments.arms.prompts import spell_out_prompts
from experiments.arms.wearing import BODY, SENSOR_ERRORS, move_into, rename, spell_out_errors
from experiments.har_eval.arm_config import FineTuningConfig
from experiments.pipeline.executor_config import spell_out_executor
from experiments.pipeline.typed_config import Values
from sim.names import check_name

SETTINGS: Final = tuple(entry.name for entry in fields(FineTuningConfig))
"""What is said under ``fine_tuning`` and may also be said under ``arms``."""

MOVED: Final = {"checkpoints": "weights", "configs": "config"}
"""What ``arms`` held for each arm, and what the arm calls it now."""

RESERVED: Final = (*SETTINGS, *MOVED)
"""Names that no arm can have."""


def spell_out(values: Values) -> Values:
    """Return the content of a YAML, overrides applied, in the form of :class:`HarEvalConfig`; what is so stays so.

    * ``body`` and ``sensor_errors`` at the top become ``simulation.body`` and ``simulation.errors``; ``sensor_errors``
      of an entry of ``sets`` its ``errors``.
    * ``simulation.errors: NAME``, and that of an entry of ``sets``, becomes ``{preset: NAME}``.
    * ``executor: NAME`` becomes ``{kind: NAME}``.
    * ``worn: [waist, chest]`` of an entry of ``sets`` becomes ``worn: {waist: {}, chest: {}}``, and its ``placements``
      and ``recorded_at`` where they are not said.
    * ``arms.NAME: null`` (or ``false``) leaves the arm out; so does ``null`` an entry of ``sets`` or a classifier.
    * ``packaged`` among the prompts of an activity stands for the packaged sentences, which an activity without prompts
      gets by itself (:mod:`experiments.arms.prompts`).
    * The older forms above.

    Raises:
        ValueError: an older form cannot be turned into the present one; says what to write.
    """
    spelt = dict(spell_out_executor(values))
    move_into(spelt, BODY, "simulation", BODY)
    move_into(spelt, SENSOR_ERRORS, "simulation", "errors")
    if "simulation" in spelt:
        spelt["simulation"] = _spell_out_errors(spelt["simulation"])
    if isinstance(spelt.get("arms"), dict):
        _spell_out_arms(spelt)
    for part in ("sets", "classifiers"):
        entries = spelt.get(part)
        if isinstance(entries, dict):
            spelt[part] = {name: _spell_out_errors(entry) for name, entry in entries.items() if entry is not None}
    if isinstance(spelt.get("sets"), dict):
        spelt["sets"] = {name: _spell_out_worn(entry) for name, entry in _mapping(spelt["sets"]).items()}
    _spell_out_prompts(spelt)
    return spelt


def _spell_out_errors(entry: object) -> object:
    if not isinstance(entry, dict):
        return entry
    spelt = dict(entry)
    rename(spelt, SENSOR_ERRORS, "errors")
    if "errors" in spelt:
        spelt["errors"] = spell_out_errors(spelt["errors"])
    return spelt


def _spell_out_worn(entry: object) -> object:
    """Sites that are worn at once, as a list: people and virtual bodies wear them alike, unless it says otherwise."""
    if not isinstance(entry, dict) or not isinstance(entry.get("worn"), list):
        return entry
    sites = [str(site) for site in entry["worn"]]
    return {"placements": sites, "recorded_at": sites, **entry, "worn": {site: {} for site in sites}}


def _spell_out_prompts(values: Values) -> None:
    generation = _mapping(values.get("generation"))
    prompts = _mapping(generation.get("prompts"))
    if not all(isinstance(sentences, list) for sentences in prompts.values()):
        return  # the schema says what is wrong
    said = {str(name): [str(sentence) for sentence in _list(sentences)] for name, sentences in prompts.items()}
    asked = [_list(_mapping(entry).get("classes")) for entry in _mapping(values.get("sets")).values()]
    spelt = spell_out_prompts(said, [str(name) for classes in asked for name in classes])
    if spelt:
        values["generation"] = generation | {"prompts": spelt}


def _spell_out_arms(values: Values) -> None:
    arms = _mapping(values["arms"])
    settings = {name: arms.pop(name) for name in SETTINGS if name in arms}
    if settings:
        values["fine_tuning"] = _mapping(values.get("fine_tuning")) | settings
    moved = {name: _mapping(arms.pop(name)) for name in MOVED if name in arms}
    named = {name: entry for name, entry in arms.items() if entry is not None and entry is not False}
    for name, entry in named.items():
        if not isinstance(entry, dict):
            raise ValueError(
                f"arms.{name} is {entry!r}, expected what it is trained on, such as {{weights: FILE}} or "
                "{recorded: true}, or null to leave it out"
            )
    for old, entries in moved.items():
        for name, value in entries.items():
            if not named:
                raise ValueError(
                    f"arms.{old} is an older form; name each arm instead, arms: {{{name}: {{{MOVED[old]}: {value}}}}}, "
                    "and what is compared, as experiments/har_eval.yaml does"
                )
            check_name(str(name), tuple(map(str, named)), f"arm in arms.{old}")
            warnings.warn(
                f"arms.{old}.{name} is an older form; write arms.{name}.{MOVED[old]}={value}",
                FutureWarning,
                stacklevel=2,
            )
            named[name] = _mapping(named[name]) | {MOVED[old]: value}
    values["arms"] = named


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []


def _mapping(value: object) -> Values:
    """Return a copy of a part that holds keys and values; nothing, or what is no such part, is an empty one."""
    return dict(value) if isinstance(value, dict) else {}
