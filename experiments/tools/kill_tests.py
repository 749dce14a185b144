"""Kill training, cache writing and generation at random moments, start them again, and compare with runs left alone.

``python -m experiments.tools.kill_tests --kills 20`` prints the rows of ``docs/reliability.md``.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

ROOT: Final = Path(__file__).resolve().parents[2]
LIGHTNING: Final = (sys.executable, "-m", "lightning_modules")
_POLL_S: Final = 0.01
_CONVERT: Final = """\
import sys
from datamodules import MotionDataModule
MotionDataModule(sources=["embedded"], cache_dir=sys.argv[1]).prepare_data()
"""
_TINY: Final = (
    *("--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--trainer.log_every_n_steps=1"),
    *("--trainer.max_steps=200", "--trainer.precision=32-true", "--data.batch_size=4", "--data.samples_per_epoch=32"),
    *("--data.eval_windows_per_activity=1", "--model.width=16", "--model.num_layers=1", "--model.num_heads=2"),
    *("--model.feedforward=16", "--model.num_steps=5"),
)
_FEW: Final = (
    *("--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--data.motions_per_activity=12"),
    *("--data.batch_size=2", "--data.seconds=2.0", "--model.sampling.steps=5"),
)

Content = dict[str, str]


@dataclass(frozen=True)
class Subject:
    """Something that is killed.

    Attributes:
        command: makes the command that starts it, and starts it again, from the folder it writes to and one of caches.
        read: what it left in its folder, as digests by name.
    """

    command: Callable[[Path, Path], Sequence[str]]
    read: Callable[[Path], Content]


@dataclass(frozen=True)
class Outcome:
    """What came of the kills.

    Attributes:
        kills: processes killed while they worked.
        compared: runs that came to their end and were compared with the run left alone.
        different: names that were missing, too many or of other content, over all those runs.
        half_written: files found cut off after a kill.
    """

    kills: int
    compared: int
    different: tuple[str, ...]
    half_written: tuple[str, ...]


def kill_and_compare(subject: Subject, *, kills: int, folder: Path, rng: random.Random) -> Outcome:
    """Kill a subject ``kills`` times and compare every run that came to its end with one that was left alone.

    A moment is drawn evenly between the first file and the end of the run left alone; a run that is done before its
    moment is compared, and the next one begins in an empty folder.

    Args:
        subject: what to kill.
        kills: how often.
        folder: an empty folder for both.
        rng: draws the moments.

    Raises:
        RuntimeError: the run left alone fails, or a killed one fails when it is started again; shows what it said.
    """
    caches, whole, killed = (folder / name for name in ("caches", "whole", "killed"))
    _run(subject.command(whole, caches), whole)  # fills the caches, so that the next one is timed as later ones run
    shutil.rmtree(whole)
    first_s, end_s = _run(subject.command(whole, caches), whole) or (0.0, 0.0)
    expected = subject.read(whole)
    done, compared = 0, 0
    different: list[str] = []
    half_written: list[str] = []
    while done < kills:
        survived = _run(subject.command(killed, caches), killed, kill_after_s=rng.uniform(first_s, end_s))
        if survived is None:
            done += 1
            half_written += find_cut_off(killed)
        if survived is not None or done == kills:
            if survived is None:
                _run(subject.command(killed, caches), killed)
            different += compare(expected, subject.read(killed))
            compared += 1
            shutil.rmtree(killed)
    return Outcome(done, compared, tuple(different), tuple(half_written))


def find_cut_off(folder: Path) -> list[str]:
    """Return the archives below a folder that are no whole ones; hidden files, which nothing reads, are left out."""
    archives = [path for path in folder.rglob("*") if path.suffix in (".npz", ".ckpt") and path.name[0] != "."]
    return [path.name for path in archives if not zipfile.is_zipfile(path)]


def compare(expected: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Return the names that only one of two runs has, or that differ in content."""
    return sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))


