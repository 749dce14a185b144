"""The priors that are compared: packaged weights, files, or arms fine-tuned here through ``lightning fit``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from experiments.pipeline.tasks import Inputs, Task
from lightning_modules.checkpoints import load_prior, load_vae, read_stored, save_prior, save_vae
from lightning_modules.cli import main as lightning
from lightning_modules.sampling.motion_generator import MotionGenerator
from lightning_modules.text.encoders import text_encoder

WEIGHTS = "weights.safetensors"
DIMENSIONS = (
    "width",
    "num_layers",
    "num_heads",
    "feedforward",
    "text_dim",
    "num_steps",
    "mask_frames",
    "skip",
    "skip_frames",
    "skip_until",
)


@dataclass(frozen=True)
class TrainAutoencoder(Task):
    """The first stage of a latent prior: ``weights.safetensors``.

    Attributes are those of :class:`FineTune`.
    """

    stage: ClassVar[str] = "fine_tune"
    stage_title: ClassVar[str] = "training arms"
    arm: str = field(metadata={"key": False})
    seed: int
    config: Path
    layers: tuple[Path, ...]
    motion_root: Path | None
    options: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The arm and the seed."""
        return f"{self.arm}'s autoencoder seed {self.seed}"

    def run(self, inputs: Inputs, output: Path) -> None:
        """Train through the very command a user would type."""
        options = [*_sources(self.motion_root), *self.options]
        last = _fit((self.config, *self.layers), self.seed, options, output)
        save_vae(load_vae(last), output / WEIGHTS, {"arm": self.arm, "seed": self.seed, "config": self.config.name})


@dataclass(frozen=True)
class FineTune(Task):
    """One arm trained from the weights of another, or from scratch: ``weights.safetensors``.

    Arms of one seed see the same steps, data order and noise: :class:`lightning_modules.MotionDiffusion` draws them
    from its ``train_seed`` and the step alone.

    Attributes:
        arm: name of the arm, for the reader; the configuration alone counts.
        seed: of the experiment.
        init_from: weights to start from, a file or another training; None starts from scratch.
        config: YAML for ``lightning fit``.
        steps: optimiser steps; None takes the YAML's.
        motion_root: folder of motion files to train on besides the embedded clips.
        options: further arguments of ``lightning fit``.
        layers: YAML to lay over ``config``.
        autoencoder: first stage of a latent prior; None for others.
    """

    stage: ClassVar[str] = "fine_tune"
    stage_title: ClassVar[str] = "training arms"
    arm: str = field(metadata={"key": False})
    seed: int
    init_from: Path | FineTune | None
    config: Path
    steps: int | None
    motion_root: Path | None
    options: tuple[str, ...] = ()
    layers: tuple[Path, ...] = ()
    autoencoder: TrainAutoencoder | None = None

    @property
    def title(self) -> str:
        """The arm and the seed."""
        return f"{self.arm} seed {self.seed}"

    def run(self, inputs: Inputs, output: Path) -> None:
        """Train through the very command a user would type."""
        options = [] if self.init_from is None else start_from(weights_file(self.init_from, inputs))
        if self.autoencoder is not None:
            options.append(f"--model.init_args.vae_from={inputs[self.autoencoder] / WEIGHTS}")
        if self.steps is not None:
            options.append(f"--trainer.max_steps={self.steps}")
        options += [*_sources(self.motion_root), *self.options]
        last = _fit((self.config, *self.layers), self.seed, options, output)
        save_prior(
            load_prior(last),
            output / WEIGHTS,
            {"arm": self.arm, "seed": self.seed, "config": self.config.name},
        )


def _fit(configs: tuple[Path, ...], seed: int, options: list[str], output: Path) -> Path:
    """Run ``lightning fit`` and return the last checkpoint."""
    lightning(
        [
            "fit",
            *(f"--config={config}" for config in configs),
            f"--seed_everything={seed}",
            f"--model.init_args.train_seed={seed}",
            f"--data.init_args.seed={seed}",
            f"--trainer.default_root_dir={output}",
            "--trainer.enable_progress_bar=false",
            "--trainer.devices=1",
            *options,
        ]
    )
    checkpoints = sorted(output.rglob("last.ckpt"))
    if not checkpoints:
        raise ValueError(f"{configs[0]} wrote no last.ckpt; give its ModelCheckpoint save_last: true")
    return checkpoints[-1]


def _sources(motion_root: Path | None) -> list[str]:
    return [] if motion_root is None else [f"--data.init_args.sources=[embedded,{motion_root}]"]


def start_from(weights: Path) -> list[str]:
    """Return the arguments of ``lightning fit`` that start from weights, in their own dimensions."""
    found = read_stored(weights).hyper_parameters
    # The YAML is for the packaged prior; whatever prior was given has dimensions of its own.
    dimensions = [f"--model.init_args.{key}={found[key]}" for key in DIMENSIONS if found.get(key) is not None]
    return [f"--model.init_args.init_from={weights}", *dimensions]


def weights_file(checkpoint: Path | FineTune, inputs: Inputs) -> Path:
    """Return where weights lie, whether they came as a file or were trained upstream."""
    return checkpoint if isinstance(checkpoint, Path) else inputs[checkpoint] / WEIGHTS


def load_arm(checkpoint: Path | FineTune, inputs: Inputs, *, cache_dir: Path) -> MotionGenerator:
    """Load the prior of an arm, whether its weights came as a file or were trained upstream.

    Args:
        checkpoint: file, or task that wrote one.
        inputs: of the task that loads.
        cache_dir: folder of stage results; text embeddings are kept there too.
    """
    model = load_prior(weights_file(checkpoint, inputs))
    model.texts.attach(text_encoder(str(model.arguments["text_encoder"]), cache_dir / "text"))
    return model
