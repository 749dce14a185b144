"""Package a trained prior: float16 weights with their model card inside, and the card as a page with its curve.

    python -m experiments.tools.export_prior RUN NAME

RUN is the folder of a finished ``lightning fit`` of MotionDiffusion (``runs/prior``), NAME what ``init_from`` will call
the weights. Everything on the card is read from the run: its configuration, its TensorBoard log, its data.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import matplotlib.pyplot as plt
import torch
import yaml
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from datamodules import MotionDataModule
from experiments.pipeline.provenance import describe_run
from lightning_modules.callbacks.precision import ChoosePrecision
from lightning_modules.checkpoints import save_prior
from lightning_modules.config_errors import readable_errors
from lightning_modules.motion_diffusion import MotionDiffusion
from lightning_modules.training.flat_names import MOTION_DIFFUSION
from lightning_modules.weights import Plain, read_weights
from sim.options import flatten

ROOT: Final = Path(__file__).resolve().parents[2]
MAX_BYTES: Final = 5_000_000
CURVES: Final = ("val/reconstruction", "val/paired_acc/rmse")
OBJECTIVE: Final = (
    "skip", "level_weights", "snr_from", "snr_weighted", "huber_delta", "loss_warmup_steps", "sensor_loss", "trainable",
)  # fmt: skip
"""Arguments of the model that say how it was trained; the card lists those that were set."""
PLATEAU_SHARE: Final = 0.2
"""The last fifth of the steps, in which a prior at its plateau improves by under 1% (docs/architecture.md, rule 2)."""


@dataclass(frozen=True)
class Run:
    """A finished training run.

    Attributes:
        checkpoint: its last checkpoint.
        steps: optimiser steps that led to it.
        model: constructor arguments of the model.
        data: constructor arguments of the data module.
        trainer: arguments of the trainer.
        precision: what it trained in; None is Lightning's default.
        seed: what ``seed_everything`` was given.
        curves: step and value of each validation score in :data:`CURVES`.
    """

    checkpoint: Path
    steps: int
    model: dict[str, Plain]
    data: dict[str, Plain]
    trainer: dict[str, Plain]
    precision: Plain
    seed: int
    curves: dict[str, list[tuple[int, float]]]


def read_run(folder: Path) -> Run:
    """Read the configuration, the log and the place of the checkpoint of a run.

    Raises:
        FileNotFoundError: the folder lacks a configuration or a last checkpoint.
        ValueError: its log has no validation score.
    """
    checkpoint, config = folder / "checkpoints" / "last.ckpt", folder / "config.yaml"
    for path in (checkpoint, config):
        if not path.is_file():
            raise FileNotFoundError(f"{path} not found; give the folder of a finished `lightning fit`")
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    log = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    log.Reload()
    known = set(log.Tags()["scalars"])
    curves = {name: [(event.step, event.value) for event in log.Scalars(name)] for name in CURVES if name in known}
    if CURVES[0] not in curves:
        raise ValueError(f"the log in {folder} has no {CURVES[0]}; let the run validate at least once")
    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    chosen = content.get("callbacks", {}).get(ChoosePrecision.__qualname__, {})
    return Run(
        checkpoint=checkpoint,
        steps=int(content["global_step"]),
        model=flatten(settings["model"]["init_args"], MOTION_DIFFUSION),
        data=settings["data"]["init_args"],
        trainer=settings["trainer"],
        precision=chosen.get("precision", settings["trainer"].get("precision")),
        seed=int(settings["seed_everything"]),
        curves=curves,
    )


def late_improvement(curve: Sequence[tuple[int, float]], *, share: float = PLATEAU_SHARE) -> float:
    """Return by what part a falling score fell over the last ``share`` of the steps; negative where it rose."""
    last_step, last = curve[-1]
    before = [value for step, value in curve if step <= (1 - share) * last_step]
    return 1 - last / (before[-1] if before else curve[0][1])


def make_card(run: Run, module: MotionDataModule, *, note: str) -> dict[str, Plain]:
    """Return what a user of the weights has to know, as plain values; ``note`` is what no file of the run tells."""
    library = module.library
    trained_on = library.side("train", looped=False)
    return {
        "data": {
            "licences": _names(clip.licence for clip in trained_on),
            "sources": _names(clip.source for clip in trained_on),
            "minutes_per_activity": {key: round(value, 2) for key, value in library.minutes("train").items()},
            "constructed": _names(clip.activity for clip in trained_on if clip.constructed),
            "clips": _names(clip.name for clip in trained_on),
        },
        "training": {
            "init_from": run.model.get("init_from"),
            "loss_weights": run.model["loss_weights"],
            **{name: run.model[name] for name in OBJECTIVE if run.model.get(name)},
            "steps": run.steps,
            "batch_size": run.data["batch_size"],
            "window_s": run.data["window_s"],
            "lr": run.model["lr"],
            "seed": run.seed,
            "precision": run.precision,
        },
        "note": note,
        "curves": {name: [[step, round(value, 5)] for step, value in curve] for name, curve in run.curves.items()},
        "improvement_over_last_fifth": round(late_improvement(run.curves[CURVES[0]]), 4),
        "versions": dict(describe_run({}, total_wall_s=0.0)["versions"]),
    }


def _names(values: Iterable[str]) -> list[Plain]:
    return [*sorted(set(values))]


def draw_curves(run: Run, path: Path) -> None:
    """Draw the validation scores over the steps, the last fifth shaded."""
    figure, axes = plt.subplots(1, len(run.curves), figsize=(4.5 * len(run.curves), 3), layout="constrained")
    for axis, (name, curve) in zip(figure.axes if len(run.curves) > 1 else [axes], run.curves.items(), strict=True):
        steps, values = zip(*curve, strict=True)
        axis.plot(steps, values, marker=".")
        axis.axvspan((1 - PLATEAU_SHARE) * steps[-1], steps[-1], alpha=0.1)
        axis.set(xlabel="step", title=name)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def write_page(name: str, card: dict[str, Plain], path: Path) -> None:
    """Write the card as Markdown beside its curve; the clips' names stay in the weights' metadata."""
    data, training = card["data"], card["training"]
    if not isinstance(data, dict) or not isinstance(training, dict) or not isinstance(card["curves"], dict):
        raise TypeError("the card's data, training and curves must be tables, as make_card writes them")
    minutes = data["minutes_per_activity"]
    rows = [f"| {key} | {value} |" for key, value in minutes.items()] if isinstance(minutes, dict) else []
    text = [
        f"# Model card: `{name}`",
        f"Made by `python -m experiments.tools.export_prior`; the same card, with the names of all training clips, "
        f"is in the metadata of `lightning_modules/assets/{name}.safetensors` "
        "(`lightning_modules.checkpoints.load_card`).",
        f"![validation curves]({name}.png)",
        "Validation improves by "
        f"{100 * float(str(card['improvement_over_last_fifth'])):.2f}% over the last fifth of the steps (shaded).",
        "## Training",
        "\n".join(f"- {key}: `{value}`" for key, value in training.items()),
        *([str(card["note"])] if card["note"] else []),
        "## Data",
        "\n".join(f"- {licence}" for licence in _lines(data["licences"])),
        f"Constructed, not recorded, at least in part: {', '.join(_lines(data['constructed'])) or 'nothing'}.",
        "\n".join(["| activity | minutes of training clips |", "|---|---|", *rows]),
    ]
    path.write_text("\n\n".join(text) + "\n", encoding="utf-8")


def _lines(value: Plain) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def export(folder: Path, name: str, *, assets: Path, docs: Path, note: str = "") -> Path:
    """Package one run as ``assets/NAME.safetensors``, its page as ``docs/NAME.md``.

    Raises:
        FileNotFoundError: the run is not finished, or its data are gone.
        ValueError: the weights are larger than may be shipped.
    """
    run = read_run(folder)
    model = MotionDiffusion(**{**run.model, "init_from": None})  # type: ignore[arg-type]  # as LightningCLI parsed them
    model.load_weights(read_weights(run.checkpoint), source=str(run.checkpoint))
    module = MotionDataModule(**run.data)  # type: ignore[arg-type]
    module.prepare_data()
    module.setup()
    card = make_card(run, module, note=note)
    target = assets / f"{name}.safetensors"
    save_prior(model, target, card)
    target.chmod(0o644)
    if target.stat().st_size > MAX_BYTES:
        raise ValueError(f"{target} has {target.stat().st_size} bytes, expected at most {MAX_BYTES}; narrow the model")
    docs.mkdir(parents=True, exist_ok=True)
    draw_curves(run, docs / f"{name}.png")
    write_page(name, card, docs / f"{name}.md")
    return target


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line.

    Raises:
        SystemExit: with code 2 and one line on stderr when the input is at fault.
    """
    parser = argparse.ArgumentParser(prog="python -m experiments.tools.export_prior", description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a finished fit, for example runs/prior")
    parser.add_argument("name", help="name of the packaged weights, for example prior")
    parser.add_argument("--assets", type=Path, default=ROOT / "lightning_modules" / "assets")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "models")
    parser.add_argument("--note", default="", help="what no file of the run tells, for the card")
    options = parser.parse_args(args)
    with readable_errors():
        target = export(options.run, options.name, assets=options.assets, docs=options.docs, note=options.note)
        Console().print(f"{target} ({target.stat().st_size / 1e6:.1f} MB), {options.docs / (options.name + '.md')}")


if __name__ == "__main__":
    main()
