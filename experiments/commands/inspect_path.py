"""Say what is in a file or run, in a few lines: what ``imuforge inspect`` prints."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor

from datamodules.motion_files import known_suffixes
from datamodules.motion_files.motion_file import ReadOptions, suffix_of
from experiments.bandwidth.spectral_gain import compare_spectrum
from experiments.classifier.model import load_classifier
from experiments.commands.synth import load_motion
from experiments.dataset.describe import describe_dataset, is_dataset
from experiments.har_eval.report.text import state_findings
from experiments.har_eval.results import RESULTS, read_results
from lightning_modules.checkpoints import load_card, read_stored
from lightning_modules.weights import find_weights
from lightning_modules.weights.classifier import is_classifier
from lightning_modules.weights.latent import LatentWeights
from sim.body import Body
from sim.motion import Motion
from sim.recording import ImuRecording

KINDS = (
    "a motion (.npz, .bvh, ...), a recording (.parquet, .csv), weights (packaged by name, .safetensors, .ckpt, .pt), a "
    "classifier (.ckpt, .onnx) or the folder of a data set or of a run of har_eval"
)


def inspect_path(path: Path, options: ReadOptions | None = None) -> list[str]:
    """Describe a motion, a recording, a data set, weights, a classifier, or a run of har_eval.

    Args:
        path: file or folder, or the name of packaged weights.
        options: what a motion file does not say of itself.

    Raises:
        FileNotFoundError: there is nothing at the path.
        ValueError: it is nothing that this program writes or reads.
    """
    if not path.exists():
        try:
            return _describe_weights(find_weights(path))
        except FileNotFoundError:
            raise FileNotFoundError(f"{path} not found, expected {KINDS}") from None
    if is_dataset(path):
        return describe_dataset(path)
    if path.is_dir() and not (path / RESULTS).is_file():
        raise ValueError(f"{path} is a folder, expected {KINDS}; of a training run give its checkpoint")
    if path.is_dir() or path.name == RESULTS:
        return _describe_run(path)
    if path.suffix != ".csv" and suffix_of(path) in known_suffixes():
        return _describe_motion(path, load_motion(path, options))
    if options is not None and options != ReadOptions():
        raise ValueError(f"{path} is no motion file, and options of one are given; leave them out")
    if path.suffix == ".parquet" and any(map(is_dataset, path.parents[:2])):
        raise ValueError(f"{path} is a table of a data set; give its folder, or read it with pandas.read_parquet")
    if path.suffix in (".parquet", ".csv"):
        return _describe_recording(path, ImuRecording.load(path))
    if path.suffix == ".onnx" or (path.suffix == ".ckpt" and is_classifier(path)):
        return _describe_classifier(path)
    if path.suffix in (".safetensors", ".ckpt", ".pt"):
        return _describe_weights(path)
    raise ValueError(f"{path} ends in {path.suffix!r}, expected {KINDS}")


def _describe_motion(path: Path, motion: Motion) -> list[str]:
    joints = Body.default().joints(motion)
    lines = [
        f"{path}: motion, rotations {tuple(motion.rotations.shape)}, {motion.num_frames} frames at {motion.fps:g} fps, "
        f"{motion.duration_s:.2f} s; carries nothing above {motion.fps / 2:g} Hz",
    ]
    if motion.text is not None:
        texts = [motion.text] if isinstance(motion.text, str) else list(dict.fromkeys(motion.text))
        lines.append(f"text: {'; '.join(texts[:4])}{' ...' if len(texts) > 4 else ''}")
    lines += _describe_decoder(motion.decoder)
    if motion.num_frames > 2:
        step = torch.linalg.vector_norm(joints.diff(dim=-3), dim=-1) * motion.fps
        bend = torch.linalg.vector_norm(joints.diff(n=2, dim=-3), dim=-1) * motion.fps**2
        ground = torch.linalg.vector_norm(motion.translation.diff(dim=-2)[..., [0, 2]], dim=-1) * motion.fps
        lines.append(
            f"speed of the pelvis over ground {float(ground.mean()):.2f} m/s; joints: speed up to "
            f"{float(step.max()):.2f} m/s, acceleration up to {float(bend.max()):.1f} m/s^2"
        )
        single = joints.reshape(-1, *joints.shape[-3:])[0].double().numpy()
        compared = compare_spectrum(single, motion.fps)
        lines.append(compared if isinstance(compared, str) else compared.describe())
    lines.append(f"lowest joint {float(joints[..., 1].min()):+.3f} m, highest {float(joints[..., 1].max()):+.3f} m")
    return [*lines, *_describe_terms(motion.licence)]


def _describe_recording(path: Path, recording: ImuRecording) -> list[str]:
    samples = recording.accel.shape[-3]
    batch = f", batch {recording.batch_shape}" if recording.batch_shape else ""
    lines = [
        f"{path}: recording, {samples} samples at {recording.rate_hz:g} Hz, {(samples - 1) / recording.rate_hz:.2f} s, "
        f"{len(recording.names)} sensors{batch}"
    ]
    lines += [*_describe_decoder(recording.decoder), *_describe_terms(recording.licence)]
    for index, name in enumerate(recording.names):
        accel, gyro = (
            torch.linalg.vector_norm(value[..., index, :], dim=-1) for value in (recording.accel, recording.gyro)
        )
        lines.append(
            f"{name}: |accel| mean {float(accel.nanmean()):.2f}, largest {_largest(accel):.2f} m/s^2; "
            f"|gyro| mean {float(gyro.nanmean()):.2f}, largest {_largest(gyro):.2f} rad/s"
            f"{_describe_gaps(accel)}"
            f"{_describe_placement(recording, index)}"
        )
    return lines


def _describe_decoder(decoder: str | None) -> list[str]:
    return [] if decoder is None else [f"decoded from features: {decoder}"]


def _describe_terms(licence: str | None) -> list[str]:
    return [] if licence is None else [f"terms of the motion: {licence}"]


def _largest(values: Tensor) -> float:
    return float(values.nan_to_num(-torch.inf).max())


def _describe_gaps(values: Tensor) -> str:
    lost = int(values.isnan().sum())
    return f"; {lost} of {values.numel()} samples lost" if lost else ""


def _describe_placement(recording: ImuRecording, index: int) -> str:
    if not recording.placements:
        return ""
    told = recording.placements[index]
    where = f"bone {told['bone']}" if told["kind"] == "bone" else f"triangle {told['triangle']}"
    mounting = told["mounting"]
    turned = "along the bone" if mounting is None else mounting if isinstance(mounting, str) else "by a matrix"
    return f"; on {where}, mounted {turned}{', swinging' if told['attachment'] is not None else ''}"


def _describe_weights(path: Path) -> list[str]:
    weights = read_stored(path)
    coder = weights.autoencoder if isinstance(weights, LatentWeights) else {}
    count = sum(value.numel() for part in (weights.parameters, coder) for value in part.values())
    arguments = ", ".join(f"{key}={value}" for key, value in weights.hyper_parameters.items() if key != "loss_weights")
    kind = " and of its autoencoder" if coder else ""
    lines = [f"{path}: weights of {count:,} parameters{kind}", arguments]
    if path.suffix == ".safetensors":
        lines.append(f"card: {json.dumps(load_card(path))}")
    return lines


def _describe_classifier(path: Path) -> list[str]:
    spec = load_classifier(path).spec
    return [
        f"{path}: classifier of {', '.join(spec.classes)}",
        f"takes {spec.window_s:g} s at {spec.rate_hz:g} Hz of {', '.join(spec.channels)} (SI)",
    ]


def _describe_run(path: Path) -> list[str]:
    results = read_results(path)
    origin = results["provenance"]
    head = (
        f"run {results['id']} of {origin['created']}, seeds {results['seeds']}, "
        f"arms {', '.join(arm['name'] for arm in results['arms'])}, "
        f"commit {origin['git_commit'] or 'unknown'}, sources {origin.get('sources', 'unknown')[:16]}"
    )
    return [head, *state_findings(results)]
