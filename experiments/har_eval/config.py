"""Configuration of the experiment har_eval as typed, frozen dataclasses; har_eval.yaml holds the values."""

from __future__ import annotations

from dataclasses import dataclass, field

MOUNTINGS = ("declared", "axis_permutations")


@dataclass(frozen=True)
class ArmsConfig:
    """Which priors are compared.

    Attributes:
        checkpoints: arm -> name of packaged weights, or path of a file. ``original`` is the one that others start from.
        retrain: train the other arms here from ``original``, once per seed, instead of taking their files.
        motion_root: folder of motion files to train on besides the embedded clips; implies ``retrain``.
        configs: arm -> YAML for ``lightning fit``, for arms that are retrained.
        steps: optimiser steps of an arm that is retrained; null takes the YAML's.
        mocap: also simulate from the recorded clips themselves, with no generation, as an upper reference.
    """

    checkpoints: dict[str, str] = field(default_factory=dict)
    retrain: bool = False
    motion_root: str | None = None
    configs: dict[str, str] = field(default_factory=dict)
    steps: int | None = None
    mocap: bool = True


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
        prompts: activity -> prompts, used in turn.
        motions_per_activity: motions for each activity, arm and seed.
        seconds: length of each motion [s].
        guidance: classifier-free guidance scale.
        sampler: ``ddpm``, ``ddim``, ``dpm++`` or ``sde-dpm++``.
        steps: network calls per motion; null takes all of the schedule.
    """

    prompts: dict[str, list[str]] = field(default_factory=dict)
    motions_per_activity: int = 24
    seconds: float = 8.0
    guidance: float = 2.5
    sampler: str = "ddim"
    steps: int | None = 25


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
        errors: preset of :class:`sim.SensorErrors`.
    """

    repeats: int = 2
    mountings: int = 6
    body_shapes: bool = True
    along_mm: float = 15.0
    around_deg: float = 15.0
    rotation_deg: float = 7.0
    errors: str = "smartphone"


@dataclass(frozen=True)
class SetConfig:
    """A real data set to test on, and how virtual sensors imitate its own.

    Attributes:
        classes: activities to tell apart; each needs prompts.
        placements: where virtual sensors are worn, mixed in equal parts.
        root: folder that holds the set; null for one that a pip package brings.
        label_map: the set's label -> class.
        channels: which of ``accel``, ``gyro``, ``linear_accel``.
        rate_hz: samples per second of the windows [Hz].
        window_s: length of a window [s].
        overlap: share of a window that the next one repeats.
        purity: share of a window's samples that must carry its label.
        turn_about_deg: displacement of the sensor about the bone from the placement's own angle [deg].
        around_deg: overrides the simulation's ``around_deg`` for this set.
        train_windows_per_class: training windows of each class, real or virtual, drawn for each seed; null: all.
        turned_copies: turned copies of each virtual window where the mounting is unknown.
        mounting: ``declared`` (axes lie as the reader says) or ``axis_permutations`` (unknown: all 24 equally likely).
        mounting_knowledge: where that knowledge comes from, in words for the report.
    """

    classes: list[str] = field(default_factory=list)
    placements: list[str] = field(default_factory=list)
    root: str | None = None
    label_map: dict[str, str] = field(default_factory=dict)
    channels: list[str] = field(default_factory=lambda: ["accel", "gyro"])
    rate_hz: float = 50.0
    window_s: float = 2.56
    overlap: float = 0.5
    purity: float = 0.9
    turn_about_deg: float = 0.0
    around_deg: float | None = None
    train_windows_per_class: int | None = None
    turned_copies: int = 4
    mounting: str = "declared"
    mounting_knowledge: str = ""


@dataclass(frozen=True)
class ClassifierConfig:
    """How a classifier is trained; the same for every arm and for the real-to-real ceiling.

    Attributes:
        steps: optimiser steps; the forest has none.
        batch_size: windows per step; the forest has none.
    """

    steps: int = 250
    batch_size: int = 128


@dataclass(frozen=True)
class HarEvalConfig:
    """The whole experiment; see the classes of its parts and the comments in har_eval.yaml.

    Attributes:
        seeds: each repeats generation, simulation and classifier (and fine-tuning where arms are retrained).
        arms: which priors are compared.
        paired: how the paired acceleration error is measured.
        generation: what is generated, and how.
        simulation: how motions become sensor streams.
        sets: real data sets by name.
        classifiers: by name, of :data:`lightning_modules.har_evaluation.CLASSIFIERS`.
        resamples: bootstrap resamples behind each interval.
        processes: tasks run at the same time.
        device: where motions are generated: ``cpu``, ``cuda`` or ``auto``.
        output: folder of finished runs.
        cache: folder of stage results.
    """

    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    arms: ArmsConfig = field(default_factory=ArmsConfig)
    paired: PairedConfig = field(default_factory=PairedConfig)
    generation: GenerationConfig = field(default_factory=GenerationConfig)
    simulation: SimulationConfig = field(default_factory=SimulationConfig)
    sets: dict[str, SetConfig] = field(default_factory=dict)
    classifiers: dict[str, ClassifierConfig] = field(default_factory=dict)
    resamples: int = 2000
    processes: int = 2
    device: str = "auto"
    output: str = "runs/har_eval"
    cache: str = "runs/cache"

    @property
    def retrains(self) -> bool:
        """Whether arms are trained in this run rather than taken from files."""
        return self.arms.retrain or self.arms.motion_root is not None
