"""How long it takes from prompts to recordings: sampling, decoding, fitting poses, simulating.

    python -m experiments.prior.quality.speed PRIOR [--motions 64] [--seconds 5]

times each part on as many threads as torch has and says how long 1,000 motions would take. A batch of motions goes
through every part together, as ``har_eval`` does it; one sensor at 50 Hz is simulated of each.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from datamodules.batches import check_seconds
from datamodules.clips.captions import load_paraphrases
from experiments.pipeline.one_line_errors import OneLineArgumentParser, one_line_errors, print_line
from experiments.prior.quality.generated import BATCH, generate_prompts, make_prompts
from lightning_modules.checkpoints import load_prior
from lightning_modules.sampling.motion_generator import MotionGenerator
from lightning_modules.sampling.normalised import SamplingOptions
from sim.body import Body
from sim.features import features_to_joints
from sim.imu import simulate
from sim.placements import Placement
from sim.pose_fit import fit_pose

ASKED = 1000
"""Motions that the figure is given for."""


@dataclass(frozen=True)
class Speed:
    """Times of a batch [s], of the clock.

    Attributes:
        motions: how many.
        seconds: length of each [s].
        threads: torch's.
        sampling: of the network.
        decoding: features to joints, consistently.
        fitting: joints to rotations.
        simulating: one sensor at 50 Hz.
        cpu_s: of the processor, all threads, all parts: what another load of the machine does not change.
    """

    motions: int
    seconds: float
    threads: int
    sampling: float
    decoding: float
    fitting: float
    simulating: float
    cpu_s: float

    @property
    def minutes_for_all(self) -> float:
        """Minutes by the clock for :data:`ASKED` motions."""
        return (self.sampling + self.decoding + self.fitting + self.simulating) / self.motions * ASKED / 60

    def __str__(self) -> str:
        """Say it in a line."""
        parts = ", ".join(f"{name} {getattr(self, name):.2f}" for name in ("sampling", "decoding", "fitting"))
        return (
            f"{self.motions} motions of {self.seconds:g} s: {parts}, simulating {self.simulating:.2f} s on "
            f"{self.threads} thread(s); {ASKED:,} motions take {self.minutes_for_all:.1f} minutes by the clock and "
            f"{self.cpu_s / self.motions * ASKED / 60:.1f} of the processor"
        )


@torch.no_grad()
def measure_speed(model: MotionGenerator, sampling: SamplingOptions, *, motions: int, seconds: float) -> Speed:
    """Generate, decode, fit and simulate motions of the packaged sentences, and time each part."""
    table = load_paraphrases()
    names = list(table)
    prompts = [make_prompts(names[n % len(names)], table[names[n % len(names)]], 1, seconds=seconds, seed=n)[0]
               for n in range(motions)]  # fmt: skip
    model.texts([prompt.text for prompt in prompts])  # encoding is kept, and no part of it
    body, worn = Body.default(), [Placement.preset("left_wrist")]
    spent = [0.0, 0.0, 0.0, 0.0]
    generate_prompts(model, prompts[:1], sampling)  # the first call of all pays for the others
    cpu = time.process_time()
    for start in range(0, motions, BATCH):
        clock = [time.perf_counter()]
        features = generate_prompts(model, prompts[start : start + BATCH], sampling)
        clock.append(time.perf_counter())
        joints = features_to_joints(features, "consistent", std=model.statistics.std)
        clock.append(time.perf_counter())
        motion = fit_pose(joints, fps=20.0)
        clock.append(time.perf_counter())
        simulate(motion, body, worn, rate_hz=50.0)
        clock.append(time.perf_counter())
        spent = [total + after - before for total, before, after in zip(spent, clock, clock[1:], strict=False)]
    cpu = time.process_time() - cpu
    return Speed(motions, seconds, torch.get_num_threads(), spent[0], spent[1], spent[2], spent[3], cpu)


def main(args: Sequence[str] | None = None) -> int:
    """Time a prior and print a line; returns 0, or leaves with code 2 and one line on bad input."""
    parser = OneLineArgumentParser(prog="python -m experiments.prior.quality.speed", description=__doc__.split("\n")[0])
    parser.add_argument("prior", help="packaged weights or a file")
    parser.add_argument("--motions", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--steps", type=int, default=10, help="network calls of DDIM (default 10)")
    options = parser.parse_args(args)
    if options.motions < 1:
        parser.error(f"--motions is {options.motions}, expected at least 1")
    with one_line_errors():
        check_seconds(options.seconds)
        sampling = SamplingOptions(sampler="dpm++", steps=options.steps)
        model = load_prior(options.prior)
        print_line(str(measure_speed(model, sampling, motions=options.motions, seconds=options.seconds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
