"""How many threads a training step gains by, by a short measurement.

On a machine whose cores others use, threads wait for one another at every product of matrices: two took ten times as
long as one.
"""

from __future__ import annotations

import os
from typing import Final, NamedTuple

import torch

from lightning_modules.training.precision import time_layer

GIVEN: Final = "OMP_NUM_THREADS"
"""Where it is set somebody has decided."""

MARGIN: Final = 0.95
"""One thread has to take less than this share of the time of many; a difference below is not told from noise."""


class Threads(NamedTuple):
    """How many threads, and why, in words; no words where nobody chose."""

    number: int
    reason: str


def choose_threads(*, width: int) -> Threads:
    """Return one thread where a transformer layer trains faster with it than with all, else as many as there are.

    Nothing is measured where :data:`GIVEN` says how many, or there is one anyhow. torch is left as it was.

    Args:
        width: of the layer that is timed.
    """
    usual = torch.get_num_threads()
    if usual == 1 or os.environ.get(GIVEN):
        return Threads(usual, "")
    many = time_layer(torch.device("cpu"), width=width)[0]
    torch.set_num_threads(1)
    try:
        one = time_layer(torch.device("cpu"), width=width)[0]
    finally:
        torch.set_num_threads(usual)
    told = f"a layer {width} wide takes {1e3 * one:.3g} ms with one, {1e3 * many:.3g} ms with {usual}"
    return Threads(1 if one < MARGIN * many else usual, f"{told}; {GIVEN} decides otherwise")
