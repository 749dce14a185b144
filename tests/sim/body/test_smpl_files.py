"""Model files of every layout: moved as smplx's own layers move them, read without running them, refused by name."""

from __future__ import annotations

import pickle
import random
import sys
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import smplx
import torch
from scipy import sparse
from smplx.lbs import lbs
from smplx.utils import Struct

from sim import PLACEMENT_NAMES, Body, Motion, Placement, simulate
from sim.placements import resolve_all, site_poses
from sim.rotations import axis_angle_to_matrix
from tests.cc0_as_smpl import cc0_as_smpl

Maker = Callable[[str, int], dict[str, np.ndarray]]
DOUBLE = torch.float64


def random_motion(num_frames: int = 5, dtype: torch.dtype = DOUBLE) -> Motion:
    generator = torch.Generator().manual_seed(0)
    vectors = 0.5 * torch.randn(num_frames, 22, 3, generator=generator, dtype=DOUBLE)
    translation = torch.randn(num_frames, 3, generator=generator, dtype=DOUBLE)
    return Motion(axis_angle_to_matrix(vectors).to(dtype), translation.to(dtype), fps=20.0)


@pytest.mark.parametrize("layout", ["smpl", "smplh", "smplx"])
@pytest.mark.parametrize("suffix", [".npz", ".pkl"])
def test_files_move_as_smplx_moves_them(
    tmp_path: Path, make_model: Maker, joint_parents: dict[str, list[int]], layout: str, suffix: str
) -> None:
    arrays = make_model(layout, 300)
    path = tmp_path / f"{layout.upper()}_NEUTRAL{suffix}"
    if suffix == ".npz":
        np.savez(path, **arrays, part2num=np.array({"object": 1}))
    else:
        with path.open("wb") as file:
            pickle.dump(arrays | {"J_regressor": sparse.csc_matrix(arrays["J_regressor"])}, file, protocol=2)
    betas = torch.randn(10, generator=torch.Generator().manual_seed(3), dtype=DOUBLE)
    body = Body.from_smpl(path).with_shape(betas)
    motion = random_motion()
    joints = len(joint_parents[layout])
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
        torch.tensor(joint_parents[layout]),
        tensor("weights"),
        pose2rot=False,
    )
    shift = (motion.translation - posed[:, 0])[:, None]
    torch.testing.assert_close(body.joints(motion), posed[:, :22] + shift, atol=1e-5, rtol=0)
    torch.testing.assert_close(body.vertices(motion), vertices + shift, atol=1e-5, rtol=0)
    ids = torch.arange(0, 300, 7)
    torch.testing.assert_close(body.skin(motion, ids), vertices[:, ids] + shift, atol=1e-5, rtol=0)


def test_forward_of_the_smpl_layer(tmp_path: Path, make_model: Maker) -> None:
    arrays = make_model("smpl", 6890)  # the layer picks landmarks among SMPL's vertex ids
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


