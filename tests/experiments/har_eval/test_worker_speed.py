"""One worker against two: real clusters, a tiny set; the figure itself is for a machine that is idle."""

from __future__ import annotations

import pytest
from rich.console import Console

from experiments.har_eval.checks import DEFAULT_CONFIG, load_config
from experiments.har_eval.stages.real import RealWindows
from experiments.har_eval.worker_speed import compare_workers, main

LAYER = DEFAULT_CONFIG.parent / "har_eval" / "layers" / "basic_motions.yaml"


def test_both_do_the_same_trainings() -> None:
    pytest.importorskip("distributed", reason="Dask is not installed: pip install 'imuforge[cluster]'")
    pytest.importorskip("aeon", reason="BasicMotions is aeon's: pip install 'imuforge[har]'")
    config = load_config([DEFAULT_CONFIG, LAYER])
    (name,) = [name for name, entry in config.sets.items() if (entry.reader or name) == "basic_motions"]
    table = compare_workers(config, RealWindows.of(name, config), "forest", tasks=2, turns=1)
    assert [row[0] for row in table.rows] == ["1", "2"]
    one, two = (float(row[1]) for row in table.rows)
    assert one > 0
    assert two > 0
    assert float(table.rows[1][2]) > 0
    table.print(Console(quiet=True))


@pytest.mark.parametrize(
    ("options", "told"), [(["--set", "dynamic_chst"], "dynamic_chest"), (["--tasks", "0"], "tasks is 0")]
)
def test_what_cannot_be_is_one_line(options: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("distributed", reason="Dask is not installed: pip install 'imuforge[cluster]'")
    with pytest.raises(SystemExit) as left:
        main(options)
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
