"""The priors that are compared: packaged weights, files, or arms fine-tuned here through ``lightning fit``."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import ClassVar

from experiments.stages import Inputs, Task
from lightning_modules.checkpoints import load_prior, save_prior
from lightning_modules.cli import main as lightning
from lightning_modules.weights import read_weights

WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class FineTune(Task):
    """One arm trained from the original checkpoint: ``weights.safetensors``.

    Arms of one seed see the same steps, data order and noise: :class:`lightning_modules.MotionDiffusion` draws them
    from its ``train_seed`` and the step alone.

    Attributes:
        arm: name of the arm, for the reader; the configuration alone counts.
        seed: of the experiment.
        init_from: the original checkpoint.
        config: YAML for ``lightning fit``.
        steps: optimiser steps; None takes the YAML's.
        motion_root: folder of motion files to train on besides the embedded clips.
    """

    stage: ClassVar[str] = "fine_tune"
    doing: ClassVar[str] = "fine-tuning arms"
    arm: str = field(metadata={"key": False})
    seed: int
    init_from: Path
    config: Path
    steps: int | None
    motion_root: Path | None

    @property
    def unit(self) -> str:
        """The arm and the seed."""
        return f"{self.arm} seed {self.seed}"

    def run(self, inputs: Inputs, output: Path) -> None:
        """Train through the very command a user would type."""
        arguments = [
            "fit",
            f"--config={self.config}",
            f"--seed_everything={self.seed}",
            f"--model.init_args.init_from={self.init_from}",
            f"--model.init_args.train_seed={self.seed}",
            f"--trainer.default_root_dir={output}",
            "--trainer.enable_progress_bar=false",
            "--trainer.devices=1",
        ]
        if self.steps is not None:
            arguments.append(f"--trainer.max_steps={self.steps}")
        if self.motion_root is not None:
            arguments.append(f"--data.init_args.sources=[embedded,{self.motion_root}]")
        lightning(arguments)
        checkpoints = sorted(output.rglob("last.ckpt"))
        if not checkpoints:
            raise ValueError(f"{self.config} wrote no last.ckpt; give its ModelCheckpoint save_last: true")
        model = load_prior(self.init_from)
        model.load_weights(read_weights(checkpoints[-1]), source=str(checkpoints[-1]))
        save_prior(model, output / WEIGHTS, {"arm": self.arm, "seed": self.seed, "config": self.config.name})


def packaged_weights(name: str) -> Path:
    """Return the file of packaged weights of that name, or of a path.

    Raises:
        FileNotFoundError: there is neither.
    """
    folder = Path(str(resources.files("lightning_modules"))) / "assets"
    for candidate in (folder / f"{name}.safetensors", Path(name)):
        if candidate.is_file():
            return candidate
    known = sorted(path.stem for path in folder.glob("*.safetensors"))
    raise FileNotFoundError(
        f"weights {name!r} are neither packaged ({known}) nor a file; train them with `make prior` or give a path"
    )


def checkpoint_path(checkpoint: Path | FineTune, inputs: Inputs) -> Path:
    """Return where weights lie, whether they came as a file or were trained upstream."""
    return checkpoint if isinstance(checkpoint, Path) else inputs[checkpoint] / WEIGHTS
