"""Package a trained model: float16 weights with their model card inside, and the card as a page with its curve.

    python -m experiments.tools.export_prior RUN NAME
    python -m experiments.tools.export_prior RUN NAME --assets runs/weights --docs runs/weights
    python -m experiments.tools.export_prior RUN NAME --out FOLDER

RUN is the folder of a finished ``lightning fit`` (``runs/prior``) of MotionDiffusion, LatentMotionDiffusion or
MotionVAE, NAME what ``init_from`` will call the weights. Everything on the card is read from the run: its
configuration, its TensorBoard log, its data. With ``--out`` all of it goes into one folder in the layout of the Hugging
Face hub (``model.safetensors``, ``config.json``, ``README.md``), which everything that takes weights takes as well.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import torch
import yaml
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from datamodules import MotionDataModule
from experiments.pipeline.files import write_text
from experiments.tools.model_card import Run, draw_curves, hours_of, make_card, write_page
from lightning_modules.callbacks.precision import ChoosePrecision
from lightning_modules.checkpoints import load_prior, load_vae, save_prior, save_vae
from lightning_modules.config_errors import readable_errors
from lightning_modules.training.flat_names import LATENT_MOTION_DIFFUSION, MOTION_DIFFUSION, MOTION_VAE
from lightning_modules.weights import Plain
from lightning_modules.weights.find import CONFIG
from lightning_modules.weights.read import read_metadata
from sim.options import FlatNames, flatten

ROOT: Final = Path(__file__).resolve().parents[2]
ASSETS: Final = ROOT / "lightning_modules" / "assets"
DOCS: Final = ROOT / "docs" / "models"
MAX_BYTES: Final = 20_000_000
"""Of weights in :data:`ASSETS`, which ship."""
ARGUMENTS: Final[Mapping[str, FlatNames]] = {
    "MotionDiffusion": MOTION_DIFFUSION,
    "LatentMotionDiffusion": LATENT_MOTION_DIFFUSION,
    "MotionVAE": MOTION_VAE,
}
"""Flat names of the arguments of each class that can be packaged."""

_EVERY: Final = "train/loss"


def read_run(folder: Path) -> Run:
    """Read the configuration, the log and the place of the checkpoint of a run.

    Raises:
        FileNotFoundError: the folder lacks a configuration or a last checkpoint.
        ValueError: it is of another class, or its log has no validation score.
    """
    checkpoint, config = folder / "checkpoints" / "last.ckpt", folder / "config.yaml"
    for path in (checkpoint, config):
        if not path.is_file():
            raise FileNotFoundError(f"{path} not found; give the folder of a finished `lightning fit`")
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    kind = str(settings["model"]["class_path"]).rpartition(".")[2]
    if kind not in ARGUMENTS:
        raise ValueError(f"{folder} is a run of {kind}, expected one of {list(ARGUMENTS)}")
    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    chosen = content.get("callbacks", {}).get(ChoosePrecision.__qualname__, {})
    model: dict[str, Plain] = flatten(settings["model"]["init_args"], ARGUMENTS[kind])
    curves, hours = _read_log(folder, _minimised(kind, model))
    return Run(
        kind=kind,
        checkpoint=checkpoint,
        steps=int(content["global_step"]),
        asked=int(settings["trainer"].get("max_steps") or -1),
        model=model,
        data=settings["data"]["init_args"],
        precision=chosen.get("precision", settings["trainer"].get("precision")),
        seed=int(settings["seed_everything"]),
        curves=curves,
        hours=hours,
    )


def _minimised(kind: str, model: Mapping[str, Plain]) -> str:
    weights = model.get("loss_weights")
    if kind == "LatentMotionDiffusion":
        return "val/latent"
    return "val/noise" if isinstance(weights, dict) and weights.get("noise") else "val/reconstruction"


def _read_log(folder: Path, first: str) -> tuple[dict[str, list[tuple[int, float]]], float | None]:
    log = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    log.Reload()
    known = set(log.Tags()["scalars"])
    if first not in known:
        raise ValueError(f"the log in {folder} has no {first}; let the run validate at least once")
    wanted = dict.fromkeys((first, "val/reconstruction", "val/paired_acc/rmse"))
    # A resumed run writes some steps twice; the later one counts.
    found = {name: {event.step: event.value for event in log.Scalars(name)} for name in wanted if name in known}
    times = [event.wall_time for name in known & {first, _EVERY} for event in log.Scalars(name)]
    return {name: sorted(curve.items()) for name, curve in found.items()}, hours_of(times)


def export(
    folder: Path, name: str, *, assets: Path = ASSETS, docs: Path = DOCS, out: Path | None = None, note: str = ""
) -> Path:
    """Package one run as ``assets/NAME.safetensors``, its page as ``docs/NAME.md``.

    Args:
        folder: of the run.
        name: of the weights.
        assets: where weights go.
        docs: where the page goes.
        out: a folder for all of it, ``model.safetensors``, ``config.json`` and ``README.md``, in place of the two.
        note: what no file of the run tells.

    Raises:
        FileNotFoundError: the run is not finished, or its data are gone.
        ValueError: the run cannot be packaged, or the weights are larger than may be shipped.
    """
    run = read_run(folder)
    module = MotionDataModule(**run.data)  # type: ignore[arg-type]  # as LightningCLI parsed them
    module.prepare_data()
    module.setup()
    target = assets / f"{name}.safetensors" if out is None else out / "model.safetensors"
    if run.kind == "MotionVAE":
        card = make_card(run, module, activities=(), note=note)
        save_vae(load_vae(run.checkpoint), target, card)
    else:
        model = load_prior(run.checkpoint)
        card = make_card(run, module, activities=model.texts.activities, note=note)
        save_prior(model, target, card)
    target.chmod(0o644)
    if out is not None:
        metadata = read_metadata(target)
        content = {key: metadata[key] if key == "format" else json.loads(metadata[key]) for key in metadata}
        write_text(json.dumps(content, indent=1) + "\n", out / CONFIG)
    size = target.stat().st_size
    if size > MAX_BYTES and target.parent.resolve() == ASSETS:
        target.unlink()
        raise ValueError(
            f"{target} has {size} bytes, expected at most {MAX_BYTES} in the package; narrow it, or give --out"
        )
    page = docs / f"{name}.md" if out is None else out / "README.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    draw_curves(run, page.with_name(f"{name}.png"))
    shown = target.relative_to(ROOT) if target.is_relative_to(ROOT) else Path(target.name)
    write_page(name, card, page, weights=str(shown))
    return target


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line.

    Raises:
        SystemExit: with code 2 and one line on stderr when the input is at fault.
    """
    parser = argparse.ArgumentParser(prog="python -m experiments.tools.export_prior", description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a finished fit, for example runs/prior")
    parser.add_argument("name", help="name of the packaged weights, for example prior")
    parser.add_argument("--assets", type=Path, default=ASSETS, help="where weights go")
    parser.add_argument("--docs", type=Path, default=DOCS, help="where the page goes")
    parser.add_argument("--out", type=Path, help="a folder for all of it, as on the Hugging Face hub, of any size")
    parser.add_argument("--note", default="", help="what no file of the run tells, for the card")
    options = parser.parse_args(args)
    with readable_errors():
        target = export(
            options.run, options.name, assets=options.assets, docs=options.docs, out=options.out, note=options.note
        )
        page = options.docs / f"{options.name}.md" if options.out is None else options.out / "README.md"
        Console().print(f"{target} ({target.stat().st_size / 1e6:.1f} MB), {page}")


if __name__ == "__main__":
    main()
