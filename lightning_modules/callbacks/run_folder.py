"""What a run left in its folder: its last checkpoint, and whether a checkpoint is whole and of the configured class."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from lightning_modules.weights.read import load_plainly


def list_checkpoint_folders(trainer: Trainer) -> set[Path]:
    """Return the folders that a trainer's callbacks write checkpoints to."""
    default = Path(trainer.log_dir or trainer.default_root_dir) / "checkpoints"
    callbacks = [item for item in trainer.checkpoint_callbacks if isinstance(item, ModelCheckpoint)]
    return {Path(item.dirpath or default) for item in callbacks}


def find_last(trainer: Trainer) -> Path | None:
    """Return the newest ``last.ckpt`` of a trainer's folders, or None."""
    found = [path for folder in list_checkpoint_folders(trainer) for path in folder.glob("last*.ckpt")]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


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
