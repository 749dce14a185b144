"""Arithmetic in the precision of its dtype, whatever the user asked of networks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

_DEVICES = ("cpu", "cuda")


@contextmanager
def full_precision() -> Iterator[None]:
    """Keep out autocast, TF32 and bfloat16 products, which Lightning recommends to turn on: 1e-3 of a position is no
    motion. Also a decorator. What a later backward pass does is the user's own setting.
    """
    with ExitStack() as stack:
        for device in _DEVICES:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        asked = torch.get_float32_matmul_precision()
        if asked != "highest":
            stack.callback(torch.set_float32_matmul_precision, asked)
            torch.set_float32_matmul_precision("highest")
        yield
