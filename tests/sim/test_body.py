"""The body against smplx's own layers, its sparse path against its full one, and model files of every layout."""

from __future__ import annotations

import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import smplx
import torch
from scipy import sparse
from smplx.lbs import lbs
from smplx.utils import Struct

from sim.body import Body
from sim.conventions import PARENTS
from sim.motion import Motion
from sim.rotations import axis_angle_to_matrix

SMPL_PARENTS = [*PARENTS, 20, 21]
HAND_PARENTS = [parent for wrist in (20, 21) for finger in range(5) for parent in (wrist, None, None)]
DOUBLE = torch.float64


def hand_tree(first: int) -> list[int]:
    return [first + k - 1 if parent is None else parent for k, parent in enumerate(HAND_PARENTS)]


LAYOUTS = {
    "smpl": SMPL_PARENTS,
    "smplh": [*PARENTS, *hand_tree(22)],
    "smplx": [*PARENTS, 15, 15, 15, *hand_tree(25)],
}


def random_motion(*lead: int, num_frames: int = 5, dtype: torch.dtype = DOUBLE, seed: int = 0) -> Motion:
    generator = torch.Generator().manual_seed(seed)
    vectors = 0.5 * torch.randn(*lead, num_frames, 22, 3, generator=generator, dtype=DOUBLE)
    translation = torch.randn(*lead, num_frames, 3, generator=generator, dtype=DOUBLE)
    return Motion(axis_angle_to_matrix(vectors).to(dtype), translation.to(dtype), fps=20.0)


def made_up_model(layout: str, num_vertices: int) -> dict[str, np.ndarray]:
    """Arrays in the layout of the published files: every joint has weight, shape and pose blend shapes are there."""
    rng = np.random.default_rng(0)
    parents = np.array(LAYOUTS[layout], dtype=np.int64)
    joints = len(parents)
    weights = rng.random((num_vertices, joints)) ** 8
    regressor = rng.random((joints, num_vertices)) ** 8
    return {
        "v_template": rng.normal(size=(num_vertices, 3)),
        "shapedirs": 0.03 * rng.normal(size=(num_vertices, 3, 20 if layout == "smplx" else 10)),
        "posedirs": 0.01 * rng.normal(size=(num_vertices, 3, 9 * (joints - 1))).astype(np.float32),
        "J_regressor": regressor / regressor.sum(1, keepdims=True),
        "weights": weights / weights.sum(1, keepdims=True),
        "f": rng.integers(0, num_vertices, size=(100, 3)).astype(np.uint32),
        "kintree_table": np.stack([parents, np.arange(joints)]).astype(np.uint32),
    }


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
    full = body.vertices(motion)[..., ids, :]
    assert full.dtype == DOUBLE
    torch.testing.assert_close(body.skin(motion, ids), full, atol=1e-6, rtol=0)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("suffix", [".npz", ".pkl"])
def test_files_move_as_smplx_moves_them(tmp_path: Path, layout: str, suffix: str) -> None:
    arrays = made_up_model(layout, 300)
    path = tmp_path / f"{layout.upper()}_NEUTRAL{suffix}"
    if suffix == ".npz":
        np.savez(path, **arrays, part2num=np.array({"object": 1}))
    else:
        with path.open("wb") as file:
            pickle.dump(arrays | {"J_regressor": sparse.csc_matrix(arrays["J_regressor"])}, file, protocol=2)
    betas = torch.randn(10, generator=torch.Generator().manual_seed(3), dtype=DOUBLE)
    body = Body.from_smpl(path).with_shape(betas)
    motion = random_motion()
    joints = len(LAYOUTS[layout])
    pose = torch.eye(3, dtype=DOUBLE).repeat(motion.num_frames, joints, 1, 1)
    pose[:, :22] = motion.rotations

    def tensor(name: str) -> torch.Tensor:
        return torch.from_numpy(arrays[name].astype(np.float64))

    vertices, posed = lbs(
        betas.expand(motion.num_frames, 10),
        pose,
        tensor("v_template"),
        tensor("shapedirs")[..., :10],
        tensor("posedirs").flatten(0, 1).T,
        tensor("J_regressor"),
        torch.tensor(LAYOUTS[layout]),
        tensor("weights"),
        pose2rot=False,
    )
    shift = (motion.translation - posed[:, 0])[:, None]
    torch.testing.assert_close(body.joints(motion), posed[:, :22] + shift, atol=1e-5, rtol=0)
    torch.testing.assert_close(body.vertices(motion), vertices + shift, atol=1e-5, rtol=0)
    ids = torch.arange(0, 300, 7)
    torch.testing.assert_close(body.skin(motion, ids), vertices[:, ids] + shift, atol=1e-5, rtol=0)


