"""One recording of virtual sensors from a prompt or from a motion file: what ``imuforge synth`` does."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

import torch

from datamodules.batches import check_seconds
from datamodules.motion_files import find_format, read_motion
from datamodules.motion_files.floor import find_sinking
from datamodules.motion_files.motion_file import ReadOptions
from datamodules.motion_files.plausibility import warn_of
from experiments.arms.wearing import ErrorsConfig, read_body
from lightning_modules.checkpoints import load_prior
from lightning_modules.sampling.motion_generator import MotionGenerator
from lightning_modules.sampling.normalised import SamplingOptions
from lightning_modules.text.doubts import doubts_about_activities, doubts_about_words
from sim.body import Body
from sim.checks import check_rate, check_seed
from sim.conventions import FEATURE_FPS
from sim.features import Decoder, features_to_motion
from sim.imu import simulate
from sim.motion import Motion
from sim.placements import Placement
from sim.recording import ImuRecording

_LOGGER = logging.getLogger(__name__)

DEFAULT_PRIOR = "prior"

MOST_STEPS: Final = 1000
"""Network calls of the longest schedule."""


def synthesise(
    *,
    placements: Sequence[str],
    rate_hz: float,
    out: Path,
    prompt: str | None = None,
    motion_path: Path | None = None,
    options: ReadOptions | None = None,
    seconds: float = 4.0,
    prior: str = DEFAULT_PRIOR,
    sensor_errors: ErrorsConfig | None = None,
    body: Path | None = None,
    mounting: str | None = None,
    cutoff_hz: float | None = None,
    motion_out: Path | None = None,
    seed: int = 0,
    sampling: SamplingOptions = SamplingOptions(sampler="dpm++", steps=20),
    decoder: Decoder = "consistent",
) -> ImuRecording:
    """Simulate sensors and write the recording.

    Args:
        placements: names of presets.
        rate_hz: samples per second [Hz].
        out: file to write, ``.parquet`` or ``.csv``.
        prompt: what the person does; or
        motion_path: a motion file.
        options: what the motion file does not say of itself.
        seconds: length of a generated motion, 1 to 60 [s].
        prior: packaged weights, a file, a folder or ``hf:owner/name``.
        sensor_errors: of the device; None for none.
        body: an SMPL model whose body wears the sensors, in the shape that an AMASS file tells; None takes the built-in
            one.
        mounting: how every box is turned (:mod:`sim.placements.mountings`); None leaves it along the bone.
        cutoff_hz: smoothing of the motion [Hz], see :func:`sim.simulate`.
        motion_out: file to write the motion to as well, ``.npz``.
        seed: decides the generated motion and the sensor's errors.
        sampling: how a motion is generated.
        decoder: how its features become joints (:func:`sim.features.features_to_joints`), by the prior's own weights;
            the recording and the motion say which.

    Returns:
        The recording that was written.

    Raises:
        FileNotFoundError: the motion file or the weights are missing.
        ValueError: an unknown name, a rate that is not positive, a suffix that is not known.
    """
    if options is not None and options != ReadOptions() and motion_path is None:
        raise ValueError("options of a motion file are given with a prompt; give --motion FILE, or leave them out")
    person = read_body(None if body is None else str(body))
    device = (ErrorsConfig("none") if sensor_errors is None else sensor_errors).make()
    worn = _wear(placements, mounting, person)
    _check_request(rate_hz=rate_hz, seed=seed, steps=sampling.steps, sources=(prompt, motion_path))
    _check_files(out, motion_out)
    if motion_path is not None:
        motion, person = _open_motion(motion_path, options, person if body is not None else None)
    else:
        motion = _generate(prompt or "", seconds=seconds, prior=prior, seed=seed, sampling=sampling, decoder=decoder)
    generator = torch.Generator().manual_seed(seed)
    recording = simulate(motion, person, worn, rate_hz=rate_hz, errors=device, generator=generator, cutoff_hz=cutoff_hz)
    if motion_out is not None:
        motion.save(motion_out)
    recording.save(out)
    return recording


def _wear(placements: Sequence[str], mounting: str | None, body: Body) -> list[Placement]:
    worn = [Placement.preset(name).mounted(mounting) for name in placements]
    for placement in worn:
        placement.on(body)
    return worn


def _open_motion(path: Path, options: ReadOptions | None, body: Body | None) -> tuple[Motion, Body]:
    """Read a motion file, and whose body wears the sensors: the one given, in the file's shape where it tells one."""
    options = options if options is not None else ReadOptions()
    if body is not None and path.is_file() and "body" in find_format(path).takes:
        options = replace(options, body=body)
    read = read_motion(path, options)
    warn_of(read, path)
    return read.motion, read.body if read.body is not None else body if body is not None else Body.default()


