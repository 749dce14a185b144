"""From the name of a motion source to what can be converted: the embedded clips, a collection of sets, or a folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from datamodules.clips.breaks import cut_at_breaks, find_t_pose, settle_pieces
from datamodules.clips.caption_files import TABLE, open_captions
from datamodules.clips.captions import caption_clip, load_paraphrases, paraphrase, read_cmu_descriptions
from datamodules.clips.clip import Clip
from datamodules.clips.embedded import embedded_split, load_embedded
from datamodules.clips.labelled import label_clips
from datamodules.clips.labels import ClipLabel, label_of
from datamodules.clips.mocap_sets import MOCAP_SETS, MocapFile, MocapSet
from datamodules.clips.motion_pack import PackedClip, list_packed
from datamodules.clips.spans import RULES_VERSION
from datamodules.formats.deepmimic import is_deepmimic
from datamodules.motion_files import known_suffixes, read_motion, terms_of
from datamodules.motion_files.folder_rules import PATHS, read_folder_rules
from datamodules.motion_files.guesses import find_skeleton_json
from datamodules.motion_files.motion_file import ReadOptions, stem_of, suffix_of
from datamodules.motion_files.plausibility import warn_of
from datamodules.motion_files.terms import join_terms
from datamodules.retargeting.retarget import retarget
from datamodules.splits import Split
from sim.files import is_hidden, list_files

CONVERSION_VERSION: Final[int] = 9
"""To be raised whenever readers, rules or retargeting change what comes out, so that caches are made anew."""

_HOW_TO_GET: Final[str] = (
    "give the folder of a motion collection (sub-folders cmu_expmap8, cmu35_asfamc, ... and clips.tsv) or of motion "
    "files (.npz, .bvh, .amc, .trc, ...); CMU's motions are free at mocap.cs.cmu.edu. 'embedded' needs no folder"
)


@dataclass(frozen=True)
class SourceItem:
    """What becomes one or more clips: a file, or an embedded clip.

    Attributes:
        name: unique and the same on every machine.
        key: hash of what determines the result: conversion version, file size and time, options.
        group: items of one group (takes recorded together) always lie on the same side of the split.
        split: declared side, or None where the split is to choose.
        load: makes the clips; a recording is cut where it breaks, and where its activity changes.
        person: who moves, by a name that is one in all sets, or None where it is not known.
        origin: item of a collection that an embedded clip was taken from, or None.
    """

    name: str
    key: str
    group: str
    split: Split | None
    load: Callable[[], list[Clip]]
    person: str | None = None
    origin: str | None = None


def list_items(source: str) -> list[SourceItem]:
    """List what a source offers.

    Args:
        source: ``"embedded"``; or a folder that holds ``clips.tsv`` and the sets of ``datamodules.clips.mocap_sets``;
            or a folder of motion files of any format (:mod:`datamodules.motion_files`), where its folder
            names a file's activity, and its captions lie beside it (:mod:`datamodules.clips.caption_files`). How its
            files are to be read may stand in its ``motions.yaml`` (:mod:`datamodules.motion_files.folder_rules`).

    Raises:
        FileNotFoundError: there is no such folder, or it holds no motion.
    """
    if source == "embedded":
        return [*map(_embedded_item, load_embedded()), *map(_packed_item, list_packed())]
    root = Path(source).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"motion source {source!r} is not a folder; {_HOW_TO_GET}")
    items = list(_collection_items(root) if (root / "clips.tsv").is_file() else _folder_items(root))
    if not items:
        raise FileNotFoundError(f"motion source {source!r} holds no motion files; {_HOW_TO_GET}")
    return items


def _hash(*parts: object) -> str:
    return hashlib.sha256(json.dumps([CONVERSION_VERSION, *map(str, parts)]).encode()).hexdigest()[:24]


def _embedded_item(clip: Clip) -> SourceItem:
    content = hashlib.sha256(clip.motion.rotations.numpy().tobytes() + clip.motion.translation.numpy().tobytes())
    name = f"embedded/{clip.name}"
    return SourceItem(name, _hash(name, content.hexdigest()), name, embedded_split(clip.name), lambda: [clip])


def _packed_item(clip: PackedClip) -> SourceItem:
    return SourceItem(
        f"embedded/{clip.name}",
        _hash(clip.key, paraphrase(clip.activity)),
        f"embedded/{clip.group}",
        clip.split,
        lambda: [clip.load()],
        clip.person,
        clip.origin,
    )


def _collection_items(root: Path) -> Iterator[SourceItem]:
    descriptions = read_cmu_descriptions(root / "captions" / "cmu_captions.json")
    for rules in MOCAP_SETS:
        folder = root / rules.folder
        if folder.is_dir():
            for file in rules.list_files(folder):
                if is_hidden(file.path.relative_to(folder).as_posix()):
                    continue
                label = label_of(rules.folder, file.name.partition("/")[2])
                if label.activity is None:
                    continue
                stat, description = file.path.stat(), descriptions.get(file.trial or "")
                said = load_paraphrases() if label.cut else paraphrase(label.activity)
                yield SourceItem(
                    file.name,
                    _hash(
                        file.name,
                        stat.st_size,
                        stat.st_mtime_ns,
                        description,
                        said,
                        replace(label, split="train"),
                        RULES_VERSION,
                    ),
                    label.session or file.group,
                    label.split,
                    _make_loader(file, rules, label, description),
                    label.person,
                )


def _make_loader(
    file: MocapFile, rules: MocapSet, label: ClipLabel, description: str | None
) -> Callable[[], list[Clip]]:
    def load() -> list[Clip]:
        motion = retarget(file.read(), file.skeleton)
        pieces = settle_pieces(cut_at_breaks(motion, leave_out=find_t_pose(motion)), motion)
        names = [file.name] if len(pieces) == 1 else [f"{file.name}#{number}" for number in range(len(pieces))]
        return [
            replace(clip, recorded_s=motion.duration_s)
            for name, piece in zip(names, pieces, strict=True)
            for clip in label_clips(
                name,
                piece,
                label,
                description=description,
                source=rules.folder,
                licence=file.licence,
                ships=rules.ships,
            )
        ]

    return load


def _folder_items(root: Path) -> Iterator[SourceItem]:
    captions, rules = open_captions(root), read_folder_rules(root)
    paths = [path for path in list_files(root) if _is_motion(path) and not rules.uses(path)]
    insides = [path.relative_to(root).as_posix() for path in paths]
    names = [stem_of(inside, known_suffixes()) for inside in insides]
    for path, inside, stem in zip(paths, insides, names, strict=True):
        # Two formats of one motion are two items.
        name, rule = stem if names.count(stem) == 1 else inside, rules.find(inside)
        named = (path.parent.name if path.parent != root else name.rstrip("0123456789_- ")) or "motion"
        activity = rule.activity or named
        sentences, said = rules.paraphrases.get(activity), captions.find(path)
        terms = join_terms([rules.licence, terms_of(path)])

        def load(
            path: Path = path,
            name: str = name,
            activity: str = activity,
            options: ReadOptions = rule.options,
            sentences: tuple[str, ...] | None = sentences,
            said: tuple[str, ...] = said,
            terms: str | None = terms,
        ) -> list[Clip]:
            read = read_motion(path, options)
            warn_of(read, path)
            motion = replace(read.motion, licence=terms)
            text = [motion.text] if isinstance(motion.text, str) else list(motion.text or [])
            captions = caption_clip(activity, sentences=sentences, extra=[*text, *said])
            return [Clip(name, motion, activity, captions, str(root), licence=terms or "", ships=False)]

        stat = path.stat()
        used = [one for one in (getattr(rule.options, name) for name in PATHS) if one is not None]
        dates = [f"{one.stat().st_size} {one.stat().st_mtime_ns}" for one in used]
        key = _hash(
            path.resolve(),
            stat.st_size,
            stat.st_mtime_ns,
            *said,
            activity,
            rule.options,
            *dates,
            *(sentences or ()),
            *([terms] if terms else []),
        )
        yield SourceItem(f"{root.name or root.resolve().name}/{name}", key, name, None, load)


def _is_motion(path: Path) -> bool:
    """Say whether a file is a motion, not a table, a text or a statistic that lies among motions."""
    # Of HumanML3D's two folders the features are read; Mean.npy and Std.npy are one frame.
    twice = path.parent.name == "new_joints" and (path.parent.parent / "new_joint_vecs").is_dir()
    if suffix_of(path) not in known_suffixes() or twice or path.name in ("Mean.npy", "Std.npy", "shape.npz"):
        return False
    if suffix_of(path) not in (".txt", ".csv"):
        return True
    # Texts are motions where a reader of texts finds what it needs.
    return is_deepmimic(path) or (path.name != TABLE and find_skeleton_json(path) is not None)
