"""Print how strongly generated people move beside recorded ones: what an acceleration loss must not shrink.

Run it as ``python -m experiments.tools.compare_peaks prior continued acc``; names of packaged weights, or paths. Test
clips are no reference here, so that a weight may be chosen by it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Final

import torch
from rich.console import Console
from rich.table import Table

from datamodules.clips import Clip
from datamodules.clips.embedded import embedded_split, load_embedded
from lightning_modules.checkpoints import load_prior
from lightning_modules.config_errors import readable_errors
from sim import Body, Motion, Placement, simulate
from sim.conventions import FEATURE_FPS
from sim.features import features_to_motion
from sim.trajectory import resample_motion

PROMPTS: Final = {"walking": "a person walks forward.", "running": "a person runs forward."}
SITES: Final = ("right_wrist", "waist")
EDGE_FRAMES: Final = 5
"""Left out at both ends, where a spline through 20 fps samples is least certain."""


def measure_peaks(motion: Motion) -> tuple[float, ...]:
    """Return the 95th percentile of the gravity-free acceleration [m/s^2] at each of :data:`SITES`, at 20 Hz."""
    sites = [Placement.preset(name) for name in SITES]
    recording = simulate(motion, Body.default(), sites, rate_hz=FEATURE_FPS)
    size = torch.linalg.vector_norm(recording.linear_accel[..., EDGE_FRAMES:-EDGE_FRAMES, :, :], dim=-1)
    return tuple(float(size[..., site].quantile(0.95)) for site in range(len(SITES)))


def reference_clips(activity: str) -> list[Clip]:
    """Return the embedded recorded clips of an activity that are not test clips."""
    clips = load_embedded()
    return [
        clip
        for clip in clips
        if clip.activity == activity and not clip.constructed and embedded_split(clip.name) != "test"
    ]


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m experiments.tools.compare_peaks", description=__doc__)
    parser.add_argument("weights", nargs="+", help="packaged weights or paths")
    parser.add_argument("--motions", type=int, default=8, help="motions per prompt")
    options = parser.parse_args(args)
    table = Table(title="95th percentile of gravity-free acceleration [m/s^2]")
    for column in ("motions of", "activity", *SITES):
        table.add_column(column)
    with readable_errors():
        for activity in PROMPTS:
            for clip in reference_clips(activity):
                peaks = measure_peaks(resample_motion(clip.motion, fps=FEATURE_FPS))
                table.add_row(f"recording {clip.name}", activity, *(f"{peak:.1f}" for peak in peaks))
        for name in options.weights:
            prior = load_prior(name)
            for activity, prompt in PROMPTS.items():
                seeds = range(options.motions)
                features = prior.generate(
                    [prompt] * options.motions, num_frames=80, seeds=seeds, sampler="ddim", steps=20
                )
                peaks = measure_peaks(features_to_motion(features))
                table.add_row(name, activity, *(f"{peak:.1f}" for peak in peaks))
    Console().print(table)


if __name__ == "__main__":
    main()
