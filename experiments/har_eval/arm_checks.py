"""Check the arms of har_eval and what is compared, before anything is run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from datamodules.clips.sources import list_items
from datamodules.har.windows.calibration import CALIBRATIONS
from experiments.har_eval.arm_config import PROTOCOLS, SOURCES, ArmConfig, ComparisonConfig
from experiments.har_eval.config import GenerationConfig, HarEvalConfig
from experiments.har_eval.short_forms import RESERVED
from lightning_modules.packaged_configs import FOLDER, find_config
from lightning_modules.sampling.normalised import SamplingOptions
from lightning_modules.sampling.samplers import SAMPLER_NAMES
from lightning_modules.weights import find_weights
from sim.checks import check_cutoff
from sim.conventions import FEATURE_FPS
from sim.features import DECODERS
from sim.files import read_text_file
from sim.names import check_name

LAYERS: Final = Path(__file__).parent / "layers"


def check_arms(config: HarEvalConfig) -> None:
    """Make sure that every arm can be had and that comparisons name arms.

    Raises:
        ValueError: what is wrong, what was expected, and the nearest valid name where a name is wrong.
        FileNotFoundError: weights, the YAML of an arm that is trained here, or a folder of generated motions are not
            there.
    """
    arms = config.arms
    if not arms:
        raise ValueError("arms is empty, expected at least one, such as arms: {mine: {weights: FILE}}")
    for name, arm in arms.items():
        _check_source(name, arm)
        if arm.colour and not re.fullmatch("#[0-9a-fA-F]{6}", arm.colour):
            raise ValueError(
                f'arms.{name}.colour is {arm.colour!r}, expected six hexadecimal digits, such as "#D55E00"'
            )
    for name, arm in arms.items():
        _check_start(name, arm, arms)
    for name in arms:
        _check_no_circle(name, arms)
    for name, arm in arms.items():
        _check_files(name, arm, config)
    tuning = config.fine_tuning
    if (tuning.retrain or tuning.motion_root is not None) and not any(config.trains(name) for name in arms):
        raise ValueError("arms are to be retrained but none names a config; give one its YAML and its start")
    if tuning.steps is not None and tuning.steps < 1:
        raise ValueError(f"fine_tuning.steps is {tuning.steps}, expected at least 1, or null for the YAML's")
    _check_comparisons(config)


def _check_source(name: str, arm: ArmConfig) -> None:
    if not name.strip() or name in RESERVED:
        raise ValueError(f"an arm is called {name!r}, which no arm can be ({', '.join(RESERVED)}); choose another name")
    sources = arm.sources
    if not sources:
        raise ValueError(f"arms.{name} names nothing to train on, expected one of {list(SOURCES)}")
    if len({SOURCES[source] for source in sources}) > 1:
        raise ValueError(f"arms.{name} names {' and '.join(sources)}, expected one of them; make two arms of it")
    if arm.motion_root is not None and not arm.recorded:
        raise ValueError(
            f"arms.{name} names a motion_root but does not say recorded: true; motion to train priors on is given as "
            "fine_tuning.motion_root"
        )
    for key in ("decoder", "sampler", "steps", "guidance"):
        if arm.kind != "prior" and (value := getattr(arm, key)) is not None:
            raise ValueError(f"arms.{name}.{key} is {value!r}, but nothing is generated for this arm; leave it out")
    check_sampling(f"arms.{name}", arm)
    _check_treatment(name, arm)
    if arm.config and arm.weights and arm.start is None and not (arm.layers or arm.options):
        raise ValueError(
            f"arms.{name} names a config but no start, expected both: the YAML that trains it and the arm that it "
            "starts from; or no weights, for a prior that is trained from nothing"
        )
    given = [key for key in ("start", "layers", "options", "first_stage", "first_stage_options") if getattr(arm, key)]
    if arm.config is None and given:
        raise ValueError(f"arms.{name} names a {given[0]} but no config, expected the YAML that trains it, too")
    if arm.first_stage is None and arm.first_stage_options:
        raise ValueError(f"arms.{name} has first_stage_options but no first_stage, expected its YAML, too")


def check_sampling(place: str, given: ArmConfig | GenerationConfig) -> None:
    """Make sure that what an arm, or ``generation`` for all, says of decoder, sampler, steps and guidance can be.

    Raises:
        ValueError: where it stands, what was found, and what was expected.
    """
    if given.decoder is not None:
        check_name(given.decoder, DECODERS, f"decoder in {place}.decoder")
    if given.steps is not None and given.steps < 1:
        raise ValueError(f"{place}.steps is {given.steps}, expected 1 or more, or null")
    try:
        SamplingOptions(given.guidance, given.sampler or SAMPLER_NAMES[0], given.steps)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error


def _check_treatment(name: str, arm: ArmConfig) -> None:
    """Check what is done beside the source: folders of others, smoothing, draws, real people."""
    if (arm.generated is None) != (not arm.licence.strip()):
        raise ValueError(
            f"arms.{name} has generated: {arm.generated!r} and licence: {arm.licence!r}, expected both or neither: a "
            "folder of another generator's motions and its terms in words"
        )
    moves = arm.kind != "real_people"
    if arm.smooth_hz is not None:
        if not moves:
            raise ValueError(f"arms.{name}.smooth_hz is {arm.smooth_hz:g}, but real people's data stay as they are")
        try:
            check_cutoff(arm.smooth_hz, fps=FEATURE_FPS)
        except ValueError as error:
            raise ValueError(f"arms.{name}.smooth_hz: {error}") from error
    for part in arm.calibrate:
        check_name(part, CALIBRATIONS, f"calibration in arms.{name}.calibrate")
    if arm.augment is not None and (moves or arm.augment.is_none):
        raise ValueError(
            f"arms.{name}.augment is {arm.augment}, expected one strength above 0 or more of an arm of "
            "real_people: true; leave it out"
        )
    if arm.calibrate and not moves:
        raise ValueError(f"arms.{name}.calibrate is {arm.calibrate}, but real people's data stay as they are")
    if arm.draw < 0 or (arm.draw and arm.kind != "prior"):
        raise ValueError(f"arms.{name}.draw is {arm.draw}, expected 0 or, for a prior, a number above it")
    check_name(arm.protocol, PROTOCOLS, f"protocol in arms.{name}.protocol")
    least = 0 if moves else 1
    if arm.people is not None and arm.people < least:
        raise ValueError(f"arms.{name}.people is {arm.people}, expected at least {least}, or null")
    if arm.protocol == "trts":
        _check_trts(name, arm)
    elif arm.protocol != PROTOCOLS[0] and not (moves and arm.people):
        raise ValueError(
            f"arms.{name}.protocol is {arm.protocol}, expected virtual sensors and people to train on after them; give "
            "people: 1 or more"
        )


def _check_trts(name: str, arm: ArmConfig) -> None:
    if arm.kind == "real_people":
        raise ValueError(
            f"arms.{name}.protocol is trts, expected virtual sensors to test on; name weights, or recorded: true"
        )
    if arm.calibrate:
        raise ValueError(
            f"arms.{name}.calibrate is {arm.calibrate} beside protocol: trts, which tests the windows as they were "
            "simulated; leave one out"
        )


def _check_start(name: str, arm: ArmConfig, arms: Mapping[str, ArmConfig]) -> None:
    if arm.start is None:
        return
    check_name(arm.start, tuple(arms), f"arm in arms.{name}.start")
    if arms[arm.start].kind != "prior":
        raise ValueError(f"arms.{name}.start is {arm.start!r}, which has no weights; name an arm that has")


def _check_no_circle(name: str, arms: Mapping[str, ArmConfig]) -> None:
    way = [name]
    while (start := arms[way[-1]].start) is not None:
        if start in way:
            raise ValueError(f"arms start from one another in a circle: {' <- '.join([*way, start])}; break it")
        way.append(start)


def _check_files(name: str, arm: ArmConfig, config: HarEvalConfig) -> None:
    try:
        if arm.generated is not None:
            list_items(arm.generated)
        elif arm.kind != "prior":
            return
        elif config.trains(name):
            for file in (str(arm.config), *arm.layers, *([] if arm.first_stage is None else [arm.first_stage])):
                find_config(file)
        else:
            find_weights(str(arm.weights))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"arms.{name}: {error}") from error
    except ValueError as error:
        raise ValueError(f"arms.{name}: {error}") from error


def _check_comparisons(config: HarEvalConfig) -> None:
    seen: set[tuple[str, str]] = set()
    for number, comparison in enumerate(config.all_comparisons):
        place = "primary" if comparison is config.primary else f"comparisons[{number - (config.primary is not None)}]"
        _check_comparison(place, comparison, config)
        pair = (comparison.arm, comparison.against)
        if pair in seen:
            raise ValueError(f"{place} compares {pair[0]!r} with {pair[1]!r}, as one before it does; leave one out")
        seen.add(pair)


def _require_arm(name: str, place: str, config: HarEvalConfig) -> None:
    """Refuse a comparison with an arm that is none; a packaged layer that has it is told."""
    try:
        check_name(name, tuple(config.arms), f"arm in {place}")
    except ValueError as error:
        line = re.compile(rf"^  {re.escape(name)}:", re.MULTILINE)
        layers = [file.name for file in sorted(LAYERS.glob("*.yaml")) if line.search(read_text_file(file))]
        has = f"; {FOLDER}/har_eval/layers/{layers[0]} has one of that name: give it with -c" if layers else ""
        raise ValueError(f"{error}{has}") from None


def _check_comparison(place: str, comparison: ComparisonConfig, config: HarEvalConfig) -> None:
    arm, against = comparison.arm, comparison.against
    for key, name in (("arm", arm), ("against", against)):
        _require_arm(name, f"{place}.{key}", config)
    if arm == against:
        raise ValueError(
            f"{place} compares {arm!r} with itself, expected another; to see how much is luck, make a second arm of "
            "the same weights"
        )
    for name in (arm, against):
        if config.arms[name].protocol == "trts":
            raise ValueError(
                f"{place} compares {arm!r} with {against!r}, but {name!r} is tested on virtual sensors and not on "
                "people, so that nothing can be paired; leave it out"
            )
    if config.arms[arm].kind == "prior" and config.trains(against) and not config.trains(arm):
        raise ValueError(
            f"{place} compares {arm!r}, whose weights are one file, with {against!r}, which is trained here once for "
            "each seed; exchange them, or train both"
        )
