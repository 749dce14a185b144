"""The fit against markers that were put on a known body in a known motion, and against real recordings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from datamodules.clips.embedded import load_embedded
from datamodules.formats.marker_recording import MarkerRecording
from datamodules.formats.trc import read_trc
from datamodules.markers.degrees import Freedom, choose_freedom
from datamodules.markers.fit import MarkerFit, fit_markers
from datamodules.markers.marker_sets import load_marker_sets
from datamodules.markers.model import MarkerModel, build_model, turn_joints
from datamodules.markers.solver import Pose, _assemble, _second_differences, step_together
from sim import Body, Motion
from sim.conventions import JOINT_INDEX, JOINT_NAMES
from sim.trajectory import resample_motion

BODY = Body.default()
OPENCAP = next(one for one in load_marker_sets() if one.name == "opencap")
WORN = [name for name in OPENCAP.sites if "mknee" not in name and "mankle" not in name and name != "Sternum"]


def embedded(name: str, fps: float) -> Motion:
    motion = next(clip.motion for clip in load_embedded() if clip.name.endswith(name))
    return resample_motion(Motion(motion.rotations.double(), motion.translation.double(), motion.fps), fps=fps)


def wear(motion: Motion, betas: Tensor, *, seed: int = 0) -> tuple[MarkerModel, MarkerRecording]:
    """Put markers on a body, each off its place by what its landmark allows, and record them with 1 mm of noise."""
    generator = torch.Generator().manual_seed(seed)
    model = build_model([OPENCAP.sites[name] for name in WORN], BODY)
    offsets = torch.randn(len(WORN), 3, generator=generator, dtype=torch.float64) * model.loose_m[:, None] * 0.7
    model = model.shaped(betas=betas.double(), offsets=offsets)
    markers = model.place(motion.rotations, motion.translation)[0]
    markers = markers + 1e-3 * torch.randn(markers.shape, generator=generator, dtype=torch.float64)
    return model, MarkerRecording(tuple(WORN), markers.numpy(), motion.fps, "y")


def flexion(motion: Motion, joint: str) -> np.ndarray:
    return np.rad2deg(Rotation.from_matrix(motion.rotations[:, JOINT_INDEX[joint]].double().numpy()).as_rotvec()[:, 0])


@pytest.fixture(scope="module")
def person() -> Tensor:
    """A tall, somewhat heavy person."""
    return torch.tensor([0.6, 0.5, 0.2, -0.4, 0.1, 0.3])


@pytest.fixture(scope="module")
def walked(person: Tensor) -> tuple[Motion, MarkerRecording, MarkerFit]:
    motion = embedded("walk", 100.0)
    recording = wear(motion, person)[1]
    return motion, recording, fit_markers(recording)


def test_a_known_motion_comes_back(person: Tensor, walked: tuple[Motion, MarkerRecording, MarkerFit]) -> None:
    motion, _, fit = walked
    assert fit.set_name == "opencap"
    assert fit.median_residual_m < 0.003
    truth = BODY.with_shape(person).joints(motion).numpy()
    found = fit.body.joints(fit.motion).numpy()
    distance = np.linalg.norm(found - truth, axis=-1)
    for name in JOINT_NAMES:
        if name not in fit.prior_joints and not name.endswith("foot"):
            # Joints are seen through skin only, and every marker was put up to its landmark's spread beside it.
            assert np.median(distance[:, JOINT_INDEX[name]]) < 0.035, name
    for joint in ("left_knee", "right_knee"):
        assert np.corrcoef(flexion(motion, joint), flexion(fit.motion, joint))[0, 1] > 0.99
        assert np.abs(flexion(motion, joint) - flexion(fit.motion, joint)).mean() < 8.0


def test_size_of_the_body_is_found(person: Tensor, walked: tuple[Motion, MarkerRecording, MarkerFit]) -> None:
    truth, found = BODY.with_shape(person).rest_joints.numpy(), walked[2].body.rest_joints.numpy()
    for start, end in (("left_hip", "left_ankle"), ("right_shoulder", "right_wrist")):
        lengths = [np.linalg.norm(rest[JOINT_INDEX[end]] - rest[JOINT_INDEX[start]]) for rest in (truth, found)]
        assert lengths[1] == pytest.approx(lengths[0], rel=0.05)


def test_occlusions_are_bridged_and_counted(walked: tuple[Motion, MarkerRecording, MarkerFit]) -> None:
    _motion, recording, whole = walked
    positions = recording.positions.copy()
    lost = {"r_knee": slice(20, 40), "L_ankle": slice(30, 55), "r.ASIS": slice(0, 25)}
    for name, frames in lost.items():
        positions[frames, recording.names.index(name)] = np.nan
    fit = fit_markers(replace(recording, positions=positions))
    assert fit.occluded == 20 + 25 + 25
    assert fit.longest_gap_s[fit.names.index("L_ankle")] == pytest.approx(0.25)
    apart = np.linalg.norm(fit.body.joints(fit.motion).numpy() - whole.body.joints(whole.motion).numpy(), axis=-1)
    assert apart.max() < 0.02


def test_what_no_marker_tells_is_said_and_keeps_to_the_prior(
    walked: tuple[Motion, MarkerRecording, MarkerFit],
) -> None:
    fit = walked[2]
    assert {"head", "neck", "left_wrist", "right_foot"} <= set(fit.prior_joints)
    assert float((fit.motion.rotations[:, JOINT_INDEX["head"]] - torch.eye(3)).abs().max()) < 1e-6
    assert any("no marker tells of" in line and "head" in line for line in fit.describe())


def test_a_marker_in_a_wrong_place_does_not_bend_the_body(walked: tuple[Motion, MarkerRecording, MarkerFit]) -> None:
    _, recording, whole = walked
    positions = recording.positions.copy()
    # For a tenth of the time the right ankle's marker is taken for one half a metre off.
    positions[40:50, recording.names.index("r_ankle")] += [0.5, 0, 0]
    fit = fit_markers(replace(recording, positions=positions))
    apart = np.linalg.norm(fit.body.joints(fit.motion).numpy() - whole.body.joints(whole.motion).numpy(), axis=-1)
    assert np.median(apart) < 0.005
    assert np.nanmax(fit.residual_m[40:50, fit.names.index("r_ankle")]) > 0.3


def test_jacobian_agrees_with_differences() -> None:
    motion = embedded("run", 30.0).frames(0, 3)
    model = wear(motion, torch.zeros(6))[0]
    freedom, _ = choose_freedom(OPENCAP.sites[name].point.bone for name in WORN)
    markers, joints, turns = model.place(motion.rotations, motion.translation)
    jacobian = model.jacobian(markers, joints, turns, freedom)
    step = 1e-6
    for column in range(freedom.count):
        delta = torch.zeros(3, freedom.count, dtype=torch.float64)
        delta[:, column] = step
        moved = model.place(turn_joints(motion.rotations, delta, freedom), motion.translation + delta[:, :3])[0]
        assert torch.allclose(jacobian[..., column], ((moved - markers) / step).flatten(1), atol=1e-5)


def test_banded_step_agrees_with_a_dense_solution() -> None:
    motion = embedded("walk", 50.0).frames(0, 7)
    model, recording = wear(motion, torch.zeros(6))
    freedom, _ = choose_freedom(OPENCAP.sites[name].point.bone for name in WORN)
    observed = torch.from_numpy(recording.positions)
    seen = torch.ones(observed.shape[:2], dtype=torch.float64)
    pose = Pose(motion.rotations, motion.translation + 0.002)
    moved = step_together(model, pose, observed, seen, freedom, fps=50.0, cutoff_hz=6.0)
    expected = solve_densely(model, pose, observed, seen, freedom, fps=50.0, cutoff_hz=6.0)
    assert torch.allclose(moved.translation - pose.translation, expected[:, :3], atol=1e-9)
    turned = turn_joints(pose.rotations, expected, freedom)
    assert torch.allclose(moved.rotations, turned, atol=1e-8)


def solve_densely(
    model: MarkerModel, pose: Pose, observed: Tensor, seen: Tensor, freedom: Freedom, *, fps: float, cutoff_hz: float
) -> Tensor:
    """The same normal equations written out in full: blocks on the diagonal, D'SD of second differences."""
    normal = _assemble(model, pose, observed, seen, freedom)
    frames, count = normal.right.shape
    stiffness = normal.matrix.diagonal(dim1=1, dim2=2).mean(dim=0) / (2 * np.sin(np.pi * cutoff_hz / fps)) ** 4
    differences = np.zeros(((frames - 2) * count, frames * count))
    for frame in range(frames - 2):
        for shift, share in enumerate((1.0, -2.0, 1.0)):
            rows = slice(frame * count, (frame + 1) * count)
            columns = slice((frame + shift) * count, (frame + shift + 1) * count)
            differences[rows, columns] = share * np.eye(count)
    weights = np.tile(stiffness.numpy(), frames - 2)
    matrix = torch.block_diag(*normal.matrix).numpy() + differences.T @ (weights[:, None] * differences)
    bend = _second_differences(pose, freedom).numpy().ravel()
    right = normal.right.numpy().ravel() - differences.T @ (weights * bend)
    return torch.from_numpy(np.linalg.solve(matrix, right).reshape(frames, count))


