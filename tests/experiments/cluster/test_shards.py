"""Two processes generate and simulate by shards; what is lost is made again, and all is as one process makes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments.cli import main
from lightning_modules.callbacks.shard_files import look_into, merge_shards

EXPERIMENTS = Path(__file__).resolve().parents[3] / "experiments"
TOTAL = 7


def arguments(runs: Path, prior: Path, cache_dir: Path) -> list[str]:
    return [
        *("predict", "-c", str(EXPERIMENTS / "generate.yaml"), f"--model.init_from={prior}"),
        *("--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"),
        *("--model.sampling.steps=2", f"--model.cache_dir={cache_dir / 'text'}"),
        *("--data.prompts={walking: [a person walks.]}", f"--data.motions_per_activity={TOTAL}"),
        *("--data.seconds=1.5", "--data.batch_size=2"),
        *("--trainer.callbacks=ShardWriter", f"--trainer.callbacks.output_dir={runs / 'shards'}"),
        *("--trainer.callbacks.placements=[left_wrist, chest]", "--trainer.callbacks.window_s=0.5"),
    ]


def predict_in_two_processes(given: list[str]) -> str:
    """Run the real command and return what it said."""
    layer = ["-c", str(EXPERIMENTS / "cluster" / "ddp.yaml"), "--trainer.devices=2"]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM_", "PYTEST_"))}
    path = os.pathsep.join([str(EXPERIMENTS.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**kept, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    command = [sys.executable, "-m", "lightning_modules", *given, *layer]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_what_is_lost_is_made_again_and_merged_it_is_what_one_process_makes(
    tmp_path: Path, tiny_prior: Path, cache_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = arguments(tmp_path / "two", tiny_prior, cache_dir)
    said = predict_in_two_processes(given)
    assert "MEMBER: 2/2" in said
    assert f"0 of {TOTAL} motions are there, {TOTAL} are made" in said
    (folder,) = (tmp_path / "two" / "shards").iterdir()
    made = {path: path.stat().st_mtime_ns for path in folder.glob("shard-*.npz")}
    assert sorted(number for path in made for number in look_into(path).index.tolist()) == list(range(TOTAL))

    first = next(path for path in sorted(made) if 0 in look_into(path).index)
    lost = look_into(first).index.tolist()
    cut = next(path for path in sorted(made) if path != first)
    lost += look_into(cut).index.tolist()
    first.unlink()
    cut.write_bytes(cut.read_bytes()[:1000])
    with pytest.raises(SystemExit) as left:
        main(["merge", str(folder)])
    assert left.value.code == 2
    assert f"{cut} is cut off" in capsys.readouterr().err
    cut.unlink()
    with pytest.raises(SystemExit) as left:
        main(["merge", str(folder)])
    assert left.value.code == 2
    told = capsys.readouterr().err
    assert f"lacks {len(lost)} of {TOTAL} motions (numbers {sorted(lost)[0]}" in told

    main(given)
    kept = set(made) - {first, cut}
    assert {path: path.stat().st_mtime_ns for path in kept} == {path: made[path] for path in kept}
    new = [number for path in set(folder.glob("shard-*.npz")) - kept for number in look_into(path).index.tolist()]
    assert sorted(new) == sorted(lost)
    there = {path: path.stat().st_mtime_ns for path in folder.glob("shard-*.npz")}
    main(given)
    assert {path: path.stat().st_mtime_ns for path in folder.glob("shard-*.npz")} == there, "all was there"

    assert main(["merge", str(folder), "--out", str(tmp_path / "merged")]) == 0
    assert f"{TOTAL} motions of" in capsys.readouterr().out
    main(arguments(tmp_path / "one", tiny_prior, cache_dir))
    (alone,) = (tmp_path / "one" / "shards").iterdir()
    assert alone.name == folder.name
    expected = merge_shards(alone, tmp_path / "expected")
    assert expected["windows"] == TOTAL * 5
    assert len(expected["channels"]) == 12
    for path in (tmp_path / "expected").glob("*.npy"):
        one, two = (np.load(place / path.name, mmap_mode="r") for place in (path.parent, tmp_path / "merged"))
        # A motion does not depend on its batch but for rounding: 1.5 m and 10 m/s^2 after a few float32 layers.
        np.testing.assert_allclose(two, one, rtol=1e-3, atol=1e-3, err_msg=path.name)
    table = json.loads((tmp_path / "merged" / "merged.json").read_text(encoding="utf-8"))
    assert table["activities"] == ["walking"]
