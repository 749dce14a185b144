"""What is known of the terms that motion files come under: by their form, by themselves, by their folder.

It is told and carried along, and decides nothing: what somebody may do with a file is theirs to find out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import numpy as np

from datamodules.formats.kimodo import SKELETONS
from sim.files import refuse_declared

Terms = Callable[[Path], str | None]

AMASS: Final = (
    "AMASS's form: its recordings are for non-commercial scientific research and not to be passed on "
    "(amass.is.tue.mpg.de/license.html); what another program wrote in this form is under that program's terms"
)
HUMANML3D: Final = (
    "HumanML3D's form: its recordings are AMASS's and HumanAct12's, for non-commercial research; what a generator "
    "wrote in this form is under its makers' terms, and those of what it was trained on"
)
MOTIONSTREAMER: Final = (
    "MotionStreamer's form: the sets published in it are for academic use only (AMASS's licence); what a generator "
    "wrote in this form is under its makers' terms, and those of what it was trained on"
)
HY_MOTION: Final = (
    "HY-Motion 1.0, Tencent's community licence: not for the European Union, the United Kingdom and South Korea, and "
    "section 5(b) forbids using the model or its outputs to improve any other AI model; whether training a classifier "
    "or a prior on them is that, you have to decide"
)
KIMODO_SOMA: Final = "Kimodo's SOMA models, NVIDIA Open Model License"
KIMODO_SMPLX: Final = (
    "Kimodo's SMPL-X model, NVIDIA's licence for internal scientific research and development: no use beyond it"
)


def always(words: str) -> Terms:
    """Return a function that says the same of every file."""
    return lambda path: words


def says_nothing(path: Path) -> str | None:
    """Of a form that anybody writes nothing is known."""
    del path
    return None


def join_terms(each: Iterable[str | None]) -> str | None:
    """Return what is said by several as one text, each once; None where nothing is."""
    return "; ".join(dict.fromkeys(words for words in each if words)) or None


def saved_terms(path: Path) -> str | None:
    """Return what :meth:`sim.motion.Motion.save` was told; None where that was nothing, or the file is damaged."""
    words = _array(path, "licence")
    try:
        found = None if words is None else json.loads(str(words))
    except json.JSONDecodeError:
        return None
    return found if isinstance(found, str) else None


def kimodo_terms(path: Path) -> str | None:
    """Return the terms of the model that made a Kimodo archive, by its skeleton."""
    joints = _array(path, "posed_joints")
    smplx = joints is not None and joints.ndim == 3 and len(SKELETONS.get(joints.shape[1], ())) == 22
    return KIMODO_SMPLX if smplx else KIMODO_SOMA


def _array(path: Path, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]] | None:
    try:
        refuse_declared(path)
        with np.load(path, allow_pickle=False) as data:
            return data[name] if name in data.files else None
    except Exception:  # numpy and zipfile raise anything over a damaged file, which its reader names
        return None
