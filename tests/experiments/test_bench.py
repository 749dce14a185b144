"""The benchmarks on little work: what they compare is the same thing, and what they write reads as a table."""

from __future__ import annotations

import pytest
import torch
from rich.console import Console

from experiments.bench.body import make_motion, make_placements, simulate_on_full_mesh
from experiments.bench.methods import all_methods
from experiments.bench.number_table import number_table
from experiments.bench.rigid import measure_error
from experiments.bench.tables import BenchTable, describe_machine, median_seconds
from sim import Body, simulate


def test_the_full_mesh_gives_the_same_readings():
    motion, body, placements = make_motion(2, 8), Body.default(), make_placements(5)
    sparse = simulate(motion, body, placements, rate_hz=100.0)
    full = simulate_on_full_mesh(motion, body, placements)
    assert sparse.names == full.names
    torch.testing.assert_close(sparse.accel, full.accel, atol=5e-3, rtol=0)
    torch.testing.assert_close(sparse.gyro, full.gyro, atol=1e-3, rtol=0)


def test_every_method_reads_about_the_same():
    for name, method in all_methods().items():
        error = measure_error(method, 100.0, num_motions=1)
        assert error.accel < 2.0, name
        assert error.gyro < 0.5, name


def test_tables_are_printed_and_written():
    table = BenchTable("Time [s]", ["method", "[s]"], [["a", "1.0"], ["b [c]", "2.0"]], "A note.")
    text = table.to_markdown()
    assert text.splitlines()[0] == "## Time [s]"
    assert "| b [c] | 2.0 |" in text
    console = Console(record=True, width=80)
    table.print(console)
    assert "b [c]" in console.export_text()


def test_times_are_medians_and_the_machine_is_named():
    calls: list[int] = []
    assert median_seconds(lambda: calls.append(1), repeats=3, warm_up=2) >= 0
    assert len(calls) == 5
    assert "torch" in describe_machine()


def test_reading_pamap2_is_measured_against_pandas():
    ((alone, ours, ratio, most),) = number_table(2000).rows
    assert float(ratio) == pytest.approx(float(ours) / float(alone), rel=0.05)
    assert most == "1.5"
