"""Matrix products in the precision of their dtype, whatever the user asked of networks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def full_precision() -> Iterator[None]:
    """Keep out TF32 and bfloat16 products, which Lightning recommends to turn on: 1e-3 of a position is no motion."""
    asked = torch.get_float32_matmul_precision()
    if asked == "highest":
        yield
        return
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(asked)
