"""What a data set is made of, as typed, frozen dataclasses; experiments/dataset.yaml holds an example."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from experiments.arms.wearing import BODY, SENSOR_ERRORS, ErrorsConfig, move_into, rename, spell_out_errors
from experiments.pipeline.executor_config import ExecutorConfig, spell_out_executor
from experiments.pipeline.typed_config import Values

NO_CHECK: Final = "none"


@dataclass(frozen=True)
class ActivityConfig:
    """One label and where its motions come from; in YAML also a list of prompts alone, or nothing.

    Attributes:
        prompts: sentences, used in turn; none take the packaged ones of the activity.
        motions: a folder of motion files that all show it, in place of generated motions.
        tell: what the weights call it, where that is another name; several are used in turn.
        check: the rule of :data:`experiments.dataset.judge.RULES` that its motions have to keep; null takes that of
            what the weights are told or of the label, ``none`` takes none.
    """

    prompts: list[str] = field(default_factory=list)
    motions: str | None = None
    tell: list[str] = field(default_factory=list)
    check: str | None = None


@dataclass(frozen=True)
class SiteConfig:
    """One sensor; in YAML also the name of a preset alone.

    Attributes:
        preset: one of :data:`sim.placements.PLACEMENT_NAMES`; or
        name: what the recording calls a point of the built-in body's skin, with
        triangle: its face: an index, or three vertex ids, as ``imuforge show`` and ``Placement.describe`` give them,
        barycentric: weights of the three corners, and
        stand_off_m: distance of the chip from the skin [m].
        mountings: how the box is turned (:mod:`sim.placements.mountings`); of several each person has one. None:
            along the bone.
    """

    preset: str | None = None
    name: str | None = None
    triangle: list[int] = field(default_factory=list)
    barycentric: list[float] = field(default_factory=list)
    stand_off_m: float = 0.005
    mountings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class PeopleConfig:
    """Virtual people: a body, a way to wear each sensor and a device are one person.

    Attributes:
        count: how many.
        val: share of them that is held out for validation.
        test: share of them that is tested on.
        smpl: file of an SMPL model, also ``body`` at the top; null takes the built-in body.
        shapes: draw body shapes of an adult population; otherwise all have the mean shape.
        along_mm: standard deviation of a sensor's shift along the bone [mm].
        around_deg: standard deviation of its shift about the bone [deg].
        rotation_deg: standard deviation of each component of a turn of the box [deg].
    """

    count: int = 20
    val: float = 0.15
    test: float = 0.15
    smpl: str | None = None
    shapes: bool = True
    along_mm: float = 15.0
    around_deg: float = 15.0
    rotation_deg: float = 7.0


@dataclass(frozen=True)
class MotionConfig:
    """Where motions come from and how many there are.

    Attributes:
        weights: packaged weights or a file; null where nothing is generated.
        folder: motion files of every activity in place of generated ones: a folder, ``embedded`` for the packaged
            clips, or a folder of joint files with a ``prompts.csv`` that names activities.
        seconds: length of each, 1 to 60 [s].
        trim_s: what is cut off at either end after generating that much more [s].
        of_each: motions of each activity that all people share; null gives every recording one of its own. Motions are
            never shared across the sides of the split.
        tries: times that a motion which fails its check is drawn anew.
        guidance: classifier-free guidance scale; null takes the weights' own.
        sampler: one of :data:`lightning_modules.sampling.samplers.SAMPLER_NAMES`.
        steps: network calls of the sampler.
        decoder: how features become joints, ``consistent`` or ``positions``.
    """

    weights: str | None = "prior"
    folder: str | None = None
    seconds: float = 4.0
    trim_s: float = 0.0
    of_each: int | None = None
    tries: int = 3
    guidance: float | None = None
    sampler: str = "dpm++"
    steps: int | None = 20
    decoder: str = "consistent"


@dataclass(frozen=True)
class WindowConfig:
    """How windows are cut.

    Attributes:
        seconds: length [s].
        overlap: share of a window that the next one repeats.
        channels: which of ``accel``, ``gyro``, ``linear_accel``.
    """

    seconds: float = 2.56
    overlap: float = 0.5
    channels: list[str] = field(default_factory=lambda: ["accel", "gyro"])


@dataclass(frozen=True)
class DatasetConfig:
    """A data set; a recording is one motion of one person at all sites.

    Attributes:
        name: of the data set.
        activities: what is to be told apart, label -> where its motions come from.
        recordings_each: recordings of each activity by each person.
        people: who wears the sensors.
        motion: what they do it by.
        sites: where sensors are worn.
        devices: errors of the device; of several each person has one.
        rate_hz: samples per second [Hz].
        cutoff_hz: smoothing of the motion [Hz], see :func:`sim.simulate`.
        windows: how windows are cut.
        seed: decides everything that is drawn.
        keep_motions: write the motions, too.
    """

    name: str = "dataset"
    activities: dict[str, ActivityConfig] = field(default_factory=dict)
    recordings_each: int = 4
    people: PeopleConfig = field(default_factory=PeopleConfig)
    motion: MotionConfig = field(default_factory=MotionConfig)
    sites: list[SiteConfig] = field(default_factory=list)
    devices: list[ErrorsConfig] = field(default_factory=lambda: [ErrorsConfig()])
    rate_hz: float = 50.0
    cutoff_hz: float | None = None
    windows: WindowConfig = field(default_factory=WindowConfig)
    seed: int = 0
    keep_motions: bool = False

    @property
    def recordings(self) -> int:
        """How many recordings there are if no motion is lacking."""
        return self.people.count * len(self.activities) * self.recordings_each

    def generates(self, label: str) -> bool:
        """Whether the motions of a label come from weights."""
        return self.activities[label].motions is None and self.motion.folder is None


@dataclass(frozen=True)
class DatasetSpec(DatasetConfig):
    """What a YAML may say: a data set, and where it is made, which is no part of it.

    Attributes:
        executor: what makes the parts, in place of processes of this machine.
    """

    executor: ExecutorConfig = field(default_factory=ExecutorConfig)


def spell_out(values: Values) -> Values:
    """Return the content of a YAML in the form of :class:`DatasetConfig`; what is so stays so.

    * ``activities: [walking, sitting]`` becomes ``{walking: {}, sitting: {}}``; so does ``walking: null``.
    * ``walking: [a person walks.]`` becomes ``walking: {prompts: [...]}``.
    * ``sites: left_wrist`` and ``- left_wrist`` become ``- {preset: left_wrist}``; ``devices`` likewise.
    * ``body`` at the top becomes ``people.smpl``, ``sensor_errors`` becomes ``devices``, as in har_eval.
    * ``executor: NAME`` becomes ``{kind: NAME}``.
    * one ``mountings``, ``tell`` or ``prompts`` may be written without a list.
    """
    spelt = dict(spell_out_executor(dict(values)))
    move_into(spelt, BODY, "people", "smpl")
    rename(spelt, SENSOR_ERRORS, "devices")
    activities = spelt.get("activities")
    if isinstance(activities, list):
        activities = {str(name): None for name in activities}
    if isinstance(activities, dict):
        spelt["activities"] = {str(name): _activity(entry) for name, entry in activities.items()}
    for key in ("sites", "devices"):
        entries = spelt.get(key)
        if entries is not None:
            each = entries if isinstance(entries, list) else [entries]
            spelt[key] = [_in_lists(spell_out_errors(entry)) for entry in each]
    return spelt


def _activity(entry: object) -> object:
    if entry is None:
        return {}
    return (
        {"prompts": [entry] if isinstance(entry, str) else entry} if isinstance(entry, str | list) else _in_lists(entry)
    )


def _in_lists(entry: object) -> object:
    if not isinstance(entry, dict):
        return entry
    alone = {key: [entry[key]] for key in ("mountings", "tell", "prompts") if isinstance(entry.get(key), str)}
    if isinstance(entry.get("triangle"), int):
        alone["triangle"] = [entry["triangle"]]
    return {**entry, **alone}
