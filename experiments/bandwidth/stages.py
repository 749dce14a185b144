"""The gain of each stage between features and windows, measured by a small sinusoid through the stage's own code.

The truth is the amplitude put in: of a position as it is, of an acceleration times -(2 pi f)^2, of an angular rate
times 2 pi f. What a person at rest would read is taken off by the difference of both signs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from datamodules.har.streams import resample_stream
from datamodules.har.streams.stream import Stream
from experiments.bandwidth.probe import amplitude, gain, held_pose, respond, swing, wave
from experiments.bandwidth.smoothers import SMOOTHERS, Smoother
from sim.body import Body
from sim.conventions import FEATURE_FPS, JOINT_INDEX
from sim.features import (
    DECODERS,
    FEATURE_SLICES,
    Decoder,
    canonicalise,
    features_to_joints,
    features_to_motion,
    joints_to_features,
)
from sim.imu import simulate, simulate_rigid
from sim.motion import Motion
from sim.placements import Placement, resolve_all, site_poses
from sim.pose_fit import fit_pose
from sim.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from sim.sensor_errors import SensorErrors
from sim.trajectory import resample_motion

RATE_HZ: Final = 100.0
WINDOW_HZ: Final = 50.0
SMALL_M: Final = 2e-3
SITE: Final = "left_wrist"
CUTOFF_HZ: Final = 6.0

Gain = Callable[[Tensor], Tensor]


class Stage(NamedTuple):
    """One stage.

    Attributes:
        group: what it is part of.
        name: what it is.
        gain: takes frequencies ``(F,)`` [Hz], multiples of 0.25 below 10, and returns their gains ``(F,)``.
    """

    group: str
    name: str
    gain: Gain


def list_stages() -> list[Stage]:
    """Return every stage, in the order in which data pass them, and then what others do."""
    stages: list[Stage] = []
    for decoder in DECODERS:
        stages.append(Stage("decoder", f"{decoder}: a movement", partial(decode_movement, decoder=decoder)))
        stages.append(
            Stage("decoder", f"{decoder}: jitter of the positions alone", partial(decode_jitter, decoder=decoder))
        )
    stages += [
        Stage("pose fit", "swing of an upper arm", partial(fit_turn, axis=1)),
        Stage("pose fit", "twist of an upper arm, elbow bent", partial(fit_turn, axis=0)),
        Stage("skin", "site on the skin of the wrist", carry_on_skin),
        Stage("spline", "acceleration", lambda f: derive(f, cutoff_hz=None)[0]),
        Stage("spline", "angular rate", lambda f: derive(f, cutoff_hz=None)[1]),
        Stage("spline", f"acceleration, cutoff_hz={CUTOFF_HZ:g}", lambda f: derive(f, cutoff_hz=CUTOFF_HZ)[0]),
        Stage("spline", f"angular rate, cutoff_hz={CUTOFF_HZ:g}", lambda f: derive(f, cutoff_hz=CUTOFF_HZ)[1]),
        Stage("device", "bmi270", partial(read_by_device, name="bmi270")),
        Stage("device", "xsens_mtw (180 Hz)", partial(read_by_device, name="xsens_mtw")),
        Stage("resampling", "motion, 20 to 50 fps", resample_frames),
        Stage("resampling", "windows, 100 to 50 Hz", lambda f: cut_windows(f, RATE_HZ, WINDOW_HZ)),
        Stage("resampling", "windows, 50 to 20 Hz", lambda f: cut_windows(f, WINDOW_HZ, FEATURE_FPS)),
    ]
    for decoder in DECODERS:
        stages.append(Stage("whole chain", f"features to 50 Hz, {decoder}", partial(pass_chain, decoder=decoder)))
    stages += [
        Stage("elsewhere", "second difference at 20 fps", differ_twice),
        Stage("elsewhere", "numpy.gradient twice at 20 fps (POSE2IMU)", differ_centrally),
    ]
    for smoother in SMOOTHERS:
        stages.append(Stage("elsewhere", smoother.name, partial(smooth, smoother=smoother)))
    return stages


def decode_movement(frequency_hz: Tensor, decoder: Decoder) -> Tensor:
    """Gain of encoding and decoding a swing of an arm."""

    def joints(sign: float) -> Tensor:
        return canonicalise(Body.default().joints(_arm(frequency_hz, sign)))

    truth = respond(joints)[:, :-1, JOINT_INDEX[SITE]]
    found = respond(lambda sign: features_to_joints(joints_to_features(joints(sign)), decoder))
    return _compare(found[..., JOINT_INDEX[SITE], :], truth, frequency_hz, FEATURE_FPS)


def decode_jitter(frequency_hz: Tensor, decoder: Decoder) -> Tensor:
    """Gain for what the position of a joint says and its steps do not: what a generator puts in by mistake."""
    features = joints_to_features(Body.default().joints(held_pose()))
    put = SMALL_M * wave(frequency_hz, FEATURE_FPS, len(features))
    channel = FEATURE_SLICES.positions.start + 3 * (JOINT_INDEX[SITE] - 1) + 1  # upwards

    def joints(sign: float) -> Tensor:
        changed = features.expand(len(frequency_hz), -1, -1).clone()
        changed[..., channel] += sign * put
        return features_to_joints(changed, decoder)[..., JOINT_INDEX[SITE], 1:2]

    return _compare(respond(joints), put[..., None], frequency_hz, FEATURE_FPS)


def fit_turn(frequency_hz: Tensor, *, axis: int) -> Tensor:
    """Gain of fitting rotations to joints, for the turn of an upper arm about itself (0) or across it (1)."""
    body = Body.default()
    sites = resolve_all([Placement.preset("left_upper_arm")], body)

    def turn(motion: Motion) -> Tensor:
        poses = site_poses(body, motion, sites)[1][:, :, 0]
        return matrix_to_axis_angle(poses[:, :1].mT @ poses)

    def arm(sign: float) -> Motion:
        return swing(held_pose(), "left_shoulder", frequency_hz, axis=axis, sign=sign)

    found = respond(lambda sign: turn(fit_pose(body.joints(arm(sign)), fps=FEATURE_FPS)))
    return _compare(found, respond(lambda sign: turn(arm(sign))), frequency_hz, FEATURE_FPS)


def carry_on_skin(frequency_hz: Tensor) -> Tensor:
    """Gain of skinning: the site moves as with an arm that is held at the same angle."""
    body = Body.default()
    sites = resolve_all([Placement.preset(SITE)], body)

    def place(motion: Motion) -> Tensor:
        return site_poses(body, motion, sites)[0][..., 0, :]

    found = respond(lambda sign: place(_arm(frequency_hz, sign)))
    quarter = torch.tensor([FEATURE_FPS / 4])  # at its second frame the swing is at its full angle
    still = respond(lambda sign: place(_arm(quarter, sign)))[:, 1]
    truth = wave(frequency_hz, FEATURE_FPS)[..., None] * still[:, None]
    return _compare(found, truth, frequency_hz, FEATURE_FPS)


def derive(frequency_hz: Tensor, *, cutoff_hz: float | None) -> tuple[Tensor, Tensor]:
    """Gains of the splines for acceleration and for angular rate of a box whose poses come at 20 fps."""
    sine = wave(frequency_hz, FEATURE_FPS)
    axis = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    level = torch.eye(3, dtype=torch.float64).expand(*sine.shape, 3, 3)

    def read(sign: float) -> Tensor:
        place, turn = (sign * amount * sine[..., None] * axis for amount in (SMALL_M, SMALL_M))
        moved = simulate_rigid(place, level, fps=FEATURE_FPS, rate_hz=RATE_HZ, cutoff_hz=cutoff_hz)
        turned = simulate_rigid(
            0 * place, axis_angle_to_matrix(turn), fps=FEATURE_FPS, rate_hz=RATE_HZ, cutoff_hz=cutoff_hz
        )
        return torch.cat([moved.accel[..., 0, 1:2], turned.gyro[..., 0, 1:2]], dim=-1)

    found = amplitude(respond(read), frequency_hz, RATE_HZ)
    omega = 2 * math.pi * frequency_hz
    placed = amplitude(SMALL_M * wave(frequency_hz, RATE_HZ)[..., None], frequency_hz, RATE_HZ)
    return gain(found[:, :1], -omega[:, None].square() * placed), gain(found[:, 1:], 1j * omega[:, None] * placed)


def read_by_device(frequency_hz: Tensor, name: str) -> Tensor:
    """Gain of a device's accelerometer at 100 Hz: the same device, the same noise, with and without a movement."""
    sine = wave(frequency_hz, RATE_HZ)
    rest = torch.tensor([0.0, 9.80665, 0.0], dtype=torch.float64)
    device = SensorErrors.preset(name)

    def read(sign: float) -> Tensor:
        force = rest + sign * sine[..., None, None] * rest / rest[1]
        generator = torch.Generator().manual_seed(0)
        return device.apply(force, 0 * force, rate_hz=RATE_HZ, generator=generator)[0][..., 0, 1:2]

    return _compare(respond(read), sine[..., None], frequency_hz, RATE_HZ)


