"""Joint positions and prompts from a folder: the output of any text-to-motion generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from sim.conventions import FEATURE_FPS, NUM_JOINTS
from sim.files import is_hidden, read_text_file
from sim.trajectory import sample_position, uniform_times

PROMPTS: Final = "prompts.csv"
"""Table of the prompts, with columns ``file`` and ``text`` and, if wanted, ``activity``."""

UpAxis = Literal["y", "z"]

MIN_SECONDS: Final = 1.0

_BODY_M: Final = (0.5, 3.0)
"""Least and largest distance of two joints of a person in one frame [m]; beyond these the unit is another one."""


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
        FileNotFoundError: there is no such folder, it has no ``.npy`` or ``.npz``, or a file has no prompt.
        ValueError: the table lacks a column, names a file that is not there, or a prompt is blank.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder; give one of (T, {NUM_JOINTS}, 3) joint files with prompts")
    paths = sorted(path for path in root.iterdir() if path.suffix in (".npy", ".npz") and not is_hidden(path.name))
    if not paths:
        raise FileNotFoundError(f"{root} has no .npy or .npz file, expected joints (T, {NUM_JOINTS}, 3) in each")
    names = [path.stem for path in paths]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{root} has {twice} as .npy and as .npz, expected each motion once; remove one")
    if (root / PROMPTS).is_file():
        return _join_table(paths, root / PROMPTS)
    return [JointFile(path, _read_texts(path.with_suffix(".txt")), "generated") for path in paths]


def read_joints(path: Path, *, fps: float, up: UpAxis) -> Tensor:
    """Read joint positions and bring them to Y up.

    Args:
        path: ``.npy``, or ``.npz`` with the key ``joints``: positions ``(T, 22, 3)`` [m] of SMPL's first 22 joints.
        fps: their frame rate [Hz].
        up: the axis of the file that points up; ``z`` is turned about x.

    Returns:
        Positions ``(T, 22, 3)`` [m], Y up, float64.

    Raises:
        ValueError: the file is damaged, of another shape or unit, too short, or has values that are not finite.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        values = loaded["joints"] if path.suffix == ".npz" else loaded
    except KeyError:
        raise ValueError(f"{path} has no array 'joints', expected (T, {NUM_JOINTS}, 3) there; rename yours") from None
    except (ValueError, EOFError, OSError) as error:
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
    return joints if up == "y" else torch.stack([joints[..., 0], joints[..., 2], -joints[..., 1]], dim=-1)


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