def test_forward_of_the_smplx_layer(tmp_path: Path) -> None:
    arrays = made_up_model("smpl", 6890)  # the layer picks landmarks among SMPL's vertex ids
    np.savez(tmp_path / "SMPL_FEMALE.npz", **arrays)
    body = Body.from_smpl(tmp_path, gender="female", num_betas=4)
    betas = torch.tensor([[1.0, -2.0, 0.5, 0.1]])
    layer = smplx.SMPL(
        "", data_struct=Struct(**arrays), num_betas=4, create_transl=False, create_body_pose=False, create_betas=False
    )
    motion = random_motion(num_frames=2, dtype=torch.float32)
    pose = torch.eye(3).repeat(2, 24, 1, 1)
    pose[:, :22] = motion.rotations
    out = layer(betas=betas, global_orient=pose[:, :1], body_pose=pose[:, 1:], pose2rot=False)
    shift = (motion.translation - out.joints[:, 0])[:, None]
    torch.testing.assert_close(body.with_shape(betas[0]).vertices(motion), out.vertices + shift, atol=1e-5, rtol=0)


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


def test_chumpy_objects_are_read_without_chumpy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = made_up_model("smpl", 300)
    modules = {name: types.ModuleType(name) for name in ("chumpy", "chumpy.ch", "chumpy.reordering")}
    holder = type("Ch", (), {"__module__": "chumpy.ch"})
    select = type("Select", (), {"__module__": "chumpy.reordering"})
    modules["chumpy.ch"].Ch, modules["chumpy.reordering"].Select = holder, select
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    full, chosen = holder(), select()
    full.x, full._dirty_vars = np.concatenate([arrays["shapedirs"], arrays["shapedirs"]], axis=-1), {"x"}
    chosen.a, chosen.preferred_shape = full, arrays["shapedirs"].shape
    chosen.idxs = np.arange(full.x.size).reshape(full.x.shape)[..., :10].ravel()
    with (tmp_path / "basicmodel_m_lbs_10_207_0_v1.1.0.pkl").open("wb") as file:
        pickle.dump(arrays | {"shapedirs": chosen}, file, protocol=2)
    for name in modules:
        monkeypatch.delitem(sys.modules, name)
    body = Body.from_smpl(tmp_path, gender="male")
    np.testing.assert_allclose(body.model.shape_directions.numpy(), arrays["shapedirs"], rtol=1e-6)


def test_a_pickle_that_asks_for_more_is_refused_by_name(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "executed",)

    path = tmp_path / "SMPL_NEUTRAL.pkl"
    with path.open("wb") as file:
        pickle.dump({"v_template": Trap()}, file)
    with pytest.raises(ValueError, match=r"SMPL_NEUTRAL.pkl: the file asks for .*, expected only arrays"):
        Body.from_smpl(path)
    assert not (tmp_path / "executed").exists()


def test_unusable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no male body model found at"):
        Body.from_smpl(tmp_path, gender="male")
    (tmp_path / "SMPL_NEUTRAL.pkl").write_bytes(b"no pickle")
    with pytest.raises(ValueError, match="is no readable pickle"):
        Body.from_smpl(tmp_path)
    arrays = made_up_model("smpl", 300)
    np.savez(tmp_path / "few.npz", **arrays)
    with pytest.raises(ValueError, match=r"num_betas is 16, but .* has 10"):
        Body.from_smpl(tmp_path / "few.npz", num_betas=16)
    arrays["kintree_table"][0, 5] = 0
    np.savez(tmp_path / "other.npz", **arrays)
    with pytest.raises(ValueError, match="expected SMPL's first 22 joints"):
        Body.from_smpl(tmp_path / "other.npz")
    np.savez(tmp_path / "part.npz", v_template=arrays["v_template"])
    with pytest.raises(ValueError, match="lacks shapedirs, J_regressor"):
        Body.from_smpl(tmp_path / "part.npz")
