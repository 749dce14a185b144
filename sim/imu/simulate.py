"""What an accelerometer and a gyroscope would read: ``simulate(...)`` is the one door from motion to sensor streams.

Signs and frames of both are those of :mod:`sim.conventions`. They are exact derivatives of the splines of
:mod:`sim.trajectory`, so they hold at any output rate, gradients flow back to the motion, and the dtype is the
motion's. Where no gradient is wanted, a recording is worked on part by part in time: an hour of 22 sensors takes little
more memory than its result. Clips of a batch are worked on together, and sensors on soft tissue are not cut: both want
memory for all of theirs. Positions in float32 are rounded: at 60 Hz that is 2e-4 m/s^2 near the world's origin and 4e-3
at 10 m from it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from sim.body import Body
from sim.checks import check_finite, check_rate, check_readings, check_rotations
from sim.imu.readings import PosedSensors, PoseSource, sense
from sim.motion import Motion
from sim.placements import Placement, Sites, resolve_all
from sim.placements.sites import site_planes
from sim.pose_fit import fit_pose
from sim.precision import full_precision
from sim.recording import ImuRecording
from sim.sensor_errors import SensorErrors
from sim.trajectory import uniform_times


@full_precision()
def simulate(
    motion: Motion,
    body: Body,
    placements: Sequence[Placement],
    *,
    rate_hz: float,
    errors: SensorErrors | None = None,
    generator: torch.Generator | None = None,
    cutoff_hz: float | None = None,
) -> ImuRecording:
    """Simulate IMUs on the skin of a moving body.

    Args:
        motion: local rotations ``(..., T, 22, 3, 3)`` and translation ``(..., T, 3)`` [m], world Y up.
        body: whose skin; shapes ``(..., num_betas)`` broadcast with the motion's leading dims.
        placements: where the S sensors sit, each name once.
        rate_hz: output rate [Hz], free of the motion's.
        errors: what the devices add; None for ideal sensors.
        generator: source of the errors' randomness; needed where ``errors`` draws any.
        cutoff_hz: smooth a jittery capture: the frequency at which 1/sqrt(2) of a movement's amplitude is left [Hz],
            falling with its eighth power beyond, without delay; None passes through every frame.

    Returns:
        An ImuRecording of ``T' = floor((T - 1) * rate_hz / fps) + 1`` samples in the dtype of the motion,
        differentiable in it and in the body's shapes.

    Raises:
        ValueError: ``rate_hz`` is not positive, no placements, a name twice, or NaN or non-rotations in the motion.

    Examples:
        >>> body, turn = Body.default(), torch.eye(3).expand(61, 22, 3, 3)
        >>> still = Motion(turn, torch.tensor([0.0, 0.9, 0.0]).expand(61, 3), fps=20.0)
        >>> read = simulate(still, body, [Placement.preset("chest"), Placement.preset("left_wrist")], rate_hz=50)
        >>> read.accel.shape, read.names
        (torch.Size([151, 2, 3]), ('chest', 'left_wrist'))
        >>> read.accel[75].norm(dim=-1).round(decimals=3)  # at rest: gravity, whichever way the axes point
        tensor([9.8070, 9.8070])
        >>> read.accel[75, 1].argmax()  # arms stretched out, palms down: z, out of the back of the wrist, points up
        tensor(2)
    """
    check_rate(rate_hz, "rate_hz")
    _check_leading(body, motion)
    sites = resolve_all(placements, body)
    twice = sorted({name for name in sites.names if sites.names.count(name) > 1})
    if twice:
        raise ValueError(f"placements name {twice} more than once, expected each name once; rename one of them")
    ideal = _sense_sites(motion, body, sites, rate_hz=rate_hz, cutoff_hz=cutoff_hz)
    for tissue in dict.fromkeys(p.attachment for p in placements if p.attachment is not None):
        swinging = [k for k, placement in enumerate(placements) if placement.attachment == tissue]
        # The site has to be known several times for each swing of the box.
        finer = tissue.oversampling(rate_hz)
        held = _sense_sites(motion, body, sites.only(swinging), rate_hz=finer * rate_hz, cutoff_hz=cutoff_hz)
        ideal = ideal.with_sensors(swinging, tissue.swing(held).every(finer))
    described = tuple(placement.describe() for placement in placements)
    return _with_errors(
        replace(ideal, placements=described, decoder=motion.decoder, licence=motion.licence), errors, generator
    )


@full_precision()
def simulate_rigid(
    position: Tensor,
    orientation: Tensor,
    *,
    fps: float,
    rate_hz: float,
    errors: SensorErrors | None = None,
    generator: torch.Generator | None = None,
    cutoff_hz: float | None = None,
) -> ImuRecording:
    """Simulate one IMU fixed to a rigid box whose pose was sampled; many boxes go into the leading dims.

    Args:
        position: world position of the sensor ``(..., T, 3)`` [m], Y up.
        orientation: sensor to world ``R_ws (..., T, 3, 3)``.
        fps: rate of the poses [Hz].
        rate_hz: output rate [Hz].
        errors: what the device adds; None for an ideal sensor.
        generator: source of the errors' randomness; needed where ``errors`` draws any.
        cutoff_hz: smooth a jittery capture: the frequency at which 1/sqrt(2) of a movement's amplitude is left [Hz],
            falling with its eighth power beyond, without delay; None passes through every frame.

    Returns:
        An ImuRecording with one sensor (S = 1) named ``"sensor"``, in the dtype of the poses, differentiable in them.

    Raises:
        ValueError: shapes or dtypes do not go together, a rate is not positive, or the poses hold NaN or non-rotations.

    Examples:
        >>> time = torch.arange(0, 2, 0.01, dtype=torch.float64)
        >>> spin = torch.zeros(len(time), 3, dtype=torch.float64)
        >>> spin[:, 1] = 0.5 * time  # half a radian a second about the vertical
        >>> from sim.rotations import axis_angle_to_matrix
        >>> read = simulate_rigid(torch.zeros_like(spin), axis_angle_to_matrix(spin), fps=100, rate_hz=100)
        >>> read.gyro[100, 0].round(decimals=6), read.accel[100, 0].round(decimals=5)
        (tensor([0.0000, 0.5000, 0.0000], dtype=torch.float64), tensor([0.0000, 9.8066, 0.0000], dtype=torch.float64))
    """
    for name, value in (("position", position), ("orientation", orientation)):
        if not isinstance(value, Tensor):
            raise ValueError(f"{name} is a {type(value).__name__}, expected a torch.Tensor; use torch.from_numpy")
    if position.ndim < 2 or position.shape[-1] != 3:
        raise ValueError(f"position has shape {tuple(position.shape)}, expected (..., T, 3)")
    if orientation.shape != (*position.shape[:-1], 3, 3):
        raise ValueError(
            f"orientation has shape {tuple(orientation.shape)}, expected {(*position.shape[:-1], 3, 3)} to go with "
            f"position {tuple(position.shape)}"
        )
    if position.dtype != orientation.dtype:
        raise ValueError(
            f"position is {position.dtype} and orientation {orientation.dtype}, expected both float32 or both float64; "
            "convert with .to(torch.float32)"
        )
    leading, num_frames = position.shape[:-2], position.shape[-2]
    places = position.reshape(math.prod(leading), 1, num_frames, 3).movedim(-1, 0)
    turns = orientation.reshape(math.prod(leading), 1, num_frames, 9).movedim(-1, 0)
    sensors = PosedSensors(
        poses=lambda start, stop: (places[..., start:stop], turns[..., start:stop]),
        num_clips=math.prod(leading),
        num_frames=num_frames,
        num_sensors=1,
        fps=fps,
        like=position,
        differentiable=torch.is_grad_enabled() and (position.requires_grad or orientation.requires_grad),
    )
    ideal = _record(sensors, leading, rate_hz=rate_hz, cutoff_hz=cutoff_hz, names=("sensor",))
    return _with_errors(ideal, errors, generator)


@full_precision()
def simulate_joints(
    joints: Tensor,
    *,
    fps: float,
    placements: Sequence[Placement],
    rate_hz: float,
    body: Body | None = None,
    errors: SensorErrors | None = None,
    generator: torch.Generator | None = None,
    cutoff_hz: float | None = None,
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
        cutoff_hz: smooth a jittery capture: the frequency at which 1/sqrt(2) of a movement's amplitude is left [Hz],
            falling with its eighth power beyond, without delay; None passes through every frame.

    Returns:
        As :func:`simulate`.

    Raises:
        ValueError: as :func:`simulate` and :func:`sim.pose_fit.fit_pose`.
    """
    check_rate(rate_hz, "rate_hz")
    body = Body.default() if body is None else body
    motion = fit_pose(joints, fps=check_rate(fps, "fps"), body=body)
    return simulate(motion, body, placements, rate_hz=rate_hz, errors=errors, generator=generator, cutoff_hz=cutoff_hz)