def test_chumpy_objects_are_read_without_chumpy(
    tmp_path: Path, make_model: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = make_model("smpl", 300)
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


def test_unusable_files_are_named(tmp_path: Path, make_model: Maker) -> None:
    with pytest.raises(FileNotFoundError, match="no male body model found at"):
        Body.from_smpl(tmp_path, gender="male")
    (tmp_path / "SMPL_NEUTRAL.pkl").write_bytes(b"no pickle")
    with pytest.raises(ValueError, match="is no readable pickle"):
        Body.from_smpl(tmp_path)
    arrays = make_model("smpl", 300)
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


def hand_and_face_arrays(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the files of SMPL-H and SMPL-X hold besides, as smplx's layers want it."""
    rng = np.random.default_rng(1)
    extra = {f"hands_components{side}": rng.normal(size=(45, 45)) for side in "lr"}
    extra |= {f"hands_mean{side}": 0.1 * rng.normal(size=45) for side in "lr"}
    extra["lmk_faces_idx"] = rng.integers(0, len(arrays["f"]), size=51)
    extra["lmk_bary_coords"] = np.full((51, 3), 1 / 3)
    return extra


@pytest.mark.parametrize(("layout", "vertices"), [("smplh", 6890), ("smplx", 10475)])
def test_forward_of_the_layers_with_hands(tmp_path: Path, make_model: Maker, layout: str, vertices: int) -> None:
    """smplx reads the same file itself; with flat hands, and jaw and eyes at rest, it moves the skin as we do."""
    arrays = make_model(layout, vertices)
    path = tmp_path / f"{layout.upper()}_MALE.npz"
    np.savez(path, **arrays, **hand_and_face_arrays(arrays))
    body = Body.from_smpl(tmp_path, gender="male")
    betas = torch.randn(1, 10, generator=torch.Generator().manual_seed(2))
    kind = smplx.SMPLHLayer if layout == "smplh" else smplx.SMPLXLayer
    layer = kind(str(path), ext="npz", flat_hand_mean=True, use_pca=False, num_betas=10)
    motion = random_motion(3, torch.float32)
    out = layer(betas=betas.expand(3, 10), global_orient=motion.rotations[:, :1], body_pose=motion.rotations[:, 1:])
    shift = (motion.translation - out.joints[:, 0])[:, None]
    torch.testing.assert_close(body.with_shape(betas[0]).vertices(motion), out.vertices + shift, atol=1e-5, rtol=0)


def test_sites_equal_the_full_mesh_pose_blend_shapes_and_all(tmp_path: Path) -> None:
    cc0_as_smpl(tmp_path / "SMPL_NEUTRAL.npz")
    plain = Body.from_smpl(tmp_path)
    body = plain.with_shape(torch.linspace(-1, 1, 10, dtype=DOUBLE))
    motion = random_motion(4)
    placements = [Placement.preset(name) for name in PLACEMENT_NAMES]
    sites = resolve_all(placements, body)
    position, rotation = site_poses(body, motion, sites)
    corners = body.vertices(motion)[:, sites.triangles]
    a, b, c = corners.unbind(dim=-2)
    normal = torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=-1)
    point = (corners * sites.barycentric[..., None]).sum(dim=-2) + sites.stand_off_m[:, None] * normal
    torch.testing.assert_close(position, point, atol=1e-6, rtol=0)
    torch.testing.assert_close(rotation[..., 2], normal, atol=1e-4, rtol=0)
    torch.testing.assert_close(body.skin(motion, sites.triangles.flatten()), corners.flatten(1, 2), atol=1e-6, rtol=0)
    # The pose blend shapes do move the sites: by more than the tolerance.
    without = Body.default().with_shape(body.betas[:6])
    assert float((site_poses(without, motion, sites)[0] - position).norm(dim=-1).max()) > 1e-3
    recording = simulate(random_motion(30, torch.float32), body, placements, rate_hz=50)
    assert recording.accel.shape == (73, len(PLACEMENT_NAMES), 3)
    assert bool(recording.accel.isfinite().all())


def test_damaged_pickles_end_in_one_kind_of_error(tmp_path: Path, make_model: Maker) -> None:
    """A few hundred files with bytes changed or cut off: each is read, or refused with its name."""
    arrays = make_model("smpl", 30)
    content = pickle.dumps(arrays | {"J_regressor": sparse.csc_matrix(arrays["J_regressor"])}, protocol=2)
    source, path, refused = random.Random(0), tmp_path / "SMPL_NEUTRAL.pkl", 0
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(source.randint(1, 5)):
            # Most of the file is numbers; the instructions are at the seams.
            damaged[source.randrange(len(damaged))] = source.randrange(256)
        if source.random() < 0.3:
            damaged = damaged[: source.randrange(len(damaged))]
        path.write_bytes(damaged)
        try:
            Body.from_smpl(path)
        except ValueError as error:
            assert "SMPL_NEUTRAL.pkl" in str(error)  # noqa: PT017 - most of the files are refused, some are not
            refused += 1
    assert refused > 100


def test_a_sparse_matrix_cannot_reach_beyond_its_shape(tmp_path: Path, make_model: Maker) -> None:
    arrays = make_model("smpl", 300)
    for change, message in (
        ({"indices": 10**6}, "SMPL_NEUTRAL.pkl"),
        ({"_shape": (10**6, 10**6)}, "1000000 by 1000000"),
    ):
        matrix = sparse.csc_matrix(arrays["J_regressor"])
        if "indices" in change:
            matrix.indices[0] = change["indices"]
        else:
            matrix._shape = change["_shape"]
        (tmp_path / "SMPL_NEUTRAL.pkl").write_bytes(pickle.dumps(arrays | {"J_regressor": matrix}))
        with pytest.raises(ValueError, match=message):
            Body.from_smpl(tmp_path)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("weights", lambda a: a[:, :20], r"weights is float64 of shape \(300, 20\), expected numbers \(300, 24\)"),
        ("weights", lambda a: 2 * a, "skinning weights are off 0 to 1 or a sum of 1 by 1"),
        ("J_regressor", lambda a: a.T, "J_regressor is float64 of shape"),
        ("posedirs", lambda a: a[..., :9], r"expected numbers \(300, 3, 207\); the file is damaged"),
        ("v_template", lambda a: a * np.nan, "v_template has NaN"),
        ("f", lambda a: a + 300, "f names vertices"),
        ("f", lambda a: a + 0.5, "f is float64 of shape"),
        ("weights", lambda a: a - 0.5 + 0.5 * a.mean(axis=1, keepdims=True), "skinning weights are off"),
        ("v_template", lambda a: np.float64(1.0), "v_template is float64 of shape"),
        ("kintree_table", lambda a: a[0], "kintree_table is uint32 of shape"),
        ("kintree_table", lambda a: np.where(np.arange(24) == 23, 23, a[:1]).repeat(2, 0), "each before its children"),
        ("shapedirs", lambda a: a.astype(str), "shapedirs is <U"),
    ],
)
def test_arrays_that_do_not_fit_together_are_named(tmp_path: Path, make_model: Maker, name, change, message) -> None:
    arrays = make_model("smpl", 300)
    np.savez(tmp_path / "SMPL_NEUTRAL.npz", **(arrays | {name: change(arrays[name])}))
    with pytest.raises(ValueError, match=message):
        Body.from_smpl(tmp_path)


