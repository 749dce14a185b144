"""Weights in and out of files: packaged, checkpoints of ``fit``, published MDM."""

from lightning_modules.weights.adopt import adopt_latent_network, adopt_network
from lightning_modules.weights.find import find_weights
from lightning_modules.weights.match import load_same_network, match_parameters, match_same_network
from lightning_modules.weights.read import (
    PRIOR_FORMAT,
    Plain,
    Weights,
    load_plainly,
    read_card,
    read_mdm,
    read_prior,
    read_weights,
)

__all__ = [
    "PRIOR_FORMAT",
    "Plain",
    "Weights",
    "adopt_latent_network",
    "adopt_network",
    "find_weights",
    "load_plainly",
    "load_same_network",
    "match_parameters",
    "match_same_network",
    "read_card",
    "read_mdm",
    "read_prior",
    "read_weights",
]
