"""Reading body models in the layout of SMPL, SMPL-H and SMPL-X files, and the CC0 body that ships with the package."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from sim.conventions import NUM_JOINTS
from sim.skinning import BodyModel

Array = npt.NDArray[np.generic]

CC0_BODY = Path(__file__).parent / "assets" / "cc0_body.npz"


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

    def tensor(name: str) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(arrays[name], dtype=np.float32))

    template = tensor("v_template")
    directions = tensor("shapedirs")[..., : len(shape_names)].contiguous()
    regressor = tensor("J_regressor")[:NUM_JOINTS]
    all_weights = tensor("weights")
    parents = arrays["kintree_table"][0].astype(np.int64)
    weights = all_weights[:, :NUM_JOINTS].clone()
    for joint in range(NUM_JOINTS, all_weights.shape[1]):
        ancestor = int(parents[joint])
        while ancestor >= NUM_JOINTS:
            ancestor = int(parents[ancestor])
        weights[:, ancestor] += all_weights[:, joint]
    return BodyModel(
        template=template,
        faces=torch.from_numpy(arrays["f"].astype(np.int64)),
        weights=weights,
        shape_directions=directions,
        pose_directions=tensor("posedirs")[..., : 9 * (NUM_JOINTS - 1)].contiguous() if "posedirs" in arrays else None,
        joint_regressor=regressor,
        joint_template=regressor @ template,
        joint_directions=torch.einsum("jv,vck->jck", regressor, directions),
        shape_names=shape_names,
        shape_spread=torch.tensor(shape_spread),
    )


@cache
def read_cc0_body() -> BodyModel:
    """Return the built-in body (see sim/assets/NOTICE.md); read once for each process."""
    with np.load(CC0_BODY, allow_pickle=False) as data:
        arrays = {name: data[name] for name in data.files}
    names = tuple(str(name) for name in arrays["shape_names"])
    return build_model(arrays, shape_names=names, shape_spread=tuple(arrays["shape_spread"].tolist()))
