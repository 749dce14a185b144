"""TimingErrors: when a device really samples, and which samples get lost on the way.

Jitter: a sample is taken at an instant off its nominal one, and its time stamp stays nominal. The stream is read at
the true instant from the Lagrange polynomial of degree 5 through the six samples around it. That is exact for
polynomials up to degree 5; a sine of a tenth of the rate is off by at most 3e-4 of its amplitude, one of a fifth by
1.5 %. In the first and last two intervals the six samples lie to one side, which is several times less exact.

Drop-outs: a two-state Markov chain (Gilbert 1960, doi:10.1002/j.1538-7305.1960.tb03959.x), so bursts of lost samples
have geometrically distributed lengths.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor

from sim.checks import check_rate
from sim.sensor_errors.triad import check_amount, check_generator

_STENCIL: Final[int] = 6
"""Samples that the interpolating polynomial goes through."""

_FILLS: Final = ("hold", "nan")


@dataclass(frozen=True)
class TimingErrors:
    """Errors in time of one device; its accelerometer and its gyroscope share them. The default has none.

    Attributes:
        jitter_std_s: standard deviation of a sample's true instant around its nominal one, independent from sample to
            sample [s]. Instants beyond the ends of the recording are taken at the ends. Meant to be small against the
            sample interval; the order of samples is not enforced.
        drop_rate: part of the samples that is lost, in [0, 1).
        mean_drop_s: mean length of a burst of lost samples [s]. 0 loses each sample on its own, which makes bursts of
            ``1 / (1 - drop_rate)`` samples; shorter ones are lengthened to that.
        fill: what stands in for a lost sample: ``"hold"`` the last delivered one, as many loggers write, or ``"nan"``.

    Raises:
        ValueError: a value is negative, NaN or infinite, ``drop_rate`` is 1 or more, or ``fill`` is unknown.
    """

    jitter_std_s: float = 0.0
    drop_rate: float = 0.0
    mean_drop_s: float = 0.0
    fill: Literal["hold", "nan"] = "hold"

    def __post_init__(self) -> None:
        for name in ("jitter_std_s", "drop_rate", "mean_drop_s"):
            check_amount(float(getattr(self, name)), name)
        if self.drop_rate >= 1:
            raise ValueError(
                f"drop_rate is {self.drop_rate}, expected a part in [0, 1); divide by 100 if it is in per cent"
            )
        if self.fill not in _FILLS:
            raise ValueError(f"fill is {self.fill!r}, expected one of {list(_FILLS)}; choose one of them")

    @property
    def is_random(self) -> bool:
        """Whether anything is drawn."""
        return bool(self.jitter_std_s or self.drop_rate)

    def resample(
        self, *streams: Tensor, rate_hz: float, generator: torch.Generator | None = None
    ) -> tuple[Tensor, ...]:
        """Return streams ``(..., T, S, 3)`` of the same devices as read at the jittered instants; differentiable.

        Raises:
            ValueError: there is jitter and no generator is given, or ``rate_hz`` is not positive.
        """
        check_rate(rate_hz, "rate_hz")
        if not self.jitter_std_s:
            return streams
        generator = check_generator(generator)
        shape = streams[0].shape[:-1]
        # In double precision whatever the streams are, so that float32 and float64 see the same instants.
        delay = torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float64)
        nominal = torch.arange(shape[-2], device=delay.device, dtype=torch.float64)[:, None]
        instants = (nominal + delay * (self.jitter_std_s * rate_hz)).clamp(0, shape[-2] - 1)
        return tuple(_interpolate(stream, instants.to(stream.device)) for stream in streams)

    def drop(self, *streams: Tensor, rate_hz: float, generator: torch.Generator | None = None) -> tuple[Tensor, ...]:
        """Return streams ``(..., T, S, 3)`` of the same devices with lost samples filled; all streams lose the same.

        The first sample is always delivered: a recording begins with it.

        Raises:
            ValueError: samples are to be lost and no generator is given, or ``rate_hz`` is not positive.
        """
        check_rate(rate_hz, "rate_hz")
        if not self.drop_rate:
            return streams
        lost = self._draw_lost(streams[0].shape[:-1], rate_hz, check_generator(generator))
        if self.fill == "nan":
            return tuple(stream.masked_fill(lost.to(stream.device).unsqueeze(-1), math.nan) for stream in streams)
        position = torch.arange(lost.shape[-2], device=lost.device)[:, None].expand_as(lost)
        held = torch.where(lost, 0, position).cummax(dim=-2).values
        return tuple(_take(stream, held.to(stream.device)) for stream in streams)

    def _draw_lost(self, shape: torch.Size, rate_hz: float, generator: torch.Generator) -> Tensor:
        """Draw which samples ``(..., T, S)`` are lost."""
        length = max(self.mean_drop_s * rate_hz, 1 / (1 - self.drop_rate))
        begin = self.drop_rate / ((1 - self.drop_rate) * length)
        # One uniform number moves both states of the chain: below `begin` to lost, above `1 - 1 / length` to delivered,
        # and between them, never empty as the length is bounded below, the state stays. So the state is that of the
        # last number outside the band, which needs no loop over samples.
        uniform = torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float64)
        begins, ends = uniform < begin, uniform >= 1 - 1 / length
        ends[..., 0, :], begins[..., 0, :] = True, False
        position = torch.arange(shape[-2], device=uniform.device)[:, None].expand(shape)
        last = torch.where(begins | ends, position, 0).cummax(dim=-2).values
        return begins.gather(-2, last)


def _rows(index: Tensor) -> Tensor:
    """Where the samples ``index (..., T, S)`` of a stream ``(..., T, S, 3)`` stand among its rows of three."""
    (count, sensors), leading = index.shape[-2:], index.shape[:-2]
    clip = torch.arange(math.prod(leading), device=index.device).reshape(*leading, 1, 1)
    return ((clip * count + index) * sensors + torch.arange(sensors, device=index.device)).flatten()


def _take(stream: Tensor, index: Tensor) -> Tensor:
    """Pick samples ``index (..., T, S)`` of a stream ``(..., T, S, 3)``."""
    return stream.reshape(-1, 3).index_select(0, _rows(index)).reshape(stream.shape)


def _interpolate(stream: Tensor, instants: Tensor) -> Tensor:
    """Read a stream ``(..., T, S, 3)`` at float64 instants ``(..., T, S)`` [samples], within [0, T - 1]."""
    points = min(_STENCIL, stream.shape[-3])
    first = (instants.floor() - (points - 1) // 2).clamp(0, stream.shape[-3] - points)
    start, samples = _rows(first.long()), stream.reshape(-1, 3)
    weights = _lagrange_weights((instants - first).flatten(), points).to(stream.dtype)
    value = torch.zeros_like(samples)
    for node, weight in enumerate(weights):
        # A later sample of the same sensor stands one row further for each sensor.
        value = torch.addcmul(value, weight[:, None], samples.index_select(0, start + node * stream.shape[-2]))
    return value.reshape(stream.shape)


def _lagrange_weights(where: Tensor, points: int) -> Tensor:
    """Weights ``(points, P)`` of samples 0, 1, ... of the polynomial through them, read at ``where (P,)``."""
    offsets = [where - node for node in range(points)]
    before, after = [torch.ones_like(where)], [torch.ones_like(where)]
    for node in range(points - 1):
        before.append(before[-1] * offsets[node])
        after.append(after[-1] * offsets[points - 1 - node])
    scale = [(-1) ** (points - 1 - k) / (math.factorial(k) * math.factorial(points - 1 - k)) for k in range(points)]
    return torch.stack([scale[k] * before[k] * after[points - 1 - k] for k in range(points)])
