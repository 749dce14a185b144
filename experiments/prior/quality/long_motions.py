"""Does a long motion go on as it began? One prompt for half a minute, stretch by stretch, whole and at its seams.

    python -m experiments.prior.quality.long_motions PRIOR [--prompt "a person walks forward."] [--seconds 30]

prints, for each way of making it (``--methods``), the RMS of what ankle sensors read beside gravity in every stretch of
4 s over that of motions of 4 s, and how much faster joints move, accelerate and jerk within two frames of a seam than
elsewhere. ``together`` is what ``generate`` does; ``in turn`` in-paints each window around the last second of the one
before; ``whole`` ignores what the network was trained on.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch import Tensor

from datamodules.batches import check_seconds
from experiments.pipeline.one_line_errors import OneLineArgumentParser, one_line_errors
from experiments.pipeline.tables import BenchTable, describe_machine
from lightning_modules.checkpoints import load_prior
from lightning_modules.metrics.sensor_distributions import read_magnitudes
from lightning_modules.sampling.motion_generator import MotionGenerator
from lightning_modules.sampling.normalised import SamplingOptions
from lightning_modules.sampling.windows import LONGEST_FRAMES, OVERLAP_FRAMES, USUAL_WINDOW, Windows
from lightning_modules.training.randomness import derive_seed
from lightning_modules.virtual_sensors import VirtualSensors
from sim.conventions import FEATURE_FPS, GRAVITY
from sim.features import features_to_joints

STRETCH_S: Final = 4.0
ALLOWED: Final = (0.8, 1.2)
"""What a stretch may have of a short motion's RMS to pass for the same movement."""