def read_training(folder: Path) -> Content:
    """Return digests of the last checkpoint (weights, optimiser, schedule, step) and of every logged training value."""
    run = folder / "prior"
    content = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    found = {name: _digest(value.numpy().tobytes()) for name, value in content["state_dict"].items()}
    moments = content["optimizer_states"][0]["state"]
    found |= {
        f"optimiser {number} {name}": _digest(str(value.tolist()).encode())
        for number, values in moments.items()
        for name, value in values.items()
    }
    found |= {"step": str(content["global_step"]), "schedule": str(content["lr_schedulers"])}
    events = EventAccumulator(str(run), size_guidance={"scalars": 0})
    events.Reload()
    for tag in events.Tags()["scalars"]:
        if tag.startswith("train/") and not tag.endswith("_epoch"):
            found |= {f"{tag} at {one.step}": str(one.value) for one in events.Scalars(tag)}
    return found


def read_files(folder: Path) -> Content:
    """Return digests of the files below a folder, hidden ones and locks left out."""
    paths = [path for path in folder.rglob("*") if path.suffix in (".npz", ".json") and path.name[0] != "."]
    return {path.relative_to(folder).as_posix(): _digest(path.read_bytes()) for path in paths}


SUBJECTS: Final[dict[str, Subject]] = {
    "training and its checkpoints": Subject(
        lambda folder, caches: (
            *(*LIGHTNING, "fit", "-c", str(ROOT / "experiments" / "prior.yaml"), "--ckpt_path=last", *_TINY),
            *(f"--data.cache_dir={caches / 'motion'}", f"--model.cache_dir={caches / 'text'}"),
        ),
        read_training,
    ),
    "cache of motions": Subject(
        lambda folder, caches: (sys.executable, "-c", _CONVERT, str(folder)),
        read_files,
    ),
    "generation": Subject(
        lambda folder, caches: (
            *(*LIGHTNING, "predict", "-c", str(ROOT / "experiments" / "generate.yaml"), *_FEW),
            f"--model.cache_dir={caches / 'text'}",
        ),
        read_files,
    ),
}


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line; ``args`` replaces ``sys.argv[1:]``.

    Raises:
        SystemExit: with code 1 where a killed run differs from the one left alone.
    """
    parser = argparse.ArgumentParser(prog="python -m experiments.tools.kill_tests", description=__doc__)
    parser.add_argument("--kills", type=int, default=3, help="kills of each subject")
    parser.add_argument("--only", nargs="*", choices=list(SUBJECTS), default=list(SUBJECTS), help="subjects")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args(args)
    print("| Killed | Kills | Runs compared | Different | Half-written |\n|---|--:|--:|--:|--:|")
    bad = False
    for name in options.only:
        with tempfile.TemporaryDirectory() as folder:
            rng = random.Random(options.seed)
            outcome = kill_and_compare(SUBJECTS[name], kills=options.kills, folder=Path(folder), rng=rng)
        counts = (outcome.kills, outcome.compared, len(outcome.different), len(outcome.half_written))
        print(f"| {name} | {' | '.join(map(str, counts))} |", flush=True)
        for one in (*outcome.different[:5], *outcome.half_written[:5]):
            sys.stderr.write(f"{name}: {one}\n")
        bad = bad or bool(outcome.different or outcome.half_written)
    if bad:
        raise SystemExit(1)


def _run(command: Sequence[str], folder: Path, *, kill_after_s: float | None = None) -> tuple[float, float] | None:
    """Run a command; returns when its first file was there and when it ended [s], or None where it was killed."""
    folder.mkdir(parents=True, exist_ok=True)
    there = set(folder.rglob("*"))
    started, first = time.monotonic(), None
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM_", "PYTEST_"))}
    environment = {**kept, "IMUFORGE_RUNS": str(folder), "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, env=environment, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
        while process.poll() is None:
            passed = time.monotonic() - started
            if kill_after_s is not None and passed >= kill_after_s:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return None
            if first is None and kill_after_s is None and any(path not in there for path in folder.rglob("*")):
                first = passed
            time.sleep(_POLL_S)
        said.seek(0)
        if process.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed: {said.read().decode(errors='replace')[-2000:]}")
    end = time.monotonic() - started
    return (end if first is None else first, end)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


if __name__ == "__main__":
    main()
