"""Keeps a resumed run from mixing two configurations.

``ckpt_path`` restores optimiser and schedule, and LightningCLI lets the checkpoint's hyper-parameters win over YAML and
command line in silence; a run that asks for other ones would not be the run that its saved config describes.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from dataclasses import is_dataclass
from types import MappingProxyType
from typing import Final

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_warn

from lightning_modules.weights.adopt import ADOPTING
from sim.options import FlatNames, flat_names_of, groups_of, nest, plain

# Where files lie and how they are loaded may change between two halves of a run; what it computes may not.
_FREE: Final = frozenset({"init_from", "cache_dir", "num_workers", "root"})


def describe_changes(
    *, asked: Mapping[str, object], stored: Mapping[str, object], names: FlatNames = MappingProxyType({})
) -> list[str]:
    """Return ``name is X here, Y in the checkpoint`` for every hyper-parameter that differs.

    Args:
        asked: hyper-parameters as configured now; options of a group are a mapping.
        stored: hyper-parameters in the checkpoint; names in only one of the two are passed over.
        names: flat names that the class takes; older checkpoints have them.
    """
    asked, stored = (_spread(nest(values, names), groups_of(names)) for values in (asked, stored))
    shared = [name for name in asked if name in stored and name not in _FREE and not name.startswith("_")]
    return [
        f"{name} is {asked[name]!r} here, {stored[name]!r} in the checkpoint"
        for name in shared
        if _plain(asked[name]) != _plain(stored[name])
    ]


def leave_open(asked: Mapping[str, object], owner: type) -> dict[str, object]:
    """Return hyper-parameters without fields of the network that stand at their defaults: ``init_from`` may say them.

    Args:
        asked: hyper-parameters as configured, groups as mappings.
        owner: class that takes them.
    """
    parameters = inspect.signature(owner).parameters
    usual = {name: plain(one.default) for name, one in parameters.items() if is_dataclass(one.default)}
    return {
        name: {key: entry for key, entry in value.items() if _plain(entry) != _plain(usual[name].get(key))}
        if name in ADOPTING and name in usual and isinstance(value, Mapping)
        else value
        for name, value in asked.items()
    }


class ResumeGuard(Callback):
    """Refuses to go on training from a checkpoint whose hyper-parameters differ from the model's.

    Covers what the command line cannot see: ``ckpt_path: last``, ``hpc`` and SLURM's own restarts. A data module that
    differs is only warned of, because its batches may be the same all the same.

    Raises:
        ValueError: from the hook, when fitting with other hyper-parameters.
    """

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, object]) -> None:
        """Compare the checkpoint's hyper-parameters with the model's."""
        if trainer.state.fn != TrainerFn.FITTING:
            return
        stored = _mapping(checkpoint, "hyper_parameters")
        changes = describe_changes(asked=dict(pl_module.hparams), stored=stored, names=flat_names_of(type(pl_module)))
        if changes:
            raise ValueError(
                f"cannot resume, the configuration differs from the checkpoint's: {'; '.join(changes)}; "
                "restore them, or start a new run from its weights with --model.init_from"
            )
        data = getattr(trainer, "datamodule", None)
        asked = {} if data is None else dict(data.hparams)
        held = _mapping(checkpoint, "datamodule_hyper_parameters")
        moved = describe_changes(asked=asked, stored=held, names=flat_names_of(type(data)))
        if moved:
            rank_zero_warn(f"data differ from the run that is resumed: {'; '.join(moved)}")

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, object]) -> None:
        """Have what was logged on the disk before the checkpoint: a run that is killed next resumes after it."""
        for logger in trainer.loggers:
            logger.save()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count the steps of the log on from where the run stopped.

        A checkpoint that is written where an epoch and ``max_steps`` end together counts one batch more than stepped.
        Of one that is written within an epoch Lightning takes the count for one too low and adds it, next after this.
        """
        if pl_module.automatic_optimization and len(trainer.optimizers) == 1 and trainer.global_step > 0:
            loop = trainer.fit_loop.epoch_loop
            adds = loop.restarting and not loop._should_accumulate() and not loop.restarted_on_last
            loop._batches_that_stepped = trainer.global_step - int(adds)


def _spread(values: Mapping[str, object], groups: Collection[str]) -> dict[str, object]:
    """Return values with the fields of each group as ``group.field``."""
    spread: dict[str, object] = {}
    for name, value in values.items():
        if name in groups and isinstance(value, Mapping):
            spread |= {f"{name}.{field}": entry for field, entry in value.items()}
        else:
            spread[name] = value
    return spread


def _mapping(checkpoint: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = checkpoint.get(key)
    return value if isinstance(value, Mapping) else {}


def _plain(value: object) -> object:
    """Return a value with tuples as lists and numbers as floats, so that 1 and 1.0 read from YAML are one."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value
