"""Whether a body goes through the floor, which generated motion has at y = 0."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from datamodules.formats.frame_clock import SUSPICIOUS

SINKING_M: Final[float] = 0.08
"""How deep a joint may lie below the floor [m]; ten motions of the packaged prior went down to 0.078."""


def find_sinking(joints: NDArray[np.float64]) -> list[str]:
    """Say whether feet go through the floor, which generated motion has at y = 0.

    Args:
        joints: world positions ``(T, 22, 3)`` [m].
    """
    lowest = joints[..., 1].min(axis=-1)
    if lowest.min() >= -SINKING_M:
        return []
    share = float((lowest < -SINKING_M).mean())
    return [
        f"{SUSPICIOUS}the body goes {-lowest.min():.3f} m below the floor (y = 0), at frame {int(lowest.argmin())}, "
        f"and more than {SINKING_M:g} m in {share:.0%} of the frames"
    ]
