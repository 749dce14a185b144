"""Whether bfloat16 pays on a processor: by what it has, and by a short measurement.

A processor without bfloat16 units computes the right numbers all the same, by converting every product: a training step
on an AVX2 machine took 25 s in place of 0.25 s.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Final, Literal, NamedTuple

import torch
from torch import nn

from lightning_modules.networks.transformer import EncoderLayer

Precision = Literal["32-true", "bf16-mixed"]
SINGLE: Final[Precision] = "32-true"
MIXED: Final[Precision] = "bf16-mixed"

CPU_UNITS: Final = ("avx512_bf16", "amx_bf16", "sve_bf16", "bf16")
"""Names of bfloat16 units among what torch says of a CPU; the last is ARM's."""

MARGIN: Final = 0.95
"""bfloat16 has to take less than this share of float32's time: a difference below is not told from noise."""

_CLIPS, _FRAMES, _HEADS = 16, 80, 4
_REPEATS: Final = 3
_WIDTHS: Final = (64, 1024)
_USUAL_WIDTH: Final = 192  # the packaged prior's


class Choice(NamedTuple):
    """A precision of the Trainer, and why it was chosen, in words."""

    precision: Precision
    reason: str


def choose_precision(device: torch.device, *, width: int = _USUAL_WIDTH) -> Choice:
    """Return bfloat16 where a device has units for it and a transformer layer trains faster with it, else float32.

    Args:
        device: what is trained on.
        width: of the layer that is timed.
    """
    if not has_bfloat16(device):
        return Choice(SINGLE, f"this {_name(device)} has no bfloat16 units")
    single, mixed = time_layer(device, width=width)
    told = f"a layer {width} wide takes {1e3 * mixed:.3g} ms in bfloat16, {1e3 * single:.3g} ms in float32"
    return Choice(MIXED if mixed < MARGIN * single else SINGLE, told)


def has_bfloat16(device: torch.device) -> bool:
    """Return whether a device multiplies bfloat16 in hardware; False where nothing is known of it."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8  # since Ampere
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    capabilities = getattr(torch.cpu, "get_capabilities", None)  # torch 2.6 has none
    found = {} if capabilities is None else capabilities()
    return any(found.get(name) is True for name in CPU_UNITS)


def time_layer(device: torch.device, *, width: int) -> tuple[float, float]:
    """Return the seconds that a training step of one transformer layer takes in float32 and in bfloat16.

    The best of a few, taken in turns, after one of each that does not count. The layer and its input are drawn from a
    generator state of their own: what a run draws does not depend on whether this was called.
    """
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), torch.enable_grad():
        layer = EncoderLayer(width, _HEADS, 2 * width, 0.0, 0.0).to(device)
        sequence = torch.randn(_CLIPS, _FRAMES, width, device=device)

        def step(*, mixed: bool) -> float:
            _wait(device)
            begun = time.perf_counter()
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=mixed):
                loss = layer(sequence, None).square().mean()
            loss.backward()
            _wait(device)
            return time.perf_counter() - begun

        rounds = [(step(mixed=False), step(mixed=True)) for _ in range(1 + _REPEATS)][1:]
    return min(taken for taken, _ in rounds), min(taken for _, taken in rounds)


def usual_width(module: nn.Module) -> int:
    """Return the width that most numbers of a module's matrices multiply, within what a layer may have."""
    counts: Counter[int] = Counter()
    for parameter in module.parameters():
        if parameter.ndim == 2:
            counts[parameter.shape[-1]] += parameter.numel()
    width = counts.most_common(1)[0][0] if counts else _USUAL_WIDTH
    low, high = _WIDTHS
    return min(max(_HEADS * round(width / _HEADS), low), high)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
