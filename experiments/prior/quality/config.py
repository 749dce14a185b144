"""What is asked of a prior, as YAML says it (``experiments/prior/quality.yaml``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from datamodules.batches import check_seconds
from datamodules.clips.captions import paraphrase
from lightning_modules.metrics.sensor_distributions import DECIDING_PLACEMENTS
from lightning_modules.sampling.normalised import SamplingOptions

QUALITY_CONFIG = Path("experiments/prior/quality.yaml")


@dataclass(frozen=True)
class QualityConfig:
    """What is generated and what it is held against.

    Attributes:
        sources: of recorded motion, as :class:`datamodules.MotionDataModule` takes them.
        ships_only: leave out recorded clips from which no shipped weights may be trained.
        window_s: length of recorded windows and of generated motions [s].
        prompts: activity -> sentences in place of the packaged paraphrases.
        deciding: activities that a classifier of these alone has to name, those that the data lack left out.
        motions_per_activity: generated for each activity.
        lying: side -> sentences; which side a motion lies on is measured by its trunk. The side is also the activity
            asked for, where the data have it.
        lying_motions: generated for each side.
        distribution: activities whose sensor output is compared with recorded test motion.
        distribution_motions: generated for each of them.
        placements: where sensors are simulated for that.
        retrieval_motions: test clips whose captions are generated from, for everything that compares sets of motions.
        evaluator: checkpoint of a ContrastiveEvaluator, or folder of the published ones; null leaves out R-precision
            and diversity.
        long_prompts: sentences that are generated from for ``long_seconds``.
        long_seconds: length of a long motion [s].
        long_motions: for each sentence.
        speed_motions: motions of ``speed_seconds`` that are timed from prompt to recording; 0 leaves it out.
        speed_seconds: length of each [s].
        sampling: guidance, sampler and calls.
        seed: all generation follows from it.
        cache_dir: where generated and converted motions are kept, so that an interrupted run goes on.
    """

    sources: list[str] = field(default_factory=lambda: ["embedded"])
    ships_only: bool = False
    window_s: float = 4.0
    prompts: dict[str, list[str]] = field(default_factory=dict)
    deciding: list[str] = field(default_factory=list)
    motions_per_activity: int = 20
    lying: dict[str, list[str]] = field(default_factory=dict)
    lying_motions: int = 20
    distribution: list[str] = field(default_factory=list)
    distribution_motions: int = 64
    placements: list[str] = field(default_factory=lambda: list(DECIDING_PLACEMENTS))
    retrieval_motions: int = 128
    evaluator: str | None = None
    long_prompts: list[str] = field(default_factory=list)
    long_seconds: float = 30.0
    long_motions: int = 16
    speed_motions: int = 64
    speed_seconds: float = 5.0
    sampling: SamplingOptions = field(default_factory=lambda: SamplingOptions(sampler="dpm++", steps=20))
    seed: int = 0
    cache_dir: str = "runs/cache"

    def __post_init__(self) -> None:
        """Refuse numbers that are out of range."""
        for name in ("window_s", "long_seconds", "speed_seconds"):
            check_seconds(getattr(self, name), name)
        for name in ("motions_per_activity", "lying_motions", "distribution_motions", "long_motions"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 1")
        if min(self.retrieval_motions, self.speed_motions, self.seed) < 0:
            raise ValueError("retrieval_motions, speed_motions or seed is below 0, expected 0 or more")

    def sentences(self, activity: str) -> tuple[str, ...]:
        """Return the sentences that an activity is asked for by."""
        return tuple(self.prompts.get(activity) or paraphrase(activity))
