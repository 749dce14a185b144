"""Training throughput on an accelerator: clips a second, share of the device's rate, memory and the costliest kernels.

Model FLOP utilisation as Chowdhery et al. 2022 (arXiv:2204.02311, appendix B) define it: the operations that the model
needs, counted by torch, over what the device could do in that time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from experiments.pipeline.tables import BenchTable, median_seconds
from lightning_modules.networks.denoiser import Denoiser
from sim.conventions import NUM_FEATURES

DENSE_BF16_FLOPS: Final = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L40S": 362e12, "4090": 165e12}
"""Dense bfloat16 rates from the makers' data sheets (without sparsity), by a part of the device's name."""

FRAMES: Final = 196
TEXT_DIM: Final = 512
BATCHES: Final = (64, 512)
STEPS: Final = 10
KERNELS: Final = 5


def make_accelerated_step(
    network: nn.Module, batch_size: int, device: torch.device, *, frames: int = FRAMES
) -> Callable[[], None]:
    """Return a training step under bfloat16 autocast that ends when the device has done it."""
    x = torch.randn(batch_size, frames, NUM_FEATURES, device=device)
    text = torch.randn(batch_size, TEXT_DIM, device=device)
    timesteps = torch.randint(50, (batch_size,), device=device)
    lengths = torch.full((batch_size,), frames, device=device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=device.type == "cuda")

    def step() -> None:
        with torch.autocast(device.type, dtype=torch.bfloat16):
            predicted = network(x, timesteps, text, lengths)
        loss = (predicted.float() - x).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return step


def count_flops(step: Callable[[], None]) -> float:
    """Return the floating point operations of one step, forward and backward, as torch counts them."""
    with FlopCounterMode(display=False) as counter:
        step()
    return float(counter.get_total_flops())


def list_kernels(step: Callable[[], None], *, device: torch.device, count: int = KERNELS) -> list[tuple[str, float]]:
    """Return the costliest kernels (on a CPU: operators) of one step and their share of its time."""
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
    with profile(activities=activities) as record:
        step()
    key = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    entries = [(entry.key, float(getattr(entry, key))) for entry in record.key_averages()]
    total = sum(time for _, time in entries)
    return [(name, time / total) for name, time in sorted(entries, key=lambda entry: -entry[1])[:count]]


def find_peak_flops(name: str) -> float | None:
    """Return the dense bfloat16 rate of a device by its name; None where it is not listed."""
    return next((rate for part, rate in DENSE_BF16_FLOPS.items() if part in name), None)


def accelerator_table(*, batches: Sequence[int] = BATCHES) -> BenchTable | None:
    """Measure training steps at MDM's size on the first CUDA device, compiled and in bfloat16; None without one."""
    if not torch.cuda.is_available():
        return None
    device, name = torch.device("cuda"), torch.cuda.get_device_name()
    peak = find_peak_flops(name)
    rows, note = [], ""
    for batch_size in batches:
        torch.manual_seed(0)
        torch.cuda.reset_peak_memory_stats()
        network = Denoiser(
            width=512, num_layers=8, num_heads=4, feedforward=1024, text_dim=TEXT_DIM, attention_dropout=0.0
        )
        network.to(device).train()
        flops = count_flops(make_accelerated_step(network, batch_size, device))
        network.compile()
        step = make_accelerated_step(network, batch_size, device)
        seconds = median_seconds(step, repeats=STEPS, warm_up=3)
        share = "" if peak is None else f"{100 * flops / seconds / peak:.1f}%"
        memory = torch.cuda.max_memory_allocated() / 2**30
        rows.append([str(batch_size), f"{batch_size / seconds:.0f}", f"{flops / 1e12:.2f}", share, f"{memory:.1f}"])
        kernels = list_kernels(step, device=device)
        note = "Costliest kernels: " + "; ".join(f"{kernel[:60]} {100 * part:.0f}%" for kernel, part in kernels) + "."
    return BenchTable(
        f"Training at MDM's size on {name}: bfloat16, compiled, {FRAMES} frames",
        ["clips in a batch", "clips/s", "TFLOP a step", "share of the dense bf16 rate", "memory [GiB]"],
        rows,
        note,
    )