def test_too_few_markers_are_refused() -> None:
    names = ("r_knee", "L_knee", "r_ankle", "L_ankle", "r_toe", "L_toe", "C7")
    recording = MarkerRecording(names, np.random.default_rng(0).normal(scale=0.3, size=(30, 7, 3)), 100.0, "y")
    with pytest.raises(ValueError, match="shows three markers of pelvis and trunk"):
        fit_markers(recording, marker_set=OPENCAP)


@pytest.mark.parametrize(("scale", "message"), [(1000.0, "lie within 1.*e\\+03 m"), (0.001, "lie within 0.00")])
def test_another_unit_is_told_not_fitted(
    walked: tuple[Motion, MarkerRecording, MarkerFit], scale: float, message: str
) -> None:
    recording = replace(walked[1], positions=walked[1].positions * scale)
    with pytest.raises(ValueError, match=rf"a\.trc: markers of one frame {message}.*pass unit_m"):
        fit_markers(recording, origin="a.trc")


def test_markers_that_are_never_seen_are_told(walked: tuple[Motion, MarkerRecording, MarkerFit]) -> None:
    recording = replace(walked[1], positions=np.full_like(walked[1].positions, np.nan))
    with pytest.raises(ValueError, match=r"a\.trc: no marker of the set is seen in \d+ frames"):
        fit_markers(recording, origin="a.trc")


