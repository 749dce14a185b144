"""A classifier as one file for other programs, ONNX or torch.export, checked against the module before it is kept."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch

from experiments.classifier.model import SPEC_FILE, SPEC_KEY, PortableClassifier, load_portable, open_onnx, quiet_export
from sim.files import whole_file
from sim.names import check_name

Format = Literal["onnx", "torch"]
FORMATS: Final[Mapping[Format, str]] = {"onnx": ".onnx", "torch": ".pt2"}
"""Formats, and how their files end."""

TOLERANCE: Final = 1e-5
"""Largest difference of outputs from the module's, and the same share of what is larger than 1."""

_BATCHES: Final = (1, 3)
_NEEDED: Final = ("onnx", "onnxscript", "onnxruntime")


def export_classifier(model: Path, file_format: Format = "onnx", out: Path | None = None) -> tuple[Path, float]:
    """Write a classifier with normalisation, channel order, rate, window and classes inside.

    The graph takes ``windows (batch, T, C)``, float32, raw in SI units, and gives ``probabilities`` and ``logits``,
    each ``(batch, K)``. What the channels, the rate and the classes are stands in the metadata.

    Args:
        model: ``.ckpt`` of ``lightning fit`` with a HARClassifier.
        file_format: ``onnx``, or ``torch`` for a file of :func:`torch.export.save`.
        out: file to write; None for one beside the checkpoint. It appears whole or not at all.

    Returns:
        The file, and the largest difference of its outputs from the module's on random windows.

    Raises:
        FileNotFoundError: there is no such checkpoint.
        ValueError: it is of another class, a library is missing, the name does not end as the format's files do, or the
            file's outputs differ from the module's by more than :data:`TOLERANCE`.
    """
    check_name(file_format, tuple(FORMATS), "format")
    suffix = FORMATS[file_format]
    target = model.with_suffix(suffix) if out is None else out
    if target.suffix != suffix:
        raise ValueError(f"{target} ends in {target.suffix!r}, expected {suffix} for format {file_format}; rename it")
    if file_format == "onnx":
        missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
        if missing:
            raise ValueError(f"format onnx needs {', '.join(missing)}, not installed; pip install 'imuforge[onnx]'")
    module = load_portable(model)
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target) as part:
        (_write_onnx if file_format == "onnx" else _write_torch)(module, part)
        largest = _compare(module, part, file_format)
    return target, largest


def _example(module: PortableClassifier, batch: int) -> torch.Tensor:
    # As large as windows are: normalised, each channel is of the standard normal distribution.
    spec = module.spec
    noise = torch.randn(batch, spec.samples, len(spec.channels), generator=torch.Generator().manual_seed(batch))
    return noise * module.std + module.mean


def _dynamic() -> dict[str, dict[int, torch.export.Dim]]:
    return {"windows": {0: torch.export.Dim("batch", min=1, max=1 << 20)}}


def _write_torch(module: PortableClassifier, path: Path) -> None:
    with quiet_export():
        program = torch.export.export(module, (_example(module, 2),), dynamic_shapes=_dynamic())
        with path.open("wb") as file:
            torch.export.save(program, file, extra_files={SPEC_FILE: module.spec.to_json()})


def _write_onnx(module: PortableClassifier, path: Path) -> None:
    import onnx

    with quiet_export():
        program = torch.onnx.export(
            module,
            (_example(module, 2),),
            input_names=["windows"],
            output_names=["probabilities", "logits"],
            dynamic_shapes=_dynamic(),
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise ValueError("torch.onnx.export gave nothing; update torch")
    proto, spec = program.model_proto, module.spec
    readable = {
        SPEC_KEY: spec.to_json(),
        "classes": json.dumps(spec.classes),
        "channels": json.dumps(spec.channels),
        "rate_hz": f"{spec.rate_hz:g}",
        "samples": str(spec.samples),
    }
    onnx.helper.set_model_props(proto, readable)
    onnx.checker.check_model(proto)
    path.write_bytes(proto.SerializeToString())


def _compare(module: PortableClassifier, path: Path, file_format: Format) -> float:
    largest = 0.0
    for batch in _BATCHES:
        windows = _example(module, batch)
        with torch.no_grad():
            wanted = [each.numpy() for each in module(windows)]
        found = _run_file(path, windows, file_format)
        for name, value, expected in zip(("probabilities", "logits"), found, wanted, strict=True):
            apart = np.abs(value - expected) / np.maximum(1.0, np.abs(expected))
            if not float(apart.max()) <= TOLERANCE:
                raise ValueError(
                    f"{name} of the exported file differ from the module's by {float(apart.max()):.2g}, expected at "
                    f"most {TOLERANCE:g}; nothing was kept, export to the other format"
                )
            largest = max(largest, float(apart.max()))
    return largest


def _run_file(path: Path, windows: torch.Tensor, file_format: Format) -> list[np.typing.NDArray[np.float32]]:
    if file_format == "onnx":
        return open_onnx(path).run(["probabilities", "logits"], {"windows": windows.numpy()})
    with quiet_export(), path.open("rb") as file, torch.no_grad():
        return [each.numpy() for each in torch.export.load(file).module()(windows)]
