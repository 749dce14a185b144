"""What a page draws and prints, as arrays: the moving skeleton, the coarse skin, and the sensors as simulated."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray

from sim.body import Body
from sim.checks import check_cutoff
from sim.imu import simulate
from sim.motion import Motion
from sim.placements import Placement
from sim.recording import ImuRecording
from sim.sensor_errors import SensorErrors
from sim.show.mesh import DrawnSkin, coarsen_skin
from sim.show.options import DEFAULT_SECONDS
from sim.trajectory import resample_motion
from sim.trajectory.spline import memory_samples

DRAWN_FPS = 60.0
"""Drawn frames a second, at most; a slower clip is drawn between its frames too, so that slow motion stays smooth."""

MAX_DRAWN_FRAMES = 3600
"""Drawn frames of one page; a longer stretch is drawn at a lower rate."""

MAX_SAMPLES = 100_000
"""Samples of each sensor in one page."""

_CUT_FELT = 1e-10
"""Part of a cut that a spline may still feel in the frames that are drawn."""


class PackedArray(TypedDict):
    """An array as it stands in the page: little-endian bytes in base64."""

    dtype: str
    shape: list[int]
    data: str


@dataclass(frozen=True, eq=False)
class ShownClip:
    """A stretch of one clip with its sensors: F drawn frames, N samples, S sensors.

    Attributes:
        skin: the coarse skin.
        joint_poses: ``(F, 22, 12)`` float32, for each joint the matrix that carries rest vertices into the world, row
            by row, then its offset [m].
        pelvis_rest: rest position of joint 0 ``(3,)`` float32 [m].
        sensor_poses: ``(F, S, 12)`` float32, for each sensor R_ws row by row, then its position [m].
        accel: specific force in the sensor frame ``(N, S, 3)`` float32 [m/s^2].
        gyro: angular rate in the sensor frame ``(N, S, 3)`` float32 [rad/s].
        names: the sensors.
        drawn_fps: drawn frames a second [Hz].
        first_frame: time of the first drawn frame, in drawn frames since the clip's start.
        rate_hz: samples a second [Hz].
        first_sample: time of the first sample, in samples since the clip's start.
        source_fps: frames a second of the clip [Hz]; readings carry nothing above half of it.
        floor_m: height of the drawn floor [m].
        notes: what the page leaves out of the clip, in words.
    """

    skin: DrawnSkin
    joint_poses: NDArray[np.float32]
    pelvis_rest: NDArray[np.float32]
    sensor_poses: NDArray[np.float32]
    accel: NDArray[np.float32]
    gyro: NDArray[np.float32]
    names: tuple[str, ...]
    drawn_fps: float
    first_frame: int
    rate_hz: float
    first_sample: int
    source_fps: float
    floor_m: float
    notes: tuple[str, ...]


@dataclass(frozen=True)
class TimeSpan:
    """Which part of a clip is shown.

    Attributes:
        start_s: from where [s].
        seconds: how long [s]; None shows all up to :data:`DEFAULT_SECONDS`.
    """

    start_s: float = 0.0
    seconds: float | None = None

    def limits(self, duration_s: float) -> tuple[float, float, tuple[str, ...]]:
        """Return first and last moment [s] within a clip, and what was left out, in words.

        Raises:
            ValueError: the start lies outside of the clip, or the length is not positive.
        """
        if not 0 <= self.start_s <= duration_s:
            raise ValueError(f"start is {self.start_s:g} s, expected 0 to {duration_s:g} s, the length of the clip")
        if self.seconds is not None and not self.seconds > 0:
            raise ValueError(f"seconds is {self.seconds:g}, expected > 0; leave it out to see the whole clip")
        length = DEFAULT_SECONDS if self.seconds is None else self.seconds
        end = min(duration_s, self.start_s + length)
        cut = self.seconds is None and self.start_s + length < duration_s
        note = f"shows {self.start_s:g} to {end:g} s of {duration_s:.1f} s; ask for more with --seconds or --start"
        return self.start_s, end, (note,) if cut else ()


def gather(
    motion: Motion,
    body: Body,
    placements: Sequence[Placement],
    *,
    rate_hz: float,
    stretch: TimeSpan,
    errors: SensorErrors | None = None,
    generator: torch.Generator | None = None,
    cutoff_hz: float | None = None,
    most_fps: float = DRAWN_FPS,
) -> ShownClip:
    """Simulate the sensors of one clip on one body, and lay out what a page shows of it.

    Args:
        motion: rotations ``(T, 22, 3, 3)``.
        body: shape ``(num_betas,)``.
        placements: where the S sensors sit.
        rate_hz: output rate of the sensors [Hz].
        stretch: which part is shown. The whole clip is simulated all the same, so readings are those of
            :func:`sim.imu.simulate`, not those of a cut clip.
        errors: what the devices add; the drawn poses stay the true ones.
        generator: source of the errors' randomness.
        cutoff_hz: smoothing of the motion [Hz]; the body is drawn as smooth as the sensors sense it.
        most_fps: drawn frames a second, at most [Hz].

    Raises:
        ValueError: as :func:`sim.imu.simulate`; the stretch is outside of the clip; or too many samples for a page.
    """
    start, end, notes = stretch.limits(motion.duration_s)
    drawn_fps, slower = _drawn_fps(motion.fps, end - start, most_fps)
    frames = _within(start, end, drawn_fps)
    with torch.no_grad():
        skin = coarsen_skin(body)
        joint_poses = _joint_poses(motion, body, drawn_fps, frames, cutoff_hz)
    if body.model.pose_directions is not None:
        slower = (*slower, "the drawn skin leaves out SMPL's pose blend shapes; sensors and readings have them")
    none = np.zeros((0, 0, 3), dtype=np.float32)
    bare = ShownClip(
        skin=skin,
        joint_poses=joint_poses,
        pelvis_rest=_float32(body.rest_joints[0]),
        sensor_poses=none,
        accel=none,
        gyro=none,
        names=(),
        drawn_fps=drawn_fps,
        first_frame=frames.start,
        rate_hz=rate_hz,
        first_sample=0,
        source_fps=motion.fps,
        floor_m=_floor(skin, joint_poses),
        notes=(*notes, *slower),
    )
    return with_sensors(
        bare,
        motion,
        body,
        placements,
        rate_hz=rate_hz,
        stretch=stretch,
        errors=errors,
        generator=generator,
        cutoff_hz=cutoff_hz,
    )


def with_sensors(
    clip: ShownClip,
    motion: Motion,
    body: Body,
    placements: Sequence[Placement],
    *,
    rate_hz: float,
    stretch: TimeSpan,
    errors: SensorErrors | None = None,
    generator: torch.Generator | None = None,
    cutoff_hz: float | None = None,
) -> ShownClip:
    """Return a clip with other sensors; arguments and errors as for :func:`gather`, by which the clip was made."""
    start, end, _ = stretch.limits(motion.duration_s)
    if (end - start) * rate_hz > MAX_SAMPLES:
        raise ValueError(
            f"{end - start:g} s at {rate_hz:g} Hz are {(end - start) * rate_hz:,.0f} samples, expected up to "
            f"{MAX_SAMPLES:,} in one page; lower rate_hz or seconds"
        )
    with torch.no_grad():
        recording = simulate(
            motion, body, placements, rate_hz=rate_hz, errors=errors, generator=generator, cutoff_hz=cutoff_hz
        )
        poses = simulate(motion, body, placements, rate_hz=clip.drawn_fps, cutoff_hz=cutoff_hz)
    samples = _within(start, end, rate_hz)
    return replace(
        clip,
        sensor_poses=_sensor_poses(poses)[clip.first_frame : clip.first_frame + len(clip.joint_poses)],
        accel=_float32(recording.accel)[samples],
        gyro=_float32(recording.gyro)[samples],
        names=recording.names,
        rate_hz=rate_hz,
        first_sample=samples.start,
    )


def pack(array: NDArray[np.generic]) -> PackedArray:
    """Write an array as bytes that a browser's typed arrays take."""
    data = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<")))
    return PackedArray(
        dtype=array.dtype.name, shape=list(array.shape), data=base64.b64encode(data.tobytes()).decode("ascii")
    )


