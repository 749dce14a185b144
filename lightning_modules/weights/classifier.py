"""A HARClassifier out of a file, and the windows that it is of: channels, rate, length, normalisation, classes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final, Self

import torch
from torch import Tensor

from lightning_modules.weights.kinds import class_of, say_class
from lightning_modules.weights.read import Plain, load_plainly

SPEC_FORMAT: Final = "imuforge-classifier-1"

_ARGUMENTS: Final = ("network", "filters", "units", "layers", "dropout")
"""Constructor arguments of HARClassifier that its network is made by."""


@dataclass(frozen=True)
class ClassifierSpec:
    """What a classifier takes and gives.

    Attributes:
        classes: names, in the order of the outputs ``(K,)``.
        channels: names of the inputs, in order ``(C,)``: ``accel_x`` [m/s^2] and ``gyro_x`` [rad/s] in the sensor
            frame, ``left_wrist.accel_x`` and so on where there are several sensors.
        rate_hz: samples per second of a window [Hz].
        samples: T, samples of a window.
        mean: of each channel, which is taken off ``(C,)``.
        std: of each channel, which is divided by ``(C,)``.
    """

    classes: tuple[str, ...]
    channels: tuple[str, ...]
    rate_hz: float
    samples: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def window_s(self) -> float:
        """Length of a window [s]."""
        return self.samples / self.rate_hz

    def to_json(self) -> str:
        """What an exported file says of itself."""
        units = ["rad/s" if "gyro_" in name else "m/s^2" for name in self.channels]
        return json.dumps({"format": SPEC_FORMAT, **asdict(self), "units": units})

    @classmethod
    def from_json(cls, text: str, *, where: object) -> Self:
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: it is none of ours.
        """
        try:
            said = json.loads(text)
        except json.JSONDecodeError:
            said = None
        keys = {each.name for each in fields(cls)}
        if not isinstance(said, dict) or said.get("format") != SPEC_FORMAT or not keys <= said.keys():
            raise ValueError(f"{where} was not written by imuforge export, expected a classifier; export it anew")
        classes, channels, mean, std = (tuple(said[name]) for name in ("classes", "channels", "mean", "std"))
        return cls(classes, channels, float(said["rate_hz"]), int(said["samples"]), mean, std)


@dataclass(frozen=True)
class ClassifierWeights:
    """What a checkpoint holds of a HARClassifier.

    Attributes:
        parameters: state dict of the module.
        arguments: constructor arguments that make its network.
        spec: what it takes and gives.
    """

    parameters: dict[str, Tensor]
    arguments: dict[str, Plain]
    spec: ClassifierSpec


def is_classifier(path: Path) -> bool:
    """Whether a checkpoint is of a HARClassifier.

    Raises:
        ValueError: it cannot be read.
    """
    return class_of(load_plainly(path)) == "HARClassifier"


def read_classifier(path: Path) -> ClassifierWeights:
    """Read a ``.ckpt`` of ``lightning fit`` with a HARClassifier and a data module of windows.

    Raises:
        ValueError: the file is damaged, of another class, or does not say what windows it was trained on.
    """
    content = load_plainly(path)
    state, arguments = content.get("state_dict"), content.get("hyper_parameters")
    ours = class_of(content) == "HARClassifier"
    if not (ours and isinstance(state, Mapping) and isinstance(arguments, Mapping)):
        raise ValueError(
            f"{path} is no checkpoint of HARClassifier{say_class(content)}; expected one that `lightning fit -c "
            "experiments/har.yaml` wrote"
        )
    odd = [name for name, value in state.items() if value.is_floating_point() and not bool(value.isfinite().all())]
    if odd:
        raise ValueError(
            f"{path} holds NaN or infinity in {odd[0]}, expected finite numbers; take an earlier checkpoint"
        )
    made = {name: arguments[name] for name in _ARGUMENTS if name in arguments}
    return ClassifierWeights(dict(state), made, _spec_of(content, arguments, path))


def _spec_of(content: Mapping[str, object], arguments: Mapping[str, Plain], path: Path) -> ClassifierSpec:
    data = next(
        (part for part in content.values() if isinstance(part, Mapping) and {"mean", "std", "channels"} <= part.keys()),
        None,
    )
    if data is None:
        raise ValueError(
            f"{path} keeps no normalisation: it was trained without a data module of windows; train it with "
            "RealIMUDataModule, VirtualIMUDataModule or WindowDataModule"
        )
    rate_hz, samples = data.get("rate_hz"), data.get("samples")
    if rate_hz is None or samples is None:  # a checkpoint of before they were kept
        options = content.get("datamodule_hyper_parameters")
        options = options if isinstance(options, Mapping) else {}
        cut = options.get("cut")
        cut = cut if isinstance(cut, Mapping) else options
        rate_hz = cut.get("rate_hz")
        if rate_hz is None or cut.get("window_s") is None:
            raise ValueError(f"{path} does not say the rate and length of its windows; train it anew")
        samples = round(cut["window_s"] * rate_hz)
    classes = data.get("classes") or arguments.get("classes")
    if not isinstance(classes, list):
        raise ValueError(f"{path} does not say its classes, expected a list of names; train it anew")
    mean, std = (tuple(torch.as_tensor(data[name]).double().tolist()) for name in ("mean", "std"))
    return ClassifierSpec(tuple(map(str, classes)), tuple(data["channels"]), float(rate_hz), int(samples), mean, std)
