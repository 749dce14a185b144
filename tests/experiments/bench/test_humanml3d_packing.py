"""The benchmark of packing runs on little data and fills every figure of its table."""

from __future__ import annotations

from experiments.bench.humanml3d_packing import humanml3d_table


def test_the_benchmark_measures_what_it_says() -> None:
    table = humanml3d_table(100)
    ((packing, opening, packed, single),) = table.rows
    assert "100 made-up motions" in table.title
    assert len(table.header) == 4
    assert all(float(figure) > 0 for figure in (packing, opening, packed, single))
