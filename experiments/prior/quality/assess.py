"""Everything that a quality page says of a prior, measured part by part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from datamodules import MotionDataModule
from experiments.prior.quality.compare import Scores, score_motions
from experiments.prior.quality.config import QualityConfig
from experiments.prior.quality.generated import GenerateMotions, Motions, load_once, make_prompts
from experiments.prior.quality.long_motions import LongMotion, Request, measure_long_motions
from experiments.prior.quality.lying import name_sides
from experiments.prior.quality.nearest import TrainingCrops
from experiments.prior.quality.recognise import Named, Recogniser
from experiments.prior.quality.recorded import RecordedWindows, cut_recorded, open_recorded
from experiments.prior.quality.speed import Speed, measure_speed
from experiments.prior.quality.traits import measure_traits
from lightning_modules.evaluation.evaluators import load_evaluator
from lightning_modules.metrics.distribution_table import DistributionTable
from lightning_modules.metrics.sensor_distributions import compare_distributions
from lightning_modules.training.randomness import derive_seed
from sim.conventions import FEATURE_FPS
from sim.features import features_to_joints

Say = Callable[[str], None]


@dataclass(frozen=True)
class Naming:
    """What one classifier says.

    Attributes:
        activities: that it knows.
        recorded: recorded test windows of each.
        generated: generated motions of each.
    """

    activities: list[str]
    recorded: dict[str, Named]
    generated: dict[str, Named]


@dataclass(frozen=True)
class Quality:
    """What was found.

    Attributes:
        decided: names by a classifier of the deciding activities alone; None without two of them.
        named: names by a classifier of all.
        missing: activities that have prompts and no recorded training clip.
        unproven: activities that recorded training clips show and no recorded test clip does.
        windows: recorded training windows of each activity.
        lying: side asked for -> the side of each motion.
        distribution: generated beside recorded sensor output; None without an activity.
        unrecorded: activities whose sensor output was asked for, without a recorded test clip or a training one.
        generated: scores of motions made from captions of test clips; None where there was nothing to make.
        recorded: the same of these test clips.
        long: prompt and what became of it.
        speed: from prompt to recording; None where it was not asked for.
        samples: raw features of one motion of each activity, and what it was asked for by.
    """

    decided: Naming | None
    named: Naming
    missing: list[str]
    unproven: list[str]
    windows: dict[str, int]
    lying: dict[str, list[str]]
    distribution: DistributionTable | None
    unrecorded: list[str]
    generated: Scores | None
    recorded: Scores | None
    long: list[tuple[str, LongMotion]]
    speed: Speed | None
    samples: dict[str, tuple[Tensor, str]]


class Assessor:
    """Measures one prior.

    Args:
        weights: its file.
        config: what to ask.
        say: told what is going on, a line at a time.

    Raises:
        FileNotFoundError: weights, a source or the evaluator are absent.
        ValueError: weights, a source or the evaluator cannot be read, or the recorded clips show one activity alone.
    """

    def __init__(self, weights: Path, config: QualityConfig, say: Say) -> None:
        self.weights, self.config, self.say = weights, config, say
        self.model = load_once(weights)
        self.std = self.model.statistics.std.cpu()
        self.data: MotionDataModule = open_recorded(config)
        self.evaluator = (
            None
            if config.evaluator is None
            else load_evaluator(config.evaluator, data=self.data, cache_dir=f"{config.cache_dir}/text")
        )
        options = {"window_s": config.window_s, "seed": config.seed}
        self.train = cut_recorded(self.data, "train", mirrored=True, **options)  # type: ignore[arg-type]  # two floats
        self.test = cut_recorded(self.data, "test", overlap=0.0, **options)  # type: ignore[arg-type]
        self.activities = sorted(set(self.train.activities))

    def run(self) -> Quality:
        """Measure everything."""
        config = self.config
        self.say(f"{len(self.train)} recorded training windows of {len(self.activities)} activities")
        motions = {name: self._make(name, config.motions_per_activity) for name in self.activities}
        traits = {name: measure_traits(one.clips(), std=self.std) for name, one in motions.items()}
        self.say("naming them")
        seen = (measure_traits(self.train.features), measure_traits(self.test.features))
        deciding = [name for name in config.deciding if name in self.activities]
        generated, recorded = self._score_sets()
        asked = set(config.prompts) | set(config.deciding)
        return Quality(
            decided=self._name(deciding, traits, *seen) if len(deciding) > 1 else None,
            named=self._name(self.activities, traits, *seen),
            missing=sorted(asked - set(self.activities)),
            unproven=sorted(set(self.activities) - set(self.test.activities)),
            windows={name: self.train.activities.count(name) for name in self.activities},
            lying={side: self._lie(side) for side in config.lying},
            distribution=self._compare(),
            unrecorded=[name for name in config.distribution if name not in self._comparable()],
            generated=generated,
            recorded=recorded,
            long=self._go_on(),
            speed=self._time(),
            samples={
                name: (one.clips()[0], make_prompts(name, config.sentences(name), 1, seconds=1.0, seed=0)[0].text)
                for name, one in motions.items()
            },
        )

    def _make(self, activity: str, count: int, *, texts: tuple[str, ...] = (), salt: int = 0) -> Motions:
        config = self.config
        self.say(f"{count} motions of {activity}")
        prompts = make_prompts(
            activity,
            texts or config.sentences(activity),
            count,
            seconds=config.window_s,
            seed=derive_seed(config.seed, salt) % 2**31,
        )
        return GenerateMotions(self.weights, prompts, config.sampling, activity).fetch(config.cache_dir)

    def _name(
        self, activities: list[str], traits: Mapping[str, np.ndarray], train: np.ndarray, test: np.ndarray
    ) -> Naming:
        def pick(windows: RecordedWindows) -> list[int]:
            return [row for row, name in enumerate(windows.activities) if name in activities]

        rows, held_out = pick(self.train), pick(self.test)
        recogniser = Recogniser(train[rows], self.train.take(rows).activities, seed=self.config.seed)
        asked = [name for name in activities for _ in range(len(traits[name]))]
        return Naming(
            activities,
            recogniser.judge(test[held_out], self.test.take(held_out).activities),
            recogniser.judge(np.concatenate([traits[name] for name in activities]), asked),
        )

    def _lie(self, side: str) -> list[str]:
        known = side if side in self.activities else "lying"
        motions = self._make(known, self.config.lying_motions, texts=tuple(self.config.lying[side]), salt=1)
        return name_sides(features_to_joints(motions.features, "consistent", std=self.std, lengths=motions.lengths))

    def _comparable(self) -> dict[str, list[Tensor]]:
        """Return recorded test windows of the activities whose sensor output is compared; formulas do not count."""
        own = [name for name in self.config.distribution if name in self.activities]
        windows = self.test.take([row for row, made in enumerate(self.test.constructed) if not made])
        found = {name: windows.only([name]).features for name in own}
        return {name: clips for name, clips in found.items() if clips}

    def _compare(self) -> DistributionTable | None:
        config, recorded = self.config, self._comparable()
        if not recorded:
            return None
        generated = {name: self._make(name, config.distribution_motions, salt=2).clips() for name in recorded}
        self.say("comparing what sensors read")
        return compare_distributions(generated, recorded, placements=config.placements, std=self.std)

    def _score_sets(self) -> tuple[Scores | None, Scores | None]:
        chosen = self._choose_test_windows()
        if not len(chosen):
            return None, None
        prompts = tuple(
            make_prompts(name, [text], 1, seconds=len(clip) / 20, seed=derive_seed(self.config.seed, 3, row))[0]
            for row, (name, text, clip) in enumerate(
                zip(chosen.activities, chosen.captions, chosen.features, strict=True)
            )
        )
        self.say(f"{len(prompts)} motions by captions of test clips")
        task = GenerateMotions(self.weights, prompts, self.config.sampling, "captions of test clips")
        made, real = task.fetch(self.config.cache_dir), Motions.of(chosen.features)
        self.say("looking for the nearest training clips")
        crops = TrainingCrops(self.data)
        sides = []
        for motions, std in ((made, self.std), (real, None)):
            nearest = crops.distances(motions.clips()) if len(crops) else []
            sides.append(score_motions(motions, chosen.captions, std=std, evaluator=self.evaluator, nearest_m=nearest))
        return sides[0], sides[1]

    def _choose_test_windows(self) -> RecordedWindows:
        """Return test windows, activities in turn, that were recorded and are long enough to compare."""
        rows: dict[str, list[int]] = {}
        for row, (name, constructed) in enumerate(zip(self.test.activities, self.test.constructed, strict=True)):
            if not constructed and len(self.test.features[row]) >= 2 * 20:
                rows.setdefault(name, []).append(row)
        most = max(map(len, rows.values()), default=0)
        in_turn = [own[turn] for turn in range(most) for own in rows.values() if turn < len(own)]
        return self.test.take(in_turn[: self.config.retrieval_motions])

    def _go_on(self) -> list[tuple[str, LongMotion]]:
        config, found = self.config, []
        for prompt in config.long_prompts:
            request = Request(prompt, config.long_seconds, config.long_motions, config.sampling, config.seed)
            if request.frames > self.model.longest_frames:
                self.say(f"{prompt!r} for {config.long_seconds:g} s is more than such a prior makes")
                continue
            self.say(f"{prompt!r} for {config.long_seconds:g} s")
            found.append((prompt, measure_long_motions(self.model, request)))
        return found

    def _time(self) -> Speed | None:
        config = self.config
        if not config.speed_motions:
            return None
        self.say("timing")
        with torch.no_grad():
            return measure_speed(
                self.model,
                config.sampling,
                motions=config.speed_motions,
                seconds=min(config.speed_seconds, (self.model.longest_frames - 1) / FEATURE_FPS),
            )