def resample_frames(frequency_hz: Tensor) -> Tensor:
    """Gain of bringing a motion from 20 to 50 fps, for a joint's turn."""

    def turn(sign: float) -> Tensor:
        moved = resample_motion(_arm(frequency_hz, sign), fps=WINDOW_HZ)
        return _turn_of(moved)

    truth = respond(lambda sign: _turn_of(_arm(frequency_hz, sign, fps=WINDOW_HZ)))
    return _compare(respond(turn), truth, frequency_hz, WINDOW_HZ)


def cut_windows(frequency_hz: Tensor, from_hz: float, to_hz: float) -> Tensor:
    """Gain of the resampling that windows are cut after."""
    sine = wave(frequency_hz, from_hz)
    found = _resample(sine, from_hz, to_hz)
    return _compare(found, wave(frequency_hz, to_hz, found.shape[1])[..., None], frequency_hz, to_hz)


def pass_chain(frequency_hz: Tensor, decoder: Decoder) -> Tensor:
    """Gain from a swinging arm through features, decoder, fit, skin, spline and windows, in specific force.

    The truth is the same arm, simulated from poses at 100 fps.
    """

    def motion(sign: float) -> Motion:
        return features_to_motion(joints_to_features(Body.default().joints(_arm(frequency_hz, sign))), decoder=decoder)

    def exact(sign: float) -> Motion:
        joints = canonicalise(Body.default().joints(_arm(frequency_hz, sign, fps=RATE_HZ)))
        return fit_pose(joints, fps=RATE_HZ)

    found, truth = (_feel(arm) for arm in (motion, exact))
    return _compare(found, truth, frequency_hz, WINDOW_HZ)


