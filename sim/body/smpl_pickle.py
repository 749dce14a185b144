"""Reading SMPL's ``.pkl`` files without executing them: arrays come through, anything else is refused by name.

The published files hold numpy arrays, scipy sparse matrices and objects of the abandoned package chumpy. A pickle can
name any function of any package, and numpy's own constructors, given a made-up state, read and write any memory. So
nothing real is handed out: every name that occurs in such files is answered by a stand-in that keeps what was stored,
and arrays of plain numbers are built from the stored bytes here, once their size has been checked.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import sparse

Array = npt.NDArray[np.generic]
_Value = TypeVar("_Value")

_MOST_NUMBERS = 10**8
"""Size beyond which a sparse matrix is not unfolded: joints times vertices stay far below."""

_NUMPY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
_PYTHON_2_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}


class _StoredState:
    """An object of a class that is not loaded: what its pickle stored."""

    state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state

    def to_array(self) -> Array:
        """Return the numbers the object stands for.

        Raises:
            ValueError: the object is of a kind that SMPL files do not hold.
        """
        raise ValueError(f"a {type(self).__name__.lstrip('_')} is in the place of an array; download the model anew")

    def entries(self) -> dict[str, object]:
        """Return the stored attributes.

        Raises:
            ValueError: none are stored.
        """
        if not isinstance(self.state, dict):
            raise ValueError("an object without its attributes is in the file, expected arrays; download it anew")
        return self.state


class _StoredDtype(_StoredState):
    """A numpy dtype: its name, and the byte order in its state."""

    def __init__(self, name: object = "", *_: object) -> None:
        self.name = name.decode("latin1") if isinstance(name, bytes) else name

    def to_dtype(self) -> np.dtype[np.generic]:
        """Return the dtype.

        Raises:
            ValueError: it is not one of plain numbers.
        """
        known = isinstance(self.name, str) and self.name in _PLAIN_DTYPES
        order = self.state[1] if isinstance(self.state, tuple) and len(self.state) > 1 else "|"
        if isinstance(order, bytes):
            order = order.decode("latin1")
        if not known or order not in ("<", ">", "|", "="):
            raise ValueError(f"an array of dtype {self.name!r} is in the file, expected numbers; download it anew")
        # Multi-byte numbers of unstated order are this machine's own.
        return np.dtype(f"{'=' if order == '|' else order}{self.name}")


_PLAIN_DTYPES = {f"{kind}{size}" for kind in "iuf" for size in (1, 2, 4, 8)} - {"f1"} | {"b1"}


class _StoredArray(_StoredState):
    """A numpy array: shape, dtype, order of axes and bytes."""

    def to_array(self) -> Array:
        state = self.state
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise ValueError("an array without its numbers is in the file; download it anew")
        shape, dtype, fortran, content = state[-4:]
        return _build_array(content, dtype, shape, "F" if fortran else "C")


class _ChumpyObject(_StoredState):
    """A chumpy array, or chumpy's selection from or reshaping of one."""

    def to_array(self) -> Array:
        state = self.entries()
        if "x" in state:
            return to_array(state["x"])
        if "a" in state and "idxs" in state:
            chosen = to_array(state["a"]).ravel()[to_array(state["idxs"])]
            return chosen.reshape(_shape(state["preferred_shape"])) if "preferred_shape" in state else chosen
        if "a" in state and "newshape" in state:
            return to_array(state["a"]).reshape(_shape(state["newshape"]))
        raise ValueError(
            f"a chumpy object with {sorted(map(str, state))} is in the file, expected an array, a selection or a "
            "reshaping; convert the model to .npz where chumpy is installed"
        )


class _CompressedColumns(_StoredState):
    """A scipy ``csc_matrix``."""

    kind: ClassVar[type[sparse.csc_matrix] | type[sparse.csr_matrix]] = sparse.csc_matrix

    def to_array(self) -> Array:
        state = self.entries()
        rows, columns = _shape(state["_shape"])
        if rows < 0 or columns < 0 or rows * columns > _MOST_NUMBERS:
            raise ValueError(f"a sparse matrix of {rows} by {columns} is in the file, expected joints by vertices")
        data, indices, starts = (to_array(state[name]) for name in ("data", "indices", "indptr"))
        parts = data.astype(np.float64), indices.astype(np.int64), starts.astype(np.int64)
        matrix = self.kind(parts, shape=(rows, columns))
        # Unfolding trusts the indices; one beyond the shape would be written somewhere in memory.
        matrix.check_format(full_check=True)
        return np.asarray(matrix.toarray())


class _CompressedRows(_CompressedColumns):
    """A scipy ``csr_matrix``."""

    kind = sparse.csr_matrix


