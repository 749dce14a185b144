"""Sweep the weight of one acceleration loss: ``python -m experiments.tools.sweep_acc -c experiments/sweep_acc.yaml``.

Each weight is a run of ``lightning fit`` with the same YAML and the same seed in a folder of its own; everything in the
table comes from validation clips and from generated motion, so that the test clips stay unseen.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import yaml
from omegaconf import OmegaConf
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from experiments.pipeline.one_line_errors import one_line_errors
from experiments.pipeline.tables import BenchTable
from experiments.tools.compare_peaks import PROMPTS, SITES, measure_peaks, reference_clips
from lightning_modules.cli import main as lightning
from lightning_modules.motion_diffusion import MotionDiffusion
from lightning_modules.objective import check_loss_names
from sim.conventions import FEATURE_FPS
from sim.features import features_to_motion
from sim.trajectory import resample_motion

SCORES: Final = {
    "reconstruction": "val/reconstruction",
    "paired joints RMSE [m/s^2]": "val/paired_acc/rmse",
    "paired accel RMSE [m/s^2]": "val/paired_sensors_accel/rmse",
    "paired gyro RMSE [rad/s]": "val/paired_sensors_gyro/rmse",
}
"""Columns of the table that are validation scores, and the scores' names."""

_REQUIRED: Final = ("loss", "weights", "config", "folder")
DONE: Final = "scores.json"
FRAMES: Final = 80


@dataclass(frozen=True)
class Sweep:
    """What is swept.

    Attributes:
        loss: name of the loss.
        weights: its weights, each a run; 0 is the control.
        config: YAML for ``lightning fit``.
        folder: where the runs and the table go.
        options: further arguments of every fit.
        motions: generated motions per prompt for the peak ratio.
        sampling_steps: network calls for each of them.

    Raises:
        ValueError: the loss is unknown, or there is no weight, or one twice or below 0.
    """

    loss: str
    weights: tuple[float, ...]
    config: Path
    folder: Path
    options: tuple[str, ...] = ()
    motions: int = 8
    sampling_steps: int = 20

    def __post_init__(self) -> None:
        check_loss_names([self.loss])
        if not self.weights or len(set(self.weights)) < len(self.weights) or min(self.weights) < 0:
            raise ValueError(f"weights are {list(self.weights)}, expected at least one, none twice and none below 0")

    def run_folder(self, weight: float) -> Path:
        """Where the run of a weight goes."""
        return self.folder / f"{self.loss}_{weight:g}"


