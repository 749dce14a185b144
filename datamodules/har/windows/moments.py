"""Mean and standard deviation of channels, from parts that are joined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ChannelStatistics:
    """Mean and standard deviation of each channel, fitted on training windows and on nothing else.

    Attributes:
        mean: ``(C,)`` in the channel's unit.
        std: ``(C,)`` in the channel's unit; one where a channel does not vary.
    """

    mean: NDArray[np.float32]
    std: NDArray[np.float32]


@dataclass(frozen=True)
class Moments:
    """What mean and standard deviation are made of, so that parts can be joined.

    Attributes:
        count: samples.
        mean: of each channel ``(C,)``, float64.
        squares: sum of squared differences from the mean ``(C,)``, float64.
    """

    count: float
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]

    @classmethod
    def none(cls, num_channels: int) -> Self:
        """Of no sample."""
        return cls(0.0, np.zeros(num_channels), np.zeros(num_channels))

    @classmethod
    def of(cls, samples: NDArray[np.float32], weights: NDArray[np.float32] | None = None) -> Self:
        """Of samples ``(T, C)``, each counted ``weights (T,)`` times, or once."""
        if weights is None:
            weights = np.ones(len(samples), dtype=np.float32)
        count = float(weights.sum(dtype=np.float64))
        if count == 0:
            return cls.none(samples.shape[1])
        # From an origin inside the data single precision is enough for sums over some thousand samples.
        origin = samples[weights.argmax()]
        apart = samples - origin
        first = (weights @ apart).astype(np.float64) / count
        second = (weights @ np.square(apart)).astype(np.float64)
        return cls(count, origin + first, np.maximum(second - count * first**2, 0.0))

    def joined(self, other: Moments) -> Moments:
        """Of both (Chan, Golub and LeVeque 1979, Updating formulae and a pairwise algorithm)."""
        count = self.count + other.count
        if count == 0:
            return self
        apart = other.mean - self.mean
        mean = self.mean + apart * (other.count / count)
        squares = self.squares + other.squares + apart**2 * (self.count * other.count / count)
        return Moments(count, mean, squares)

    def weighted(self, share: float) -> Moments:
        """The same mean and deviation, counted as ``share`` samples."""
        return Moments(share, self.mean, self.squares * (share / self.count))

    def statistics(self) -> ChannelStatistics:
        """Mean and standard deviation; one where a channel does not vary."""
        std = np.sqrt(self.squares / self.count)
        # A channel that never moves carries nothing: leave it at zero rather than blow its rounding noise up.
        std = np.where(std < 1e-6, 1.0, std)
        return ChannelStatistics(self.mean.astype(np.float32), std.astype(np.float32))
