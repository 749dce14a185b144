"""Hyper-parameters of a module whose constructor takes groups of options, saved as the plain values of a YAML."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from types import MappingProxyType

from lightning import LightningModule
from torch import nn

from sim.options import flat_names_of, flatten, plain


class PlainHyperParameters(LightningModule):
    """A module whose checkpoint holds no class of ours, so that it opens with ``weights_only``."""

    def save_plainly(self, *, ignore: Sequence[str], adopted: Mapping[str, object] = MappingProxyType({})) -> None:
        """Save the constructor's arguments, options as mappings; to be called by the constructor itself.

        A network that was given as an object is left out, as Lightning advises; whoever loads the checkpoint in Python
        gives it again. The command line knows by which ``class_path`` it was made, and that is kept.

        Args:
            ignore: arguments that are no hyper-parameters.
            adopted: options that are not as they were given, because weights decided them; the command line would
                have the given ones saved.
        """
        frame = inspect.currentframe()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*is an instance of `nn.Module`.*")
            self.save_hyperparameters(ignore=list(ignore), frame=None if frame is None else frame.f_back)
        options = {name: plain(value) for name, value in self.hparams.items() if is_dataclass(value)}
        options |= {name: plain(value) for name, value in adopted.items()}
        networks = [name for name, value in self.hparams.items() if isinstance(value, nn.Module)]
        self.save_hyperparameters({**self.hparams, **options}, ignore=networks)

    @property
    def arguments(self) -> dict[str, object]:
        """The constructor's arguments by their flat names, as files of weights describe a model."""
        return flatten(dict(self.hparams_initial), flat_names_of(type(self)))
