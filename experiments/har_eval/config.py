"""Configuration of the experiment har_eval as typed, frozen dataclasses; har_eval.yaml holds the values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from experiments.arms.wearing import ErrorsConfig
from experiments.har_eval.arm_config import ArmConfig, ComparisonConfig, FineTuningConfig
from experiments.pipeline.executor_config import ExecutorConfig
from lightning_modules.har.budget import TrainingBudget

MOUNTINGS = ("declared", "axis_permutations")
SPLITS = ("official", "subjects", "loso", "kfold")


@dataclass(frozen=True)
class PairedConfig:
    """How the paired acceleration error is measured.

    Attributes:
        window_s: length of the held-out windows [s].
        motion_root: folder of motion files whose test split is measured besides the embedded clips'.
    """

    window_s: float = 4.0
    motion_root: str | None = None


@dataclass(frozen=True)
class GenerationConfig:
    """What is generated, and how.

    Attributes:
        prompts: activity -> prompts, used in turn; in YAML ``packaged`` stands for the packaged ones, which activities
            that are not named here take (:mod:`experiments.arms.prompts`).
        motions_per_activity: motions for each activity, arm and seed.
        seconds: length of each motion, 1 to 60 [s].
        guidance: classifier-free guidance scale; None takes the usual one of each arm's weights.
        sampler: one of :data:`lightning_modules.sampling.samplers.SAMPLER_NAMES`.
        steps: network calls per motion; null takes all of the schedule.
        decoder: how what is generated becomes joints, ``consistent`` (weighed by the prior's statistics) or
            ``positions``. An arm may say otherwise of this, sampler, steps and guidance.
        only_produced: leave out motions that do not show what was asked for by posture and speed
            (:mod:`datamodules.clips.shown`); they are counted either way.
    """

    prompts: dict[str, list[str]] = field(default_factory=dict)
    motions_per_activity: int = 24
    seconds: float = 8.0
    guidance: float | None = None
    sampler: str = "dpm++"
    steps: int | None = 25
    decoder: str = "consistent"
    only_produced: bool = False


@dataclass(frozen=True)
class SimulationConfig:
    """How motions become sensor streams.

    Attributes:
        repeats: times that each motion is simulated, each with a body, a mounting and noise of its own.
        mountings: different mountings drawn in each repeat; motions take them in turn.
        body_shapes: draw body shapes of an adult population; otherwise all have the mean shape.
        along_mm: standard deviation of the sensor's shift along the bone [mm].
        around_deg: standard deviation of its shift about the bone [deg].
        rotation_deg: standard deviation of each component of a turn of the box [deg].
        errors: of the device: a preset's name, or its name and figures that differ from it; also ``sensor_errors``,
            here or at the top of the file.
        body: file of an SMPL model whose bodies wear the sensors; null takes the built-in one. Also at the top.
    """

    repeats: int = 2
    mountings: int = 6
    body_shapes: bool = True
    along_mm: float = 15.0
    around_deg: float = 15.0
    rotation_deg: float = 7.0
    errors: ErrorsConfig = field(default_factory=ErrorsConfig)
    body: str | None = None


@dataclass(frozen=True)
class SiteConfig:
    """How one of several sensors is worn that are worn at once; null takes what the entry of ``sets`` says.

    Attributes:
        mounting: as in :class:`SetConfig`, but for ``axis_permutations``.
        turn_about_deg: as there.
        move_along_mm: as there.
        around_deg: as there.
    """

    mounting: str | None = None
    turn_about_deg: float | None = None
    move_along_mm: float | None = None
    around_deg: float | None = None


@dataclass(frozen=True)
class SetConfig:
    """A real data set to test on, and how virtual sensors imitate its own.

    Attributes:
        classes: activities to tell apart; each needs prompts.
        placements: where virtual sensors are worn, mixed in equal parts.
        reader: name of the real set, of :data:`datamodules.har.registry.READERS`, where the entry has a name of its
            own: several entries may ask different things of one set. Null takes the entry's name.
        root: folder or file that holds the set; null takes that of the reader in ``roots``.
        recorded_at: the set's sites that windows of real people are cut from, together; empty takes the reader's.
        split: ``official``, the set's own training and test people; or ``loso``, where everybody is tested: a
            classifier of real people is trained once for each person on all others, of virtual sensors once; or
            ``kfold``, the same by groups of people; or ``subjects``, those of ``test_people``.
        folds: groups that people are dealt into by ``kfold``, by each seed anew.
        fold: the one person (in natural order) or group that is tested, from 0; null tests everybody in turn.
        test_people: who is tested with ``split: subjects``, as the set names them.
        worn: sensors that are worn all at once, by placement, and how each is (or a list of them); a window then holds
            the channels of all, real and virtual alike. Empty for one sensor at a time.
        label_map: the set's label -> class.
        channels: which of ``accel``, ``gyro``, ``linear_accel``.
        rate_hz: samples per second of the windows [Hz].
        window_s: length of a window [s].
        overlap: share of a window that the next one repeats.
        purity: share of a window's samples that must carry its label.
        turn_about_deg: displacement of the sensor about the bone from the placement's own angle [deg].
        move_along_mm: displacement of the sensor along the bone, away from the trunk [mm].
        around_deg: overrides the simulation's ``around_deg`` for this set.
        train_windows_per_class: training windows of each class, real or virtual, drawn for each seed; null: all.
        turned_copies: turned copies of each virtual window where the mounting is unknown.
        mounting: ``declared`` (axes are those of the site), named directions such as ``x_proximal_z_in``
            (:mod:`sim.placements.mountings`), or ``axis_permutations`` (unknown: all 24 equally likely).
        mounting_knowledge: where that knowledge comes from, in words for the report.
        classifiers: which of the experiment's are trained here; empty for all.
        errors: of the device of this set (also ``sensor_errors``); null takes the simulation's.
    """

    classes: list[str] = field(default_factory=list)
    placements: list[str] = field(default_factory=list)
    reader: str | None = None
    root: str | None = None
    recorded_at: list[str] = field(default_factory=list)
    split: str = "official"
    folds: int | None = None
    fold: int | None = None
    test_people: list[str] = field(default_factory=list)
    worn: dict[str, SiteConfig] = field(default_factory=dict)
    label_map: dict[str, str] = field(default_factory=dict)
    channels: list[str] = field(default_factory=lambda: ["accel", "gyro"])
    rate_hz: float = 50.0
    window_s: float = 2.56
    overlap: float = 0.5
    purity: float = 0.9
    turn_about_deg: float = 0.0
    move_along_mm: float = 0.0
    around_deg: float | None = None
    train_windows_per_class: int | None = None
    turned_copies: int = 4
    mounting: str = "declared"
    mounting_knowledge: str = ""
    classifiers: list[str] = field(default_factory=list)
    errors: ErrorsConfig | None = None


@dataclass(frozen=True)
class ClassifierConfig:
    """How long a network is trained, the same for every arm and for the real-to-real ceiling; the forest has no steps.

    Attributes:
        steps: optimiser steps, at most.
        batch_size: windows per step.
        check_every: steps from one look at held-out training windows to the next.
        patience: looks in a row that find nothing better, after which the training ends.
        val_fraction: share of the training people, or virtual motions, held out for these looks; 0 for none, which
            trains on everybody for all of the steps.
        networks: how many are trained, each with others held out; their probabilities are averaged.
    """

    steps: int = TrainingBudget.steps
    batch_size: int = TrainingBudget.batch_size
    check_every: int = TrainingBudget.check_every
    patience: int = TrainingBudget.patience
    val_fraction: float = 0.15
    networks: int = 3

    @property
    def budget(self) -> TrainingBudget:
        """What of it the training itself is told."""
        return TrainingBudget(self.steps, self.batch_size, self.check_every, self.patience)


@dataclass(frozen=True)
class HarEvalConfig:
    """The whole experiment; see the classes of its parts and the comments in har_eval.yaml.

    Attributes:
        seeds: each repeats generation, simulation and classifier (and fine-tuning where arms are retrained).
        arms: what classifiers are trained on, by names of one's own, in the order of tables and figures.
        fine_tuning: how arms are trained here, where they are.
        primary: the comparison that the experiment is about, told first; null for none.
        comparisons: further ones.
        paired: how the paired acceleration error is measured.
        generation: what is generated, and how.
        simulation: how motions become sensor streams.
        needs: what has to be on this machine before anything is done, by kind (:mod:`experiments.har_eval.needs`).
        sets: what is asked of real people: of one set each, by its name or by a name of one's own.
        roots: folder or file that holds a real set, by its reader, for the sets without a root of their own; null, or
            none, for one that a pip package brings.
        classifiers: by name, of :data:`lightning_modules.har_evaluation.CLASSIFIERS`.
        resamples: bootstrap resamples behind each interval.
        processes: tasks run at the same time.
        executor: what runs them, in place of processes of this machine.
        device: where motions are generated: ``cpu``, ``cuda`` or ``auto``.
        output: folder of finished runs.
        cache: folder of stage results.
    """

    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    arms: dict[str, ArmConfig] = field(default_factory=dict)
    fine_tuning: FineTuningConfig = field(default_factory=FineTuningConfig)
    primary: ComparisonConfig | None = None
    comparisons: list[ComparisonConfig] = field(default_factory=list)
    paired: PairedConfig = field(default_factory=PairedConfig)
    generation: GenerationConfig = field(default_factory=GenerationConfig)
    simulation: SimulationConfig = field(default_factory=SimulationConfig)
    needs: dict[str, str | None] = field(default_factory=dict)
    sets: dict[str, SetConfig] = field(default_factory=dict)
    roots: dict[str, str | None] = field(default_factory=dict)
    classifiers: dict[str, ClassifierConfig] = field(default_factory=dict)
    resamples: int = 2000
    processes: int = 2
    executor: ExecutorConfig = field(default_factory=ExecutorConfig)
    device: str = "auto"
    output: str = "runs/har_eval"
    cache: str = "runs/cache"

    @property
    def all_comparisons(self) -> list[ComparisonConfig]:
        """The primary comparison, if there is one, and then the others."""
        return [*([] if self.primary is None else [self.primary]), *self.comparisons]

    def reader(self, name: str) -> str:
        """The real set that an entry of ``sets`` is about."""
        return self.sets[name].reader or name

    def classifiers_of(self, name: str) -> list[str]:
        """The classifiers that are trained for an entry of ``sets``."""
        return self.sets[name].classifiers or list(self.classifiers)

    def root(self, name: str) -> Path | None:
        """Where the real set of an entry of ``sets`` lies; None for one that a pip package brings."""
        root = self.sets[name].root or self.roots.get(self.reader(name))
        return None if root is None else Path(root).expanduser()

    def generation_of(self, arm: str) -> GenerationConfig:
        """Return what is generated from a prior, and how: in the arm's own way where it names one, or that of all."""
        entry, usual = self.arms[arm], self.generation
        return replace(
            usual,
            decoder=entry.decoder or usual.decoder,
            sampler=entry.sampler or usual.sampler,
            steps=usual.steps if entry.steps is None else entry.steps,
            guidance=usual.guidance if entry.guidance is None else entry.guidance,
        )

    def trains(self, arm: str) -> bool:
        """Whether an arm is trained in this run rather than taken from a file."""
        entry, tuning = self.arms[arm], self.fine_tuning
        return entry.config is not None and (tuning.retrain or tuning.motion_root is not None or entry.weights is None)
