"""What an accelerometer and a gyroscope would read: ``simulate(...)`` is the one door from motion to sensor streams.

Accelerometer: specific force in the sensor frame, ``f = R_ws^T (a_world - g)``; a sensor at rest reads +9.80665 m/s^2
along its up axis. Gyroscope: angular rate of the sensor relative to the world in the sensor frame,
``[omega]x = R_ws^T dR_ws/dt``. (Titterton and Weston 2004, Strapdown Inertial Navigation Technology, chapters 3 and 4.)
Both are exact derivatives of the splines of :mod:`sim.trajectory`, so they hold at any output rate, and gradients flow
back to the motion.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from sim.body import Body
from sim.conventions import GRAVITY
from sim.motion import Motion
from sim.placements import Placement, resolve_all, site_poses
from sim.pose_fit import fit_pose
from sim.recording import ImuRecording
from sim.sensor_errors import SensorErrors
from sim.trajectory import uniform_times
from sim.trajectory_position import QuinticSpline, SampleTimes, check_finite, check_rate
from sim.trajectory_rotation import RotationSpline, check_rotations

_CHUNK_SAMPLES = 2**14
"""Sensor-samples worked on at a time where no gradient is wanted: what fits into a processor's cache."""


def simulate(
    motion: Motion,
    body: Body,
    placements: Sequence[Placement],
    *,
    rate_hz: float,
    errors: SensorErrors | None = None,
    generator: torch.Generator | None = None,
) -> ImuRecording:
    """Simulate IMUs on the skin of a moving body.

    Args:
        motion: local rotations ``(..., T, 22, 3, 3)`` and translation ``(..., T, 3)`` [m], world Y up.
        body: whose skin; shapes ``(..., num_betas)`` broadcast with the motion's leading dims.
        placements: where the S sensors sit, each name once.
        rate_hz: output rate [Hz], free of the motion's.
        errors: what the devices add; None for ideal sensors.
        generator: source of the errors' randomness; needed where ``errors`` draws any.

    Returns:
        An ImuRecording of ``T' = floor((T - 1) * rate_hz / fps) + 1`` samples in the dtype of the motion,
        differentiable in it and in the body's shapes.

    Raises:
        ValueError: ``rate_hz`` is not positive, no placements, a name twice, or NaN or non-rotations in the motion.
    """
    check_rate(rate_hz, "rate_hz")
    sites = resolve_all(placements, body)
    twice = sorted({name for name in sites.names if sites.names.count(name) > 1})
    if twice:
        raise ValueError(f"placements name {twice} more than once, expected each name once; rename one of them")
    # Skinning would straighten a matrix that is no rotation without a word, and a NaN would be told of the skin.
    check_rotations(motion.rotations, "motion.rotations")
    check_finite(motion.translation.movedim(-2, 0), "motion.translation")
    position, orientation = site_poses(body, motion, sites)
    ideal = _sense(position, orientation, fps=motion.fps, rate_hz=rate_hz, names=sites.names)
    return _with_errors(ideal, errors, generator)


def simulate_rigid(
    position: Tensor,
    orientation: Tensor,
    *,
    fps: float,
    rate_hz: float,
    errors: SensorErrors | None = None,
    generator: torch.Generator | None = None,
) -> ImuRecording:
    """Simulate one IMU fixed to a rigid box whose pose was sampled; many boxes go into the leading dims.

    Args:
        position: world position of the sensor ``(..., T, 3)`` [m], Y up.
        orientation: sensor to world ``R_ws (..., T, 3, 3)``.
        fps: rate of the poses [Hz].
        rate_hz: output rate [Hz].
        errors: what the device adds; None for an ideal sensor.
        generator: source of the errors' randomness; needed where ``errors`` draws any.

    Returns:
        An ImuRecording with one sensor (S = 1) named ``"sensor"``, in the dtype of the poses, differentiable in them.

    Raises:
        ValueError: shapes or dtypes do not go together, a rate is not positive, or the poses hold NaN or non-rotations.
    """
    if position.ndim < 2 or position.shape[-1] != 3:
        raise ValueError(f"position has shape {tuple(position.shape)}, expected (..., T, 3)")
    if orientation.shape != (*position.shape[:-1], 3, 3):
        raise ValueError(
            f"orientation has shape {tuple(orientation.shape)}, expected {(*position.shape[:-1], 3, 3)} to go with "
            f"position {tuple(position.shape)}"
        )
    ideal = _sense(position.unsqueeze(-2), orientation.unsqueeze(-3), fps=fps, rate_hz=rate_hz, names=("sensor",))
    return _with_errors(ideal, errors, generator)


def simulate_joints(
    joints: Tensor,
    *,
    fps: float,
    placements: Sequence[Placement],
    rate_hz: float,
    body: Body | None = None,
    errors: SensorErrors | None = None,
    generator: torch.Generator | None = None,
) -> ImuRecording:
    """Simulate IMUs from joint positions alone, for generators that give nothing else.

    The joints are fitted by :func:`sim.pose_fit.fit_pose` first; twists they cannot show (forearm pronation, head yaw)
    follow its stated prior.

    Args:
        joints: world positions ``(..., T, 22, 3)`` [m], SMPL's order, Y up.
        fps: rate of the joints [Hz].
        placements: where the S sensors sit.
        rate_hz: output rate [Hz].
        body: whose skin; ``Body.default()`` if None.
        errors: what the devices add; None for ideal sensors.
        generator: source of the errors' randomness; needed where ``errors`` draws any.

    Returns:
        As :func:`simulate`.

    Raises:
        ValueError: as :func:`simulate` and :func:`sim.pose_fit.fit_pose`.
    """
    check_rate(rate_hz, "rate_hz")
    body = Body.default() if body is None else body
    motion = fit_pose(joints, fps=check_rate(fps, "fps"), body=body)
    return simulate(motion, body, placements, rate_hz=rate_hz, errors=errors, generator=generator)


