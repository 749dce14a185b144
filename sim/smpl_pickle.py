"""Reading SMPL's ``.pkl`` files without executing them: arrays come through, anything else is refused by name.

The published files hold numpy arrays, scipy sparse matrices and objects of the abandoned package chumpy. A pickle can
name any function of any package; here only numpy's own constructors are real, and sparse matrices and chumpy objects
are rebuilt from their stored state by the classes below.
"""

from __future__ import annotations

import copyreg
import pickle
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import sparse

Array = npt.NDArray[np.generic]
_Value = TypeVar("_Value")


def _encode_bytes(text: object, encoding: object = "latin1") -> bytes:
    """What ``_codecs.encode`` is asked for by pickles of protocol 2 that hold bytes; no other codec is looked up."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError(f"the file asks for the codec {encoding!r}, expected only latin1; it was not loaded")
    return text.encode("latin1")


_NUMPY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
_HARMLESS: dict[tuple[str, str], object] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encode_bytes,
    ("copyreg", "_reconstructor"): copyreg._reconstructor,  # type: ignore[attr-defined]
    ("builtins", "object"): object,
    ("builtins", "set"): set,
}
_MOST_NUMBERS = 10**8
"""Size beyond which a sparse matrix is not unfolded: joints times vertices stay far below."""
_PYTHON_2_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}
# Files of numpy 1 name numpy.core; the constructors themselves come from a plain array's own reduction.
_CONSTRUCTORS: dict[str, object] = {
    "_reconstruct": np.zeros(1).__reduce__()[0],
    "scalar": np.float64(0).__reduce__()[0],
    "_frombuffer": np.zeros(1).__reduce_ex__(5)[0],
}


class _StoredState(ABC):
    """An object of a class that is not loaded: what its pickle stored, as a dict."""

    state: dict[str, object]

    def __setstate__(self, state: dict[str, object]) -> None:
        self.state = state

    @abstractmethod
    def to_array(self) -> Array:
        """Return the numbers the object stands for.

        Raises:
            ValueError: the object is of a kind that SMPL files do not hold.
        """


class _ChumpyObject(_StoredState):
    """A chumpy array, or chumpy's selection from or reshaping of one."""

    def to_array(self) -> Array:
        state = self.state
        if "x" in state:
            return to_array(state["x"])
        if "a" in state and "idxs" in state:
            chosen = to_array(state["a"]).ravel()[to_array(state["idxs"])]
            return chosen.reshape(_shape(state["preferred_shape"])) if "preferred_shape" in state else chosen
        if "a" in state and "newshape" in state:
            return to_array(state["a"]).reshape(_shape(state["newshape"]))
        raise ValueError(
            f"a chumpy object with {sorted(state)} is in the file, expected an array, a selection or a reshaping; "
            "convert the model to .npz where chumpy is installed"
        )


class _CompressedColumns(_StoredState):
    """A scipy ``csc_matrix``."""

    kind: ClassVar[type[sparse.csc_matrix] | type[sparse.csr_matrix]] = sparse.csc_matrix

    def to_array(self) -> Array:
        rows, columns = self._matrix_shape()
        if rows < 0 or columns < 0 or rows * columns > _MOST_NUMBERS:
            raise ValueError(f"a sparse matrix of {rows} by {columns} is in the file, expected joints by vertices")
        matrix = self.kind(self._parts(), shape=(rows, columns))
        # Unfolding trusts the indices; one beyond the shape would be written somewhere in memory.
        matrix.check_format(full_check=True)
        return np.asarray(matrix.toarray())

    def _parts(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        data, indices, starts = (to_array(self.state[name]) for name in ("data", "indices", "indptr"))
        return data.astype(np.float64), indices.astype(np.int64), starts.astype(np.int64)

    def _matrix_shape(self) -> tuple[int, int]:
        rows, columns = _shape(self.state["_shape"])
        return rows, columns


class _CompressedRows(_CompressedColumns):
    """A scipy ``csr_matrix``."""

    kind = sparse.csr_matrix


class _RestrictedUnpickler(pickle.Unpickler):
    """Resolves only the names above."""

    def find_class(self, module: str, name: str) -> object:
        module = _PYTHON_2_MODULES.get(module, module)
        if (module, name) in _HARMLESS:
            return _HARMLESS[module, name]
        if module in _NUMPY_MODULES and name in _CONSTRUCTORS:
            return _CONSTRUCTORS[name]
        if module.startswith("scipy.sparse") and name in ("csc_matrix", "csc_array"):
            return _CompressedColumns
        if module.startswith("scipy.sparse") and name in ("csr_matrix", "csr_array"):
            return _CompressedRows
        if module == "chumpy" or module.startswith("chumpy."):
            return _ChumpyObject
        raise ValueError(f"the file asks for {module}.{name}, expected only arrays; it was not loaded")


def to_array(value: object) -> Array:
    """Return the numbers of an array, a stored chumpy or sparse object, a list or a number."""
    return value.to_array() if isinstance(value, _StoredState) else np.asarray(value)


def read_pickled_arrays(path: Path, names: tuple[str, ...]) -> dict[str, Array]:
    """Return the arrays of those names that the pickled dictionary in a file holds.

    Raises:
        ValueError: the file is no pickle of a dictionary, or names anything but arrays; nothing of it is executed.
    """
    with path.open("rb") as file:
        content = _guarded(path, _RestrictedUnpickler(file, encoding="latin1").load)
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, expected a dictionary of arrays")
    return {name: _guarded(path, partial(to_array, content[name])) for name in names if name in content}


def _guarded(path: Path, read: Callable[[], _Value]) -> _Value:
    """Turn whatever a damaged or hostile file makes Python say into one error that names the file."""
    try:
        return read()
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    except (
        pickle.UnpicklingError,
        EOFError,
        LookupError,
        AttributeError,
        TypeError,
        ArithmeticError,
        MemoryError,
        RecursionError,
        struct.error,
    ) as error:
        raise ValueError(
            f"{path} is no readable pickle ({type(error).__name__}: {error}); expected an SMPL model, download it anew"
        ) from error


def _shape(value: object) -> tuple[int, ...]:
    return tuple(int(size) for size in np.atleast_1d(to_array(value)))
