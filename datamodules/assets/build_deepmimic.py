"""Build deepmimic.npz from the motions inside the `pybullet` wheel: python build_deepmimic.py pybullet-3.2.7-*.whl.

Kept so that the asset can be made again; nothing runs it at install time. Facts about origin and terms: NOTICE.
"""

from __future__ import annotations

import argparse
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from datamodules.formats.deepmimic import read_deepmimic
from datamodules.retargeting.retarget import retarget
from datamodules.retargeting.skeleton_maps import DEEPMIMIC

FOLDER = "pybullet_data/data/motions/"


def build(wheel: Path, output: Path) -> None:
    """Convert every humanoid motion of the wheel and write one archive.

    Args:
        wheel: the wheel file of pybullet (3.2.7 was used).
        output: the ``.npz`` to write: for each clip ``NAME/rotation_vectors`` (T, 22, 3) [rad], ``NAME/translation``
            (T, 3) [m] and ``NAME/fps`` [Hz].

    Raises:
        ValueError: the wheel holds no humanoid motions.
    """
    arrays: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        members = sorted(name for name in archive.namelist() if name.startswith(FOLDER) and name.endswith(".txt"))
        humanoid = [name for name in members if "/humanoid3d_" in name or "/walker/" in name]
        if not humanoid:
            raise ValueError(f"{wheel} holds no {FOLDER}humanoid3d_*.txt, expected the wheel of pybullet 3.2.7")
        for member in humanoid:
            motion = retarget(read_deepmimic(archive.extract(member, folder)), DEEPMIMIC)
            name = Path(member).stem.removeprefix("humanoid3d_").lstrip("0")
            vectors = Rotation.from_matrix(motion.rotations.reshape(-1, 3, 3).numpy()).as_rotvec()
            arrays[f"{name}/rotation_vectors"] = vectors.reshape(-1, 22, 3).astype(np.float32)
            arrays[f"{name}/translation"] = motion.translation.numpy().astype(np.float32)
            arrays[f"{name}/fps"] = np.array(motion.fps)
    np.savez_compressed(output, allow_pickle=False, **arrays)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "deepmimic.npz")
    options = parser.parse_args()
    build(options.wheel, options.output)
