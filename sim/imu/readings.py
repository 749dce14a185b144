"""Ideal accelerometer and gyroscope readings from sampled poses, part by part in time, so that length costs no memory.

Equations and frames of both are those of :mod:`sim.conventions`; they come from exact derivatives of the splines of
:mod:`sim.trajectory`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import torch
from torch import Tensor

from sim.checks import check_cutoff, check_finite, check_rotation_planes
from sim.conventions import GRAVITY
from sim.precision import full_precision
from sim.trajectory.position import locate_steps
from sim.trajectory.rotation import body_rate, planes_from_quaternions, quaternions_from_planes
from sim.trajectory.spline_windows import SplineWindows, plan_windows, sample_windows

MIN_FRAMES: Final[int] = 6
"""Fewer frames are refused: with them the ends' conditions decide the acceleration, and not the data."""

CHUNK_SAMPLES: Final[int] = 2**15
"""Sensor-samples worked on at a time where no gradient is wanted: what fits into a processor's cache."""

PoseSource = Callable[[int, int], tuple[Tensor, Tensor]]
"""Of the F frames from the first number up to the second: position ``(3, L, S, F)`` [m] and R_ws, row by row,
``(9, L, S, F)``."""

Planes = Sequence[Tensor]
"""Components of a quantity, each ``(K, N, n)``: K windows of n times, N = L * S sensors."""


class Readings(NamedTuple):
    """Ideal readings of S sensors of L clips at T' times, world Y up; see :class:`sim.recording.ImuRecording`.

    Attributes:
        accel: specific force in the sensor frame ``(L, T', S, 3)`` [m/s^2].
        gyro: angular rate in the sensor frame ``(L, T', S, 3)`` [rad/s].
        linear_accel: acceleration in the sensor frame, without gravity ``(L, T', S, 3)`` [m/s^2].
        orientation: ``R_ws (L, T', S, 3, 3)``.
        position: ``(L, T', S, 3)`` [m].
    """

    accel: Tensor
    gyro: Tensor
    linear_accel: Tensor
    orientation: Tensor
    position: Tensor


@dataclass(frozen=True, eq=False)
class PosedSensors:
    """Sensors whose poses are known at a uniform rate.

    Attributes:
        poses: gives the poses of a range of frames.
        num_clips: L.
        num_frames: T.
        num_sensors: S.
        fps: rate of the frames [Hz].
        like: a tensor of the poses' dtype and device.
        differentiable: whether gradients are wanted; then a clip is worked on in one piece.
    """

    poses: PoseSource
    num_clips: int
    num_frames: int
    num_sensors: int
    fps: float
    like: Tensor
    differentiable: bool


def sense(sensors: PosedSensors, times_s: Tensor, *, cutoff_hz: float | None = None) -> Readings:
    """Return ideal readings.

    Args:
        sensors: whose.
        times_s: when, ascending ``(T',)`` [s] from the first frame on.
        cutoff_hz: smoothing of the poses [Hz], see :mod:`sim.trajectory.spline`; None interpolates.

    Raises:
        ValueError: fewer than :data:`MIN_FRAMES` frames, a dtype other than float32 and float64, a rate or cut-off out
            of range, poses with NaN, or matrices that are no rotations.
    """
    like, num_frames = sensors.like, sensors.num_frames
    if num_frames < MIN_FRAMES:
        raise ValueError(
            f"the clip has {num_frames} frames, expected at least {MIN_FRAMES}: fewer do not determine an "
            "acceleration; give a longer clip"
        )
    if like.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"the poses are {like.dtype}, expected float32 or float64; convert with .to(torch.float32)")
    steps = locate_steps(times_s, num_samples=num_frames, fps=sensors.fps)
    cutoff = check_cutoff(cutoff_hz, fps=sensors.fps)
    plan = plan_windows(steps, num_samples=num_frames, dtype=like.dtype, cutoff=cutoff)
    # Half precision would lose the second derivative.
    with full_precision():
        if sensors.differentiable:
            return _sense_whole(sensors, plan, cutoff)
        return _sense_parts(sensors, plan, cutoff, num_times=len(steps))


def _sense_whole(sensors: PosedSensors, plan: Sequence[SplineWindows], cutoff: float | None) -> Readings:
    signals = _signals(sensors, 0, sensors.num_frames)
    parts: list[list[Tensor]] = []
    for windows in plan:
        quantities = _read(signals, windows, fps=sensors.fps, cutoff=cutoff)
        parts.append([_in_order(torch.stack(tuple(planes), dim=-1), sensors).flatten(1, 2) for planes in quantities])
    return _shaped([torch.cat(pieces, dim=1) for pieces in zip(*parts, strict=True)])


