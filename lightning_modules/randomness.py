"""Randomness of one training step as a function of named numbers, so that arms match and runs resume exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor


def derive_seed(*keys: int) -> int:
    """Return a 64-bit seed that mixes the keys, all >= 0 (numpy's SeedSequence)."""
    return int(np.random.SeedSequence(keys).generate_state(1, np.uint64)[0])


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
