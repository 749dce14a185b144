"""The motions of a session: made of a sentence, read from an uploaded file, or the one that comes along."""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from datamodules.clips.motion_pack import list_packed
from datamodules.motion_files import read_motion
from datamodules.motion_files.motion_file import ReadOptions
from datamodules.motion_files.plausibility import judge_motion
from experiments.commands.synth import check_prompt, find_doubts, generate_motion
from experiments.studio.jobs import Job
from lightning_modules.checkpoints import load_prior
from lightning_modules.sampling.motion_generator import MotionGenerator
from lightning_modules.sampling.normalised import SamplingOptions
from sim.body import Body
from sim.motion import Motion
from sim.placements import Placement
from sim.show.clip import choose_member
from sim.show.data import ShownClip, TimeSpan, gather

LONGEST_S: Final = 60.0
"""What is kept of an uploaded motion [s]."""

FEWEST_FRAMES: Final = 4
KEPT: Final = 12
SAMPLING: Final = SamplingOptions(sampler="dpm++", steps=20)
START: Final = "start"
START_CLIP: Final = "cmu_expmap8/train/walking_extra/walking_28"


@dataclass(frozen=True, eq=False)
class KeptMotion:
    """A motion that pages show.

    Attributes:
        name: what it is asked for by.
        motion: rotations ``(T, 22, 3, 3)``.
        title: the sentence, or the name of the file.
        activity: what it shows, as data sets name it; empty where that is not known.
        notes: what is to be said of it, a line each.
        prompt: the sentence; None where it was not generated.
        seed: of the motion, and of the errors of every device that reads it.
        uploaded: it came out of a file.
    """

    name: str
    motion: Motion
    title: str
    activity: str = ""
    notes: tuple[str, ...] = ()
    prompt: str | None = None
    seed: int = 0
    uploaded: bool = False

    @cached_property
    def drawn(self) -> ShownClip:
        """What a page draws of it, with one sensor."""
        return gather(self.motion, Body.default(), [Placement.preset("left_wrist")], rate_hz=50.0, stretch=TimeSpan())


class Motions:
    """Makes motions and keeps the last ones in memory."""

    def __init__(self, prior: str) -> None:
        self.prior = prior
        self._model: MotionGenerator | None = None
        self._kept: OrderedDict[str, KeptMotion] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, name: str) -> KeptMotion:
        """Return a motion; ``start`` is the one that comes along.

        Raises:
            FileNotFoundError: it is not kept, or no longer.
        """
        with self._lock:
            if name not in self._kept and name == START:
                clip = next(one for one in list_packed() if one.name == START_CLIP).load()
                self._kept[START] = KeptMotion(START, clip.motion, "a recorded walk", activity=clip.activity)
            if name not in self._kept:
                raise FileNotFoundError(f"this motion is not kept any more (the last {KEPT} are); make it anew")
            self._kept.move_to_end(name)
            return self._kept[name]

    def make(self, job: Job, prompt: str, seconds: float, seed: int) -> str:
        """Generate a motion of a sentence as ``imuforge synth`` does, and return its name; raises as that does."""
        check_prompt(prompt, seconds)
        if self._model is None:
            job.say("loading the weights")
            self._model = load_prior(self.prior)
        model = self._model
        job.say("reading the sentence, for which the text encoder is loaded once")
        notes = tuple(find_doubts(prompt, model))
        spoken = model.texts.find_activities([prompt])[0] if model.texts.activities else None
        job.say(f"generating {seconds:g} s of motion", 0.0)
        calls = 0

        def count(*_: object) -> None:
            nonlocal calls
            calls += 1
            short = calls <= (SAMPLING.steps or 0)  # motions longer than a window take more
            job.say(job.stage, calls / (SAMPLING.steps or 1) if short else None)

        hook = model.average.register_forward_hook(count)
        try:
            motion = generate_motion(prompt, model, seconds=seconds, seed=seed, sampling=SAMPLING, decoder="consistent")
        finally:
            hook.remove()
        return self._keep(job, KeptMotion("", motion, prompt, spoken or "", notes, prompt, seed))

    def read(self, job: Job, content: bytes, file_name: str, fps: float | None) -> str:
        """Read an uploaded file in a folder that is gone when this returns, and return the motion's name.

        Raises:
            ValueError: as :func:`datamodules.motion_files.read_motion`, without the folder's name.
        """
        job.say(f"reading {file_name}")
        with tempfile.TemporaryDirectory(prefix="imuforge-studio-") as folder:
            path = Path(folder) / file_name
            path.write_bytes(content)
            try:
                found = read_motion(path, ReadOptions(fps=fps))
                suspicions = judge_motion(found)
            except (ValueError, FileNotFoundError) as error:
                raise ValueError(str(error).replace(f"{folder}/", "").replace(folder, "the upload")) from error
        notes = [note.replace(f"{folder}/", "") for note in (*found.notes, *suspicions)]
        motion, batch = found.motion, int(np.prod(found.motion.rotations.shape[:-4], dtype=np.int64))
        if batch > 1:
            notes.append(f"the file holds {batch} motions; this is the first")
        motion, _ = choose_member(motion, Body.default(), 0)
        if motion.num_frames < FEWEST_FRAMES:
            raise ValueError(f"{file_name} has {motion.num_frames} frames, expected at least {FEWEST_FRAMES}")
        if motion.duration_s > LONGEST_S:
            notes.append(f"the file lasts {motion.duration_s:.0f} s; its first {LONGEST_S:g} s are kept")
            motion = motion.frames(0, round(LONGEST_S * motion.fps) + 1)
        kept = KeptMotion("", motion, Path(file_name).stem, notes=tuple(dict.fromkeys(notes)), uploaded=True)
        return self._keep(job, kept)

    def _keep(self, job: Job, made: KeptMotion) -> str:
        job.say("drawing the body")
        made = replace(made, name=secrets.token_urlsafe(9))
        _ = made.drawn  # here, where it is waited for, and not when the page is asked for
        with self._lock:
            self._kept[made.name] = made
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return made.name
