"""The benchmarks on little work: what they compare is the same thing, and what they write reads as a table."""

from __future__ import annotations

import torch
from rich.console import Console

from experiments.bench.accelerator import count_flops, find_peak_flops, list_kernels, make_accelerated_step
from experiments.bench.body import make_motion, make_placements, simulate_on_full_mesh
from experiments.bench.methods import all_methods
from experiments.bench.rigid import measure_error
from experiments.bench.tables import BenchTable, describe_machine, median_seconds
from experiments.bench.training_step import TEXT_DIM, TorchEncoder, make_step, measure_in_turns
from lightning_modules.denoiser import Denoiser
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


SMALL = {"width": 16, "num_layers": 1, "num_heads": 2, "feedforward": 24}


def test_both_encoders_of_the_training_bench_are_the_same_model():
    """Given torch's weights, ours computes what it does: the bench compares like with like."""
    torch.manual_seed(0)
    theirs = TorchEncoder(**SMALL).eval()
    ours = Denoiser(**SMALL, text_dim=TEXT_DIM).eval()
    ours.seqTransEncoder.load_state_dict(theirs.encoder.state_dict())
    pairs = [
        (ours.input_process["poseEmbedding"], theirs.embed_frames), (ours.output_process["poseFinal"], theirs.head),
        (ours.embed_text, theirs.embed_text), (ours.embed_timestep.time_embed, theirs.embed_time),
    ]  # fmt: skip
    for mine, other in pairs:
        mine.load_state_dict(other.state_dict())
    x, text = torch.randn(2, 7, 263), torch.randn(2, TEXT_DIM)
    arguments = (x, torch.tensor([3, 40]), text, torch.tensor([7, 4]))
    with torch.no_grad():
        mine, other = ours(*arguments), theirs(*arguments)
    torch.testing.assert_close(mine[0], other[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(mine[1, :4], other[1, :4], rtol=1e-4, atol=1e-5)


def test_steps_of_the_training_bench_learn_and_are_timed_in_turns():
    network = TorchEncoder(**SMALL)
    before = [value.clone() for value in network.parameters()]
    step = make_step(network, 2, frames=9)
    calls: list[str] = []

    def learn() -> None:
        calls.append("a")
        step()

    seconds = measure_in_turns({"a": learn, "b": lambda: calls.append("b")}, repeats=2)
    assert calls == ["a", "b"] * 3
    assert seconds["a"] > seconds["b"] >= 0
    assert any(not torch.equal(one, other) for one, other in zip(before, network.parameters(), strict=True))


def test_operations_and_costly_kernels_of_a_step_are_found():
    network, device = Denoiser(**SMALL, text_dim=TEXT_DIM, attention_dropout=0.0), torch.device("cpu")
    step = make_accelerated_step(network, 3, device, frames=10)
    # Linear maps alone, twice the multiply-adds, thrice for the backward pass; attention and heads come on top.
    layer = 3 * 11 * (4 * 16 * 16 + 2 * 16 * 24)
    assert 6 * layer < count_flops(step) < 6 * layer * 8
    kernels = list_kernels(step, device=device, count=3)
    assert len(kernels) == 3
    assert 1 >= kernels[0][1] >= kernels[1][1] > 0
    assert find_peak_flops("NVIDIA H100 80GB HBM3") == 989e12
    assert find_peak_flops("a toaster") is None


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
