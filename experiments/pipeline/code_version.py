"""Which code a result depends on: a hash over a module and every module of ours that it imports, directly or not.

Comments, docstrings and formatting do not count, so that polishing prose does not make a cached result stale.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
from functools import lru_cache
from pathlib import Path

ROOMS = ("sim", "datamodules", "lightning_modules", "experiments")
LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn")


@lru_cache(maxsize=64)
def code_version(module: str) -> str:
    """Hash the source of ``module``, of all modules of this project it imports, and of their rooms' assets.

    Shipped weights are no part of it: a task that reads a checkpoint names the file, and its content is hashed there.

    Args:
        module: dotted name, for example ``"experiments.har_eval.stages.generate"``.

    Returns:
        A hexadecimal digest that changes when the code, an asset or the version of a numerical library changes.

    Raises:
        ValueError: the module cannot be found.
    """
    digest = hashlib.sha256()
    sources = _closure(module)
    for name in sorted(sources):
        digest.update(name.encode() + b"\0" + _canonical_source(sources[name]).encode() + b"\0")
    rooms = {_room_of(name, path) / "assets" for name, path in sources.items()}
    for folder in sorted(room for room in rooms if room.is_dir()):
        for asset in sorted(folder.iterdir()):
            if asset.is_file() and asset.suffix in {".npz", ".json", ".yaml"}:
                digest.update(asset.name.encode() + b"\0" + file_hash(asset).encode())
    for library in LIBRARIES:
        digest.update(f"{library}=={importlib.metadata.version(library)}\0".encode())
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content, or of names and contents of all files below a folder.

    Raises:
        FileNotFoundError: there is no such file or folder.
    """
    if path.is_dir():
        digest = hashlib.sha256()
        for file in sorted(entry for entry in path.rglob("*") if entry.is_file()):
            digest.update(str(file.relative_to(path)).encode() + b"\0" + file_hash(file).encode())
        return digest.hexdigest()
    status = path.stat()
    return _content_hash(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=256)
def _content_hash(path: Path, modified_ns: int, size: int) -> str:
    """Hash one file; the arguments after the path make a changed file a new entry of the cache."""
    del modified_ns, size
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _closure(module: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        path = _source_path(name)
        if path is None:
            continue
        found[name] = path
        waiting.extend(_imported_names(path))
    if module not in found:
        raise ValueError(f"no source found for module {module!r}; expected one that Python can import by name")
    return found


def _room_of(name: str, path: Path) -> Path:
    """Folder of the top-level package that a module belongs to."""
    depth = name.count(".") + (path.name == "__init__.py")
    return path.parents[max(depth, 1) - 1]


def _source_path(name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(name)
    except (ModuleNotFoundError, ValueError):  # ValueError: __main__ of a script has no spec
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    return Path(spec.origin)


def _imported_names(path: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            # "from package import name" may mean a submodule; what is none resolves to nothing later.
            names.append(node.module)
            names.extend(f"{node.module}.{alias.name}" for alias in node.names)
    return [name for name in names if name.split(".")[0] in ROOMS]


def _canonical_source(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return ast.dump(tree)
