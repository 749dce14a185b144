"""Read a pickle of pandas frames without pandas and without letting it run anything.

Pickles name the functions to call while loading. This reader knows the dozen that a frame of numbers needs, gives
harmless stand-ins for those of pandas (whose insides changed since the file was written), and refuses all others.
"""

from __future__ import annotations

import codecs
import copyreg
import gzip
import pickle
import zlib
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Columns = Mapping[str, NDArray[np.float64]]
"""Columns of one frame by name, each ``(T,)``."""


class _Frame:
    """Stands in for a DataFrame or its BlockManager: keeps its state and does nothing else."""

    def __init__(self) -> None:
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


def _index_names(_kind: object, content: Mapping[str, object]) -> tuple[str, ...]:
    """Stands in for the making of an Index: its names, or nothing for a range of row numbers."""
    names = content.get("data")
    return tuple(map(str, names)) if isinstance(names, np.ndarray) else ()


_ALLOWED: Mapping[tuple[str, str], Callable[..., object]] = {
    ("copy_reg", "_reconstructor"): vars(copyreg)["_reconstructor"],
    ("__builtin__", "object"): object,
    ("__builtin__", "slice"): slice,
    ("pandas.core.frame", "DataFrame"): _Frame,
    ("pandas.core.internals.managers", "BlockManager"): _Frame,
    ("pandas.core.indexes.base", "_new_Index"): _index_names,
    ("pandas.core.indexes.base", "Index"): _Frame,
    ("pandas.core.indexes.range", "RangeIndex"): _Frame,
    ("_codecs", "encode"): codecs.encode,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): vars(import_module("numpy._core.multiarray"))["_reconstruct"],
}


class _Restricted(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., object]:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise ValueError(
                f"pickle asks for {module}.{name}, expected nothing but numpy arrays in pandas frames; the file is "
                "damaged or not the one it should be: reinstall its package"
            ) from None


def read_frames(path: Path) -> dict[int, list[Columns]]:
    """Read a gzipped pickle of ``{number: [frame, ...]}``.

    Args:
        path: the ``.pkl.gz`` file.

    Returns:
        The columns of each frame, as float64.

    Raises:
        ValueError: the pickle asks for anything but frames of numbers, or is damaged.
    """
    try:
        with gzip.open(path) as stream:
            content = _Restricted(stream).load()
    except (EOFError, OSError, zlib.error, pickle.UnpicklingError, IndexError) as error:
        raise ValueError(f"{path} is no whole gzipped pickle ({error}); reinstall its package") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} holds a {type(content).__name__}, expected a dictionary of frames")
    return {int(key): [_columns(frame, path.name) for frame in frames] for key, frames in content.items()}


def _columns(frame: object, file_name: str) -> Columns:
    manager = frame.state.get("_data") if isinstance(frame, _Frame) and isinstance(frame.state, dict) else None
    if not isinstance(manager, _Frame) or not isinstance(manager.state, tuple):
        raise ValueError(f"{file_name} holds something that is not a frame; reinstall its package")
    _axes, blocks, names, _extra = manager.state
    return {
        name: np.asarray(row, dtype=np.float64)
        for block, block_names in zip(blocks, names, strict=True)
        for name, row in zip(block_names, block, strict=True)
    }