class _StandIn:
    """Answers for a function or a type; it has no attributes that a pickle could set."""

    __slots__ = ("_function", "_name")

    def __init__(self, name: str, function: Callable[..., object]) -> None:
        self._name, self._function = name, function

    def __call__(self, *arguments: object) -> object:
        return self._function(*arguments)

    def __setstate__(self, state: object) -> None:
        raise ValueError(f"the file changes {self._name}, expected only arrays; it was not loaded")


def _build_array(content: object, dtype: object, shape: object, order: object = "C") -> Array:
    if isinstance(content, str):
        content = content.encode("latin1")
    if not isinstance(content, (bytes, bytearray)) or not isinstance(dtype, _StoredDtype):
        raise ValueError("an array of Python objects is in the file, expected numbers; download it anew")
    sizes, kind = _shape(shape), dtype.to_dtype()
    count = int(np.prod([float(size) for size in sizes]))
    if min(sizes, default=0) < 0 or count * kind.itemsize != len(content):
        raise ValueError(f"an array of shape {sizes} and {kind} has {len(content)} bytes; download the file anew")
    # A copy of the bytes, in the machine's own order.
    return (
        np.frombuffer(content, dtype=kind)
        .reshape(sizes, order="F" if order == "F" else "C")
        .astype(kind.newbyteorder("="))
    )


def _empty_bytes(*arguments: object) -> bytes:
    if arguments:
        raise ValueError("the file makes bytes of something, expected only arrays; it was not loaded")
    return b""


def _encode_bytes(text: object, encoding: object = "latin1") -> bytes:
    """What pickles of protocol 2 ask for to hold bytes; no other codec is looked up."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError(f"the file asks for the codec {encoding!r}, expected only latin1; it was not loaded")
    return text.encode("latin1")


def _reconstruct_object(kind: object, *_: object) -> object:
    """What pickles of protocol 0 and 1 ask for to make an object."""
    if isinstance(kind, type) and issubclass(kind, _StoredState):
        return kind()
    raise ValueError(f"the file makes an object of {kind!r}, expected only arrays; it was not loaded")


def _refuse(*_: object) -> object:
    raise ValueError("the file calls a type of numpy or Python itself, expected only arrays; it was not loaded")


class _RestrictedUnpickler(pickle.Unpickler):
    """Answers the names that SMPL files hold with stand-ins, and no others."""

    def find_class(self, module: str, name: str) -> object:
        module = _PYTHON_2_MODULES.get(module, module)
        stand_in = partial(_StandIn, f"{module}.{name}")
        if module in _NUMPY_MODULES and name in _CONSTRUCTORS:
            return stand_in(_CONSTRUCTORS[name])
        if (module, name) in _FUNCTIONS:
            return stand_in(_FUNCTIONS[module, name])
        if (module, name) == ("numpy", "dtype"):
            return stand_in(_StoredDtype)
        if module.startswith("scipy.sparse") and name in _SPARSE:
            return _SPARSE[name]
        if module == "chumpy" or module.startswith("chumpy."):
            return _ChumpyObject
        raise ValueError(
            f"the file asks for {module}.{name}, expected only arrays; it was not loaded: save the model as .npz "
            "with plain arrays"
        )


_CONSTRUCTORS: dict[str, Callable[..., object]] = {
    "_reconstruct": lambda *_: _StoredArray(),
    "scalar": lambda dtype, content=b"": _build_array(content, dtype, ()),
    "_frombuffer": lambda content, dtype, shape, order: _build_array(content, dtype, shape, order),
}
_FUNCTIONS: dict[tuple[str, str], Callable[..., object]] = {
    ("_codecs", "encode"): _encode_bytes,
    ("builtins", "bytes"): _empty_bytes,
    ("builtins", "set"): lambda items=(): frozenset(items),
    ("builtins", "object"): _refuse,
    ("copyreg", "_reconstructor"): _reconstruct_object,
    ("numpy", "ndarray"): _refuse,
}
_SPARSE: dict[str, type[_CompressedColumns]] = {
    "csc_matrix": _CompressedColumns,
    "csc_array": _CompressedColumns,
    "csr_matrix": _CompressedRows,
    "csr_array": _CompressedRows,
}


def to_array(value: object) -> Array:
    """Return the numbers of a stored array, chumpy or sparse object, of a list or of a number."""
    if isinstance(value, _StoredState):
        return value.to_array()
    array = np.asarray(value)
    if array.dtype.kind not in "iufb":
        raise ValueError(f"a {type(value).__name__} is in the place of an array, expected numbers; download it anew")
    return array


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
    if isinstance(value, tuple) and all(isinstance(size, int) for size in value):
        return tuple(value)
    return tuple(int(size) for size in np.atleast_1d(to_array(value)).tolist())
