"""What a run left in its folder: its last checkpoint, the one before, whether they are whole and of the right class."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from lightning_modules.callbacks.checkpoint_file import LAST, PREVIOUS
from lightning_modules.weights.read import load_plainly

_OF_SLURM: Final = "hpc_ckpt_*.ckpt"


@dataclass(frozen=True)
class Resumable:
    """The checkpoint that a run goes on from.

    Attributes:
        path: the file.
        told: what is wrong with a newer one, in a line; empty where this is the newest.
    """

    path: Path
    told: str = ""


def list_checkpoint_folders(trainer: Trainer) -> set[Path]:
    """Return the folders that a trainer's callbacks write checkpoints to."""
    default = Path(trainer.log_dir or trainer.default_root_dir) / "checkpoints"
    callbacks = [item for item in trainer.checkpoint_callbacks if isinstance(item, ModelCheckpoint)]
    return {Path(item.dirpath or default) for item in callbacks}


def find_last(trainer: Trainer) -> Path | None:
    """Return the newest ``last.ckpt`` of a trainer's folders, or else ``previous.ckpt``, or None."""
    folders = list_checkpoint_folders(trainer)
    for pattern in (f"{LAST}*.ckpt", PREVIOUS):
        found = [path for folder in folders for path in folder.glob(pattern)]
        if found:
            return max(found, key=_age)
    return None


def choose_resumable(trainer: Trainer) -> Resumable | None:
    """Return the newest checkpoint of a run's folder that can be gone on from, or None where there is none.

    Raises:
        ValueError: there are some, and none is whole; names the last one.
    """
    last = find_last(trainer)
    if last is None:
        return None
    others = {path for folder in list_checkpoint_folders(trainer) for path in folder.glob("*.ckpt")} - {last}
    return _first_whole([last, *sorted(others, key=_age, reverse=True)])


def choose_requeued(trainer: Trainer) -> Resumable | None:
    """Return what a job that SLURM queued again goes on from: its newest checkpoint that is whole, or None.

    Raises:
        ValueError: there are some, and none is whole, nor any other of the run.
    """
    found = sorted(Path(trainer.default_root_dir).glob(_OF_SLURM), key=_number, reverse=True)
    if not found:
        return None
    last = find_last(trainer)
    return _first_whole([*found, *([] if last is None else [last])])


def _first_whole(paths: list[Path]) -> Resumable:
    reason: ValueError | None = None
    for path in paths:
        try:
            content = load_plainly(path)
        except ValueError as error:
            reason = reason or error
            continue
        if "optimizer_states" in content:
            told = f"{reason}; going on from {path}, step {content.get('global_step')}" if reason else ""
            return Resumable(path, told)
        reason = reason or ValueError(
            f"{path} holds weights without the state of a training; start a run from it with --model.init_from"
        )
    raise reason or ValueError("no checkpoint to go on from; give one with --ckpt_path")


def _age(path: Path) -> float:
    return path.stat().st_mtime


def _number(path: Path) -> int:
    return int(re.sub(r"\D", "", path.stem) or 0)


def refuse_foreign_checkpoint(path: Path, model: Mapping[str, object] | None) -> None:
    """Refuse a checkpoint that cannot be read or is of another class than the configured model.

    Args:
        path: the file.
        model: the model as configured, with its ``class_path``; None where there is none.

    Raises:
        ValueError: it is damaged, or of another class; both are named.
    """
    stored = load_plainly(path).get("hyper_parameters")
    theirs = str(stored.get("_class_path", "")) if isinstance(stored, Mapping) else ""
    ours = str(model.get("class_path") or "") if model is not None else ""
    names = [name.rpartition(".")[2] for name in (theirs, ours)]
    if all(names) and names[0] != names[1]:
        raise ValueError(
            f"checkpoint {path} is of {names[0]}, the configuration is of {names[1]}; give a checkpoint of "
            f"{names[1]}, or the configuration that trained this one"
        )