class _Readings(NamedTuple):
    """Ideal readings at P times of N sensors, axes before sensors: (P, 3, N), and (P, 3, 3, N) for orientation."""

    accel: Tensor
    gyro: Tensor
    linear_accel: Tensor
    orientation: Tensor
    position: Tensor


def _sense(
    position: Tensor, orientation: Tensor, *, fps: float, rate_hz: float, names: tuple[str, ...]
) -> ImuRecording:
    """Return ideal readings of sensors at ``position (..., T, S, 3)``, turned by ``orientation (..., T, S, 3, 3)``."""
    _check_poses(position, orientation)
    num_frames, leading = position.shape[-3], (*position.shape[:-3], position.shape[-2])
    times_s = uniform_times(num_frames, fps=fps, rate_hz=rate_hz)
    # Half precision would lose the second derivative, so a surrounding autocast is kept out.
    with torch.autocast(device_type=position.device.type, enabled=False):
        columns = position.movedim(-3, 0).reshape(num_frames, -1, 3).transpose(1, 2)
        moving = QuinticSpline(columns.contiguous(), fps=fps)
        turning = RotationSpline(orientation.movedim(-4, 0).reshape(num_frames, -1, 3, 3), fps=fps, name="orientation")
        times = turning.locate(times_s)
        needs_grad = torch.is_grad_enabled() and (position.requires_grad or orientation.requires_grad)
        size = len(times) if needs_grad else max(64, _CHUNK_SAMPLES // max(1, columns.shape[-1]))
        chunks = (_read(moving, turning, times.part(start, start + size)) for start in range(0, len(times), size))
        if needs_grad:
            parts = _Readings(*(value.contiguous() for value in _sensor_axis_last(next(chunks), leading)))
        else:
            parts = _collect(chunks, len(times), leading)
    return ImuRecording(**parts._asdict(), rate_hz=float(rate_hz), names=names)


def _read(moving: QuinticSpline, turning: RotationSpline, times: SampleTimes) -> _Readings:
    place, acceleration = moving.evaluate(times, (0, 2))
    rotation, rate = turning.rotation_and_rate(times)
    # A row of R_ws^T is a column of R_ws: sum over the world axis (dim 1). Gravity points along the world's -Y, so
    # its reaction in the sensor frame is the second row of R_ws.
    linear = (rotation * acceleration[:, :, None]).sum(dim=1)
    specific = torch.add(linear, rotation[:, 1], alpha=-GRAVITY[1])
    return _Readings(specific, rate, linear, rotation, place)


def _sensor_axis_last(readings: _Readings, leading: tuple[int, ...]) -> _Readings:
    """Turn each ``(P, *axes, N)`` into ``(..., P, S, *axes)`` with ``leading = (..., S)``."""

    def turn(value: Tensor) -> Tensor:
        ordered = value.movedim(-1, 0).reshape(*leading, *value.shape[:-1])
        return ordered.movedim(len(leading), len(leading) - 1)

    return _Readings(*map(turn, readings))


def _collect(chunks: Iterable[_Readings], count: int, leading: tuple[int, ...]) -> _Readings:
    """Write chunk after chunk into whole tensors, so that peak memory is the result and one chunk."""
    time = len(leading) - 1
    whole: _Readings | None = None
    start = 0
    for readings in chunks:
        part = _sensor_axis_last(readings, leading)
        length = part.accel.shape[time]
        if whole is None:
            whole = _Readings(
                *(value.new_empty(*value.shape[:time], count, *value.shape[time + 1 :]) for value in part)
            )
        for target, value in zip(whole, part, strict=True):
            target.narrow(time, start, length).copy_(value)
        start += length
    if whole is None:
        raise ValueError("the output has 0 samples, expected at least 1; give a clip with frames")
    return whole


def _check_poses(position: Tensor, orientation: Tensor) -> None:
    if position.dtype not in (torch.float32, torch.float64) or orientation.dtype != position.dtype:
        raise ValueError(
            f"position is {position.dtype} and orientation {orientation.dtype}, expected both float32 or both float64; "
            "convert with .to(torch.float32)"
        )
    check_finite(position.movedim(-3, 0), "position")


def _with_errors(ideal: ImuRecording, errors: SensorErrors | None, generator: torch.Generator | None) -> ImuRecording:
    """Pass readings through a device; gravity is then taken off what it measured, with the true orientation."""
    if errors is None:
        return ideal
    accel, gyro = errors.apply(ideal.accel, ideal.gyro, rate_hz=ideal.rate_hz, generator=generator)
    return replace(ideal, accel=accel, gyro=gyro, linear_accel=ideal.linear_accel + (accel - ideal.accel))