class _Calls:
    """Pickles as a call of a function."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


def test_numpys_own_constructors_are_not_handed_out(tmp_path: Path, make_model: Maker) -> None:
    """Given raw bytes as Python objects, or flags that do not fit, numpy itself would crash on these."""
    path, arrays = tmp_path / "SMPL_NEUTRAL.pkl", make_model("smpl", 30)
    hostile = [
        _Calls(np.ndarray, (30, 3), np.dtype("O"), b"A" * 720),
        _Calls(np.ndarray, (10**7, 10**7)),
        _Calls(np.zeros(1).__reduce_ex__(5)[0], b"A" * 720, np.dtype("O"), (30, 3), "C"),
        _Calls(np.zeros(1).__reduce_ex__(5)[0], b"A" * 8, np.dtype("f8"), (30, 3), "C"),
        _Calls(np.float64(0).__reduce__()[0], np.dtype([("a", "f8"), ("b", "O")]), b"A" * 16),
        np.array([{"a": 1}] * 30),
        np.zeros(30, dtype=[("a", "f8")]),
        {"a": 1},
    ]
    for value in hostile:
        path.write_bytes(pickle.dumps(arrays | {"v_template": value}, protocol=2))
        with pytest.raises(ValueError, match=r"SMPL_NEUTRAL\.pkl: "):
            Body.from_smpl(path)
    # The same things where no array is wanted, as some files have them, do no harm.
    path.write_bytes(pickle.dumps(arrays | {"joint2num": np.array([{"a": 1}])}, protocol=2))
    assert Body.from_smpl(path).num_betas == 10


def test_a_pickle_changes_nothing_outside_itself(tmp_path: Path) -> None:
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    for name in (b"copyreg\n_reconstructor", b"chumpy.ch\nCh", b"numpy\ndtype", b"numpy.core.multiarray\nscalar"):
        path.write_bytes(b"\x80\x04c" + name + b"\n}\x8c\x04evilK\x01sb.")
        with pytest.raises(ValueError, match=r"SMPL_NEUTRAL\.pkl"):
            Body.from_smpl(path)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_protocol_byte_order_and_order_of_axes_is_read(
    tmp_path: Path, make_model: Maker, protocol, order
) -> None:
    arrays = {name: np.asarray(value, order=order) for name, value in make_model("smpl", 30).items()}
    arrays["v_template"] = arrays["v_template"].astype(">f8")
    arrays["weights"] = arrays["weights"].astype("<f4")
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(pickle.dumps(arrays | {"bs_style": "lbs", "vert_sym": np.empty(0)}, protocol=protocol))
    body = Body.from_smpl(path)
    np.testing.assert_array_equal(body.model.template.numpy(), arrays["v_template"].astype(np.float32))
    np.testing.assert_array_equal(body.model.faces.numpy(), arrays["f"])
    np.testing.assert_allclose(body.model.shape_directions.numpy(), arrays["shapedirs"], rtol=1e-6)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "SMPL_NEUTRAL.npz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"SMPL_NEUTRAL\.npz stores a Python object in place of an array, or is no"):
        Body.from_smpl(tmp_path)
    with (tmp_path / "SMPL_NEUTRAL.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match=r"no readable \.npz archive"):
        Body.from_smpl(tmp_path)
    np.savez(tmp_path / "SMPL_NEUTRAL.npz", v_template=np.zeros(3))
    whole = (tmp_path / "SMPL_NEUTRAL.npz").read_bytes()
    (tmp_path / "SMPL_NEUTRAL.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"no readable \.npz archive"):
        Body.from_smpl(tmp_path)
    np.savez(tmp_path / "SMPL_NEUTRAL.npz", v_template=np.array([{"a": 1}]))
    with pytest.raises(ValueError, match="Python object"):
        Body.from_smpl(tmp_path)
    with (tmp_path / "list.pkl").open("wb") as file:
        pickle.dump([1, 2], file)
    with pytest.raises(ValueError, match="holds a list, expected a dictionary"):
        Body.from_smpl(tmp_path / "list.pkl")