# Of every set and kind of movement one, cut to what shows it; the whole collection is fitted by hand (93x record).
REAL = [
    ("nimble_misc/markers_walk", slice(0, 150), (0.84, 1.0)),
    ("nimble_misc/markers_StairUp3", slice(100, 250), (0.9, 1.6)),
    ("nimble_opencap_lab/subj4_STS1", slice(100, 400), (0.45, 0.95)),
    ("nimble_opencap_lab/subjA_DJ4", slice(40, 200), (0.6, 1.6)),
    ("nimble_running/hamner_subj04_run500", slice(0, 100), (0.85, 1.05)),
    ("nimble_running/sprinter_run0900cms", slice(60, 200), (0.85, 1.0)),
    ("opensim_running/subject02_running", slice(0, 100), (0.85, 1.0)),
]


@pytest.mark.parametrize(("name", "frames", "pelvis"), REAL)
def test_real_recordings_fit(shared: Path, name: str, frames: slice, pelvis: tuple[float, float]) -> None:
    recording = read_trc(shared / "data" / "mocap" / "markers" / f"{name}.trc.xz")
    fit = fit_markers(replace(recording, positions=recording.positions[frames]))
    assert fit.median_residual_m < 0.015
    for joint in ("left_knee", "right_knee"):
        assert flexion(fit.motion, joint).min() > -4
        assert flexion(fit.motion, joint).max() < 150
    height = fit.body.joints(fit.motion)[:, 0, 1].numpy()
    assert pelvis[0] < height.min()
    assert height.max() < pelvis[1]
    rest = fit.body.rest_vertices[:, 1]
    assert 1.5 < float(rest.max() - rest.min()) < 2.0


def test_shape_may_come_from_a_static_recording(shared: Path) -> None:
    folder = shared / "data" / "mocap" / "markers" / "nimble_opencap_lab"
    walking, static = (read_trc(folder / f"subj4_{name}.trc.xz") for name in ("walking1", "static1"))
    walking = replace(walking, positions=walking.positions[:80])
    fit = fit_markers(walking, static=static)
    alone = fit_markers(walking)
    assert fit.median_residual_m < 0.015
    apart = np.linalg.norm((fit.body.rest_joints - alone.body.rest_joints).numpy(), axis=-1)
    assert apart.max() < 0.08