def _sense_parts(
    sensors: PosedSensors, plan: Sequence[SplineWindows], cutoff: float | None, *, num_times: int
) -> Readings:
    """Write part after part into whole tensors, so that peak memory is the result and one part."""
    size = (sensors.num_clips, num_times, sensors.num_sensors)
    whole = [sensors.like.new_empty(*size, width) for width in (3, 3, 3, 9, 3)]
    series = max(1, sensors.num_clips * sensors.num_sensors)
    for span in _spans(plan, most_values=max(1, CHUNK_SAMPLES // series)):
        start, stop = span[0].start, span[-1].stop
        signals = _signals(sensors, start, stop)
        for windows in span:
            quantities = _read(signals, windows._replace(start=windows.start - start), fps=sensors.fps, cutoff=cutoff)
            for target, planes in zip(whole, quantities, strict=True):
                part = target.narrow(1, windows.output, windows.num_values)
                part = part.unflatten(1, (windows.repeats, len(windows.steps)))
                for component, plane in enumerate(planes):
                    part[..., component].copy_(_in_order(plane[..., None], sensors)[..., 0])
    return _shaped(whole)


def _spans(plan: Sequence[SplineWindows], *, most_values: int) -> Iterator[list[SplineWindows]]:
    """Yield runs of windows whose frames are posed together, each small enough to be worked on in cache.

    Windows overlap; two frames are worth as much time as one value, so a run may hold twice as many frames as values.
    """
    run: list[SplineWindows] = []
    for group in plan:
        for windows in group.split(max(1, most_values // max(len(group.steps), group.spacing))):
            if run and windows.stop - run[0].start > 2 * most_values:
                yield run
                run = []
            run.append(windows)
    if run:
        yield run


def _signals(sensors: PosedSensors, start: int, stop: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return position ``(3, N, F)``, ``R_ws (9, N, F)`` and quaternions ``(4, N, F)`` of a range of frames."""
    position, rotation = (planes.flatten(1, 2).contiguous() for planes in sensors.poses(start, stop))
    check_finite(position.movedim(-1, 0), "position", first_frame=start)
    matrix = rotation.unflatten(0, (3, 3))
    check_rotation_planes(matrix.detach(), "orientation")
    return position, rotation, quaternions_from_planes(matrix)


def _read(
    signals: tuple[Tensor, ...], windows: SplineWindows, *, fps: float, cutoff: float | None
) -> tuple[Planes, Planes, Planes, Planes, Planes]:
    """Return the planes of each of the :class:`Readings` at the times of some windows."""
    position, matrix, quaternion = signals
    num_series = position.shape[1]

    def sample(signal: Tensor, orders: tuple[int, int], *, centred: bool) -> tuple[Planes, Planes]:
        values = sample_windows(signal.flatten(0, 1), windows, orders, cutoff=cutoff, centred=centred)
        first, second = (value.unflatten(1, signal.shape[:2]).unbind(dim=1) for value in values)
        return first, second

    place, bend = sample(position, (0, 2), centred=True)
    turn, slope = sample(quaternion, (0, 1), centred=False)
    if cutoff is None and windows.whole_steps is not None:
        # At the frames themselves the spline is what was given.
        (value,) = sample_windows(matrix.flatten(0, 1), windows, (0,))
        rotation: Planes = value.unflatten(1, (9, num_series)).unbind(dim=1)
    else:
        rotation = planes_from_quaternions(*turn)
    x, y, z = (fps**2 * component for component in bend)
    # A row of R_ws^T is a column of R_ws; gravity points along the world's -Y, so its reaction in the sensor frame is
    # the second row of R_ws.
    linear = [torch.addcmul(torch.addcmul(rotation[k] * x, rotation[3 + k], y), rotation[6 + k], z) for k in range(3)]
    specific = [torch.add(linear[k], rotation[3 + k], alpha=-GRAVITY[1]) for k in range(3)]
    return specific, body_rate(turn, slope, fps), linear, rotation, place


def _in_order(planes: Tensor, sensors: PosedSensors) -> Tensor:
    """View ``(K, N, n, c)`` as ``(L, K, n, S, c)``."""
    return planes.unflatten(1, (sensors.num_clips, sensors.num_sensors)).permute(1, 0, 3, 2, 4)


def _shaped(quantities: Sequence[Tensor]) -> Readings:
    accel, gyro, linear, orientation, position = quantities
    return Readings(accel, gyro, linear, orientation.unflatten(-1, (3, 3)), position)
