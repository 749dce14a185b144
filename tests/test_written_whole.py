"""Files are written whole or not at all; commands say in one line where they cannot."""

from __future__ import annotations

import ast
import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from experiments.cli import main
from lightning_modules.weights.torch_files import save_torch
from sim.motion import Motion

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("sim", "datamodules", "lightning_modules", "experiments")
WRITERS = {
    "write_text",
    "write_bytes",
    "savefig",
    "to_parquet",
    "write_table",
    "save_file",
    "savez",
    "savez_compressed",
}
ELSEWHERE = {
    "datamodules/assets/build_deepmimic.py",  # scripts that make assets of the package, by hand
    "sim/assets/build_cc0_body.py",
    "sim/assets/draw_placements.py",
    "datamodules/formats/c3d_apart.py",  # into memory
    "datamodules/packs.py",  # into a folder that is put in place once it is whole
    "experiments/bench/humanml3d_packing.py",  # made-up data of a benchmark, in a temporary folder
    "experiments/bench/number_table.py",  # the same
    "experiments/bench/memory.py",  # the kernel's counter
    "experiments/classifier/export.py",  # beside its place, which its caller gives
    "experiments/pipeline/executors/parcels.py",  # into a folder that is put in place once it is whole
    "experiments/pipeline/tasks.py",  # the same
    "experiments/studio/motions.py",  # an upload, in a temporary folder
    "experiments/tools/audit.py",  # pins that are asked for, in a temporary folder
}


def writers() -> Iterator[tuple[str, str, ast.FunctionDef]]:
    """Functions that write a file by a path of their own."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef):
                    for call in ast.walk(node):
                        if (
                            isinstance(call, ast.Call)
                            and isinstance(call.func, ast.Attribute)
                            and _writes(call, call.func)
                        ):
                            yield path.relative_to(ROOT).as_posix(), ast.unparse(call)[:80], node


def _writes(call: ast.Call, function: ast.Attribute) -> bool:
    name, owner = function.attr, ast.unparse(function.value)
    if name in WRITERS:
        return True
    if (owner, name) in (("np", "save"), ("torch", "save"), ("torch.export", "save")):
        return True
    if name == "to_csv":
        return bool(call.args)
    return name == "open" and any(
        isinstance(one, ast.Constant) and str(one.value)[:1] in ("w", "a", "x") for one in call.args
    )


def test_every_file_is_written_beside_its_place() -> None:
    found = list(writers())
    assert len(found) > 40
    loose = {
        f"{path}: {call}"
        for path, call, node in found
        if path not in ELSEWHERE
        and "whole_file(" not in ast.unparse(node)
        and not any(argument.arg == "part" for argument in node.args.args)
    }
    assert not loose
    assert {path for path, _, _ in found} >= ELSEWHERE


@contextlib.contextmanager
def small_files(most: int) -> Iterator[None]:
    """Let no file of this process grow beyond a number of bytes, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def still(tmp_path: Path) -> Path:
    """A second of somebody who stands."""
    path = tmp_path / "still.npz"
    where = torch.tensor([0.0, 0.9, 0.0]).expand(41, 3)
    Motion(torch.eye(3).expand(41, 22, 3, 3).clone(), where.clone(), fps=20.0).save(path)
    return path


COMMANDS = {
    "synth.csv": "synth --motion STILL --placement chest --out OUT/a.csv",
    "synth.parquet": "synth --motion STILL --placement chest --out OUT/a.parquet",
    "synth-motion": "synth --motion STILL --placement chest --out OUT/a.parquet --motion-out OUT/m.npz",
    "show": "show STILL --placements chest --out OUT/a.html",
    "picture": "motions inspect STILL --picture OUT/a.png",
    "page": "motions inspect STILL --page OUT/a.html",
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("fault", ["full", "no folder"])
def test_what_cannot_be_written_is_one_line(
    still: Path, tmp_path: Path, command: str, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    if fault == "no folder":
        out.write_text("a file")  # holds for root too, whom no permission stops
    else:
        out.mkdir()
        (out / "a.csv").write_text("what was there before")
    arguments = [word.replace("STILL", str(still)).replace("OUT", str(out)) for word in command.split()]
    with pytest.raises(SystemExit) as stopped, small_files(600 if fault == "full" else resource.RLIM_INFINITY):
        main(arguments)
    error = capsys.readouterr().err
    assert stopped.value.code == 2
    assert error.startswith(f"error: {out}/"), error
    assert "cannot be written" in error
    assert len(error.splitlines()) == 1, error
    if fault == "full":
        assert [path.name for path in out.iterdir()] == ["a.csv"]
        assert (out / "a.csv").read_text() == "what was there before"


def test_weights_that_find_no_room_leave_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    save_torch({"weight": torch.zeros(3)}, path)
    with small_files(5000), pytest.raises(OSError, match=f"{path} cannot be written"):
        save_torch({"weight": torch.zeros(100_000)}, path)
    assert torch.load(path, weights_only=True)["weight"].shape == (3,)
    assert [one.name for one in tmp_path.iterdir()] == ["model.pt"]
