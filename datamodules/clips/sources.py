"""From the name of a motion source to what can be converted: the embedded clips, a collection of sets, or a folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch

from datamodules.clips.caption_files import TABLE, open_captions
from datamodules.clips.captions import caption_clip, load_paraphrases, paraphrase, read_cmu_descriptions
from datamodules.clips.clip import Clip
from datamodules.clips.embedded import embedded_split, load_embedded
from datamodules.clips.labelled import label_clips
from datamodules.clips.labels import ClipLabel, label_of
from datamodules.clips.mocap_sets import MOCAP_SETS, MocapFile, MocapSet
from datamodules.clips.motion_pack import PackedClip, list_packed
from datamodules.clips.spans import RULES_VERSION
from datamodules.motion_files import known_suffixes, read_motion
from datamodules.motion_files.folder_rules import PATHS, read_folder_rules
from datamodules.motion_files.motion_file import ReadOptions, suffix_of
from datamodules.motion_files.openers import find_skeleton_json, is_deepmimic
from datamodules.retargeting.retarget import put_on_floor, retarget
from datamodules.splits import Split
from sim.body import Body
from sim.motion import Motion

CONVERSION_VERSION: Final[int] = 7
"""To be raised whenever readers, rules or retargeting change what comes out, so that caches are made anew."""

MIN_SECONDS: Final[float] = 1.0

MAX_JOINT_SPEED_M_S: Final[float] = 16.0
MAX_JOINT_ACCELERATION_M_S2: Final[float] = 1000.0
MAX_TRUNK_RATE_RAD_S: Final[float] = 20.0
"""Beyond these no person moves: a marker swap or a broken Euler angle. The fastest honest values in the collection are
14 m/s (a football kick), 880 m/s^2 (a foot that lands) and 15 rad/s (a pirouette)."""

SUNK_M: Final[float] = 0.1
"""A body whose lowest joint stays this far under the floor is not where it was [m]."""

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
        pieces = settle_pieces(cut_at_breaks(motion), motion)
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
    for path in sorted(
        path for path in root.rglob("*") if path.is_file() and _is_motion(path) and not rules.uses(path)
    ):
        inside = path.relative_to(root).as_posix()
        name, rule = inside.split(".")[0], rules.find(inside)
        named = (path.parent.name if path.parent != root else name.rstrip("0123456789_- ")) or "motion"
        activity = rule.activity or named
        sentences, said = rules.paraphrases.get(activity), captions.find(path)

        def load(
            path: Path = path,
            name: str = name,
            activity: str = activity,
            options: ReadOptions = rule.options,
            sentences: tuple[str, ...] | None = sentences,
            said: tuple[str, ...] = said,
        ) -> list[Clip]:
            motion = read_motion(path, options).motion
            text = [motion.text] if isinstance(motion.text, str) else list(motion.text or [])
            captions = caption_clip(activity, sentences=sentences, extra=[*text, *said])
            return [Clip(name, motion, activity, captions, str(root), ships=False)]

        stat = path.stat()
        used = [one for one in (getattr(rule.options, name) for name in PATHS) if one is not None]
        dates = [f"{one.stat().st_size} {one.stat().st_mtime_ns}" for one in used]
        key = _hash(
            path.resolve(), stat.st_size, stat.st_mtime_ns, *said, activity, rule.options, *dates, *(sentences or ())
        )
        yield SourceItem(f"{root.name}/{name}", key, name, None, load)


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


def cut_at_breaks(motion: Motion) -> list[Motion]:
    """Cut a recording where it breaks and keep the pieces of at least a second.

    A frame is broken if a joint is faster than 16 m/s, accelerates by more than 1000 m/s^2, or the trunk turns by more
    than 20 rad/s; a tenth of a second around it is left out.

    Args:
        motion: one motion ``(T, 22, 3, 3)``.

    Returns:
        The pieces in order; the whole motion where nothing breaks.
    """
    if motion.num_frames < 3:
        return []
    fps = motion.fps
    joints = Body.default().joints(motion).double().numpy()
    step = np.linalg.norm(np.diff(joints, axis=0), axis=-1).max(axis=-1) * fps
    bend = np.linalg.norm(np.diff(joints, n=2, axis=0), axis=-1).max(axis=-1) * fps**2
    root = motion.rotations[:, 0].double()
    cosine = ((root[:-1].mT @ root[1:]).diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    rate = torch.acos(cosine.clamp(-1, 1)).numpy() * fps
    broken = np.zeros(motion.num_frames, dtype=bool)
    margin = int(np.ceil(0.05 * fps))
    steps = np.flatnonzero((step > MAX_JOINT_SPEED_M_S) | (rate > MAX_TRUNK_RATE_RAD_S))
    bends = np.flatnonzero(bend > MAX_JOINT_ACCELERATION_M_S2) + 1
    for frame in np.concatenate([steps, steps + 1, bends]):
        broken[max(0, frame - margin) : frame + margin + 1] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[True], broken, [True]]).astype(int)))
    pieces = [(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True)]
    return [motion.frames(int(a), int(b)) for a, b in pieces if (b - a - 1) / fps >= MIN_SECONDS]


def settle_pieces(pieces: list[Motion], motion: Motion) -> list[Motion]:
    """Put the pieces of a recording on one floor again, which a broken root may have laid elsewhere.

    Args:
        pieces: what :func:`cut_at_breaks` left of it.
        motion: the whole recording.

    Returns:
        The pieces, less those that lie wholly under that floor: the root was lost between two jumps.
    """
    if not pieces or sum(piece.num_frames for piece in pieces) == motion.num_frames:
        return pieces
    rotations, translation = (
        torch.cat([getattr(piece, name) for piece in pieces]) for name in ("rotations", "translation")
    )
    settled = [
        put_on_floor(piece, by=replace(motion, rotations=rotations, translation=translation)) for piece in pieces
    ]
    return [piece for piece in settled if float(Body.default().joints(piece)[..., 1].amin(dim=-1).max()) > -SUNK_M]