def _check_leading(body: Body, motion: Motion) -> None:
    shapes, motions = tuple(body.betas.shape[:-1]), tuple(motion.rotations.shape[:-4])
    try:
        torch.broadcast_shapes(shapes, motions)
    except RuntimeError as error:
        raise ValueError(
            f"the body has a batch {shapes} of shapes and the motion a batch {motions} of clips, expected leading dims "
            "that broadcast; unsqueeze one of them for every shape with every clip"
        ) from error


def _sense_sites(motion: Motion, body: Body, sites: Sites, *, rate_hz: float, cutoff_hz: float | None) -> ImuRecording:
    """Return ideal readings of sensors held rigidly on the skin."""
    leading = torch.broadcast_shapes(body.betas.shape[:-1], motion.rotations.shape[:-4])
    inputs = (motion.rotations, motion.translation, body.betas, body.model.template, sites.mounting)
    sensors = PosedSensors(
        poses=_skin_poses(motion, body, sites),
        num_clips=math.prod(leading),
        num_frames=motion.num_frames,
        num_sensors=len(sites.names),
        fps=motion.fps,
        like=motion.rotations,
        differentiable=torch.is_grad_enabled() and any(value.requires_grad for value in inputs),
    )
    return _record(sensors, leading, rate_hz=rate_hz, cutoff_hz=cutoff_hz, names=sites.names)


