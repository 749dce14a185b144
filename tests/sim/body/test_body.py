"""The built-in body: its frame, its shapes, and its sparse path against its full one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sim.body import Body
from sim.body.skinning import skin_mesh
from sim.motion import Motion
from sim.placements import Placement, resolve_all, site_poses
from sim.rotations import axis_angle_to_matrix

DOUBLE = torch.float64


def random_motion(*lead: int, num_frames: int = 5, dtype: torch.dtype = DOUBLE, seed: int = 0) -> Motion:
    generator = torch.Generator().manual_seed(seed)
    vectors = 0.5 * torch.randn(*lead, num_frames, 22, 3, generator=generator, dtype=DOUBLE)
    translation = torch.randn(*lead, num_frames, 3, generator=generator, dtype=DOUBLE)
    return Motion(axis_angle_to_matrix(vectors).to(dtype), translation.to(dtype), fps=20.0)


def test_default_is_a_person_in_the_documented_frame() -> None:
    body = Body.default()
    joints, skin = body.rest_joints, body.rest_vertices
    assert skin.shape == (13718, 3)
    assert body.faces.shape == (27420, 3)
    assert float(skin[:, 1].max() - skin[:, 1].min()) == pytest.approx(1.633, abs=0.002)
    assert float(joints[20, 0]) > 0.5  # the left wrist lies towards +X
    assert float(joints[10, 2]) > float(joints[7, 2]) + 0.1  # toes are in front of the ankle
    corners = skin[body.faces].double()
    volume = (corners[:, 0] * torch.linalg.cross(corners[:, 1], corners[:, 2])).sum() / 6
    assert 0.04 < float(volume) < 0.08  # positive: faces are counter-clockwise seen from outside
    assert body.shape_names == ("height", "weight", "muscle", "gender", "age", "proportions")


def test_asset_is_the_development_body(shared: Path) -> None:
    body = Body.default()
    with np.load(shared / "data" / "embedded" / "cc0_body_smpl24.npz") as data:
        np.testing.assert_array_equal(body.rest_vertices.numpy(), data["v_template"])
        directions = body.model.shape_directions.numpy()
        np.testing.assert_allclose(directions, data["shapedirs"][..., :6], atol=1e-4)  # stored in half precision
        np.testing.assert_allclose(body.rest_joints.numpy(), (data["J_regressor"] @ data["v_template"])[:22], atol=1e-6)


def test_skinning_a_few_vertices_equals_the_full_mesh() -> None:
    body = Body.default().with_shape(0.7 * torch.randn(2, 6, generator=torch.Generator().manual_seed(1)))
    motion = random_motion(2)
    ids = torch.randint(0, 13718, (40,), generator=torch.Generator().manual_seed(2))
    betas = body.betas.to(DOUBLE)[:, None].expand(2, 5, 6).flatten(0, 1)
    root = body.rest_joints.to(DOUBLE)[:, None, None, 0]
    by_smplx = skin_mesh(body.model.to(dtype=DOUBLE), betas, motion.rotations.flatten(0, 1)).unflatten(0, (2, 5))
    whole = by_smplx + motion.translation.unsqueeze(-2) - root
    full = whole[..., ids, :]
    assert body.vertices(motion).dtype == DOUBLE
    torch.testing.assert_close(body.vertices(motion), whole, atol=1e-6, rtol=0)
    torch.testing.assert_close(body.skin(motion, ids), full, atol=1e-6, rtol=0)
    single = body.skin(motion.to(torch.float32), ids)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), full, atol=2e-6, rtol=0)


def test_rest_joints_are_regressed_from_the_shaped_skin() -> None:
    body = Body.default().to(dtype=DOUBLE).with_named_shape(height=1.5, weight=-1.0)
    regressed = body.model.joint_regressor @ body.rest_vertices
    torch.testing.assert_close(body.rest_joints, regressed, atol=1e-6, rtol=0)
    skin = body.rest_vertices[:, 1]
    assert float(skin.max() - skin.min()) == pytest.approx(1.633 + 1.5 * 0.1526, abs=0.003)


def test_shapes_broadcast_with_motions() -> None:
    body = Body.default()
    shapes = body.sample_shapes(3, torch.Generator().manual_seed(4))
    motion = random_motion(2)
    joints = body.with_shape(shapes[:, None]).joints(motion)
    assert joints.shape == (3, 2, 5, 22, 3)
    one = body.with_shape(shapes[1]).joints(Motion(motion.rotations[1], motion.translation[1], fps=20.0))
    torch.testing.assert_close(joints[1, 1], one)
    torch.testing.assert_close(joints[:, :, :, 0], motion.translation.expand(3, 2, 5, 3))
    assert body.with_shape(shapes[:, None]).vertices(motion.frames(0, 1)).shape == (3, 2, 1, 13718, 3)


def test_sampled_shapes_are_reproducible_and_adult() -> None:
    body = Body.default()
    shapes = body.sample_shapes(64, torch.Generator().manual_seed(5))
    assert torch.equal(shapes, body.sample_shapes(64, torch.Generator().manual_seed(5)))
    skin = body.with_shape(shapes).rest_vertices[..., 1]
    stature = skin.amax(dim=-1) - skin.amin(dim=-1)
    assert 0.05 < float(stature.std()) < 0.12
    assert 1.3 < float(stature.min()) < float(stature.max()) < 2.0


def test_gradients_reach_motion_and_shape() -> None:
    body = Body.default().to(dtype=DOUBLE)
    motion = random_motion(num_frames=2)
    ids = torch.tensor([5, 4000, 9000])

    def skin(rotations: torch.Tensor, translation: torch.Tensor, betas: torch.Tensor) -> torch.Tensor:
        return body.with_shape(betas).skin(Motion(rotations, translation, fps=20.0), ids)

    inputs = (motion.rotations, motion.translation, torch.full((6,), 0.3, dtype=DOUBLE))
    assert torch.autograd.gradcheck(skin, tuple(value.clone().requires_grad_() for value in inputs), fast_mode=True)


def test_bad_shapes_are_named() -> None:
    body = Body.default()
    with pytest.raises(ValueError, match=r"did you mean 'height'\? valid ones: height, weight"):
        body.with_named_shape(heigth=1.0)
    with pytest.raises(ValueError, match=r"betas have shape \(10,\), expected \(\.\.\., 6\)"):
        body.with_shape(torch.zeros(10))
    with pytest.raises(ValueError, match="generator is None, expected a source of randomness"):
        body.sample_shapes(3)
    with pytest.raises(ValueError, match="count is -1"):
        body.sample_shapes(-1, torch.Generator())


@pytest.mark.parametrize(("shapes", "motions"), [((5, 1), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((4,), ())])
def test_batches_of_shapes_and_motions_with_pose_blend_shapes(shapes, motions) -> None:
    plain = Body.default()
    count = len(plain.model.template)
    generator = torch.Generator().manual_seed(7)
    directions = 0.01 * torch.randn(count, 3, 189, generator=generator)
    body = Body(replace(plain.model, pose_directions=directions), 0.5 * torch.randn(*shapes, 6, generator=generator))
    motion = random_motion(*motions, num_frames=3)
    sites = resolve_all([Placement.preset("left_wrist"), Placement.preset("waist")], plain)
    position, _ = site_poses(body, motion, sites)
    corners = body.vertices(motion)[..., sites.triangles, :]
    a, b, c = corners.unbind(dim=-2)
    normal = torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=-1)
    point = (corners * sites.barycentric[..., None]).sum(dim=-2) + sites.stand_off_m[:, None] * normal
    torch.testing.assert_close(position, point, atol=1e-6, rtol=0)
