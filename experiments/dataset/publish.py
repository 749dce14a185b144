"""Finished parts into the folder of a data set, and what is said of all that stand there."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final, NotRequired, TypedDict, cast

import pandas as pd
import yaml
from filelock import FileLock

from datamodules.har.dataset_folder import SIDES
from datamodules.har.dataset_folder import WINDOWS as WINDOWS_FOLDER
from experiments.dataset.config import DatasetConfig
from experiments.dataset.make import RECORDINGS, REPORT, WINDOWS, MakePart, PartReport
from experiments.dataset.motions import MOTIONS
from experiments.dataset.plan import Part
from experiments.pipeline.code_version import file_hash
from experiments.pipeline.files import Json, as_json, read_json, write_json, write_text
from experiments.pipeline.provenance import Provenance
from experiments.pipeline.tasks import DONE
from sim.files import whole_file

FORMAT: Final = "imuforge dataset 1"
SPEC, DATASET, PARTS, INDEX, PEOPLE = "spec.json", "dataset.json", "parts", "index.parquet", "people.parquet"
DESCRIPTION: Final = "imuforge.yaml"
WORK: Final = ".work"
"""Folder of what is being made; nothing in it is read by anybody."""


class Summary(TypedDict):
    """What ``dataset.json`` says.

    Attributes:
        format: :data:`FORMAT`.
        name: of the data set.
        hash: of the specification and of the files that it names.
        spec: all of the specification.
        parts: how many stand here, and how many there are.
        recordings: label -> side -> number of recordings.
        windows: label -> number of windows.
        people: side -> number of virtual people.
        motions: number of different motions behind the recordings.
        dropped: label -> reason -> motions that were drawn and left out.
        lacking: label -> recordings that are not there, as no motion passed.
        doubts: what was told of the specification before anything was made.
        licences: what is known of the terms of motion files that were named; absent from older data sets.
        commits: what the parts were made by.
        provenance: weights with their hashes, versions, machine.
    """

    format: str
    name: str
    hash: str
    spec: dict[str, Json]
    parts: list[int]
    recordings: dict[str, dict[str, int]]
    windows: dict[str, int]
    people: dict[str, int]
    motions: int
    dropped: dict[str, dict[str, int]]
    lacking: dict[str, int]
    doubts: list[str]
    licences: NotRequired[list[str]]
    commits: list[str]
    provenance: Provenance


def hash_spec(config: DatasetConfig, weights: Path | None, recorded: str) -> str:
    """Hash the specification and what the files that it names hold: parts of one hash go together."""
    smpl = None if config.people.smpl is None else file_hash(Path(config.people.smpl).expanduser())
    named = [FORMAT, asdict(config), None if weights is None else file_hash(weights), smpl, recorded]
    return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:16]


def claim_folder(out: Path, config: DatasetConfig, of: str, parts: int) -> None:
    """Say in a folder which specification it is of and how many parts it has, or make sure that it is of this one.

    Raises:
        ValueError: it holds a data set of another specification (what differs is named), or something else.
    """
    path = out / SPEC
    if path.is_file():
        found = cast("Mapping[str, object]", read_json(path))
        if found.get("hash") != of:
            differs = _differences(found.get("spec"), asdict(config)) or ["a file that it names"]
            raise ValueError(
                f"{out} holds parts of another specification ({', '.join(differs[:4])}), expected parts of this one; "
                "give another --out"
            )
        return
    if out.is_dir() and any(entry.name != WORK for entry in out.iterdir()):
        raise ValueError(f"{out} holds something else, expected an empty or a new folder, or one that is to go on")
    write_json(as_json({"format": FORMAT, "hash": of, "spec": asdict(config), "parts": parts}), path)


def _differences(before: object, now: object, where: str = "") -> list[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return [
            line
            for key in dict.fromkeys([*before, *now])
            for line in _differences(before.get(key), now.get(key), f"{where}.{key}".lstrip("."))
        ]
    before, now = json.loads(json.dumps([before, now]))
    return [] if before == now else [f"{where} was {_short(before)}, is {_short(now)}"]


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def is_published(out: Path, part: Part) -> bool:
    """Whether all of a part stands in the folder as it was written; its report is written last."""
    path = out / PARTS / f"{part.stem}.json"
    try:
        files = cast(PartReport, read_json(path)).get("files")
    except (FileNotFoundError, ValueError):
        return False
    return files is not None and all(
        (out / name).is_file() and file_hash(out / name) == content for name, content in files.items()
    )


def publish_part(out: Path, part: Part, folder: Path, commit: str) -> None:
    """Put a finished part into the folder: its tables, and then what says that they are there.

    Args:
        out: folder of the data set.
        part: which.
        folder: where :class:`experiments.dataset.make.MakePart` wrote it.
        commit: what it was made by.
    """
    files: dict[str, Json] = {}
    for name, where in ((RECORDINGS, "recordings"), (WINDOWS, WINDOWS_FOLDER), (MOTIONS, "motions")):
        if (folder / name).is_file():
            target = out / where / f"{part.stem}{Path(name).suffix}"
            _copy(folder / name, target)
            files[target.relative_to(out).as_posix()] = file_hash(target)
    report = cast("dict[str, Json]", read_json(folder / REPORT))
    write_json(report | {"commit": commit, "files": files}, out / PARTS / f"{part.stem}.json")


def _copy(source: Path, target: Path) -> None:
    with whole_file(target) as path:
        try:
            os.link(source, path)
        except OSError:  # another file system, or one without links
            shutil.copyfile(source, path)


def read_origin(out: Path, parts: int) -> Provenance | None:
    """Return where the numbers of a folder come from, as it says itself; None unless it says so of that many parts."""
    try:
        summary = cast(Summary, read_json(out / DATASET))
    except (FileNotFoundError, ValueError):
        return None
    sound = isinstance(summary, dict) and summary.get("parts", [0])[0] == parts
    return summary.get("provenance") if sound else None


def count_made(out: Path) -> tuple[int, int]:
    """Return how many parts of a folder stand there or are made and not yet put there, and how many there are.

    The second is 0 where the folder does not say.
    """
    said = cast("Mapping[str, object]", read_json(out / SPEC))
    total = said.get("parts")
    made = max(len(list((out / PARTS).glob("*.json"))), len(list((out / WORK / MakePart.stage).glob(f"*/{DONE}"))))
    return made, total if isinstance(total, int) else 0


def read_parts(out: Path, of: str | None = None) -> list[PartReport]:
    """Read the reports of all parts that stand in a folder, in order.

    Raises:
        ValueError: one is of another specification, or damaged.
    """
    reports: list[PartReport] = []
    for path in sorted((out / PARTS).glob("*.json")):
        report = cast(PartReport, read_json(path))
        if of is not None and report["hash"] != of:
            raise ValueError(f"{path} is of another specification ({report['hash']}, expected {of}); take it away")
        reports.append(report)
    return sorted(reports, key=lambda report: report["number"])


def summarise(
    config: DatasetConfig,
    of: str,
    reports: Sequence[PartReport],
    total: int,
    doubts: Sequence[str],
    licences: Sequence[str],
    origin: Provenance,
) -> Summary:
    """Count what is in the parts."""
    facts = [fact for report in reports for fact in report["recordings"]]
    chunks = {name: chunk for report in reports for name, chunk in report["chunks"].items()}
    counts = Counter((fact["label"], fact["split"]) for fact in facts)
    dropped = {label: Counter[str]() for label in config.activities}
    for chunk in chunks.values():
        for label, reasons in chunk["dropped"].items():
            dropped[label].update(reasons)
    people = Counter(person["split"] for report in reports for person in report["people"])
    return {
        "format": FORMAT,
        "name": config.name,
        "hash": of,
        "spec": cast("dict[str, Json]", asdict(config)),
        "parts": [len(reports), total],
        "recordings": {label: {side: counts[label, side] for side in SIDES} for label in config.activities},
        "windows": {label: sum(report["windows"].get(label, 0) for report in reports) for label in config.activities},
        "people": {side: people[side] for side in SIDES},
        "motions": len({fact["motion"] for fact in facts}),
        "dropped": {label: dict(reasons) for label, reasons in dropped.items()},
        "lacking": {label: sum(report["lacking"][label] for report in reports) for label in config.activities},
        "doubts": list(doubts),
        "licences": list(licences),
        "commits": sorted({str(report.get("commit")) for report in reports}),
        "provenance": origin,
    }


def write_tables(out: Path, config: DatasetConfig, reports: Sequence[PartReport]) -> None:
    """Write ``index.parquet``, ``people.parquet`` and the description that ``csv_folder`` reads."""
    facts = pd.DataFrame([fact for report in reports for fact in report["recordings"]])
    people = pd.DataFrame([person for report in reports for person in report["people"]])
    if len(people):
        people["placements"] = people["placements"].map(json.dumps)
    for name, table in ((INDEX, facts), (PEOPLE, people)):
        with whole_file(out / name) as path:
            table.to_parquet(path, index=False)
    sites = [str(site.preset) for site in config.sites if site.preset is not None]
    if sites:
        write_text(yaml.safe_dump(describe_tables(config, sites), sort_keys=False), out / DESCRIPTION)


def describe_tables(config: DatasetConfig, sites: Sequence[str]) -> dict[str, Json]:
    """Return the description of ``recordings/`` that :mod:`datamodules.har.readers.csv_folder` reads.

    Args:
        config: of the data set.
        sites: presets; a point of the skin with a name of its own is in the tables, and not in here.
    """
    from sim.placements.presets import find_preset

    columns = {
        find_preset(site): {
            kind: [f"{find_preset(site)}_{kind}_{axis}" for axis in "xyz"] for kind in ("accel", "gyro")
        }
        for site in sites
    }
    return {
        "name": config.name,
        "files": r"recordings/(train|val|test)-\d+\.parquet",
        "time": {"column": "time_s", "unit": "s"},
        "rate_hz": config.rate_hz,
        "units": {"accel": "m/s^2", "gyro": "rad/s"},
        "gravity": "included",
        "subject_column": "subject",
        "trial_column": "recording",
        "label_column": "label",
        "own_activities": list(config.activities),
        "labels": {label: label for label in config.activities},
        "mounting": "virtual: drawn for each person, see people.parquet",
        "sensors": columns,
    }


def lock_of(out: Path) -> FileLock:
    """Return the lock under which the folder's tables and card are written."""
    (out / WORK).mkdir(parents=True, exist_ok=True)
    return FileLock(out / WORK / "publish.lock")
