"""Numbers that options of models, data and callbacks may be, by name: a slip is told before anything is made of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from sim.checks import MOST_SEED

Range = tuple[float, float]

_SHARE: Final[Range] = (0, 1)
_COUNT: Final[Range] = (1, 1e9)
_SIZE: Final[Range] = (1, 1 << 16)
_SEED: Final[Range] = (0, MOST_SEED)

RANGES: Final[Mapping[str, Range]] = {
    **dict.fromkeys(("width", "num_heads", "num_layers", "dim", "text_dim", "filters", "units", "layers"), _SIZE),
    **dict.fromkeys(("dropout", "attention_dropout", "cond_drop_prob", "part_drop_prob", "overlap", "purity"), _SHARE),
    **dict.fromkeys(("val_fraction", "balance", "ema_decay", "virtual_share"), _SHARE),
    **dict.fromkeys(("samples_per_epoch", "eval_windows_per_activity", "every_n_epochs", "lora_rank"), _COUNT),
    **dict.fromkeys(("batch_size", "num_clips", "motions_per_activity", "replications", "pool_size"), (1, 1e6)),
    **dict.fromkeys(("seed", "train_seed", "dropout_seed"), _SEED),
    **dict.fromkeys(("guidance", "usual_guidance"), (0, 1000)),
    **dict.fromkeys(("steps", "sampling_steps"), (1, 1000)),
    **dict.fromkeys(("warmup_steps", "log_gradient_norms_every", "skip_frames", "turned_copies"), (0, 1e9)),
    **dict.fromkeys(("weight_decay", "skip_lr_factor", "lr"), (0, 1000)),
    "feedforward": (1, 1 << 20),
    "num_workers": (0, 1024),
    "window_s": (0.02, 600),
    "rate_hz": (0.1, 1e4),
    "max_gap_s": (0, 3600),
    "seconds": (1, 60),
    "constructed_below_min": (0, 1e6),
    "kl_weight": (0, 1e6),
    "weight": (0, 1e6),
    "temperature": (1e-6, 1000),
    "fps": (5, 1000),
}
"""Least and most; classes themselves check what is narrower."""


def refuse_beyond(given: Mapping[str, object], where: str) -> None:
    """Refuse numbers that cannot be meant.

    Args:
        given: arguments by name; groups of them are mappings.
        where: what stands before a name in messages, such as ``data.``.

    Raises:
        ValueError: one is NaN or infinite, or outside what :data:`RANGES` says of its name.
    """
    for name, value in given.items():
        if isinstance(value, Mapping):
            refuse_beyond(value, f"{where}{name}.")
        elif isinstance(value, bool) or not isinstance(value, int | float):
            continue
        elif name in RANGES and not RANGES[name][0] <= value <= RANGES[name][1]:
            least, most = RANGES[name]
            raise ValueError(f"{where}{name} is {value:g}, expected {least:g} to {most:.10g}")
        elif not math.isfinite(value):
            raise ValueError(f"{where}{name} is {value}, expected a number")