def _skin_poses(motion: Motion, body: Body, sites: Sites) -> PoseSource:
    """Return the poses of sites on the skin by ranges of frames, in which nothing of the other frames is computed."""

    def poses(start: int, stop: int) -> tuple[Tensor, Tensor]:
        part = motion.frames(start, stop)
        # Skinning would straighten a matrix that is no rotation without a word, and a NaN would be blamed on the skin.
        check_rotations(part.rotations, "motion.rotations")
        check_finite(part.translation.movedim(-2, 0), "motion.translation", first_frame=start)
        return site_planes(body, part, sites)

    return poses


def _record(
    sensors: PosedSensors, leading: tuple[int, ...], *, rate_hz: float, cutoff_hz: float | None, names: tuple[str, ...]
) -> ImuRecording:
    """Return ideal readings of sensors at ``rate_hz``, with the clips' leading dims back in place."""
    samples = (sensors.num_frames - 1) * check_rate(rate_hz, "rate_hz") / check_rate(sensors.fps, "fps") + 1
    check_readings(int(samples), sensors.num_sensors, sensors.num_clips, rate_hz=rate_hz)
    times_s = uniform_times(sensors.num_frames, fps=sensors.fps, rate_hz=rate_hz)
    readings = sense(sensors, times_s, cutoff_hz=cutoff_hz)
    shaped = {name: value.reshape(*leading, *value.shape[1:]) for name, value in readings._asdict().items()}
    return ImuRecording(**shaped, rate_hz=float(rate_hz), names=names)


def _with_errors(ideal: ImuRecording, errors: SensorErrors | None, generator: torch.Generator | None) -> ImuRecording:
    """Pass readings through a device; gravity is then taken off what it measured, with the true orientation."""
    if errors is None:
        return ideal
    if not isinstance(errors, SensorErrors):
        raise ValueError(
            f"errors is {errors!r}, expected SensorErrors; use SensorErrors.preset({errors!r}) for a device"
        )
    accel, gyro = errors.apply(ideal.accel, ideal.gyro, rate_hz=ideal.rate_hz, generator=generator)
    return replace(ideal, accel=accel, gyro=gyro, linear_accel=ideal.linear_accel + (accel - ideal.accel))
