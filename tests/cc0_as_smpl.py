"""The package's own body as a file of SMPL's layout, as SMPL's own files may not be passed on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sim import Body


def cc0_as_smpl(path: Path) -> None:
    """Write the built-in body in SMPL's layout, 24 joints, with made-up pose blend shapes of a centimetre."""
    model = Body.default().model
    rng = np.random.default_rng(3)
    count = len(model.template)
    parents = np.array([2**32 - 1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21])
    no_hands = np.zeros((count, 2))
    np.savez(
        path,
        v_template=model.template.numpy(),
        shapedirs=np.concatenate([model.shape_directions.numpy(), np.zeros((count, 3, 4))], axis=-1),
        posedirs=1e-2 * rng.normal(size=(1, 3, 207)) * np.cos(5 * model.template.numpy()[:, 1])[:, None, None],
        J_regressor=np.concatenate([model.joint_regressor.numpy(), np.zeros((2, count))]),
        weights=np.concatenate([model.weights.numpy(), no_hands], axis=1),
        f=model.faces.numpy().astype(np.uint32),
        kintree_table=np.stack([parents, np.arange(24)]).astype(np.uint32),
    )