_ANKLES: Final = ("left_ankle", "right_ankle")
_SHORT_FOR_ONE: Final = 4  # short motions for each long one: what all are measured by should be no matter of luck
_NEAR_SEAM: Final = 2  # frames to either side


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        prompt: the sentence.
        seconds: length of a motion [s].
        motions: how many.
        sampling: how.
        seed: all noise follows from it.
    """

    prompt: str
    seconds: float = 30.0
    motions: int = 32
    sampling: SamplingOptions = SamplingOptions(sampler="dpm++", steps=20)
    seed: int = 0

    @property
    def frames(self) -> int:
        """Frames of a motion."""
        return round(self.seconds * FEATURE_FPS)

    def draw(
        self,
        model: MotionGenerator,
        frames: int,
        part: int = 0,
        *,
        known: tuple[Tensor, Tensor] | None = None,
        times: int = 1,
    ) -> Tensor:
        """Generate ``times`` as many motions ``(N, frames, 263)``, with noise of its own for each ``part``."""
        seeds = [derive_seed(self.seed, part, number) % 2**62 for number in range(self.motions * times)]
        values, mask = (None, None) if known is None else known
        return model.generate(
            [self.prompt] * len(seeds), num_frames=frames, seeds=seeds, known=values, known_mask=mask,
            **asdict(self.sampling),
        )  # fmt: skip


@dataclass(frozen=True)
class LongMotion:
    """What came of one way of making long motions.

    Attributes:
        stretches: ankle RMS of each stretch of :data:`STRETCH_S` over that of motions so long, all motions together.
        at_seams: RMS of velocity, acceleration and jerk of joints near seams over that elsewhere, 1 is no seam at all.
        cpu_s: of the processor, for each motion [s].
    """

    stretches: tuple[float, ...]
    at_seams: tuple[float, float, float]
    cpu_s: float

    @property
    def inside(self) -> int:
        """Stretches within :data:`ALLOWED`."""
        return sum(ALLOWED[0] <= value <= ALLOWED[1] for value in self.stretches)


def window_of(model: MotionGenerator) -> int:
    """Return the frames of the windows that motions of a model are put together of."""
    return USUAL_WINDOW if model.window_frames is None else model.window_frames


def make_together(model: MotionGenerator, request: Request) -> tuple[Tensor, list[int]]:
    """Return motions as ``generate`` makes them, and the frames where a window begins or ends."""
    windows = Windows.spread([request.frames], window_of(model))
    edges = {start + shift for start, size in zip(windows.starts, windows.sizes, strict=True) for shift in (0, size)}
    return request.draw(model, request.frames), sorted(edges - {0, request.frames})


def make_in_turn(model: MotionGenerator, request: Request) -> tuple[Tensor, list[int]]:
    """Return motions whose windows are in-painted around the end of the one before, and where each begins anew."""
    size = window_of(model)
    shared = min(OVERLAP_FRAMES, size // 2)
    mask = torch.zeros(request.motions, size, dtype=torch.bool)
    mask[:, :shared] = True
    parts, made = [request.draw(model, size)], size
    seams: list[int] = []
    while made < request.frames:
        known = torch.zeros_like(parts[-1][:, :1]).repeat(1, size, 1)
        known[:, :shared] = parts[-1][:, -shared:]
        parts.append(request.draw(model, size, len(parts), known=(known, mask))[:, shared:])
        seams.append(made)
        made += size - shared
    return torch.cat(parts, dim=1)[:, : request.frames], seams


def make_whole(model: MotionGenerator, request: Request) -> tuple[Tensor, list[int]]:
    """Return motions that went through the network in one piece."""
    before, model.window_frames = model.window_frames, LONGEST_FRAMES
    try:
        return request.draw(model, request.frames), []
    finally:
        model.window_frames = before


METHODS: Final[dict[str, Callable[[MotionGenerator, Request], tuple[Tensor, list[int]]]]] = {
    "together": make_together,
    "in turn": make_in_turn,
    "whole": make_whole,
}


def read_ankles(joints: Tensor) -> NDArray[np.float32]:
    """Return |specific force| less gravity at both ankles ``(B, T, 2)`` [m/s^2] of joints ``(B, T, 22, 3)``."""
    lengths = torch.full((len(joints),), joints.shape[1])
    sensors = VirtualSensors(placements=_ANKLES, rate_hz=FEATURE_FPS)
    force, _ = read_magnitudes(joints, lengths, sensors)
    return np.stack(force) - abs(GRAVITY[1])


def measure_stretches(joints: Tensor, short: Tensor) -> tuple[float, ...]:
    """Return the ankle RMS of every stretch of long motions over that of short ones, all motions together.

    Args:
        joints: of the long motions ``(B, T, 22, 3)`` [m] at 20 fps; what is left after the last full stretch makes one
            more, which ends with the motion.
        short: of motions that last :data:`STRETCH_S`.
    """
    base = np.sqrt(np.square(read_ankles(short)).mean())
    long = np.square(read_ankles(joints)).mean(axis=(0, 2))
    width = round(STRETCH_S * FEATURE_FPS)
    starts = [*range(0, len(long) - width + 1, width)]
    if starts and starts[-1] + width < len(long):
        starts.append(len(long) - width)
    return tuple(float(np.sqrt(long[start : start + width].mean()) / base) for start in starts)


def measure_seams(joints: Tensor, seams: Sequence[int]) -> tuple[float, float, float]:
    """Return RMS of velocity, acceleration and jerk near ``seams`` over that elsewhere; nan without any."""
    near = torch.zeros(joints.shape[1], dtype=torch.bool)
    for seam in seams:
        near[max(0, seam - _NEAR_SEAM) : seam + _NEAR_SEAM + 1] = True
    ratios = []
    for order in (1, 2, 3):
        size = joints.diff(n=order, dim=1).square().mean(dim=(0, 2, 3))
        chosen = near[: len(size)]
        ratios.append(float((size[chosen].mean() / size[~chosen].mean()).sqrt()))
    return ratios[0], ratios[1], ratios[2]


def measure_long_motions(model: MotionGenerator, request: Request, method: str = "together") -> LongMotion:
    """Generate long motions and short ones of the same prompt, decode them consistently, and compare.

    Raises:
        ValueError: a motion is shorter than two stretches, or longer than can be asked for.
    """
    check_seconds(request.seconds)
    if request.seconds < 2 * STRETCH_S:
        raise ValueError(f"seconds is {request.seconds}, expected at least {2 * STRETCH_S:g}: two stretches to compare")
    model.texts([request.prompt])  # encoding is no part of sampling
    start = time.process_time()
    motions, seams = METHODS[method](model, request)
    cpu_s = (time.process_time() - start) / request.motions
    # Sensors take three frames off either end of a motion.
    short = request.draw(model, round(STRETCH_S * FEATURE_FPS), part=1000, times=_SHORT_FOR_ONE)
    std = model.statistics.std
    joints, brief = (features_to_joints(side, "consistent", std=std) for side in (motions, short))
    return LongMotion(measure_stretches(joints, brief), measure_seams(joints, seams), cpu_s)


def tabulate_long_motions(found: Sequence[tuple[str, str, LongMotion]], request: Request, prior: str) -> BenchTable:
    """Return the table of what was found for each prompt and method."""
    rows = [
        [
            prompt,
            method,
            " ".join(f"{value:.2f}" for value in one.stretches),
            f"{one.inside} of {len(one.stretches)}",
            " / ".join("-" if np.isnan(value) else f"{value:.2f}" for value in one.at_seams),
            f"{one.cpu_s:.2f}",
        ]
        for prompt, method, one in found
    ]
    header = ["prompt", "windows", "ankle RMS of each 4 s over that of 4 s motions", "0.8 to 1.2", "at seams", "CPU s"]
    note = (
        f"Prior `{prior}`, {request.motions} motions of {request.seconds:g} s each, {request.sampling.sampler} in "
        f"{request.sampling.steps} calls. At seams: RMS of velocity / acceleration / jerk of the joints within two "
        f"frames of a window's edge over that elsewhere. CPU s: sampling one motion. {describe_machine()}."
    )
    return BenchTable("One prompt for long", header, rows, note)


def main(args: Sequence[str] | None = None) -> int:
    """Generate, measure and print; returns 0, or leaves with code 2 and one line on bad input."""
    parser = OneLineArgumentParser(
        prog="python -m experiments.prior.quality.long_motions", description=__doc__.split("\n")[0]
    )
    parser.add_argument("prior", help="packaged weights or a file")
    parser.add_argument("--prompt", nargs="+", default=["a person walks forward."], help="one or several")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each motion (default 30)")
    parser.add_argument("--motions", type=int, default=32, help="of each prompt and method (default 32)")
    parser.add_argument("--methods", nargs="+", choices=tuple(METHODS), default=["together"])
    parser.add_argument("--steps", type=int, default=10, help="network calls of DDIM (default 10)")
    parser.add_argument("--seed", type=int, default=0)
    options: argparse.Namespace = parser.parse_args(args)
    if options.motions < 1:
        parser.error(f"--motions is {options.motions}, expected at least 1")
    with one_line_errors():
        model = load_prior(options.prior)
        sampling = SamplingOptions(sampler="dpm++", steps=options.steps)
        found = []
        for prompt in options.prompt:
            request = Request(prompt, options.seconds, options.motions, sampling, options.seed)
            found += [(prompt, name, measure_long_motions(model, request, name)) for name in options.methods]
        tabulate_long_motions(found, request, str(options.prior)).print(Console(width=180))
    return 0


if __name__ == "__main__":
    sys.exit(main())
