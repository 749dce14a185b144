"""Motion features played faster or slower, where no flight is: free fall knows one rate only.

Two augmentations come down to it. *Tempo* is people doing the same thing a little faster or slower. *Body scale* is the
same movement by a larger or smaller person: at the same Froude number ``v^2 / (g l)`` all times go with the square
root of leg length (Alexander & Jayes, J. Zool. 201, 1983, doi 10.1111/j.1469-7998.1983.tb04266.x). Features live on the
default body, where lengths are those of its legs already, so what is left of the scale is the rate.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from sim.conventions import FEATURE_FPS
from sim.features import FEATURE_SLICES

FALL_M_S2: Final[float] = -6.0
"""Where the mean of all joints falls faster for two frames, the body is in the air (or falls) [m/s^2]. In walking it
stays within 4 m/s^2."""

MAX_CHANGE: Final[float] = 0.25
"""Most that tempo and body scale may each change, as a share."""


def is_airborne(features: NDArray[np.float32]) -> bool:
    """Say whether somebody is in the air in features ``(T, 263)``, by how the mean of all joints falls."""
    heights = features[:, FEATURE_SLICES.positions][:, 1::3].sum(axis=1) + features[:, FEATURE_SLICES.root_height][:, 0]
    falls = np.diff(heights / 22.0, n=2) * FEATURE_FPS**2 < FALL_M_S2
    return bool((falls[1:] & falls[:-1]).any())


def change_rate(features: NDArray[np.float32], rate: float) -> NDArray[np.float32]:
    """Play features faster by a factor.

    Poses are cubic splines through the frames; steps to the next frame are taken from the middle of where they reach to
    and scaled; contacts are those of the nearest frame.

    Args:
        features: HumanML3D features ``(T, 263)`` at 20 fps.
        rate: above 1 is faster.

    Returns:
        Features ``(N, 263)`` at 20 fps with ``N = floor((T - 1) / rate) + 1``.

    Raises:
        ValueError: the rate is not above 0, or there are fewer than four frames.
    """
    if rate <= 0 or len(features) < 4:
        raise ValueError(f"rate is {rate} over {len(features)} frames, expected above 0 over at least 4")
    count = int(np.floor((len(features) - 1) / rate + 1e-9)) + 1
    places = np.arange(count) * rate
    spline = CubicSpline(np.arange(len(features)), features, axis=0)
    changed = spline(places)
    steps = spline(np.minimum(places + (rate - 1) / 2, len(features) - 1)) * rate
    for part in (FEATURE_SLICES.root_rotation_velocity, FEATURE_SLICES.root_linear_velocity, FEATURE_SLICES.velocities):
        changed[:, part] = steps[:, part]
    nearest = np.minimum(np.rint(places).astype(int), len(features) - 1)
    changed[:, FEATURE_SLICES.foot_contacts] = features[nearest][:, FEATURE_SLICES.foot_contacts]
    return np.asarray(changed, dtype=np.float32)


def draw_rate(generator: np.random.Generator, *, tempo: float, body_scale: float) -> float:
    """Draw a rate: tempo within its share, times the inverse square root of a leg length within its share."""
    pace = 1.0 + tempo * generator.uniform(-1, 1)
    legs = 1.0 + body_scale * generator.uniform(-1, 1)
    return float(pace / np.sqrt(legs))
