"""A classifier out of any of its files, as a function from raw windows to probabilities."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lightning_modules import HARClassifier
from lightning_modules.weights.classifier import ClassifierSpec, read_classifier

if TYPE_CHECKING:
    import onnxruntime

SPEC_KEY: Final = "imuforge"
"""Under which an ONNX file's metadata hold the specification."""
SPEC_FILE: Final = "imuforge.json"
"""The same in a file of torch.export."""
SUFFIXES: Final = (".ckpt", ".onnx")
"""What is taken: opening a ``.pt2`` may unpickle, and so execute, what is in it."""

_CHUNK: Final = 1024


class PortableClassifier(nn.Module):
    """A HARClassifier with its normalisation inside: raw windows in SI units to probabilities.

    Args:
        network: from normalised windows ``(B, T, C)`` to logits ``(B, K)``.
        spec: what it takes and gives.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, spec: ClassifierSpec) -> None:
        super().__init__()
        self.network, self.spec = network, spec
        self.register_buffer("mean", torch.tensor(spec.mean, dtype=torch.float32))
        self.register_buffer("std", torch.tensor(spec.std, dtype=torch.float32))

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities and logits, each ``(B, K)``, of raw windows ``(B, T, C)`` [m/s^2, rad/s]."""
        logits: Tensor = self.network((windows - self.mean) / self.std)
        return logits.softmax(dim=1), logits


@dataclass(frozen=True)
class Classifier:
    """A classifier that is ready to be asked.

    Attributes:
        spec: what it takes and gives.
        apply: raw windows ``(B, T, C)``, float32, to probabilities ``(B, K)``.
    """

    spec: ClassifierSpec
    apply: Callable[[NDArray[np.float32]], NDArray[np.float32]]

    def predict(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities ``(N, K)`` of raw windows ``(N, T, C)`` in SI units, channels in the order of the spec."""
        parts = [self.apply(windows[begin : begin + _CHUNK]) for begin in range(0, len(windows), _CHUNK)]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.spec.classes)), np.float32)


def load_portable(path: Path) -> PortableClassifier:
    """Load a ``.ckpt`` of ``lightning fit`` with its normalisation inside.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged or of another class.
    """
    _require(path)
    if path.suffix != ".ckpt":
        raise ValueError(f"{path} ends in {path.suffix!r}, expected a .ckpt of `lightning fit -c experiments/har.yaml`")
    stored = read_classifier(path)
    spec = stored.spec
    model = HARClassifier(
        list(spec.classes),
        len(spec.channels),
        class_weights="none",
        **stored.arguments,  # type: ignore[arg-type]  # plain values of the checkpoint
    )
    try:
        model.load_state_dict(stored.parameters)
    except RuntimeError as error:
        first = str(error).splitlines()[1:2] or [str(error)]
        raise ValueError(f"{path} does not fit its own network ({first[0].strip()}); train it anew") from None
    return PortableClassifier(model.network.eval(), spec).eval()


def load_classifier(path: Path) -> Classifier:
    """Load a classifier: a ``.ckpt`` of ``lightning fit``, or an ``.onnx`` of ``imuforge export``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged or no classifier, or onnxruntime is wanted and not installed.
    """
    _require(path)
    if path.suffix == ".onnx":
        return _load_onnx(path)
    if path.suffix == ".ckpt":
        module = load_portable(path)
        return Classifier(module.spec, _run_module(module))
    hint = "; opening a .pt2 may execute what is in it, give the checkpoint" if path.suffix == ".pt2" else ""
    raise ValueError(f"classifier {path} ends in {path.suffix!r}, expected one of {', '.join(SUFFIXES)}{hint}")


def _require(path: Path) -> None:
    if path.is_dir():
        raise ValueError(f"classifier {path} is a folder, expected a file; {_say_checkpoint(path)}")
    if not path.is_file():
        raise FileNotFoundError(
            f"classifier {path} not found; give a checkpoint of `lightning fit -c experiments/har.yaml`, or what "
            "`imuforge export` wrote"
        )


def _say_checkpoint(folder: Path) -> str:
    """Say which file of a run's folder is meant."""
    found = sorted(path for path in folder.rglob("*.ckpt") if path.is_file())
    best = next((path for path in found if path.stem == "best"), found[-1] if found else None)
    return f"give {best}" if best else "it holds no checkpoint, give one of `lightning fit -c experiments/har.yaml`"


def _run_module(module: nn.Module) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    def apply(windows: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.no_grad():
            probabilities: NDArray[np.float32] = module(torch.from_numpy(windows))[0].numpy()
        return probabilities

    return apply


def _load_onnx(path: Path) -> Classifier:
    session = open_onnx(path)
    spec = ClassifierSpec.from_json(session.get_modelmeta().custom_metadata_map.get(SPEC_KEY, ""), where=path)

    def apply(windows: NDArray[np.float32]) -> NDArray[np.float32]:
        probabilities: NDArray[np.float32] = session.run(["probabilities"], {"windows": windows})[0]
        return probabilities

    return Classifier(spec, apply)


def open_onnx(path: Path) -> onnxruntime.InferenceSession:
    """Open an ONNX file on one CPU thread.

    Raises:
        ValueError: onnxruntime is not installed, or the file is damaged.
    """
    try:
        import onnxruntime
    except ImportError:
        raise ValueError(f"{path} needs onnxruntime, which is not installed; pip install 'imuforge[onnx]'") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    try:
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no base class but Exception
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path} is no whole ONNX file ({reason}); export it anew") from None


@contextmanager
def quiet_export() -> Iterator[None]:
    """Keep what torch.export says of its own internals from the user."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    levels = [each.level for each in loggers]
    try:
        for each in loggers:
            each.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
