"""Read the specification of a data set and check all of it: every mistake is told at once, before any work."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path

from datamodules.batches import check_seconds
from datamodules.clips.sources import list_items
from datamodules.har.activities import normalise
from datamodules.har.streams import checked_channels
from datamodules.motion_files.joint_files import PROMPTS, list_joint_files
from experiments.arms.wearing import read_body
from experiments.dataset.config import NO_CHECK, ActivityConfig, DatasetConfig, DatasetSpec, spell_out
from experiments.dataset.judge import RULES
from experiments.dataset.people import placement_of
from experiments.dataset.plan import sides_of
from experiments.pipeline.executor_config import ExecutorConfig, check_executor
from experiments.pipeline.ranges import MANY, find_beyond
from experiments.pipeline.typed_config import read_typed
from lightning_modules.checkpoints import read_stored
from lightning_modules.sampling.samplers import check_sampler
from lightning_modules.weights import find_weights
from sim.checks import MOST_SEED
from sim.features import DECODERS
from sim.names import check_name


def load_spec(path: Path, overrides: Sequence[str] = ()) -> DatasetConfig:
    """Return the data set of :func:`load_spec_and_executor`; raises as that."""
    return load_spec_and_executor(path, overrides)[0]


def load_spec_and_executor(path: Path, overrides: Sequence[str] = ()) -> tuple[DatasetConfig, ExecutorConfig]:
    """Read YAML, apply ``key=value`` overrides, and check all of it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: something in it cannot be; all such things in one line, with the nearest names.
    """
    spec = read_typed(DatasetSpec, path, overrides, spell_out=spell_out)
    check_executor(spec.executor)
    config = DatasetConfig(**{entry.name: getattr(spec, entry.name) for entry in fields(DatasetConfig)})
    faults = list(find_faults(config))
    if len(faults) > 1:
        told = "; ".join(f"({number}) {fault}" for number, fault in enumerate(faults, 1))
        raise ValueError(f"{path} has {len(faults)} mistakes: {told}")
    if faults:
        raise ValueError(f"{path}: {faults[0]}")
    return config, spec.executor


def find_faults(config: DatasetConfig) -> Iterator[str]:
    """Yield what keeps a data set from being made, in a line each."""
    if not config.activities:
        yield "activities is empty, expected at least one, such as activities: [walking, sitting]"
    for label, activity in config.activities.items():
        yield from _faults_of_activity(label, activity, config)
    beyond = list(_faults_of_sizes(config))
    yield from beyond
    if beyond:  # the other checks plan with these numbers
        return
    yield from _faults_of_motion(config)
    yield from _faults_of_people(config)
    yield from _faults_of_sites(config)
    yield from _faults_of_windows(config)


def _faults_of_sizes(config: DatasetConfig) -> Iterator[str]:
    yield from find_beyond(
        config, {"recordings_each": (-MANY, MANY), "rate_hz": (-math.inf, 1e5), "seed": (-math.inf, MOST_SEED)}
    )
    yield from find_beyond(config.people, {"count": (-MANY, MANY)}, "people.")
    counts = dict.fromkeys(("tries", "of_each"), (-math.inf, MANY))
    yield from find_beyond(config.motion, {**counts, "steps": (-math.inf, 1000), "guidance": (0, 1000)}, "motion.")


def _faults_of_activity(label: str, activity: ActivityConfig, config: DatasetConfig) -> Iterator[str]:
    if normalise(label) != label:
        yield f"activities.{label} is no name, expected lower case and underscores: {normalise(label) or 'walking'}"
    if activity.check is not None:
        yield from _told(
            lambda: check_name(str(activity.check), (*RULES, NO_CHECK), f"rule in activities.{label}.check")
        )
    if not all(prompt.strip() for prompt in activity.prompts):
        yield f"activities.{label}.prompts has a blank one, expected words such as a person walks."
    if activity.motions is not None:
        yield from _told(lambda: list_items(str(activity.motions)), f"activities.{label}.motions: ")
    if not config.generates(label) and activity.prompts:
        yield f"activities.{label} has prompts and motion files, expected one of them; leave one out"


def _faults_of_motion(config: DatasetConfig) -> Iterator[str]:
    motion = config.motion
    yield from _told(lambda: check_seconds(motion.seconds, "motion.seconds"))
    if math.isfinite(motion.seconds) and motion.seconds >= 1 and motion.trim_s:
        yield from _told(lambda: check_seconds(motion.seconds + 2 * motion.trim_s, "motion.seconds with motion.trim_s"))
    if not (math.isfinite(motion.trim_s) and motion.trim_s >= 0):
        yield f"motion.trim_s is {motion.trim_s}, expected 0 s or more"
    for name, value in (("tries", motion.tries), ("of_each", motion.of_each), ("steps", motion.steps)):
        if value is not None and value < 1:
            yield f"motion.{name} is {value}, expected at least 1"
    yield from _told(lambda: check_sampler(motion.sampler), "motion.sampler: ")
    yield from _told(lambda: check_name(motion.decoder, DECODERS, "decoder in motion.decoder"))
    if motion.folder is not None:
        yield from _told(lambda: list_motions(str(motion.folder)), "motion.folder: ")
    generated = [label for label in config.activities if config.generates(label)]
    if not generated:
        return
    if motion.weights is None:
        yield f"motion.weights is null, expected weights, such as prior, to generate {', '.join(generated)} with"
        return
    known: list[str] = []
    for fault in _told(lambda: known.extend(known_activities(find_weights(str(motion.weights)))), "motion.weights: "):
        yield fault
        return
    for label in generated:
        for name in config.activities[label].tell:
            yield from _told(lambda name=name, label=label: _check_told(name, known, label))  # type: ignore[misc]


def _check_told(name: str, known: Sequence[str], label: str) -> None:
    if not known:
        raise ValueError(f"activities.{label}.tell is {name!r}, but these weights are told none; leave it out")
    check_name(name, known, f"activity in activities.{label}.tell")


def _faults_of_people(config: DatasetConfig) -> Iterator[str]:
    people = config.people
    if config.recordings_each < 1 or people.count < 1:
        yield (
            f"people.count is {people.count} and recordings_each {config.recordings_each}, expected at least 1 of each"
        )
        return
    if not all(0 <= share < 1 for share in (people.val, people.test)):
        yield f"people.val and people.test are {people.val} and {people.test}, expected shares in [0, 1)"
    elif "train" not in sides_of(config) or (people.val + people.test) >= 1:
        yield (
            f"people.count is {people.count} with people.val {people.val} and people.test {people.test}, which leaves "
            "nobody to train on; give more people, or smaller shares"
        )
    for name in ("along_mm", "around_deg", "rotation_deg"):
        value = getattr(people, name)
        if not (math.isfinite(value) and value >= 0):
            yield f"people.{name} is {value}, expected 0 or more"
    if people.smpl is not None:
        yield from _told(lambda: read_body(people.smpl), "people.smpl: ")
    if config.seed < 0:
        yield f"seed is {config.seed}, expected 0 or more"


def _faults_of_sites(config: DatasetConfig) -> Iterator[str]:
    if not config.sites:
        yield "sites is empty, expected at least one, such as sites: [left_wrist]"
    names: list[str] = []
    body_stands = True
    for _ in _told(lambda: read_body(config.people.smpl)):
        body_stands = False
    for number, site in enumerate(config.sites):
        if (site.preset is None) == (site.name is None):
            yield f"sites[{number}] expects a preset, or name, triangle and barycentric of a point; give one of them"
            continue
        names.append(str(site.preset or site.name))
        for mounting in range(max(1, len(site.mountings))):
            if body_stands:
                yield from _told(
                    lambda site=site, mounting=mounting: placement_of(site, mounting).on(read_body(config.people.smpl)),  # type: ignore[misc]
                    f"sites[{number}]: ",
                )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        yield f"sites has {twice[0]} twice, expected each once"
    if not config.devices:
        yield "devices is empty, expected at least one, such as devices: [none]"
    for number, device in enumerate(config.devices):
        yield from _told(device.make, f"devices[{number}]: ")


def _faults_of_windows(config: DatasetConfig) -> Iterator[str]:
    windows = config.windows
    if not (math.isfinite(config.rate_hz) and config.rate_hz > 0):
        yield f"rate_hz is {config.rate_hz}, expected > 0, such as 50"
    elif windows.seconds * config.rate_hz < 2:
        yield f"windows.seconds is {windows.seconds}, expected at least two samples at {config.rate_hz:g} Hz"
    if config.cutoff_hz is not None and not 0 < config.cutoff_hz < math.inf:
        yield f"cutoff_hz is {config.cutoff_hz}, expected > 0, or null"
    if not windows.seconds <= config.motion.seconds:
        yield f"windows.seconds is {windows.seconds}, expected at most motion.seconds, {config.motion.seconds}"
    if not 0 <= windows.overlap < 1:
        yield f"windows.overlap is {windows.overlap}, expected a share in [0, 1)"
    yield from _told(lambda: checked_channels(windows.channels), "windows.channels: ")


def list_motions(folder: str) -> int:
    """Return how many files of motion there are; raises as :func:`list_items` and :func:`list_joint_files`."""
    root = Path(folder).expanduser()
    return len(list_joint_files(root) if (root / PROMPTS).is_file() else list_items(folder))


def known_activities(weights: Path) -> tuple[str, ...]:
    """Return the activities that weights are told beside a text; none where they are told the text alone."""
    names = read_stored(weights).hyper_parameters.get("activities")
    return tuple(str(name) for name in names) if isinstance(names, list | tuple) else ()


def _told(check: Callable[[], object], where: str = "") -> Iterator[str]:
    try:
        check()
    except (ValueError, FileNotFoundError) as error:
        yield f"{where}{error}"
