"""What cannot be run on is refused in one line before anything is run, by every experiment alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments import cli
from experiments.acceleration import command as acceleration
from experiments.acceleration.denoisers import command as denoisers
from experiments.har_eval import command as har_eval
from experiments.pipeline.executor_config import ExecutorConfig, check_executor, spell_out_executor

EXPERIMENTS = Path(__file__).resolve().parents[3] / "experiments"
NOBODY = "tcp://127.0.0.1:9"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"kind": "dusk"}, r"'dusk'.*dask"),
        ({"kind": "dask"}, "neither address and slurm"),
        ({"kind": "dask", "address": NOBODY, "slurm": {"cores": 1, "memory": "1GB"}}, "both address and slurm"),
        ({"kind": "local", "address": NOBODY}, "executor.address is given with executor.kind local"),
        ({"shared_files": False}, "executor.shared_files is given with executor.kind local"),
        ({"address": "login1:8786"}, "'login1:8786', expected what `dask scheduler` prints"),
        ({"slurm": {"cores": 4}}, "expected at least cores and memory"),
        ({"slurm": {"cores": 4, "memory": "1GB"}, "jobs": 0}, "executor.jobs is 0"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        check_executor(ExecutorConfig(**options))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"distributed is not installed; pip install 'imuforge\[cluster\]'"):
        check_executor(ExecutorConfig(address=NOBODY))
    check_executor(ExecutorConfig())


def test_an_address_or_slurm_means_dask() -> None:
    assert not ExecutorConfig().is_dask
    assert ExecutorConfig(address=NOBODY).is_dask
    assert ExecutorConfig(slurm={}).is_dask
    assert spell_out_executor({"executor": "dask", "seed": 1}) == {"executor": {"kind": "dask"}, "seed": 1}
    assert spell_out_executor({"executor": "local"}) == {"executor": {"kind": None}}


def _dataset(folder: Path, *overrides: str) -> int:
    return cli.main(["dataset", str(EXPERIMENTS / "dataset.yaml"), "--out", str(folder / "set"), *overrides])


def _experiment(main: Callable[[list[str]], int], name: str) -> Callable[..., int]:
    def run(folder: Path, *overrides: str) -> int:
        config = str(EXPERIMENTS / f"{name}.yaml")
        return main(["-c", config, *overrides, f"output={folder / 'out'}", f"cache={folder / 'cache'}"])

    return run


@pytest.mark.parametrize(
    "run",
    [
        _experiment(har_eval.main, "har_eval"),
        _experiment(acceleration.main, "acceleration"),
        _experiment(denoisers.main, "denoisers"),
        _dataset,
    ],
    ids=["har_eval", "acceleration", "denoisers", "dataset"],
)
def test_nobody_at_the_address_is_one_line_of_every_experiment(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = pytest.importorskip("experiments.pipeline.executors.dask_cluster", reason="Dask is not installed")
    monkeypatch.setattr(cluster, "ANSWER_S", 1)
    with pytest.raises(SystemExit) as left:
        run(tmp_path, f"executor.address={NOBODY}")
    assert left.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("note: ")]
    assert line.startswith(f"error: nothing answers at executor.address {NOBODY} within 1 s")
    assert not list(tmp_path.rglob("*.partial"))

    with pytest.raises(SystemExit) as left:
        run(tmp_path, "executor=dask")
    assert left.value.code == 2
    assert "neither address and slurm" in capsys.readouterr().err