def read_sweep(path: Path) -> Sweep:
    """Read a sweep's YAML.

    Raises:
        FileNotFoundError: it, or the configuration it names, is not there.
        ValueError: a key is unknown or missing, or a value is out of range.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} not found; give the YAML of a sweep, such as experiments/sweep_acc.yaml")
    read = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    values = {str(key): value for key, value in read.items()} if isinstance(read, dict) else {}
    known = set(Sweep.__dataclass_fields__)
    if not set(_REQUIRED) <= set(values) <= known:
        raise ValueError(
            f"{path} has the keys {sorted(values)}, expected {list(_REQUIRED)} and none but {sorted(known)}"
        )
    config = path.parent / str(values["config"])
    if not config.is_file():
        raise FileNotFoundError(f"config {config} not found; it is taken relative to {path}")
    values |= {"config": config, "folder": Path(str(values["folder"]))}
    values |= {key: tuple(values[key]) for key in ("weights", "options") if key in values}
    return Sweep(**values)


def run_weight(sweep: Sweep, weight: float) -> dict[str, float]:
    """Fine-tune with one weight, unless that is done, and return its scores by the columns of the table.

    Raises:
        ValueError: the folder holds a finished run with other settings.
    """
    folder = sweep.run_folder(weight)
    base = yaml.safe_load(sweep.config.read_text(encoding="utf-8"))["model"]["init_args"].get("loss_weights") or {}
    others = {name: value for name, value in base.items() if not name.startswith("acc_")}
    settings = {
        "config": sweep.config.read_text(encoding="utf-8"),
        "options": list(sweep.options),
        "loss_weights": {**others, sweep.loss: weight},
        "motions": sweep.motions,
        "sampling_steps": sweep.sampling_steps,
    }
    if (folder / DONE).is_file():
        finished = json.loads((folder / DONE).read_text(encoding="utf-8"))
        if finished["settings"] != settings:
            raise ValueError(f"{folder} holds a run with other settings; choose another folder or remove it")
        return dict(finished["scores"])
    last = folder / "checkpoints" / "last.ckpt"
    arguments = [
        f"--config={sweep.config}",
        f"--model.loss_weights={json.dumps(settings['loss_weights'])}",
        f"--trainer.default_root_dir={folder}",
        *sweep.options,
    ]
    lightning(["fit", *arguments, *(["--ckpt_path=last"] if last.is_file() else [])])
    lightning(["validate", *arguments, "--ckpt_path=last"])
    # Where embeddings lie is no hyper-parameter, so the checkpoint does not know it.
    cache_dir = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))["model"]["init_args"]["cache_dir"]
    model = MotionDiffusion.load_from_checkpoint(last, map_location="cpu", weights_only=True, cache_dir=cache_dir)
    scores = read_scores(folder) | peak_ratios(model, sweep)
    (folder / DONE).write_text(json.dumps({"settings": settings, "scores": scores}, indent=2), encoding="utf-8")
    return scores


def read_scores(folder: Path) -> dict[str, float]:
    """Return the last validation scores and the mean gradient norms in a run's TensorBoard log."""
    log = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    log.Reload()
    logged = {name: log.Scalars(name) for name in log.Tags()["scalars"]}
    scores = {column: max(logged[name], key=lambda event: event.wall_time).value for column, name in SCORES.items()}
    norms = {name: values for name, values in logged.items() if name.startswith("grad_norm/")}
    return scores | {name: float(np.mean([event.value for event in values])) for name, values in norms.items()}


def peak_ratios(model: MotionDiffusion, sweep: Sweep) -> dict[str, float]:
    """Return how strongly generated people move beside recorded ones: the ratio of the 95th percentiles; 1 is best.

    Of the gravity-free acceleration at :data:`experiments.tools.compare_peaks.SITES`, mean over the sites; recorded
    are the embedded clips that are not test clips; an activity that has none, as running, is not compared.
    """
    ratios: dict[str, float] = {}
    for activity, prompt in PROMPTS.items():
        clips = reference_clips(activity)
        if not clips:
            continue
        recorded = np.mean([measure_peaks(resample_motion(c.motion, fps=FEATURE_FPS)) for c in clips], axis=0)
        features = model.eval().generate(
            [prompt] * sweep.motions,
            num_frames=FRAMES,
            seeds=range(sweep.motions),
            sampler="ddim",
            steps=sweep.sampling_steps,
        )
        generated = np.array(measure_peaks(features_to_motion(features)))
        ratios[f"peak ratio {activity}, mean of {' and '.join(SITES)}"] = float((generated / recorded).mean())
    return ratios


def sweep_table(sweep: Sweep, results: Mapping[float, Mapping[str, float]]) -> BenchTable:
    """Return the scores of all weights as a table."""
    columns = list(dict.fromkeys(name for scores in results.values() for name in scores))
    rows = [
        [f"{weight:g}", *(f"{scores[name]:.4g}" if name in scores else "" for name in columns)]
        for weight, scores in results.items()
    ]
    return BenchTable(
        f"Weight of {sweep.loss}",
        ["weight", *columns],
        rows,
        f"Validation clips; {sweep.motions} generated motions for each peak ratio. A gradient norm is that of the "
        "weighted loss, mean over the run. One seed: small differences are noise.",
    )


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m experiments.tools.sweep_acc", description=__doc__)
    parser.add_argument("-c", "--config", type=Path, required=True, help="YAML of the sweep")
    with one_line_errors():
        sweep = read_sweep(parser.parse_args(args).config)
        results = {weight: run_weight(sweep, weight) for weight in sweep.weights}
        table = sweep_table(sweep, results)
        table.print(Console(width=200))
        (sweep.folder / "sweep.md").write_text(table.to_markdown(), encoding="utf-8")
        rows = [{"weight": weight, **scores} for weight, scores in results.items()]
        (sweep.folder / "sweep.json").write_text(json.dumps(rows, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
