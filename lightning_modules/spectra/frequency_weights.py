"""An error seen by frequency: its cosine transform over the frames of each clip, high frequencies weighed more.

The orthonormal DCT-II keeps the sum of squares (Parseval), so that weights of 1 give the plain squared error back, and
it needs no window: a clip that ends elsewhere than it began is no jump to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypedDict

import torch
from torch import Tensor

from sim.conventions import FEATURE_FPS
from sim.names import check_name
from sim.precision import full_precision


class FrequencyLossOptions(TypedDict, total=False):
    """Options of :class:`FrequencyWeights` as YAML gives them."""

    corner_hz: float
    cap: float


@dataclass(frozen=True)
class FrequencyWeights:
    """Weights of squared errors by frequency: w(f) = min(1 + (f / corner_hz)^2, cap).

    A clip of n frames has the frequencies k / 2n times 20 Hz, k = 0 to n - 1. The square of a first difference would
    weigh by f^2, that of a second one (``acc_features``) by f^4, and both by 0 what does not move; here no frequency
    counts less than in ``reconstruction``, and none more than ``cap`` times.

    Attributes:
        corner_hz: where a squared error counts twice [Hz].
        cap: the most that one counts; 1 is ``reconstruction``.

    Raises:
        ValueError: the corner is not above 0, or the cap is below 1.
    """

    corner_hz: float = 1.5
    cap: float = 10.0

    def __post_init__(self) -> None:
        if not self.corner_hz > 0 or not self.cap >= 1:
            raise ValueError(
                f"frequency has corner_hz {self.corner_hz} and cap {self.cap}, expected above 0 and at least 1; cap 1 "
                "weighs all frequencies alike"
            )

    @classmethod
    def from_options(cls, options: FrequencyLossOptions | None) -> FrequencyWeights:
        """Return weights with some defaults replaced.

        Raises:
            ValueError: as the class, or an option is unknown.
        """
        values: Mapping[str, float] = options or {}  # type: ignore[assignment]  # all of its values are numbers
        for key in values:
            check_name(key, sorted(FrequencyLossOptions.__annotations__), "option of frequency")
        return cls(**values)

    def weigh(self, difference: Tensor, mask: Tensor) -> Tensor:
        """Return what to square in place of a difference in time.

        Args:
            difference: prediction minus truth ``(B, T, K)`` at 20 fps; anything beyond each clip.
            mask: frames inside each clip ``(B, T)``, bool, the first ones.

        Returns:
            Cosine coefficients times the roots of their weights ``(B, T, K)``, as many of each clip as it has frames, 0
            beyond.
        """
        lengths, num_frames = mask.sum(dim=1).tolist(), mask.shape[1]
        # Under autocast the transform would be rounded to 3 digits.
        with torch.autocast(difference.device.type, enabled=False), full_precision():
            inside = torch.where(mask[..., None], difference, 0.0)
            if inside.dtype not in (torch.float32, torch.float64):
                inside = inside.float()
            maps = torch.stack([self._transform(length, num_frames, inside.dtype, inside.device) for length in lengths])
            return torch.bmm(maps, inside)

    def _transform(self, length: int, num_frames: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        return _weighted_cosines(length, num_frames, self.corner_hz, self.cap, dtype, device)


@lru_cache(maxsize=512)
def _weighted_cosines(
    length: int, num_frames: int, corner_hz: float, cap: float, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Return the weighted transform ``(T, T)`` of a clip of ``length`` frames, 0 beyond; kept for later calls."""
    # Made while validating, it must serve a training step as well.
    with torch.inference_mode(False):
        places = torch.arange(length, dtype=torch.float64)
        cosines = torch.cos(math.pi / max(1, length) * (places + 0.5) * places[:, None]) * math.sqrt(2 / max(1, length))
        cosines[:1] /= math.sqrt(2)
        frequency = places * FEATURE_FPS / (2 * max(1, length))
        weights = (1 + (frequency / corner_hz).square()).clamp_max(cap)
        padded = torch.zeros(num_frames, num_frames, dtype=torch.float64)
        padded[:length, :length] = weights.sqrt()[:, None] * cosines
        return padded.to(dtype=dtype, device=device)
