"""Make a data set from a specification: what ``imuforge dataset`` does.

The work is cut into parts of some people each, and every part is a task of :mod:`experiments.pipeline.tasks`, made in
``DIR/.work`` and put into the folder when it is whole. A part that stands there is not made again, and parts of one
specification may come from any number of runs and machines.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.console import Console

from experiments.dataset.card import write_card
from experiments.dataset.checks import known_activities, load_spec_and_executor
from experiments.dataset.config import DatasetConfig, PeopleConfig
from experiments.dataset.describe import say_summary
from experiments.dataset.make import MakePart, read_part
from experiments.dataset.motions import MakeMotions, read_slots
from experiments.dataset.plan import Part, plan_parts
from experiments.dataset.publish import (
    DATASET,
    WORK,
    claim_folder,
    hash_spec,
    is_published,
    lock_of,
    publish_part,
    read_origin,
    read_parts,
    summarise,
    write_tables,
)
from experiments.dataset.recorded import digest_folders, licences_of
from experiments.dataset.wording import Saying, doubts_about, sayings_of
from experiments.har_eval.plan import resolve_device
from experiments.pipeline.executors import Workers, open_workers
from experiments.pipeline.files import as_json, write_json
from experiments.pipeline.provenance import describe_commit, describe_run
from experiments.pipeline.runner import Runner
from experiments.pipeline.tasks import Cache, Outcome, task_key
from lightning_modules.checkpoints import read_stored
from lightning_modules.text.encoders import text_encoder
from lightning_modules.text.lookup import TextLookup
from lightning_modules.weights import find_weights
from sim.conventions import FEATURE_FPS


@dataclass(frozen=True)
class _Needs:
    """What is looked up once for all parts."""

    config: DatasetConfig
    sayings: dict[str, tuple[Saying, ...]]
    weights: Path | None
    recorded: str
    of: str
    licences: tuple[str, ...]


def make_dataset(
    spec: Path,
    out: Path,
    *,
    overrides: Sequence[str] = (),
    shard: str | None = None,
    processes: int | None = None,
    device: str = "auto",
    console: Console | None = None,
) -> list[str]:
    """Make a data set, or go on with it.

    Args:
        spec: YAML of :class:`experiments.dataset.config.DatasetConfig`, or the name of a packaged one.
        out: folder of the data set.
        overrides: ``key=value`` in place of what the YAML says.
        shard: ``i/n``, the i-th of n shares of the parts; all of them if None.
        processes: parts that are made at the same time where ``executor`` is local; None takes one for each core, or
            one with a GPU.
        device: ``cpu``, ``cuda`` or ``auto``.
        console: where progress and doubts go.

    Returns:
        What is in the folder now, in a few lines.

    Raises:
        FileNotFoundError: the YAML is absent.
        ValueError: something that was asked for cannot be, or the folder holds something else.
        experiments.pipeline.tasks.StageError: a part failed; finished ones are kept.
    """
    console = Console(stderr=True) if console is None else console
    start = time.perf_counter()
    first, count = read_shard(shard)
    config, executor = load_spec_and_executor(spec, overrides)
    where = _device(device)
    workers = _processes(processes, where)
    needs = _look_up(config)
    parts = plan_parts(config)
    claim_folder(out, config, needs.of, len(parts))
    doubts = _find_doubts(needs, out)
    for doubt in (*doubts, *(f"terms of the motions: {words}" for words in needs.licences)):
        console.print(f"note: {doubt}", soft_wrap=True, highlight=False, markup=False)
    mine = [part for part in parts[first::count] if not is_published(out, part)]
    if mine:
        torch.set_num_threads(1)
        at_once = min(workers, len(mine))
        with open_workers(executor, cache=out / WORK, processes=at_once, console=console) as opened:
            _run(mine, needs, out, where=where, workers=opened, console=console)
    with lock_of(out):
        reports = read_parts(out, needs.of)
        weights = {} if needs.weights is None else {"prior": needs.weights}
        # A call that makes nothing says of the folder what the one that made it said.
        origin = None if mine else read_origin(out, len(reports))
        if origin is None:
            origin = describe_run(weights, total_wall_s=time.perf_counter() - start)
        summary = summarise(config, needs.of, reports, len(parts), doubts, needs.licences, origin)
        write_tables(out, config, reports)
        write_json(as_json(summary), out / DATASET)
        card = write_card(out, config, summary, reports)
    if len(reports) == len(parts):
        shutil.rmtree(out / WORK, ignore_errors=True)
    return [*say_summary(out, summary), f"card {card}"]


def read_shard(text: str | None) -> tuple[int, int]:
    """Return which share of the parts is meant, counted from 0, and of how many.

    Raises:
        ValueError: it is not of the form i/n with 1 <= i <= n.
    """
    if text is None:
        return 0, 1
    match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ValueError(f"shard is {text!r}, expected i/n with i from 1 to n, such as 1/4")
    return int(match[1]) - 1, int(match[2])


def _device(name: str) -> str:
    device = resolve_device(name)
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device is cuda, but torch sees no GPU; give --device cpu")
    return device


def _processes(given: int | None, device: str) -> int:
    if given is not None and given < 1:
        raise ValueError(f"processes is {given}, expected at least 1")
    if given is not None:
        return given
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores if device == "cpu" else 1


def _look_up(config: DatasetConfig) -> _Needs:
    """Find weights and folders, and what is asked of them."""
    generated = any(config.generates(label) for label in config.activities)
    weights = find_weights(str(config.motion.weights)) if generated else None
    sayings = sayings_of(config, () if weights is None else known_activities(weights))
    recorded = digest_folders(config)
    licences = tuple(licences_of(config))
    return _Needs(config, sayings, weights, recorded, hash_spec(config, weights, recorded), licences)


def _find_doubts(needs: _Needs, out: Path) -> list[str]:
    """Encode all sentences, once for all processes, and hear what sounds wrong about them."""
    if needs.weights is None:
        return doubts_about(needs.config, needs.sayings, None, window_s=None)
    stored = read_stored(needs.weights)
    name, known = str(stored.hyper_parameters["text_encoder"]), known_activities(needs.weights)
    texts = TextLookup(
        name, dim=int(str(stored.hyper_parameters["text_dim"])), cache_dir=str(_texts_folder(out)), activities=known
    )
    texts.attach(text_encoder(name, _texts_folder(out)))
    texts.encode_ahead([saying.text for each in needs.sayings.values() for saying in each if saying.text])
    window = None if stored.window_frames is None else stored.window_frames / FEATURE_FPS
    return doubts_about(needs.config, needs.sayings, texts, window_s=window)


def _texts_folder(out: Path) -> Path:
    return out / WORK / "text"


def _run(mine: Sequence[Part], needs: _Needs, out: Path, *, where: str, workers: Workers, console: Console) -> None:
    motions_alone = replace(
        needs.config, people=PeopleConfig(needs.config.people.count, needs.config.people.val, needs.config.people.test)
    )
    tasks: list[MakePart] = []
    for part in mine:
        motions = tuple(
            MakeMotions(motions_alone, chunk, needs.sayings, needs.weights, needs.recorded, where, _texts_folder(out))
            for chunk in part.chunks
        )
        tasks.append(MakePart(needs.config, part, motions, needs.of))
    cache = Cache(out / WORK)
    outcomes = Runner(cache, workers, console=console).run(tasks)
    console.print(_say_rates(outcomes), soft_wrap=True, highlight=False)
    commit = describe_commit()
    with lock_of(out):
        for part, task in zip(mine, tasks, strict=True):
            publish_part(out, part, outcomes[task_key(task)].folder, commit)


def _say_rates(outcomes: Mapping[str, Outcome]) -> str:
    """Say how long motions and recordings took each, in one process."""
    motions = sum(len(read_slots(found.folder)["slots"]) for found in outcomes.values() if _made(found, MakeMotions))
    recordings = sum(
        len(read_part(found.folder)["recordings"]) for found in outcomes.values() if _made(found, MakePart)
    )
    spent = {
        kind: sum(found.wall_s for found in outcomes.values() if _made(found, kind)) for kind in (MakeMotions, MakePart)
    }
    return (
        f"{motions} motions at {spent[MakeMotions] / max(1, motions):.3f} s each, {recordings} recordings at "
        f"{spent[MakePart] / max(1, recordings):.3f} s each, in one process"
    )


def _made(found: Outcome, kind: type[MakeMotions] | type[MakePart]) -> bool:
    return not found.cached and found.folder.parent.name == kind.stage
