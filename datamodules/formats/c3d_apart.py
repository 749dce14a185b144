"""Reads a C3D file with ezc3d in a process of its own: ``python c3d_apart.py FILE`` writes an archive to stdout.

ezc3d believes what a file says of itself: one with a few bytes changed makes it read beyond its buffers, or for ever.
Here that ends this process alone, which has limits of memory and time.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

_WANTED: Final = ("LABELS", "UNITS", "RATE", "Y_SCREEN")
_MEMORY: Final = 2 << 30
_PER_BYTE: Final = 100
_SECONDS: Final = 60


def limit(size: int) -> None:
    """Limit memory and time of this process by the length of the file [bytes]; where the system can."""
    try:
        import resource
    except ImportError:  # Windows: the parent's clock alone
        return
    memory, seconds = _MEMORY + _PER_BYTE * size, _SECONDS + size // 1_000_000
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def pick(point: Mapping[str, Mapping[str, Sequence[object]]]) -> dict[str, list[str]]:
    """Return what the group POINT says, as text; labels beyond 255 stand in LABELS2, LABELS3 ..."""
    names = [name for name in point if name in _WANTED or (name.startswith("LABELS") and name[6:].isdigit())]
    return {name: [str(value) for value in point[name]["value"]] for name in names}


def main(path: str) -> None:
    """Read a file and write its points ``(3, N, T)`` and what POINT says as JSON."""
    limit(Path(path).stat().st_size)
    import ezc3d

    file = ezc3d.c3d(path)
    points = np.asarray(file["data"]["points"], dtype=np.float64)[:3]
    archive = io.BytesIO()
    np.savez(archive, points=points, point=np.array(json.dumps(pick(file["parameters"]["POINT"]))))
    sys.stdout.buffer.write(archive.getvalue())


if __name__ == "__main__":
    main(sys.argv[1])
