"""What sensors on a moving skin cost, beside skinning the whole mesh; how cost grows; what gradients cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

import torch
from smplx.lbs import lbs
from torch import Tensor

from experiments.bench.memory import measure_peak_bytes
from experiments.pipeline.tables import BenchTable, median_seconds
from sim import PLACEMENT_NAMES, Body, ImuRecording, Motion, Placement, simulate
from sim.conventions import NUM_JOINTS, PARENTS
from sim.imu.readings import PosedSensors, sense
from sim.placements import resolve_all
from sim.placements.sites import Sites, frames_on_triangles
from sim.rotations import axis_angle_to_matrix
from sim.trajectory import uniform_times

RATE_HZ: Final[float] = 100.0
_FPS: Final[float] = 20.0


def make_motion(num_motions: int = 8, num_frames: int = 196, *, fps: float = _FPS, seed: int = 0) -> Motion:
    """Return walking-speed motions in which every joint swings smoothly, float32."""
    generator = torch.Generator().manual_seed(seed)
    phases = 6.3 * torch.rand(num_motions, 1, NUM_JOINTS, 3, generator=generator)
    times = torch.arange(num_frames) / fps
    vectors = 0.4 * torch.sin(6 * times[:, None, None] + phases)
    path = torch.stack([0.1 * torch.sin(3 * times), 0.9 + 0 * times, 1.3 * times], dim=-1)
    return Motion(axis_angle_to_matrix(vectors), path.expand(num_motions, -1, -1).contiguous(), fps)


def make_placements(count: int = 22) -> list[Placement]:
    """Return the first ``count`` presets; beyond them, the presets again under other names."""
    presets = [Placement.preset(name) for name in PLACEMENT_NAMES]
    return [replace(presets[k % len(presets)], name=f"sensor_{k}") for k in range(count)]


def simulate_on_full_mesh(motion: Motion, body: Body, placements: list[Placement]) -> ImuRecording:
    """Do the same the usual way: skin every vertex of every frame with smplx, then read the sites off the mesh."""
    sites = resolve_all(placements, body)
    position, rotation = _planes_from_mesh(motion, body, sites)
    num_clips, num_frames = motion.rotations.shape[:2]
    sensors = PosedSensors(
        poses=lambda start, stop: (position[..., start:stop], rotation[..., start:stop]),
        num_clips=num_clips,
        num_frames=num_frames,
        num_sensors=len(placements),
        fps=motion.fps,
        like=motion.rotations,
        differentiable=False,
    )
    times_s = uniform_times(num_frames, fps=motion.fps, rate_hz=RATE_HZ)
    return ImuRecording(**sense(sensors, times_s)._asdict(), rate_hz=RATE_HZ, names=sites.names)


def _planes_from_mesh(motion: Motion, body: Body, sites: Sites) -> tuple[Tensor, Tensor]:
    model, frames = body.model, motion.rotations.shape[:2]
    rotations = motion.rotations.reshape(-1, NUM_JOINTS, 3, 3)
    no_pose_shapes = model.template.new_zeros(9 * (NUM_JOINTS - 1), model.template.numel())
    vertices, joints = lbs(
        body.betas.expand(len(rotations), -1),
        rotations,
        model.template,
        model.shape_directions,
        no_pose_shapes if model.pose_directions is None else model.pose_directions.flatten(0, 1).T,
        model.joint_regressor,
        torch.tensor(PARENTS),
        model.weights,
        pose2rot=False,
    )
    _, joint_rotations = body.forward_kinematics(motion)
    bone = joint_rotations[:, :, sites.joints] @ sites.bone_axes.to(vertices)[..., None]
    a, b, c = (vertices - joints[:, :1])[:, sites.triangles].unflatten(0, frames).unbind(dim=-2)
    weights = sites.barycentric.to(vertices)
    point = weights[:, :1] * a + weights[:, 1:2] * b + weights[:, 2:] * c + motion.translation.unsqueeze(-2)
    point, edge1, edge2, bone = (v.movedim(1, -1) for v in (point, b - a, c - a, bone.squeeze(-1)))
    return frames_on_triangles(point, edge1, edge2, bone, sites)


def _prepare_sparse() -> Callable[[], object]:
    motion, body, placements = make_motion(), Body.default(), make_placements()
    simulate(motion.frames(0, 8), body, placements, rate_hz=RATE_HZ)
    return lambda: simulate(motion, body, placements, rate_hz=RATE_HZ)


def _prepare_full() -> Callable[[], object]:
    motion, body, placements = make_motion(), Body.default(), make_placements()
    simulate_on_full_mesh(motion.frames(0, 8), body, placements)
    return lambda: simulate_on_full_mesh(motion, body, placements)


def full_mesh_table() -> BenchTable:
    """Time and peak memory of ``simulate`` and of the full mesh."""
    seconds = [median_seconds(prepare()) for prepare in (_prepare_sparse, _prepare_full)]
    peaks = [measure_peak_bytes(prepare) for prepare in (_prepare_sparse, _prepare_full)]
    sparse = simulate(make_motion(), Body.default(), make_placements(), rate_hz=RATE_HZ)
    full = simulate_on_full_mesh(make_motion(), Body.default(), make_placements())
    difference = float((sparse.accel - full.accel).square().mean().sqrt())
    rows = [
        [name, f"{s:.3f}", f"{p / 2**20:.0f}", f"{s / seconds[0]:.0f}", f"{p / peaks[0]:.0f}"]
        for name, s, p in zip(("simulate", "whole mesh through smplx.lbs"), seconds, peaks, strict=True)
    ]
    return BenchTable(
        "Sensors on the skin: 8 motions of 196 frames at 20 fps, 22 placements, out at 100 Hz, one thread",
        ["method", "seconds", "peak MiB", "time, relative", "memory, relative"],
        rows,
        "Built-in body, 13,718 vertices, float32, medians of 5 runs. The second skins all frames at once, as smplx's "
        "layer does, reads the triangles off the mesh and goes on with the same trajectory code. Peak memory is what "
        f"the process grows by, results ({sum(v.nbytes for v in _quantities(sparse)) / 2**20:.0f} MiB) included. "
        f"RMS difference of the two accelerometers: {difference:.1e} m/s^2 (float32 rounding of the mesh).",
    )


def _quantities(recording: ImuRecording) -> list[Tensor]:
    return [recording.accel, recording.gyro, recording.linear_accel, recording.orientation, recording.position]


def scaling_table() -> BenchTable:
    """Seconds for more motions, frames and sensors; linear cost keeps the last column at one."""
    rows: list[list[str]] = []
    body = Body.default()
    for what, sizes in (
        ("motions", (2, 8, 32, 128)),
        ("frames", (256, 1024, 4096, 16384)),
        ("sensors", (8, 32, 128, 512)),
    ):
        base = None
        for size in sizes:
            motions, frames, sensors = (
                size if what == "motions" else 2,
                size if what == "frames" else 256,
                size if what == "sensors" else 8,
            )
            motion, placements = make_motion(motions, frames), make_placements(sensors)
            seconds = median_seconds(partial(simulate, motion, body, placements, rate_hz=RATE_HZ))
            base = base or seconds / size
            rows.append([what, str(size), f"{seconds:.4f}", f"{seconds / size / base:.2f}"])
    return BenchTable(
        "Cost of simulate grows linearly",
        ["what grows", "size", "seconds", "seconds per unit, relative to the smallest"],
        rows,
        "The others are 2 motions, 256 frames, 8 sensors; 20 fps in, 100 Hz out, one thread, medians of 5 runs. Below "
        "one: fixed costs are shared.",
    )


def gradient_table() -> BenchTable:
    """Seconds of a forward pass, with and without a graph, and of the backward pass."""
    motion, body, placements = make_motion(), Body.default(), make_placements()
    rotations, translation = motion.rotations.requires_grad_(), motion.translation.requires_grad_()

    def loss() -> Tensor:
        recording = simulate(Motion(rotations, translation, motion.fps), body, placements, rate_hz=RATE_HZ)
        return recording.accel.square().mean() + recording.gyro.square().mean()

    def forward_only() -> None:
        with torch.no_grad():
            loss()

    without, forward = median_seconds(forward_only, repeats=9), median_seconds(loss, repeats=9)
    both = median_seconds(lambda: torch.autograd.grad(loss(), (rotations, translation)), repeats=9)
    rows = [
        ["forward, no gradient wanted", f"{without:.3f}", f"{without / forward:.2f}"],
        ["forward, graph kept", f"{forward:.3f}", "1.00"],
        ["backward", f"{both - forward:.3f}", f"{(both - forward) / forward:.2f}"],
    ]
    return BenchTable(
        "Gradients: from accelerometer and gyroscope back to rotations and translation",
        ["pass", "seconds", "relative to forward"],
        rows,
        "8 motions of 196 frames at 20 fps, 22 placements, out at 100 Hz, one thread, medians of 9 runs. "
        f"Against the forward pass without a graph the backward pass costs {(both - forward) / without:.2f}.",
    )


def _prepare_hour() -> Callable[[], object]:
    motion, body, placements = make_motion(1, 72_000), Body.default(), make_placements()
    motion = Motion(motion.rotations[0], motion.translation[0], motion.fps)
    simulate(motion.frames(0, 600), body, placements, rate_hz=RATE_HZ)
    return lambda: simulate(motion, body, placements, rate_hz=RATE_HZ)


def long_recording_table() -> BenchTable:
    """Seconds and peak memory of an hour of 22 sensors at 100 Hz."""
    seconds = median_seconds(_prepare_hour(), repeats=5, warm_up=0)
    samples = len(uniform_times(72_000, fps=_FPS, rate_hz=RATE_HZ))
    result = samples * 22 * 21 * 4
    peak = measure_peak_bytes(_prepare_hour)
    return BenchTable(
        "A long recording: one hour, 22 sensors, 20 fps in, 100 Hz out, one thread",
        ["seconds", "million sensor-samples/s", "result MiB", "peak MiB", "peak beyond the result"],
        [
            [
                f"{seconds:.1f}",
                f"{samples * 22 / seconds / 1e6:.2f}",
                f"{result / 2**20:.0f}",
                f"{peak / 2**20:.0f}",
                f"{(peak - result) / 2**20:.0f} MiB",
            ]
        ],
        "Float32, median of 5 runs. Skin and splines are worked on in parts of a fixed size, whatever the length.",
    )
