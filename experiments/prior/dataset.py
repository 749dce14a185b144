"""Make the prior's training set from raw files and say what is in it: ``python -m experiments.prior.dataset -c FILE``.

Minutes of each activity as recorded and as kept, by side, people, terms, duplicates, and what was left out and why.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from datamodules.clips.cache import CachedClip
from datamodules.clips.labels import label_of
from datamodules.clips.library import SIDES, MotionLibrary
from datamodules.clips.mocap_sets import MOCAP_SETS
from datamodules.motion import MotionDataModule
from experiments.pipeline.one_line_errors import OneLineArgumentParser, one_line_errors
from experiments.pipeline.tables import BenchTable
from experiments.pipeline.typed_config import read_typed
from sim.files import whole_file

NAME = "dataset"
_HEAD = (
    "`python -m experiments.prior.dataset -c experiments/prior/dataset.yaml` makes the set from raw files and writes"
    " this page.\n"
)


@dataclass(frozen=True)
class DataConfig:
    """What :class:`datamodules.MotionDataModule` takes of it."""

    sources: list[str] = field(default_factory=lambda: ["embedded"])
    cache_dir: str = "runs/cache/motion"
    ships_only: bool = True
    window_s: float = 4.0
    balance: float = 0.5
    mirror: bool = True
    tempo: float = 0.0
    body_scale: float = 0.0
    join: bool = False
    constructed_below_min: float | None = None
    activities: list[str] | None = None


@dataclass(frozen=True)
class DatasetConfig:
    """The YAML: the data module's options, and where the report goes."""

    data: DataConfig = field(default_factory=DataConfig)
    output: str = "runs/prior/dataset"


@dataclass(frozen=True)
class LeftOut:
    """A file that gives no clip: its name and the reason."""

    name: str
    why: str


def main(args: Sequence[str] | None = None) -> int:
    """Run from the command line; returns 0, or leaves with code 2 and one line on bad input."""
    parser = OneLineArgumentParser(
        prog="python -m experiments.prior.dataset", description=(__doc__ or "").split(":")[0]
    )
    parser.add_argument("-c", "--config", type=Path, required=True, help="YAML, such as experiments/prior/dataset.yaml")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as data.ships_only=false")
    return run_command(parser.parse_args(args))


def run_command(options: argparse.Namespace) -> int:
    """Make the set that parsed options ask for, print the tables, write them; returns as :func:`main`."""
    console = Console(width=140)
    with one_line_errors():
        config = read_typed(DatasetConfig, options.config, options.overrides)
        tables = make_dataset(config)
        for table in tables:
            table.print(console)
        page = write_report(tables, Path(config.output))
        console.print(f"written  {page}", soft_wrap=True, highlight=False)
    return 0


def make_dataset(config: DatasetConfig) -> list[BenchTable]:
    """Convert, split, and count.

    Raises:
        FileNotFoundError: a source's folder is absent.
        ValueError: a file is damaged, or an option is out of range.
    """
    data = config.data
    module = MotionDataModule(**{name: getattr(data, name) for name in data.__dataclass_fields__})
    module.prepare_data()
    module.setup()
    library = module.library
    drawn = {clip.name for clip in module.training_clips}
    return [
        tabulate_activities(library, drawn),
        tabulate_sets(library),
        tabulate_people(library),
        tabulate_duplicates(library),
        tabulate_left_out(find_left_out(data.sources, library)),
    ]


def tabulate_activities(library: MotionLibrary, drawn: set[str]) -> BenchTable:
    """Minutes of each activity: of the recordings that are labelled so, and of the clips made of them, by side."""
    recorded: dict[str, dict[str, float]] = defaultdict(dict)
    for clip in library.clips:
        if not clip.constructed and not clip.looped:
            recorded[_labelled(clip)][clip.item.name] = max(clip.recorded_s, clip.seconds)
    sides = {split: library.minutes(split) for split in SIDES}
    rows = []
    for name in library.activities:
        own = [clip for clip in library.clips if clip.activity == name and not clip.looped]
        made = sum(clip.seconds for clip in own if clip.constructed) / 60
        used = sum(clip.seconds for clip in own if clip.constructed and clip.name in drawn) / 60
        kept = sum(sides[split][name] for split in SIDES)
        rows.append(
            [name, f"{sum(recorded[name].values()) / 60:.2f}", f"{kept - made:.2f}"]
            + [f"{sides[split][name]:.2f}" for split in SIDES]
            + [f"{100 * made / max(kept, 1e-9):.0f}%", f"{used:.2f}", str(len(own)), str(len(_people(own)))]
        )
    total = [f"{sum(float(row[column]) for row in rows):.1f}" for column in range(1, 6)]
    rows.append(["all", *total, "", "", str(sum(int(row[8]) for row in rows)), ""])
    return BenchTable(
        "Minutes of each activity",
        ["activity", "recorded", "kept", *SIDES, "constructed", "of it trained on", "clips", "people"],
        rows,
        "Recorded: whole files that are labelled so. Kept: clips of the activity, after breaks, stretches of other"
        " activities and duplicates of the embedded clips were cut out; a span that moves reaches into the rest beside"
        " it, so some seconds count twice. The sides hold constructed clips too. People: known ones.",
    )


