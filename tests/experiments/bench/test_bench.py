"""The benchmarks on little work: what they compare is the same thing, and what they write reads as a table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console

from experiments.bench.acceleration import MotionAccelerations, compare_accelerations
from experiments.bench.accelerator import count_flops, find_peak_flops, list_kernels, make_accelerated_step
from experiments.bench.body import make_motion, make_placements, simulate_on_full_mesh
from experiments.bench.decoding import decode, decoding_table, descend
from experiments.bench.losses import make_prediction, prepare_step
from experiments.bench.methods import all_methods
from experiments.bench.number_table import number_table
from experiments.bench.rigid import measure_error
from experiments.bench.start import STARTS, Start, start_table
from experiments.bench.training import TorchDenoiser, TrainingCase
from experiments.pipeline.tables import BenchTable, describe_machine, median_seconds, time_in_turns
from lightning_modules.networks.denoiser import Denoiser
from lightning_modules.networks.packing import mask_frames_of
from sim import Body, simulate
from sim.features import DECODERS, FEATURE_SLICES, features_to_joints


def test_the_full_mesh_gives_the_same_readings():
    # In float64, with rotations orthonormal to 1e-7, which is what is left between the two. In float32 a vertex
    # a metre from the origin is rounded by 6e-8 m, an edge of a centimetre thus turns by 6e-6 rad, and the derivatives
    # of that are another number on every processor.
    body, placements = Body.default().to(dtype=torch.float64), make_placements(5)
    motion = make_motion(2, 8)
    motion = replace(motion, rotations=motion.rotations.double(), translation=motion.translation.double())
    sparse = simulate(motion, body, placements, rate_hz=100.0)
    full = simulate_on_full_mesh(motion, body, placements)
    assert sparse.names == full.names
    torch.testing.assert_close(sparse.accel, full.accel, atol=1e-5, rtol=0)
    torch.testing.assert_close(sparse.gyro, full.gyro, atol=1e-5, rtol=0)


def test_every_method_reads_about_the_same():
    for name, method in all_methods().items():
        error = measure_error(method, 100.0, num_motions=1)
        assert error.accel < 2.0, name
        assert error.gyro < 0.5, name


SMALL = {"width": 16, "num_layers": 1, "num_heads": 2, "feedforward": 24}
TEXT_DIM = 512


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


def test_starts_are_set_beside_what_they_stand_against():
    slow = Start("slow", ("-c", "import time; time.sleep(0.1)"), None, "slow")
    table = start_table([slow, Start("help", ("-m", "sim.show", "--help"), 0.5, "slow")], turns=1)
    assert [row[0] for row in table.rows] == ["`slow`", "`help`"]
    assert float(table.rows[1][2].removesuffix(" of `slow`")) > 0
    assert table.rows[0][2:] == ("", "")
    assert table.rows[1][3] == "0.5"
    assert {one.beside for one in STARTS} <= {one.name for one in STARTS}
    with pytest.raises(RuntimeError, match=r"broken left with code 1: (?s:.)*ZeroDivisionError"):
        start_table([Start("broken", ("-c", "1 / 0"), None, "broken")], turns=1)


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


def test_torchs_transformer_is_the_same_network_as_ours():
    ours = Denoiser(width=512, num_layers=8, num_heads=4, feedforward=1024, text_dim=512).eval()
    theirs = TorchDenoiser().eval()
    state = ours.state_dict()
    names = {
        "frames": "input_process.poseEmbedding", "out": "output_process.poseFinal", "encoder": "seqTransEncoder",
        "time": "embed_timestep.time_embed", "text": "embed_text",
    }  # fmt: skip
    theirs.load_state_dict(
        {
            key: state[key.replace(*next((a, b) for a, b in names.items() if key.startswith(a)), 1)]
            for key in theirs.state_dict()
        }
    )
    assert len(theirs.state_dict()) == len(state)
    case = TrainingCase(batch_size=2, shortest=20, attention_dropout=0.1, turns=1)
    assert case.lengths.tolist() == [20, 196]
    generator = torch.Generator().manual_seed(0)
    lengths, x = torch.tensor([6, 9]), torch.randn(2, 9, 263, generator=generator)
    text, steps = torch.randn(2, 512, generator=generator), torch.tensor([3, 40])
    valid = mask_frames_of(lengths, 9)
    with torch.no_grad():
        torch.testing.assert_close(
            ours(x, steps, text, lengths)[valid], theirs(x, steps, text, lengths)[valid], rtol=1e-4, atol=1e-4
        )


def test_a_step_trains_the_network_it_is_given():
    peer = torch.nn.Linear(263, 263)

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = peer

        def forward(self, x, timesteps, text_embedding, lengths):
            return self.layer(x)

    before = peer.weight.detach().clone()
    prepare_step(make_prediction(2, num_frames=8, lengths=torch.tensor([8, 5])), Network())()
    assert not torch.equal(peer.weight, before)


def test_consistent_decoding_is_set_beside_sampling_and_training():
    table = decoding_table(batch=2, frames=12, steps=2, turns=1)
    assert [(row[0], row[-1]) for row in table.rows] == [
        ("sampling, DDPM, 2 steps", "3%"),
        ("training step with acc_joints", "5%"),
    ]
    base = make_prediction(2, num_frames=12, lengths=torch.tensor([12, 12]))
    for decoder in DECODERS:
        assert torch.equal(decode(base.target, decoder)(), features_to_joints(base.target, decoder))
    by_positions, consistent = (descend(base, decoder)()[0] for decoder in DECODERS)
    # Only consistently do steps of joints have a part in accelerations.
    assert not by_positions[..., FEATURE_SLICES.velocities].any()
    assert bool(consistent[..., FEATURE_SLICES.velocities].any())


def test_works_are_timed_in_turns():
    calls: list[str] = []
    times = time_in_turns([lambda: calls.append("a"), lambda: calls.append("b")], turns=2, warm_up=1)
    assert calls == ["a", "b"] * 3
    assert [len(each) for each in times] == [2, 2]


def test_resampled_statistics_are_those_of_repeated_motions():
    generator = np.random.default_rng(0)
    accelerations = MotionAccelerations(generator.lognormal(size=(6, 500)))
    weights = np.array([[1, 1, 1, 1, 1, 1], [3, 0, 2, 0, 0, 1]])
    means, highs = accelerations.resample(weights)
    for mean, high, weight in zip(means, highs, weights, strict=True):
        repeated = np.repeat(accelerations.magnitudes, weight, axis=0)
        assert mean == pytest.approx(repeated.mean())
        assert high == pytest.approx(np.quantile(repeated, 0.95), rel=5e-3)


def test_an_interval_of_a_difference_covers_it_and_narrows_with_motions():
    generator = np.random.default_rng(1)
    width = {}
    for count in (40, 640):
        prompts = np.arange(count) % 4
        level = np.array([0.1, 1.0, 5.0, 20.0])[prompts, None]
        drawn = [level * generator.lognormal(0, 0.5, (count, 1)) * generator.random((count, 60)) for _ in "ab"]
        reference, sampled = MotionAccelerations(drawn[0]), MotionAccelerations(1.2 * drawn[1])
        for interval in compare_accelerations(sampled, reference, prompts):
            assert interval.low < 0.2 < interval.high
        width[count] = interval.high - interval.low
        same = compare_accelerations(reference, reference, prompts)[0]
        assert tuple(same) == (0, 0, 0)
    assert width[640] < 0.5 * width[40]


def test_accelerations_of_features_are_those_of_their_joints():
    features = make_prediction(1, num_frames=29).target
    found = MotionAccelerations.of(features)
    decoded = features_to_joints(features).double()
    expected = (decoded[:, 2:] - 2 * decoded[:, 1:-1] + decoded[:, :-2]).norm(dim=-1) * 400
    assert found.magnitudes.shape == (1, 27 * 22)
    assert found.mean == pytest.approx(float(expected.mean()), rel=1e-4)
    assert found.high == pytest.approx(float(expected.quantile(0.95)), rel=1e-3)


def test_reading_pamap2_is_measured_against_pandas():
    ((alone, ours, ratio, most),) = number_table(2000).rows
    assert float(ratio) == pytest.approx(float(ours) / float(alone), rel=0.05)
    assert most == "1.5"
