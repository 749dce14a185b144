"""Find data files inside installed pip packages without importing the packages."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path


def locate_in_package(distribution: str, file_name: str) -> Path:
    """Path of a file that an installed distribution brought along.

    The package itself is not imported: some no longer import on today's pandas, others pull in a compiler.

    Args:
        distribution: name on PyPI.
        file_name: last component of the file's path.

    Raises:
        FileNotFoundError: the distribution is not installed or does not hold the file; says how to install it.
    """
    hint = 'install it with: pip install "imuforge[har]"'
    try:
        listed = files(distribution)
    except PackageNotFoundError:
        raise FileNotFoundError(f"package {distribution}, which holds {file_name}, is not installed; {hint}") from None
    found = [Path(str(entry.locate())) for entry in listed or () if entry.name == file_name]
    existing = [path for path in found if path.is_file()]
    if not existing:
        raise FileNotFoundError(f"package {distribution} is installed but holds no {file_name}; {hint}")
    return existing[0]
