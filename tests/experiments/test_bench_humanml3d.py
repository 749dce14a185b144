from __future__ import annotations

from experiments.bench.humanml3d_packing import humanml3d_table


def test_the_benchmark_measures_what_it_says() -> None:
    table = humanml3d_table(100)
    ((packing, opening, packed, single),) = table.rows
    assert "100 made-up motions" in table.title
    assert len(table.header) == 4
    assert float(packing) > 0
    assert 0 <= float(opening) < 2
    assert float(packed) > 0
    assert float(single) > 0