def _drawn_fps(fps: float, seconds: float, most_fps: float) -> tuple[float, tuple[str, ...]]:
    """Return the drawn rate, a whole multiple or a whole fraction of the clip's, and what it leaves out in words."""
    most = min(most_fps, MAX_DRAWN_FRAMES / max(seconds, 1e-9))
    if fps <= most:
        return fps * math.floor(most / fps + 1e-9), ()
    step = math.ceil(fps / most - 1e-9)
    return fps / step, (f"draws one frame in {step}, {fps / step:.3g} of {fps:g} a second; readings are complete",)


def _within(start: float, end: float, rate: float) -> slice:
    """Return the indices of the samples k / rate within ``[start, end]``; the last one before, if there is none."""
    last = math.floor(end * rate + 1e-6)
    return slice(min(math.ceil(start * rate - 1e-6), last), last + 1)


def _joint_poses(
    motion: Motion, body: Body, drawn_fps: float, frames: slice, cutoff_hz: float | None
) -> NDArray[np.float32]:
    """Return, for each drawn frame and joint, what carries rest vertices into the world ``(F, 22, 12)``."""
    # Only a neighbourhood is resampled: all frames of an hour would not fit. It starts where both rates have a frame.
    step = max(1, round(motion.fps / drawn_fps))
    reach = memory_samples(check_cutoff(cutoff_hz, fps=motion.fps), _CUT_FELT)
    first = max(0, math.floor(frames.start * motion.fps / drawn_fps) - reach) // step * step
    last = math.ceil(frames.stop * motion.fps / drawn_fps) + reach
    near = resample_motion(motion.frames(first, last), fps=drawn_fps, cutoff_hz=cutoff_hz)
    offset = frames.start - round(first * drawn_fps / motion.fps)
    drawn = near.frames(offset, offset + frames.stop - frames.start)
    joints, rotations = body.forward_kinematics(drawn)
    rest = body.rest_joints.to(rotations)
    shift = joints - (rotations @ rest[..., None]).squeeze(-1)
    return _float32(torch.cat([rotations.flatten(-2), shift], dim=-1))


def _sensor_poses(recording: ImuRecording) -> NDArray[np.float32]:
    return _float32(torch.cat([recording.orientation.flatten(-2), recording.position], dim=-1))


def _float32(values: torch.Tensor) -> NDArray[np.float32]:
    return values.detach().cpu().float().numpy()


def _floor(skin: DrawnSkin, joint_poses: NDArray[np.float32]) -> float:
    """Return the height of the floor: the world's y = 0, or the lowest drawn skin where that is far from it."""
    matrices = joint_poses[:, :, :9].reshape(-1, joint_poses.shape[1], 3, 3)
    lowest = np.inf
    every = max(1, len(joint_poses) // 300)
    for matrix, shift in zip(matrices[::every], joint_poses[::every, :, 9:], strict=True):
        height = np.einsum("vki,vi->vk", matrix[skin.bones, 1], skin.rest_vertices) + shift[skin.bones, 1]
        lowest = min(lowest, float((height * skin.weights).sum(axis=1).min()))
    return 0.0 if abs(lowest) < 0.25 else lowest