def tabulate_sets(library: MotionLibrary) -> BenchTable:
    """Minutes, files and terms of each set."""
    rows = []
    for source in sorted({clip.source for clip in library.clips}):
        own = [clip for clip in library.clips if clip.source == source and not clip.looped]
        terms = sorted({clip.licence for clip in own})
        files = {clip.item.name for clip in own}
        minutes = sum(clip.seconds for clip in own) / 60
        rows.append([source, f"{minutes:.1f}", str(len(files)), str(len(own)), "; ".join(terms)])
    return BenchTable("Sets and their terms", ["set", "minutes", "files", "clips", "terms"], rows)


def tabulate_people(library: MotionLibrary) -> BenchTable:
    """Minutes of each known person on each side."""
    minutes: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(map(str, SIDES), 0.0))
    for clip, side in zip(library.clips, library.sides, strict=True):
        if clip.item.person is not None and not clip.looped:
            minutes[clip.item.person][side] += clip.seconds / 60
    rows = [
        [person, *(f"{spent[side]:.2f}" for side in SIDES), "" if spent["train"] else "yes"]
        for person, spent in sorted(minutes.items())
    ]
    return BenchTable(
        "People", ["person", *SIDES, "held out"], rows, "Minutes. Held out: nothing of them is trained on."
    )


def tabulate_duplicates(library: MotionLibrary) -> BenchTable:
    """How many recordings are in two sets, by pairs of sets."""
    pairs = Counter(
        tuple(sorted((library.clips[pair.first].source, library.clips[pair.second].source)))
        for pair in library.duplicates
    )
    rows = [[*sets, str(count)] for sets, count in pairs.most_common()]
    return BenchTable(
        "Duplicates",
        ["set", "set", "pairs"],
        rows,
        "Clips that show the same recording by the motion itself; they lie on one side of the split. Pairs within"
        " one set are also spans of one file that reach into each other.",
    )


def tabulate_left_out(files: Sequence[LeftOut]) -> BenchTable:
    """Files that give no clip."""
    return BenchTable("Left out", ["file", "why"], [[one.name, one.why] for one in files])


def find_left_out(sources: Sequence[str], library: MotionLibrary) -> list[LeftOut]:
    """Name the files of collections among the sources that give no clip, and why."""
    kept = {clip.item.name for clip in library.clips}
    found = []
    for root in (Path(source).expanduser() for source in sources if source != "embedded"):
        for rules in MOCAP_SETS if (root / "clips.tsv").is_file() else ():
            for file in rules.list_files(root / rules.folder) if (root / rules.folder).is_dir() else ():
                label = label_of(rules.folder, file.name.partition("/")[2])
                if label.activity is None:
                    found.append(LeftOut(file.name, label.why))
                elif file.name not in kept:
                    found.append(LeftOut(file.name, "no unbroken second of a named activity"))
    return found


def write_report(tables: Sequence[BenchTable], folder: Path) -> Path:
    """Write ``dataset.md`` and ``dataset.json``; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = [
        {"title": one.title, "header": list(one.header), "rows": [list(row) for row in one.rows]} for one in tables
    ]
    page = folder / f"{NAME}.md"
    with whole_file(folder / f"{NAME}.json") as part:
        part.write_text(json.dumps(entries, indent=1), encoding="utf-8")
    with whole_file(page) as part:
        text = f"# What the prior is trained on\n\n{_HEAD}\n" + "\n".join(one.to_markdown() for one in tables)
        part.write_text(text.rstrip() + "\n", encoding="utf-8")
    return page


def _labelled(clip: CachedClip) -> str:
    """What the recording as a whole is labelled as: its set's label, or the clip's own activity."""
    folder, _, inside = clip.item.name.partition("/")
    known = {rules.folder for rules in MOCAP_SETS}
    label = label_of(folder, inside).activity if folder in known else None
    return label or clip.activity


def _people(clips: Sequence[CachedClip]) -> set[str]:
    return {clip.item.person for clip in clips if clip.item.person is not None}


if __name__ == "__main__":
    raise SystemExit(main())
