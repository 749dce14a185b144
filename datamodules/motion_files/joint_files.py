"""Motions and prompts from a folder: the output of any text-to-motion generator, as joints or in a form of its own."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from datamodules.formats.arrays import list_names, read_number
from datamodules.motion_files.formats import find_format, read_motion
from datamodules.motion_files.openers import JOINTS
from sim.conventions import FEATURE_FPS, JOINT_INDEX, NUM_JOINTS
from sim.files import is_hidden, read_text_file, refuse_declared, refuse_pointer_file
from sim.motion import Motion
from sim.trajectory import sample_position, uniform_times

logger = logging.getLogger(__name__)

PROMPTS: Final = "prompts.csv"
"""Table of the prompts, with columns ``file`` and ``text`` and, if wanted, ``activity``."""

SUFFIXES: Final = (".npy", ".npz", ".bvh")
STATISTICS: Final = ("Mean.npy", "Std.npy")

UpAxis = Literal["y", "z"]

MIN_SECONDS: Final = 1.0

_BODY_M: Final = (0.5, 3.0)
"""Least and largest distance of two joints of a person in one frame [m]; beyond these the unit is another one."""


_ALONG: Final = 0.8
_OFTEN: Final = 0.95
"""Cosine of the trunk and the axis that a turn about x exchanges with up, and share of frames, of a wrong axis."""

_LOW: Final = re.compile(
    r"\b(lie|lies|lying|lay|lays|laying|crawl|swim|sleep|rest|push[- ]?up|sit[- ]?up|plank|floor|ground|roll|bed|fall|"
    r"fell|prone|supine|all fours|hands and knees|yoga|stretch|bend|bow|cartwheel|handstand|flip|exercis)"
)
"""Words of what is done with a level trunk."""


@dataclass(frozen=True)
class JointFile:
    """A generated motion in a file, and what it was generated from.

    Attributes:
        path: the file.
        texts: its prompts, at least one.
        activity: a name for what it shows.
    """

    path: Path
    texts: tuple[str, ...]
    activity: str


def list_joint_files(root: Path) -> list[JointFile]:
    """List the joint files of a folder with their prompts, sorted by name.

    Prompts come from ``prompts.csv`` if it is there, else from a ``<name>.txt`` beside each file, one prompt a line
    (of HumanML3D's ``caption#tokens#start#end`` the caption).

    Raises:
        FileNotFoundError: there is no such folder, it has no motion file, or a file has no prompt.
        ValueError: the table lacks a column, names a file that is not there, or a prompt is blank.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder; give one of (T, {NUM_JOINTS}, 3) joint files with prompts")
    paths = sorted(
        path
        for path in root.iterdir()
        if path.suffix in SUFFIXES and path.name not in STATISTICS and not is_hidden(path.name)
    )
    if not paths:
        raise FileNotFoundError(
            f"{root} has no .npy, .npz or .bvh file, expected joints (T, {NUM_JOINTS}, 3) or another form that "
            "docs/motion_files.md names in each"
        )
    names = [path.stem for path in paths]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{root} has {twice} in two forms, expected each motion once; remove one")
    if (root / PROMPTS).is_file():
        return _join_table(paths, root / PROMPTS)
    return [JointFile(path, _read_texts(path.with_suffix(".txt")), "generated") for path in paths]


def read_rate(path: Path, fps: float) -> float:
    """Return the frame rate [Hz] that an ``.npz`` states under ``fps``, else the one that is given.

    Raises:
        ValueError: the file states something else than one rate of 1 to 1000 Hz.
    """
    if path.suffix != ".npz" or "fps" not in list_names(path):
        return fps
    refuse_declared(path)
    with np.load(path, allow_pickle=False) as data:
        try:
            stated = read_number(path, {"fps": data["fps"]}, "fps", "frames per second [Hz]")
        except ValueError as error:
            raise ValueError(str(error) if str(path) in str(error) else f"{path}: fps is no number") from None
    if not 1 <= stated <= 1000:
        raise ValueError(f"{path} says fps = {stated:g}, expected 1 to 1000 frames a second; correct it")
    if stated != fps:
        logger.info("%s says fps = %g, which is taken in place of %g", path, stated, fps)
    return stated


def read_other(path: Path) -> Motion | None:
    """Read a generated motion that is in a form of its own; None of joint positions, which :func:`read_joints` reads.

    Raises:
        ValueError: as :func:`datamodules.motion_files.read_motion`; or it is too short.
    """
    if find_format(path).name == JOINTS:
        return None
    motion = read_motion(path).motion
    if motion.duration_s < MIN_SECONDS:
        raise ValueError(f"{path} has {motion.duration_s:.2f} s, expected at least {MIN_SECONDS:g} s; leave it out")
    return motion


def read_joints(path: Path, *, fps: float, up: UpAxis, texts: Sequence[str] = ()) -> Tensor:
    """Read joint positions and bring them to Y up.

    Args:
        path: ``.npy``, or ``.npz`` with the key ``joints``: positions ``(T, 22, 3)`` [m] of SMPL's first 22 joints.
        fps: their frame rate [Hz].
        up: the axis of the file that points up; ``z`` is turned about x.
        texts: what they show, in words: who lies may lie.

    Returns:
        Positions ``(T, 22, 3)`` [m], Y up, float64.

    Raises:
        ValueError: the file is damaged, of another shape or unit, too short, has values that are not finite, or shows
            an upright body along another axis.
    """
    refuse_pointer_file(path)
    refuse_declared(path)
    try:
        loaded = np.load(path, allow_pickle=False)
        values = loaded["joints"] if path.suffix == ".npz" else loaded
    except KeyError:
        raise ValueError(f"{path} has no array 'joints', expected (T, {NUM_JOINTS}, 3) there; rename yours") from None
    except FileNotFoundError:
        raise
    except Exception as error:  # numpy and zipfile raise anything over a damaged file
        raise ValueError(f"{path} is no readable array ({error}); write it again with numpy.save") from None
    if values.ndim != 3 or values.shape[1:] != (NUM_JOINTS, 3) or values.dtype.kind not in "fiu":
        raise ValueError(
            f"{path} holds {values.dtype} of shape {values.shape}, expected (T, {NUM_JOINTS}, 3) numbers: world "
            "positions of SMPL's first 22 joints; take them out, or transpose"
        )
    bad = int((~np.isfinite(values).all(axis=(1, 2))).sum())
    if bad:
        raise ValueError(f"{path} has values that are not finite in {bad} of {len(values)} frames; generate it again")
    if (len(values) - 1) / fps < MIN_SECONDS:
        raise ValueError(
            f"{path} has {len(values)} frames at {fps:g} fps, expected at least {MIN_SECONDS:g} s; leave it out, or "
            "correct fps"
        )
    joints = torch.from_numpy(values.astype(np.float64))
    size = float((joints.amax(dim=1) - joints.amin(dim=1)).norm(dim=-1).median())
    if not _BODY_M[0] <= size <= _BODY_M[1]:
        raise ValueError(
            f"{path} shows a body of {size:.3g} m across its joints, expected {_BODY_M[0]} to {_BODY_M[1]}; "
            "convert it to metres"
        )
    turned = joints if up == "y" else torch.stack([joints[..., 0], joints[..., 2], -joints[..., 1]], dim=-1)
    _refuse_other_axis(turned, path, up, texts)
    return turned


def _refuse_other_axis(joints: Tensor, path: Path, up: UpAxis, texts: Sequence[str]) -> None:
    trunk = joints[:, JOINT_INDEX["neck"]] - joints[:, 0]
    along = (trunk[:, 2].abs() > _ALONG * trunk.norm(dim=-1)).double().mean()
    if along > _OFTEN and not any(_LOW.search(text.lower()) for text in texts):
        other = "z" if up == "y" else "y"
        raise ValueError(
            f"{path}: the trunk lies along the floor in {along:.0%} of frames with up: {up}, expected a person who "
            f"stands; give up: {other}, or say in the prompt that somebody lies"
        )


def resample_joints(joints: Tensor, *, fps: float) -> Tensor:
    """Bring positions ``(T, 22, 3)`` from ``fps`` to 20 fps through the splines of :mod:`sim.trajectory`."""
    if fps == FEATURE_FPS:
        return joints
    times = uniform_times(len(joints), fps=fps, rate_hz=FEATURE_FPS)
    return sample_position(joints.movedim(0, 1), fps=fps, times_s=times).movedim(1, 0)


def _join_table(paths: Sequence[Path], table: Path) -> list[JointFile]:
    try:
        rows = pd.read_csv(StringIO(read_text_file(table)), dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"{table} is no readable table ({error}); expected columns file and text") from None
    if not {"file", "text"} <= set(rows.columns):
        raise ValueError(f"{table} has the columns {list(rows.columns)}, expected file and text; name them so")
    known = {path.name: path for path in paths} | {path.stem: path for path in paths}
    texts: dict[Path, list[str]] = {}
    activities: dict[Path, str] = {}
    for number, row in enumerate(rows.to_dict("records"), start=2):
        if row["file"] not in known or not row["text"].strip():
            raise ValueError(
                f"line {number} of {table} is {row['file']!r}, {row['text']!r}, expected a file of the folder and a "
                "prompt; correct or remove it"
            )
        texts.setdefault(known[row["file"]], []).append(row["text"].strip())
        activities[known[row["file"]]] = str(row.get("activity", "")).strip() or "generated"
    missing = [path.name for path in paths if path not in texts]
    if missing:
        raise FileNotFoundError(f"{table} has no prompt for {missing[0]} and {len(missing) - 1} more; add their lines")
    return [JointFile(path, tuple(texts[path]), activities[path]) for path in paths]


def _read_texts(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        raise FileNotFoundError(f"prompt {path} not found; write it beside the motion, or a {PROMPTS} of file and text")
    texts = tuple(line.partition("#")[0].strip() for line in read_text_file(path).splitlines())
    texts = tuple(text for text in texts if text)
    if not texts:
        raise ValueError(f"{path} is blank, expected the prompt that its motion was generated from; write it there")
    return texts