def _check_request(*, rate_hz: float, seed: int, steps: int | None, sources: tuple[str | None, Path | None]) -> None:
    """Refuse what cannot be, before anything is generated."""
    check_rate(rate_hz, "rate_hz")
    check_seed(seed)
    if steps is not None and not 1 <= steps <= MOST_STEPS:
        raise ValueError(f"steps is {steps}, expected 1 to {MOST_STEPS} network calls")
    if sources.count(None) != 1:
        raise ValueError("give a prompt or a motion file, and not both")


def _check_files(out: Path, motion_out: Path | None) -> None:
    if out.suffix not in (".parquet", ".csv"):
        raise ValueError(f"{out} ends in {out.suffix!r}, expected .parquet or .csv; rename it")
    if motion_out is not None and motion_out.suffix != ".npz":
        raise ValueError(f"{motion_out} ends in {motion_out.suffix!r}, expected .npz; rename it")


def load_motion(path: Path, options: ReadOptions | None = None) -> Motion:
    """Read a motion file of any format that :func:`datamodules.motion_files.read_motion` knows, and warn of what looks
    wrong with it.

    Args:
        path: the file.
        options: what it does not say of itself.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the suffix is another one, or the file is damaged.
    """
    read = read_motion(path, options)
    warn_of(read, path)
    return read.motion


def _generate(
    prompt: str, *, seconds: float, prior: str, seed: int, sampling: SamplingOptions, decoder: Decoder
) -> Motion:
    check_prompt(prompt, seconds)
    model = load_prior(prior)
    for doubt in find_doubts(prompt, model):
        _LOGGER.warning("%s", doubt)
    return generate_motion(prompt, model, seconds=seconds, seed=seed, sampling=sampling, decoder=decoder)


def check_prompt(prompt: str, seconds: float) -> None:
    """Refuse what nobody can be asked to generate.

    Raises:
        ValueError: the sentence is blank, or the length is not 1 to 60 s.
    """
    if not prompt.strip():
        raise ValueError('the prompt is blank, expected words; give --prompt "a person walks"')
    check_seconds(seconds)


def find_doubts(prompt: str, model: MotionGenerator) -> list[str]:
    """Say what sounds wrong about a sentence to the weights that it is for, a line each."""
    return [*doubts_about_words([prompt], model.texts), *doubts_about_activities([prompt], model.texts)]


def generate_motion(
    prompt: str, model: MotionGenerator, *, seconds: float, seed: int, sampling: SamplingOptions, decoder: Decoder
) -> Motion:
    """Return the motion ``(T, 22, 3, 3)`` at 20 fps that weights make of a sentence, as ``synth`` does."""
    frames = round(seconds * FEATURE_FPS) + 1
    features = model.generate([prompt], num_frames=frames, seeds=[seed], **asdict(sampling))
    motion = features_to_motion(features[0], text=prompt, decoder=decoder, std=model.statistics.std)
    for line in find_sinking(Body.default().joints(motion).double().numpy()):
        _LOGGER.warning("%r: %s", prompt, line)
    return motion
