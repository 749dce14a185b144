"""Reading body models in the layout of SMPL, SMPL-H and SMPL-X files, and the CC0 body that ships with the package.

The models come from smpl.is.tue.mpg.de, mano.is.tue.mpg.de and smpl-x.is.tue.mpg.de under their own licences.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import torch

from sim.body.skinning import BodyModel
from sim.conventions import NUM_JOINTS, PARENTS
from sim.files import refuse_declared

Array = npt.NDArray[np.generic]

CC0_BODY = Path(__file__).parent.parent / "assets" / "cc0_body.npz"

_REQUIRED = ("v_template", "shapedirs", "J_regressor", "weights", "f", "kintree_table")
_POSE_COLUMNS = 9 * (NUM_JOINTS - 1)
_SIZES = (("v_template", 0), ("kintree_table", 1))
"""Where the numbers of vertices and of joints are read off."""
_ADVICE = "the file is damaged or not in SMPL's layout, so download it anew"
_INDICES = ("f", "kintree_table")
_WEIGHT_TOLERANCE = 1e-2
"""How far the skinning weights of a vertex may be from summing to one."""
_SMPLX_JOINTS = 55
_SMPLX_SHAPES, _SMPLX_SHAPES_SHORT = 300, 10
"""SMPL-X files store 300 shape columns and 100 of expression, or 10 and 10."""


def read_smpl(path: str | Path, *, gender: str, num_betas: int) -> BodyModel:
    """Read an SMPL, SMPL-H or SMPL-X model; fingers, jaw and eyes stay at rest (flat hands).

    Args:
        path: a ``.npz`` or ``.pkl`` file, or a folder holding files named as published.
        gender: which file of a folder: ``neutral``, ``male`` or ``female``; not used if ``path`` is a file.
        num_betas: how many shape parameters to keep.

    Raises:
        FileNotFoundError: there is no such model.
        ValueError: the file lacks an array, its joints are not SMPL's, or it has fewer shape parameters.
    """
    file = _find_model(Path(path), gender)
    names = (*_REQUIRED, "posedirs")
    if file.suffix == ".pkl":
        # Here, as above its scipy.sparse would add a tenth to what ``import sim`` takes, and models are mostly .npz.
        from sim.body.smpl_pickle import read_pickled_arrays

        arrays = read_pickled_arrays(file, names)
    else:
        arrays = _read_npz(file, names)
    missing = [name for name in _REQUIRED if name not in arrays]
    if missing:
        raise ValueError(f"{file} lacks {', '.join(missing)}; expected a body model in SMPL's layout")
    check_layout(arrays, file)
    parents = arrays["kintree_table"][0].astype(np.int64)
    if tuple(parents[1:NUM_JOINTS].tolist()) != PARENTS[1:]:
        raise ValueError(f"{file} has joint parents {parents.tolist()}, expected SMPL's first {NUM_JOINTS} joints")
    available = arrays["shapedirs"].shape[-1]
    if len(parents) == _SMPLX_JOINTS:
        available = _SMPLX_SHAPES if available > _SMPLX_SHAPES else min(available, _SMPLX_SHAPES_SHORT)
    if not 1 <= num_betas <= available:
        raise ValueError(f"num_betas is {num_betas}, but {file} has {available}; expected 1 to {available}")
    return build_model(
        arrays, shape_names=tuple(f"beta_{k}" for k in range(num_betas)), shape_spread=(1.0,) * num_betas
    )


@cache
def read_cc0_body() -> BodyModel:
    """Return the built-in body (see sim/assets/NOTICE.md); read once for each process."""
    arrays = _read_npz(CC0_BODY, (*_REQUIRED, "shape_names", "shape_spread"))
    names = tuple(str(name) for name in arrays["shape_names"])
    return build_model(arrays, shape_names=names, shape_spread=tuple(arrays["shape_spread"].tolist()))


def build_model(
    arrays: Mapping[str, Array], *, shape_names: tuple[str, ...], shape_spread: tuple[float, ...]
) -> BodyModel:
    """Build a body of 22 joints from arrays in SMPL's layout.

    Args:
        arrays: ``v_template (V,3)``, ``shapedirs (V,3,>=N)``, ``J_regressor (J,V)``, ``weights (V,J)``, ``f (F,3)``,
            ``kintree_table (2,J)`` and, if the body has them, ``posedirs (V,3,9*(J-1))``, with J >= 22.
        shape_names: names of the first N shape parameters, the ones kept.
        shape_spread: their standard deviations.

    Returns:
        The model in float32.
    """
    # A body read while validating (inference mode) must serve a training step as well.
    with torch.inference_mode(False):
        return _build_tensors(arrays, shape_names, shape_spread)


def _build_tensors(
    arrays: Mapping[str, Array], shape_names: tuple[str, ...], shape_spread: tuple[float, ...]
) -> BodyModel:
    def tensor(name: str) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(arrays[name], dtype=np.float32))

    template, regressor = tensor("v_template"), tensor("J_regressor")[:NUM_JOINTS]
    directions = tensor("shapedirs")[..., : len(shape_names)].contiguous()
    return BodyModel(
        template=template,
        faces=torch.from_numpy(arrays["f"].astype(np.int64)),
        weights=_fold_weights(tensor("weights"), arrays["kintree_table"][0].astype(np.int64).tolist()),
        shape_directions=directions,
        pose_directions=tensor("posedirs")[..., :_POSE_COLUMNS].contiguous() if "posedirs" in arrays else None,
        joint_regressor=regressor,
        joint_template=regressor @ template,
        joint_directions=torch.einsum("jv,vck->jck", regressor, directions),
        shape_names=shape_names,
        shape_spread=torch.tensor(shape_spread),
    )


def check_layout(arrays: Mapping[str, Array], file: Path) -> None:
    """Check that arrays fit together as a body model.

    Raises:
        ValueError: a shape is another one, a number is not finite, a face names no vertex, or weights do not sum to 1.
    """
    for name, _ in _SIZES:
        if arrays[name].ndim != 2:
            raise ValueError(
                f"{file}: {name} is {arrays[name].dtype} of shape {arrays[name].shape}, expected two axes; {_ADVICE}"
            )
    vertices, joints = (arrays[name].shape[axis] for name, axis in _SIZES)
    expected: dict[str, tuple[int | None, ...]] = {
        "v_template": (vertices, 3),
        "kintree_table": (2, joints),
        "weights": (vertices, joints),
        "J_regressor": (joints, vertices),
        "shapedirs": (vertices, 3, None),
        "posedirs": (vertices, 3, 9 * (joints - 1)),
        "f": (None, 3),
    }
    for name, array in arrays.items():
        shape = expected[name]
        fits = array.ndim == len(shape) and all(b in (None, a) for a, b in zip(array.shape, shape, strict=True))
        if not fits or array.dtype.kind not in ("iu" if name in _INDICES else "fiu"):
            wanted = "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"
            raise ValueError(
                f"{file}: {name} is {array.dtype} of shape {array.shape}, expected numbers {wanted}; {_ADVICE}"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"{file}: {name} has NaN or infinite values, expected numbers; {_ADVICE}")
    if joints < NUM_JOINTS or vertices == 0:
        raise ValueError(
            f"{file} has {joints} joints and {vertices} vertices, expected at least {NUM_JOINTS}; {_ADVICE}"
        )
    parents = arrays["kintree_table"][0].astype(np.int64)
    if any(not 0 <= parent < joint for joint, parent in enumerate(parents.tolist()) if joint > 0):
        raise ValueError(f"{file} has joint parents {parents.tolist()}, expected each before its children; {_ADVICE}")
    faces = arrays["f"].astype(np.int64)
    if faces.size and not (faces.min() >= 0 and faces.max() < vertices):
        raise ValueError(
            f"{file}: f names vertices {faces.min()} to {faces.max()}, expected 0 to {vertices - 1}; {_ADVICE}"
        )
    weights = arrays["weights"]
    worst = max(float(np.abs(weights.sum(axis=1) - 1).max()), -float(weights.min()))
    if worst > _WEIGHT_TOLERANCE:
        raise ValueError(
            f"{file}: skinning weights are off 0 to 1 or a sum of 1 by {worst:.2g}, expected at most "
            f"{_WEIGHT_TOLERANCE}; {_ADVICE}"
        )


def _fold_weights(weights: torch.Tensor, parents: list[int]) -> torch.Tensor:
    """Give the weights of joints beyond the 22 to their nearest ancestor among the 22: exact while they rest."""
    folded = weights[:, :NUM_JOINTS].clone()
    for joint in range(NUM_JOINTS, weights.shape[1]):
        ancestor = parents[joint]
        while ancestor >= NUM_JOINTS:
            ancestor = parents[ancestor]
        folded[:, ancestor] += weights[:, joint]
    return folded


def _read_npz(path: Path, names: tuple[str, ...]) -> dict[str, Array]:
    refuse_declared(path)
    try:
        with np.load(path, allow_pickle=False) as data:
            return {name: data[name] for name in names if name in data.files}
    except ValueError as error:
        # numpy's own words advise to load the file unsafely.
        raise ValueError(
            f"{path} stores a Python object in place of an array, or is no .npz archive; expected plain arrays, so "
            "save J_regressor as a dense matrix, or download the file anew"
        ) from error
    except (BadZipFile, EOFError, OSError, AttributeError, TypeError, MemoryError, zlib.error) as error:
        raise ValueError(
            f"{path} is no readable .npz archive ({error}); expected an SMPL model, download it anew"
        ) from error


def _find_model(path: Path, gender: str) -> Path:
    if path.is_file():
        if path.suffix not in (".npz", ".pkl"):
            raise ValueError(f"{path} ends in {path.suffix!r}, expected a body model in .npz or .pkl")
        return path
    if gender not in ("neutral", "male", "female"):
        raise ValueError(f"gender is {gender!r}, expected neutral, male or female")
    short = gender if gender == "neutral" else gender[0]
    published = [f"{family}_{gender.upper()}" for family in ("SMPL", "SMPLH", "SMPLX")]
    published += [f"SMPLH_{gender}", f"{gender}/model", f"basicmodel_{short}_lbs_*", f"basicModel_{short}_lbs_*"]
    for pattern in published:
        for suffix in (".npz", ".pkl"):
            found = sorted(path.glob(pattern + suffix))
            if found:
                return found[0]
    raise FileNotFoundError(
        f"no {gender} body model found at {path}; expected a .npz or .pkl file or a folder with e.g. "
        f"SMPL_{gender.upper()}.npz; download one from https://smpl.is.tue.mpg.de or use Body.default()"
    )
