"""Weights in and out of files: packaged, checkpoints of ``fit``, published MDM."""

from lightning_modules.weights.match import match_parameters
from lightning_modules.weights.read import (
    PRIOR_FORMAT,
    Plain,
    Weights,
    find_weights,
    load_plainly,
    read_mdm,
    read_prior,
    read_weights,
)

__all__ = [
    "PRIOR_FORMAT",
    "Plain",
    "Weights",
    "find_weights",
    "load_plainly",
    "match_parameters",
    "read_mdm",
    "read_prior",
    "read_weights",
]
