"""Generate motions for each activity from a prior, or take recorded clips in their place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from datamodules.clips.clip import includes
from datamodules.clips.shown import shows
from experiments.arms.clips import load_clips
from experiments.arms.fine_tune import FineTune, load_arm
from experiments.har_eval.config import GenerationConfig
from experiments.pipeline.files import Json, write_json
from experiments.pipeline.tasks import Inputs, Task
from lightning_modules.training.randomness import derive_seed
from sim.body import Body
from sim.conventions import FEATURE_FPS, JOINT_INDEX
from sim.features import check_decoder, features_to_motion
from sim.motion import Motion
from sim.trajectory import resample_motion

CLIPS, MOTIONS = "clips.json", "motions.json"

BATCH = 24
"""Motions generated at a time."""


@dataclass(frozen=True)
class Generate(Task):
    """Motions of one arm and one seed: ``<activity>.npz``, each a Motion ``(N, T, ...)`` at 20 fps.

    The seeds of the motions do not depend on the arm, so that arms differ in their weights alone.

    Attributes:
        arm: name of the arm, for the reader; weights alone count.
        seed: of the experiment.
        checkpoint: weights, from a file or from training.
        config: what to generate, and how.
        activities: which of the configuration's activities.
        device: where.
        cache_dir: folder of stage results; text embeddings are kept there too.
        draw: another number draws other noise.
    """

    stage: ClassVar[str] = "generate"
    stage_title: ClassVar[str] = "generating motions"
    arm: str = field(metadata={"key": False})
    seed: int
    checkpoint: Path | FineTune
    config: GenerationConfig
    activities: tuple[str, ...]
    device: str = field(metadata={"key": False})
    cache_dir: Path = field(metadata={"key": False})
    draw: int = 0

    @property
    def title(self) -> str:
        """The arm and the seed."""
        return f"{self.arm} seed {self.seed}"

    def run(self, inputs: Inputs, output: Path) -> None:
        """Sample features, decode them, fit poses."""
        decoder = check_decoder(self.config.decoder)
        model = load_arm(self.checkpoint, inputs, cache_dir=self.cache_dir).to(self.device)
        frames = round(self.config.seconds * FEATURE_FPS)
        for activity in self.activities:
            prompts = self.config.prompts[activity]
            count = self.config.motions_per_activity
            texts = [prompts[index % len(prompts)] for index in range(count)]
            draw = (self.draw,) if self.draw else ()
            seeds = [derive_seed(self.seed, number_of(activity), index, *draw) % 2**62 for index in range(count)]
            features = [
                model.generate(
                    texts[start : start + BATCH],
                    num_frames=frames,
                    guidance=self.config.guidance,
                    sampler=self.config.sampler,
                    steps=self.config.steps,
                    seeds=seeds[start : start + BATCH],
                    activities=[activity] * len(texts[start : start + BATCH]),
                ).cpu()
                for start in range(0, count, BATCH)
            ]
            with torch.no_grad():
                motion = features_to_motion(
                    torch.cat(features), text=texts, decoder=decoder, std=model.statistics.std.cpu()
                )
            motion.save(output / f"{activity}.npz")
        describe_motions(output, self.activities, only_produced=self.config.only_produced)


@dataclass(frozen=True)
class Recorded(Task):
    """Crops of clips, recorded ones or those of a folder that something else made, in the form of generated motions.

    Clips shorter than a crop are left out, and named in ``clips.json``; so are constructed ones, which count.

    Attributes:
        arm: name of the arm, for the reader.
        seed: of the experiment; decides the crops.
        seconds: length of a crop [s].
        motions_per_activity: crops of each activity.
        activities: which.
        motion_root: folder of motion files besides the embedded clips.
        embedded: take the embedded clips, too.
    """

    stage: ClassVar[str] = "generate"
    stage_title: ClassVar[str] = "generating motions"
    arm: str = field(metadata={"key": False})
    seed: int
    seconds: float
    motions_per_activity: int
    activities: tuple[str, ...]
    motion_root: Path | None = None
    embedded: bool = True

    @property
    def title(self) -> str:
        """The arm and the seed."""
        return f"{self.arm} seed {self.seed}"

    def run(self, inputs: Inputs, output: Path) -> None:
        """Cut crops at random places."""
        frames = round(self.seconds * FEATURE_FPS)
        clips = load_clips(self.motion_root, embedded=self.embedded)
        report: dict[str, Json] = {}
        for activity in self.activities:
            mine = [clip for clip in clips if includes(activity, clip.activity)]
            resampled = [(clip, resample_motion(clip.motion, fps=FEATURE_FPS)) for clip in mine]
            long_enough = [(clip, motion) for clip, motion in resampled if motion.num_frames >= frames]
            report[activity] = {
                "clips": [clip.name for clip, _ in long_enough],
                "constructed": [clip.name for clip, _ in long_enough if clip.constructed],
                "too_short": [clip.name for clip, motion in resampled if motion.num_frames < frames],
            }
            if not long_enough:
                continue
            generator = np.random.default_rng([self.seed, number_of(activity)])
            order = generator.permutation(len(long_enough))
            crops = []
            for index in range(self.motions_per_activity):
                _, motion = long_enough[order[index % len(order)]]
                start = int(generator.integers(motion.num_frames - frames + 1))
                crops.append(motion.frames(start, start + frames))
            stacked = Motion(
                torch.stack([crop.rotations for crop in crops]),
                torch.stack([crop.translation for crop in crops]),
                FEATURE_FPS,
            )
            stacked.save(output / f"{activity}.npz")
        write_json(report, output / CLIPS)
        describe_motions(output, self.activities)


Motions = Generate | Recorded
"""What the simulation can start from."""


def load_motions(folder: Path, activity: str) -> Motion | None:
    """Return the motions of an activity that a stage wrote, ``(N, T, ...)``; None if there are none."""
    path = folder / f"{activity}.npz"
    return Motion.load(path) if path.is_file() else None


def number_of(activity: str) -> int:
    """Return a number that stands for an activity in seeds, whatever list it is in."""
    return int.from_bytes(activity.encode()[:8], "big")


def describe_motions(folder: Path, activities: Sequence[str], *, only_produced: bool = False) -> None:
    """Write ``motions.json``: what the motions of each activity are like, to see what was not produced.

    For each activity the number of motions, how many of them show it (``produced``, null without a rule) and the
    medians over them of the pelvis' horizontal speed [m/s], of its height above the lowest joint [m], and of the
    trunk's angle to the vertical [deg].

    Args:
        folder: that holds the motions.
        activities: all that were asked for.
        only_produced: take those that do not show their activity away; the table is of all.
    """
    body = Body.default()
    table: dict[str, Json] = {}
    for activity in activities:
        motion = load_motions(folder, activity)
        if motion is None:
            table[activity] = {"motions": 0}
            continue
        joints = body.joints(motion)
        step = joints[:, 1:, 0, [0, 2]] - joints[:, :-1, 0, [0, 2]]
        speed = torch.linalg.vector_norm(step, dim=-1).mean(dim=1) * motion.fps
        height = (joints[:, :, 0, 1] - joints[..., 1].amin(dim=-1)).mean(dim=1)
        trunk = torch.nn.functional.normalize(joints[:, :, JOINT_INDEX["neck"]] - joints[:, :, 0], dim=-1)
        tilt = torch.rad2deg(torch.acos(trunk[..., 1].clamp(-1, 1))).mean(dim=1)
        shown = [shows(activity, _pick(motion, [index], batch=False)) for index in range(len(speed))]
        table[activity] = {
            "motions": len(speed),
            "produced": None if None in shown else sum(map(bool, shown)),
            "speed_m_s": float(speed.median()),
            "pelvis_height_m": float(height.median()),
            "trunk_tilt_deg": float(tilt.median()),
        }
        if only_produced and False in shown:
            _keep(motion, [index for index, one in enumerate(shown) if one], folder / f"{activity}.npz")
    write_json(table, folder / MOTIONS)


def _keep(motion: Motion, chosen: list[int], path: Path) -> None:
    """Write some motions in place of all; nothing is left where none is."""
    path.unlink()
    if chosen:
        _pick(motion, chosen).save(path)


def _pick(motion: Motion, chosen: list[int], *, batch: bool = True) -> Motion:
    """Return some motions of a batch, or the one that is chosen as no batch."""
    index = chosen if batch else chosen[0]
    return Motion(motion.rotations[index], motion.translation[index], motion.fps, decoder=motion.decoder)
