"""How others smooth the motions that they generate, as functions of joint positions over time.

HY-Motion 1.0 (Tencent 2025, arXiv:2512.23464) decodes with ``smooth_with_slerp(sigma=1)`` on rotations and
Savitzky-Golay(11, 5) on the root's path, both at its 30 fps; for small turns slerp with Gaussian weights is the
Gaussian filter. POSE2IMU (github.com/H-IAAC/POSE2IMU-Framework) puts Savitzky-Golay(9, 2) over poses at 20 fps, and
derives by ``numpy.gradient`` twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, uniform_filter1d
from scipy.signal import savgol_filter

Series = NDArray[np.float64]


class Smoother(NamedTuple):
    """A filter over time.

    Attributes:
        name: what it is and whose.
        fps: rate at which it is applied [Hz].
        smooth: takes and returns ``(T, ...)``, time first.
    """

    name: str
    fps: float
    smooth: Callable[[Series], Series]


def _gaussian(values: Series) -> Series:
    return np.asarray(gaussian_filter1d(values, 1.0, axis=0))


def _golay(window: int, order: int) -> Callable[[Series], Series]:
    return lambda values: np.asarray(savgol_filter(values, window, order, axis=0))


def _mean(frames: int) -> Callable[[Series], Series]:
    return lambda values: np.asarray(uniform_filter1d(values, frames, axis=0, mode="nearest"))


SMOOTHERS: Final[tuple[Smoother, ...]] = (
    Smoother("HY-Motion, rotations: slerp sigma 1 at 30 fps", 30.0, _gaussian),
    Smoother("HY-Motion, root: Savitzky-Golay(11, 5) at 30 fps", 30.0, _golay(11, 5)),
    Smoother("POSE2IMU: Savitzky-Golay(9, 2) at 20 fps", 20.0, _golay(9, 2)),
    Smoother("moving average of 3 at 20 fps", 20.0, _mean(3)),
    Smoother("moving average of 5 at 20 fps", 20.0, _mean(5)),
)
