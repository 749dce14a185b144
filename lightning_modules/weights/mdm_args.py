"""MDM's ``args.json``: what it says about a published checkpoint, read with suspicion and written for MDM's tools."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import torch
from torch import Tensor

from lightning_modules.networks.denoiser import ARCHITECTURES
from sim.files import read_text_file, whole_file

_LOGGER = logging.getLogger(__name__)
_Value = TypeVar("_Value", bool, int, float, str)

_NUM_HEADS: Final = 4  # in MDM's code, not in its args.json
_TEXT_ENCODERS: Final = {"clip": "clip", "bert": "distilbert"}
_STATISTICS: Final = (("Mean.npy", "Std.npy"), ("t2m_mean.npy", "t2m_std.npy"))
"""HumanML3D's files, and what MDM's own repository calls them."""
_KNOWN: Final = frozenset({
    "arch", "context_len", "cond_mask_prob", "dataset", "diffusion_steps", "emb_policy", "emb_trans_dec", "latent_dim",
    "layers", "mask_frames", "noise_schedule", "num_heads", "text_encoder_type", "unconstrained",
})  # fmt: skip
_REQUIRED: Final[dict[str, tuple[object, str]]] = {
    # What other values mean, for the message; a key that is missing has the value asked for.
    "noise_schedule": ("cosine", "another diffusion process"),
    "emb_policy": ("add", "another way of joining time and text"),
    "context_len": (0, "a model that continues a given motion"),
    "unconstrained": (False, "a model without text"),
}


def read_mdm_args(path: Path, dimensions: Mapping[str, int]) -> dict[str, str | int | float | bool]:
    """Return the constructor arguments of MotionDiffusion that an ``args.json`` states.

    Unknown keys are named in one log line and passed over.

    Args:
        path: the file.
        dimensions: ``width`` and ``num_layers`` of the weights beside it, which the file must agree with.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no JSON object, a value is of another type, or it describes a model that is not ours.
    """
    args = _read_object(path)
    unknown = sorted(args.keys() - _KNOWN)
    if unknown:
        _LOGGER.info("ignored keys of %s: %s", path, ", ".join(unknown))
    for key, (expected, meaning) in _REQUIRED.items():
        if args.get(key, expected) != expected:
            raise ValueError(
                f"{path} says {key}={args[key]!r}, expected {expected!r}: {meaning} cannot be loaded; "
                "use a checkpoint of a text-to-motion model"
            )
    for key, name in (("latent_dim", "width"), ("layers", "num_layers")):
        if _read(args, key, dimensions[name], path) != dimensions[name]:
            raise ValueError(
                f"{path} says {key}={args[key]}, but the weights beside it have {dimensions[name]}; "
                "copy the args.json that was published with them"
            )
    num_steps = _read(args, "diffusion_steps", 1000, path)
    if num_steps < 1:
        raise ValueError(f"{path} says diffusion_steps={num_steps}, expected at least 1; copy it again")
    encoder = _read(args, "text_encoder_type", "clip", path)
    return {
        "arch": _read_arch(args, path),
        "num_heads": _read(args, "num_heads", _NUM_HEADS, path),
        "num_steps": num_steps,
        "mask_frames": _read(args, "mask_frames", False, path),
        "cond_drop_prob": _read(args, "cond_mask_prob", 0.1, path),
        "text_encoder": _TEXT_ENCODERS.get(encoder, encoder),
    }


def write_mdm_args(path: Path, hyper_parameters: Mapping[str, object]) -> None:
    """Write the ``args.json`` of a model, from the constructor arguments of MotionDiffusion."""
    arch = str(hyper_parameters["arch"])
    kind = str(hyper_parameters["text_encoder"]).partition(":")[0]
    ours_to_mdm = {ours: theirs for theirs, ours in _TEXT_ENCODERS.items()}
    args = {
        "arch": "trans_enc" if arch == "trans_enc" else "trans_dec",
        "emb_trans_dec": arch.startswith("trans_dec_emb"),
        "dataset": "humanml",
        "latent_dim": hyper_parameters["width"],
        "layers": hyper_parameters["num_layers"],
        "num_heads": hyper_parameters["num_heads"],
        "diffusion_steps": hyper_parameters["num_steps"],
        "noise_schedule": "cosine",
        "mask_frames": hyper_parameters["mask_frames"],
        "cond_mask_prob": hyper_parameters["cond_drop_prob"],
        "text_encoder_type": ours_to_mdm.get(kind, kind),
    }
    if arch == "trans_dec_emb_text" and kind == "clip":
        # MDM's first release, which alone trained this architecture, knew no other encoder and had no such key.
        del args["text_encoder_type"]
    with whole_file(path) as part:
        part.write_text(json.dumps(args, indent=2), encoding="utf-8")


def read_mdm_statistics(folder: Path) -> tuple[Tensor, Tensor] | None:
    """Return mean and deviation ``(263,)`` of HumanML3D's features, where both files lie in a folder; else None.

    Raises:
        ValueError: one is no array of numbers.
    """
    for names in _STATISTICS:
        paths = [folder / name for name in names]
        if all(path.is_file() for path in paths):
            mean, std = (_read_array(path) for path in paths)
            return mean, std
    return None


def _read_array(path: Path) -> Tensor:
    try:
        return torch.from_numpy(np.load(path, allow_pickle=False).astype(np.float32))
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"{path} holds no array of numbers ({error}); copy HumanML3D's own") from None


def _read_object(path: Path) -> dict[str, object]:
    if not path.is_file():
        raise FileNotFoundError(f"{path} not found; MDM publishes it beside the weights, copy it there")
    text = read_text_file(path)
    try:
        args = json.loads(text)
    except ValueError as error:
        raise ValueError(
            f"{path} is no JSON ({error}), expected the args.json that MDM publishes beside the weights; copy it again"
        ) from None
    if not isinstance(args, dict):
        raise ValueError(f"{path} holds a {type(args).__name__}, expected a JSON object of arguments; copy it again")
    return args


def _read_arch(args: Mapping[str, object], path: Path) -> str:
    arch, with_token = _read(args, "arch", "trans_enc", path), _read(args, "emb_trans_dec", False, path)
    if arch not in ("trans_enc", "trans_dec"):
        raise ValueError(f"{path} says arch={arch!r}, expected 'trans_enc' or 'trans_dec' (here {list(ARCHITECTURES)})")
    if arch == "trans_enc" or not with_token:
        return arch
    # The token was time + text until MDM learnt of other encoders than CLIP; files from before do not name theirs.
    return "trans_dec_emb" if "text_encoder_type" in args else "trans_dec_emb_text"


def _read(args: Mapping[str, object], key: str, default: _Value, path: Path) -> _Value:
    """Return an argument of the default's type, or the default where it is missing."""
    value = args.get(key, default)
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    if type(value) is not type(default):
        raise ValueError(
            f"{path} says {key}={value!r}, expected a value of type {type(default).__name__}, such as {default!r}; "
            "copy the args.json that was published with the weights"
        )
    return value
