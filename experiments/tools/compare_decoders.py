"""How much consistent decoding changes what a generator wrote, its positions and its accelerations.

python -m experiments.tools.compare_decoders made.npy [...]    # raw HumanML3D features (T, 263) or (N, T, 263)
python -m experiments.tools.compare_decoders --golden FOLDER   # MDM's own samples, and recorded clips with noise added
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from experiments.pipeline.one_line_errors import OneLineArgumentParser, one_line_errors
from experiments.pipeline.tables import BenchTable
from sim.conventions import DECODERS, FEATURE_FPS, NUM_FEATURES
from sim.features import features_to_joints

NOISE: Final = (0.0, 0.05, 0.1)
"""Of recorded clips, in standard deviations of each feature."""


class Case(NamedTuple):
    """Features to decode both ways.

    Attributes:
        name: of the row.
        clips: raw features, each ``(T, 263)``.
        truth: the clips that they are noisy versions of; empty where there are none.
        std: deviations ``(263,)`` that consistent decoding weighs by; None takes HumanML3D's two numbers.
    """

    name: str
    clips: Sequence[Tensor]
    truth: Sequence[Tensor] = ()
    std: Tensor | None = None


class Comparison(NamedTuple):
    """What both decoders make of the same features, over all clips, frames and joints.

    Attributes:
        acceleration: root mean square of joint accelerations by decoder [m/s^2].
        error: of their difference from the truth's by decoder [m/s^2]; empty without a truth.
        moved_m: root mean square of the distance between the two [m].
        furthest_m: largest such distance [m].
    """

    acceleration: dict[str, float]
    error: dict[str, float]
    moved_m: float
    furthest_m: float


def compare_decoders(case: Case) -> Comparison:
    """Decode both ways, in float64; clips need three frames.

    Raises:
        ValueError: a clip has other features or too few frames.
    """
    decoded = {
        name: [features_to_joints(clip.double(), name, std=case.std) for clip in case.clips] for name in DECODERS
    }
    truth = [_accelerate(features_to_joints(clip.double())) for clip in case.truth]
    accelerations = {name: [_accelerate(joints) for joints in clips] for name, clips in decoded.items()}
    errors = (
        {name: [a - b for a, b in zip(own, truth, strict=True)] for name, own in accelerations.items()} if truth else {}
    )
    moved = torch.cat(
        [(a - b).norm(dim=-1).flatten() for a, b in zip(decoded["consistent"], decoded["positions"], strict=True)]
    )
    return Comparison(
        {name: _rms(values) for name, values in accelerations.items()},
        {name: _rms(values) for name, values in errors.items()},
        float(moved.square().mean().sqrt()),
        float(moved.max()),
    )


def _accelerate(joints: Tensor) -> Tensor:
    if len(joints) < 3:
        raise ValueError(f"a clip has {len(joints)} frames, expected at least 3 to have accelerations; leave it out")
    return joints.diff(n=2, dim=0) * FEATURE_FPS**2


def _rms(vectors: Sequence[Tensor]) -> float:
    squares = torch.cat([value.square().sum(dim=-1).flatten() for value in vectors])
    return float(squares.mean().sqrt())


def read_case(path: Path) -> Case:
    """Read raw features of one clip or of many from an ``.npy`` file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} not found, expected an .npy file of features; check the path")
    try:
        values = np.load(path, allow_pickle=False)
    except (EOFError, OSError, ValueError):
        raise ValueError(f"{path} is no .npy array of numbers; write it with numpy.save") from None
    if not isinstance(values, np.ndarray) or values.ndim not in (2, 3) or values.shape[-1] != NUM_FEATURES:
        raise ValueError(f"{path} holds {getattr(values, 'shape', 'several arrays')}, expected raw features (T, 263)")
    clips = torch.from_numpy(values.astype(np.float64)).reshape(-1, *values.shape[-2:])
    return Case(path.name, list(clips))


def golden_cases(folder: Path) -> Iterator[Case]:
    """Yield what MDM's own code sampled, and HumanML3D's clips as recorded and with noise added to every feature.

    Args:
        folder: holds ``mdm.npz`` and ``humanml3d.npz``, made by the published code of both.

    Raises:
        FileNotFoundError: one of them is missing.
    """
    for name in ("mdm", "humanml3d"):
        if not (folder / f"{name}.npz").is_file():
            raise FileNotFoundError(f"{folder / f'{name}.npz'} not found; give the folder of the golden files")
    with np.load(folder / "humanml3d.npz") as data:
        mean, std = (torch.from_numpy(data[name]).double() for name in ("mean", "std"))
        recorded = [torch.from_numpy(data[key]).double() for key in data.files if key.endswith("/features")]
    with np.load(folder / "mdm.npz") as data:
        sampled = {
            key.split("/")[1]: data[key] for key in data.files if key.startswith("sampling/") and key.endswith("final")
        }
    for name, values in sampled.items():
        motions = torch.from_numpy(values[:, :, 0]).double().mT * std + mean
        yield Case(f"MDM {name}", list(motions), std=std)
    generator = torch.Generator().manual_seed(0)
    for size in NOISE:
        noisy = [
            clip + size * std * torch.randn(clip.shape, generator=generator, dtype=torch.float64) for clip in recorded
        ]
        yield Case(f"recorded, noise {size:g}", noisy, recorded, std)


def tabulate(cases: Sequence[Case]) -> BenchTable:
    """Return a row for each case."""
    rows = []
    for case in cases:
        found = compare_decoders(case)
        change = found.acceleration["consistent"] / found.acceleration["positions"] - 1
        rows.append(
            [
                case.name,
                str(len(case.clips)),
                *(f"{found.acceleration[name]:.3g}" for name in DECODERS),
                f"{change:+.1%}",
                *(f"{found.error[name]:.3g}" if found.error else "" for name in DECODERS),
                f"{1000 * found.moved_m:.3g}",
                f"{1000 * found.furthest_m:.3g}",
            ]
        )
    return BenchTable(
        "Decoding by positions and consistently",
        [
            "features", "clips", "acceleration, positions", "consistent", "change",
            "error, positions", "consistent", "moved [mm]", "furthest [mm]",
        ],
        rows,
        "Root mean squares over clips, frames and joints [m/s^2]; errors are from the recorded accelerations; moved: "
        "distance of joints between the two ways.",
    )  # fmt: skip


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = OneLineArgumentParser(prog="python -m experiments.tools.compare_decoders", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help=".npy of raw features")
    parser.add_argument("--golden", type=Path, metavar="FOLDER", help="folder of mdm.npz and humanml3d.npz")
    options = parser.parse_args(args)
    if not options.files and options.golden is None:
        parser.error("give files of features, or --golden FOLDER")
    with one_line_errors():
        cases = [read_case(path) for path in options.files]
        cases += [] if options.golden is None else golden_cases(options.golden)
        tabulate(cases).print(Console(width=160))


if __name__ == "__main__":
    main()
