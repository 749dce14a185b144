"""What a user has to bring that nobody may hand on: checked before any work, all of it at once, a line for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from datamodules.har.recordings.reading import Reading
from datamodules.har.registry import READERS
from datamodules.humanml3d.files import list_files, read_statistics
from lightning_modules.text.encoders import text_encoder
from lightning_modules.weights import read_weights
from sim.body import Body
from sim.names import check_name


def _check_humanml3d(place: str) -> None:
    list_files(place)
    read_statistics(Path(place) / "Mean.npy", Path(place) / "Std.npy")


def _check_mdm(place: str) -> None:
    if read_weights(place).mean is None:
        raise FileNotFoundError(
            f"there are no Mean.npy and Std.npy beside {place}, expected those that were published with HumanML3D; "
            "copy them there"
        )


def _check_smpl(place: str) -> None:
    Body.from_smpl(place)


def _check_text(name: str) -> None:
    try:
        text_encoder(name).encode(["a person walks."])
    except OSError as error:
        raise FileNotFoundError(
            f"{name} cannot be read ({' '.join(str(error).split())[:120]}); give clip:FOLDER of a Hugging Face model, "
            "or fetch it on a machine with a network"
        ) from error


_KINDS: Final[dict[str, tuple[Callable[[str], None], str]]] = {
    "humanml3d": (_check_humanml3d, "the folder of HumanML3D: new_joint_vecs, texts, Mean.npy, ..."),
    "mdm": (_check_mdm, "MDM's model...pt, with args.json and HumanML3D's Mean.npy and Std.npy beside it"),
    "smpl": (_check_smpl, "an SMPL model: a .npz or .pkl file, or the folder of them"),
    "text": (_check_text, "a text encoder: clip, clip:FOLDER, minilm"),
}

VARIABLES: Final = {
    "humanml3d": "IMUFORGE_HUMANML3D",
    "mdm": "IMUFORGE_MDM",
    "smpl": "IMUFORGE_SMPL",
    "text": "IMUFORGE_TEXT",
}
"""By which experiments/paper.yaml takes them from the environment; a real set is ``IMUFORGE_`` and its name."""


def check_needs(needs: Mapping[str, str | None]) -> None:
    """Make sure that everything is there and can be read.

    Args:
        needs: kind -> where it lies; kinds are ``humanml3d``, ``mdm``, ``smpl``, ``text`` and the names of real sets
            (:data:`datamodules.har.registry.READERS`).

    Raises:
        ValueError: something is absent or cannot be read; a note for each further thing that is.
    """
    lines = []
    for kind, place in needs.items():
        check_name(kind, (*_KINDS, *READERS), "kind in needs")
        check, what = _KINDS.get(kind) or (partial(_check_set, kind), f"the folder of {kind}")
        if not place:
            variable = VARIABLES.get(kind, f"IMUFORGE_{kind.upper()}")
            lines.append(f"needs.{kind} is not given, expected {what}; export {variable}=PATH")
            continue
        try:
            check(place)
        except (ValueError, OSError) as error:
            lines.append(f"needs.{kind}: {error}")
    if lines:
        absent = ValueError(lines[0])
        for line in lines[1:]:
            absent.add_note(line)
        raise absent


def _check_set(name: str, root: str) -> None:
    real = READERS[name]
    if not real.sources(Path(root).expanduser()):
        next(iter(real.read(Path(root).expanduser(), Reading())), None)  # only to hear now what the reader says of it
