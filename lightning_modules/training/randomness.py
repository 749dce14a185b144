"""Randomness of one training step as a function of named numbers, so that arms match and runs resume exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


def derive_seed(*keys: int) -> int:
    """Return a 64-bit seed that mixes the keys, all >= 0 (numpy's SeedSequence)."""
    return int(np.random.SeedSequence(keys).generate_state(1, np.uint64)[0])


@dataclass(frozen=True)
class TrainingDraw:
    """What is random in one training step.

    Attributes:
        steps: time step index of each clip ``(B,)``, on the CPU.
        uniform: a number in [0, 1) for each clip ``(B,)``, on the CPU; decides whose condition is dropped.
        noise: standard normal ``(B, T, F)``, on the device.
        dropout_seed: for :func:`seeded_dropout`.
    """

    steps: Tensor
    uniform: Tensor
    noise: Tensor
    dropout_seed: int


def draw_training_step(
    keys: tuple[int, ...], shape: torch.Size, *, num_steps: int, device: torch.device, noisier: float = 0.0
) -> TrainingDraw:
    """Draw a training step's randomness as a function of the keys (and, for the noise, of the kind of device).

    Args:
        keys: what names the batch, all >= 0: seed, number of the step, which of its batches.
        shape: ``(B, T, F)``.
        num_steps: of the noise schedule.
        device: where the noise is wanted.
        noisier: time step k is drawn in proportion to about k to this power; 0 draws all alike.
    """
    generator = torch.Generator().manual_seed(derive_seed(*keys, 0))
    if noisier == 0.0:
        steps = torch.randint(num_steps, (shape[0],), generator=generator)
    else:
        share = torch.rand(shape[0], generator=generator, dtype=torch.float64) ** (1 / (1 + noisier))
        steps = (num_steps * share).long().clamp_max(num_steps - 1)
    # Noise is drawn on the device: at cluster batch sizes it would be the bottleneck if it came from the CPU.
    device_generator = torch.Generator(device=device).manual_seed(derive_seed(*keys, 1))
    return TrainingDraw(
        steps=steps,
        uniform=torch.rand(shape[0], generator=generator),
        noise=torch.randn(shape, generator=device_generator, device=device),
        dropout_seed=derive_seed(*keys, 2),
    )


@contextmanager
def seeded_dropout(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generators inside the block and put them back afterwards; dropout can take no other."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def paired_noise(
    sample_id: Sequence[int], lengths: Sequence[int], num_frames: int, num_features: int, *, level: int
) -> Tensor:
    """Return the noise of a paired error: a function of the clip and the noise level alone.

    Args:
        sample_id: what names each clip in every run, >= 0.
        lengths: valid frames of each clip.
        num_frames: T, length of the batch.
        num_features: F, width of a frame.
        level: index of the noise level.

    Returns:
        Standard normal ``(B, T, F)`` on the CPU, zero beyond each length.
    """
    noise = torch.zeros(len(lengths), num_frames, num_features)
    for row, number, length in zip(noise, sample_id, lengths, strict=True):
        generator = torch.Generator().manual_seed(derive_seed(number, level))
        row[:length] = torch.randn(length, num_features, generator=generator)
    return noise