def differ_twice(frequency_hz: Tensor) -> Tensor:
    """Gain of a plain second difference at 20 fps against the second derivative."""
    sine = wave(frequency_hz, FEATURE_FPS)
    padded = torch.nn.functional.pad(sine.diff(n=2), (1, 1)) * FEATURE_FPS**2
    return _derived(padded, sine, frequency_hz)


def differ_centrally(frequency_hz: Tensor) -> Tensor:
    """Gain of ``numpy.gradient`` twice at 20 fps against the second derivative."""
    sine = wave(frequency_hz, FEATURE_FPS)
    slope = np.gradient(np.gradient(sine.numpy(), 1 / FEATURE_FPS, axis=1), 1 / FEATURE_FPS, axis=1)
    return _derived(torch.from_numpy(slope), sine, frequency_hz)


def smooth(frequency_hz: Tensor, smoother: Smoother) -> Tensor:
    """Gain of a filter of somebody else's."""
    sine = wave(frequency_hz, smoother.fps)
    found = torch.from_numpy(smoother.smooth(sine.T.numpy()).T.copy())
    return _compare(found[..., None], sine[..., None], frequency_hz, smoother.fps)


def _arm(frequency_hz: Tensor, sign: float, *, fps: float = FEATURE_FPS) -> Motion:
    return swing(held_pose(fps), "left_shoulder", frequency_hz, axis=1, sign=sign)


def _feel(arm: Callable[[float], Motion]) -> Tensor:
    """Return what a watch reads of a swing, at the rate of windows ``(F, T, 3)`` [m/s^2]."""
    worn = [Placement.preset(SITE)]
    read = respond(lambda sign: simulate(arm(sign), Body.default(), worn, rate_hz=RATE_HZ).accel[..., 0, :])
    return _resample(read, RATE_HZ, WINDOW_HZ)


def _turn_of(motion: Motion) -> Tensor:
    """Return the shoulder's turn against the pose at the start ``(F, T, 3)`` [rad]."""
    turns = motion.rotations[:, :, JOINT_INDEX["left_shoulder"]]
    return matrix_to_axis_angle(turns[:, :1].mT @ turns)


def _resample(series: Tensor, from_hz: float, to_hz: float) -> Tensor:
    """Bring ``(F, T)`` or ``(F, T, K)`` to another rate as the cutter of windows does: ``(F, T', K)``."""
    shaped = series if series.ndim == 3 else series[..., None]
    flat = shaped.movedim(0, 1).flatten(1).numpy()
    names = tuple(str(column) for column in range(flat.shape[1]))
    stream = Stream(flat, names, np.full(len(flat), ""), from_hz, "")
    values = torch.from_numpy(resample_stream(stream, rate_hz=to_hz).values)
    return values.unflatten(1, (len(series), -1)).movedim(1, 0)


def _compare(found: Tensor, truth: Tensor, frequency_hz: Tensor, rate_hz: float) -> Tensor:
    return gain(amplitude(found, frequency_hz, rate_hz), amplitude(truth, frequency_hz, rate_hz))


def _derived(found: Tensor, sine: Tensor, frequency_hz: Tensor) -> Tensor:
    truth = -(2 * math.pi * frequency_hz[:, None]).square() * sine
    return _compare(found[..., None], truth[..., None], frequency_hz, FEATURE_FPS)
