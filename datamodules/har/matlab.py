"""Read arrays from MATLAB files that hold nothing but numbers and text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.io.matlab import MatReadError


def read_matlab_array(path: Path, name: str, *, num_columns: int) -> NDArray[np.float64]:
    """Return the rows of a numeric array of a ``.mat`` file ``(N, num_columns)``.

    Raises:
        ValueError: the file is damaged, lacks the array, or the array holds objects or has another shape.
    """
    try:
        # Naming the variable leaves all others, and whatever objects they hold, unread.
        content = loadmat(path, variable_names=[name])
    except (ValueError, TypeError, OSError, NotImplementedError, MatReadError, IndexError, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path} is no readable MATLAB file ({reason}); download it anew") from None
    if name not in content:
        raise ValueError(f"{path} lacks the array {name!r}, expected it in a file of this set; download it anew")
    array = content[name]
    if array.dtype.kind not in "fiu" or array.ndim != 2 or array.shape[1] != num_columns or not len(array):
        raise ValueError(
            f"{path}: {name} is {array.dtype} of shape {array.shape}, expected numbers of shape (N, {num_columns}); "
            "download it anew"
        )
    return np.asarray(array, dtype=np.float64)
