"""What a training step costs in floating-point operations, which no machine changes: how arms get equal compute."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import yaml
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from datamodules.batches import MotionBatch
from lightning_modules import MotionDiffusion
from lightning_modules.cli import main as lightning
from lightning_modules.training.flat_names import MOTION_DIFFUSION
from sim.conventions import FEATURE_FPS, NUM_FEATURES
from sim.options import flatten


class Cost(NamedTuple):
    """Of one training step of an arm.

    Attributes:
        flops: floating-point operations of its products of matrices and convolutions, forwards and backwards.
        parameters: numbers in the network.
        trained: those of them that are trained.
    """

    flops: int
    parameters: int
    trained: int


class _Blank:
    """Captions without meaning, of the right width."""

    name = "blank"

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def encode(self, texts: list[str]) -> Tensor:
        return torch.zeros(len(texts), self.dim)


class _Untended(MotionDiffusion):
    """A prior that takes a step with no trainer around it."""

    def name_step(self, batch_idx: int) -> tuple[int, ...]:
        return (batch_idx,)

    def name_batch(self, batch_idx: int) -> tuple[int, ...]:
        return (batch_idx,)

    def log_dict(self, *_: object, **__: object) -> None:
        pass


def measure_cost(config: Path, options: Sequence[str]) -> Cost:
    """Count what one training step costs, with clips of full length.

    Optimiser, averaged weights and whatever else acts number by number are not counted.

    Args:
        config: YAML for ``lightning fit``.
        options: further arguments.

    Raises:
        SystemExit: an option does not exist.
    """
    model, shape = _build(config, options)
    batch = MotionBatch(
        torch.randn(shape, generator=torch.Generator().manual_seed(0)), torch.full(shape[:1], shape[1]),
        [str(number) for number in range(shape[0])], torch.zeros(shape[0], dtype=torch.int64), torch.arange(shape[0]),
    )  # fmt: skip
    counter = FlopCounterMode(
        display=False, custom_mapping={torch.ops.aten.convolution_backward: _count_convolution_backward}
    )
    # Fused attention on a CPU is one operation that no counter knows.
    with sdpa_kernel(SDPBackend.MATH), counter:
        model.training_step(batch, 0).backward()
    parameters = list(model.denoiser.parameters())
    return Cost(
        counter.get_total_flops(),
        sum(parameter.numel() for parameter in parameters),
        sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
    )


def equal_steps(cost: Cost, reference: Cost, steps: int) -> int:
    """Return how many steps cost as much as ``steps`` of the reference; at least one."""
    return max(1, round(steps * reference.flops / cost.flops))


def _build(config: Path, options: Sequence[str]) -> tuple[MotionDiffusion, tuple[int, int, int]]:
    """Return the model that ``lightning fit`` would train, and the shape of its batches."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            lightning(["fit", f"--config={config}", *options, "--print_config"])
    except SystemExit as leaving:
        if leaving.code:
            raise
    content = yaml.safe_load(printed.getvalue())
    arguments = flatten(content["model"]["init_args"], MOTION_DIFFUSION)
    model = _Untended(**arguments | {"init_from": None}).train()  # which numbers it starts from costs nothing
    model.statistics.set(torch.zeros(NUM_FEATURES), torch.ones(NUM_FEATURES))
    model.texts.attach(_Blank(int(arguments["text_dim"])))
    data = content["data"]["init_args"]
    return model, (int(data["batch_size"]), round(data["window_s"] * FEATURE_FPS), NUM_FEATURES)


def _count_convolution_backward(
    grad_shape: Sequence[int], inputs: Sequence[int], weights: Sequence[int], *rest: object, **_: object
) -> int:
    """Count the gradients of a convolution; torch's own formula takes the filters of groups for full ones."""
    forwards = 2 * grad_shape[0] * math.prod(grad_shape[2:]) * math.prod(weights)
    wanted = rest[-1]
    assert isinstance(wanted, list | tuple)
    return forwards * (bool(wanted[0]) + bool(wanted[1]))
