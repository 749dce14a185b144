"""Read numbers out of MATLAB files and nothing else: no objects, no function handles.

``scipy.io.loadmat`` runs no code, but hands objects on as opaque values; a data set has no business with them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat, whosmat
from scipy.sparse import csc_array, issparse

_NUMBERS = frozenset(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)) | frozenset(
    ("double", "single", "logical", "sparse")
)
_OBJECTS = frozenset(("object", "opaque", "function", "unknown"))
_MOST_SPARSE = 1 << 28


def read_mat(path: Path, variables: Sequence[str]) -> Mapping[str, NDArray[np.float64]]:
    """Read named arrays of numbers; other variables are not loaded.

    Args:
        path: a ``.mat`` file of version 4 to 7.2.
        variables: names to read; those that the file lacks are left out of the result.

    Returns:
        The arrays found, as float64; text is left out.

    Raises:
        ValueError: the file is empty, damaged, of version 7.3, or holds an object, a function or a wanted variable
            that is not numeric.
    """
    try:
        listed = [(str(name), str(kind)) for name, _shape, kind in whosmat(path)]
    except NotImplementedError:
        raise ValueError(f"{path} is a version 7.3 file, expected 7.2 or older; save it with -v7 in MATLAB") from None
    except Exception as error:  # scipy lets struct, zlib, index and type errors of a damaged file through
        raise ValueError(f"{path} is no whole MATLAB file ({_one_line(error)}); download it anew") from None
    for name, kind in listed:
        if kind in _OBJECTS or name == "__function_workspace__":
            raise ValueError(f"{path} holds {name} of class {kind}, expected arrays of numbers; it is refused")
        if name in variables and kind not in _NUMBERS and kind != "char":
            raise ValueError(f"{name} in {path} is of class {kind}, expected an array of numbers")
    wanted = [name for name, kind in listed if name in variables and kind in _NUMBERS]
    try:
        content = loadmat(path, variable_names=wanted)
        arrays = {name: _fill(content[name]) for name in wanted}
    except Exception as error:
        raise ValueError(f"{path} is no whole MATLAB file ({_one_line(error)}); download it anew") from None
    for name, array in arrays.items():
        if np.iscomplexobj(array):
            raise ValueError(f"{name} in {path} holds complex numbers, expected real ones; download it anew")
    return {name: array.astype(np.float64) for name, array in arrays.items()}


def _fill(value: NDArray[np.generic] | csc_array) -> NDArray[np.generic]:
    """Return an array, a sparse one filled with zeros unless they are out of all proportion."""
    if isinstance(value, np.ndarray) or not issparse(value):
        return np.asarray(value)
    if math.prod(value.shape) > _MOST_SPARSE:
        raise ValueError(f"a sparse array of shape {value.shape}, expected at most {_MOST_SPARSE} numbers")
    return np.asarray(value.toarray())


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
