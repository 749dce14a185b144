"""Ideal readings of clips of different lengths in one padded batch, for losses: differentiable, no loop over clips.

The same quantities as :mod:`sim.imu.readings`, by the equations of :mod:`sim.conventions`, and only those that a loss
compares. A spline is one linear map of all samples of its clip; here each clip has the map of its own length, with
zeros for the padding, so that a clip reads the same in any batch. The maps are dense: meant for clips of up to a few
hundred frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from sim.checks import check_cutoff
from sim.conventions import GRAVITY
from sim.imu.readings import MIN_FRAMES
from sim.precision import full_precision
from sim.trajectory import uniform_times
from sim.trajectory.position import locate_steps
from sim.trajectory.rotation import body_rate, planes_from_quaternions, quaternions_from_planes
from sim.trajectory.spline import DEGREE
from sim.trajectory.spline_windows import sampling_operator

EDGE_FRAMES = DEGREE // 2
"""Closer to an end than this, some of the seven B-splines that make up a sample are centred beyond the end, where the
spline's end conditions decide and not the data [frames]."""


class PaddedReadings(NamedTuple):
    """Ideal readings of L clips of S sensors, T' samples of the longest.

    Attributes:
        accel: specific force in the sensor frame ``(L, T', S, 3)`` [m/s^2].
        gyro: angular rate in the sensor frame ``(L, T', S, 3)`` [rad/s].
        inside: samples at least :data:`EDGE_FRAMES` frames from both ends of their clip ``(L, T')``, bool.
    """

    accel: Tensor
    gyro: Tensor
    inside: Tensor


def sense_padded(
    position: Tensor,
    rotation: Tensor,
    lengths: Sequence[int],
    *,
    fps: float,
    rate_hz: float,
    cutoff_hz: float | None = None,
) -> PaddedReadings:
    """Return what accelerometers and gyroscopes read in clips of different lengths.

    Args:
        position: world positions in planes ``(3, L, S, T)`` [m], Y up, finite also in the padding.
        rotation: ``R_ws``, row by row, in planes ``(9, L, S, T)``; rotations also in the padding.
        lengths: valid frames of each clip, L numbers up to T. A clip of under :data:`sim.imu.readings.MIN_FRAMES`
            frames reads zero angular rate and gravity alone, and none of it is inside.
        fps: rate of the frames [Hz].
        rate_hz: output rate [Hz].
        cutoff_hz: as in :func:`sim.imu.simulate`.
    """
    num_clips, num_sensors, num_frames = position.shape[1:]
    cutoff = check_cutoff(cutoff_hz, fps=fps)
    num_times = len(uniform_times(num_frames, fps=fps, rate_hz=rate_hz))

    def sample(signal: Tensor, order: int) -> list[Tensor]:
        """From ``(K, L, S, T)`` to K planes ``(L, S, T')``."""
        maps = [
            _padded_operator(length, num_frames, num_times, order, fps, rate_hz, cutoff, signal.dtype, signal.device)
            for length in lengths
        ]
        alike = len(set(lengths)) == 1
        operator = maps[0].expand(num_clips, -1, -1) if alike else torch.stack(maps)
        with full_precision():
            values = torch.bmm(signal.movedim(1, 0).flatten(1, 2), operator)
        return list(values.unflatten(1, (-1, num_sensors)).unbind(dim=1))

    # Constants do not count in a derivative; without them float32 sums lose less to rounding.
    middle = torch.tensor([length // 2 for length in lengths], device=position.device)
    centre = position.detach().gather(-1, middle[None, :, None, None].expand(3, -1, num_sensors, 1))
    x, y, z = (fps**2 * component for component in sample(position - centre, 2))
    quaternion = quaternions_from_planes(rotation.reshape(3, 3, -1, num_frames)).unflatten(1, (-1, num_sensors))
    slope = sample(quaternion, 1)
    if cutoff is None and rate_hz == fps:
        # At the frames themselves the spline is what was given.
        turn, matrix = list(quaternion.unbind(dim=0)), list(rotation.unbind(dim=0))
    else:
        turn = sample(quaternion, 0)
        matrix = planes_from_quaternions(*turn)
    # A row of R_ws^T is a column of R_ws; gravity points along the world's -Y.
    specific = [matrix[k] * x + matrix[3 + k] * (y - GRAVITY[1]) + matrix[6 + k] * z for k in range(3)]
    rate = body_rate(turn, slope, fps)
    first = torch.arange(num_times, device=position.device) * (fps / rate_hz)
    last = torch.tensor([length if length >= MIN_FRAMES else 0 for length in lengths], device=position.device)[:, None]
    inside = (first >= EDGE_FRAMES) & (first <= last - 1 - EDGE_FRAMES)
    accel, gyro = (torch.stack(planes, dim=-1).transpose(1, 2) for planes in (specific, rate))
    return PaddedReadings(accel, gyro, inside)


@lru_cache(maxsize=512)
def _padded_operator(
    length: int,
    num_frames: int,
    num_times: int,
    order: int,
    fps: float,
    rate_hz: float,
    cutoff: float | None,
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """Return the map ``(T, T')`` of a clip of ``length`` frames; beyond its last sample a value is the first frame's.

    A derivative there is zero. Kept for later calls, those of training after validation included.
    """
    with torch.inference_mode(False):
        operator = torch.zeros(num_frames, num_times, dtype=dtype, device=device)
        if order == 0:
            operator[0] = 1.0
        if length >= MIN_FRAMES:
            steps = locate_steps(uniform_times(length, fps=fps, rate_hz=rate_hz), num_samples=length, fps=fps)
            inner = sampling_operator(tuple(steps.tolist()), length, order, cutoff, dtype, device)
            operator[:, : len(steps)] = 0.0
            operator[:length, : len(steps)] = inner
        return operator
