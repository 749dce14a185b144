"""Fine-tuning recipes: which parameters of a denoiser are trained, and whether its forward pass is compiled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from torch import nn

from lightning_modules.networks.lora import add_adapters
from lightning_modules.networks.own import OwnNetwork
from lightning_modules.training.randomness import derive_seed
from sim.names import suggest

RECIPES: Final = ("all", "lora", "last:N", "skip")
COMPILE_BACKEND: Final = "inductor"

_HEAD: Final = "output_process"
_ADAPTER_KEY: Final = 3  # keeps the adapters' draw apart from those of the training steps


@dataclass(frozen=True)
class RecipeOptions:
    """Which parameters are trained, and how the network runs meanwhile.

    Attributes:
        trainable: ``all``, ``lora`` (adapters on the attention), ``last:N`` (the last N layers and the output head) or
            ``skip`` (the skip alone); a skip is always trained.
        lora_rank: rank of the adapters.
        compile: run the trained network through ``torch.compile``.
    """

    trainable: str = "all"
    lora_rank: int = 8
    compile: bool = False


def apply_recipe(denoiser: nn.Module, recipe: RecipeOptions, *, seed: int) -> None:
    """Freeze what is not to be trained, in place; the network's output stays the same.

    Args:
        denoiser: the network to train.
        recipe: which parameters; adapters are those of :mod:`lightning_modules.networks.lora`.
        seed: of the adapters' starting values.

    Raises:
        ValueError: the recipe is unknown, or the network has fewer layers.
    """
    trainable = recipe.trainable
    skip = skip_of(denoiser)
    if trainable == "all":
        return
    if trainable == "skip":
        if skip is None:
            raise ValueError("trainable is 'skip', but the network has none; set network.skip to 'detail' or 'filter'")
        denoiser.requires_grad_(False)
    elif isinstance(denoiser, OwnNetwork):
        raise ValueError(
            f"trainable is {trainable!r}, expected 'all' or 'skip': the layers of a network of your own are unknown"
        )
    elif trainable == "lora":
        add_adapters(denoiser, rank=recipe.lora_rank, seed=derive_seed(seed, _ADAPTER_KEY))
    else:
        kind, _, number = trainable.partition(":")
        if kind != "last" or not number.isdecimal():
            hint = suggest(kind, ("all", "lora", "last", "skip"), shown_as={"last": "last:2"})
            raise ValueError(f"trainable {trainable!r} is unknown, must be one of {list(RECIPES)}{hint}")
        train_last(denoiser, int(number))
    if skip is not None:
        skip.requires_grad_(True)


def skip_of(denoiser: nn.Module) -> nn.Module | None:
    """Return the skip of a network that has one."""
    parameterisation = getattr(denoiser, "parameterisation", None)
    skip: nn.Module | None = getattr(parameterisation, "skip", None)
    return skip


def train_last(denoiser: nn.Module, count: int) -> None:
    """Freeze all but the last ``count`` layers of the transformer and the output head.

    Raises:
        ValueError: the network has no such layers.
    """
    stacks = [item for name, item in denoiser.named_modules() if name.endswith(".layers")]
    # A network may have a stack on the text in front; the one on the motion comes last.
    layers = [*stacks[-1].children()] if stacks else []
    if not 1 <= count <= len(layers):
        raise ValueError(
            f"trainable is 'last:{count}', expected last:1 to last:{len(layers)}, as many as it has layers"
        )
    denoiser.requires_grad_(False)
    for module in (*layers[-count:], denoiser.get_submodule(_HEAD)):
        module.requires_grad_(True)


def list_trainable(module: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that are trained."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def compile_forward(denoiser: nn.Module) -> None:
    """Compile the forward pass in place when it is first called; names in the state dict stay as they are.

    Kernels draw the same dropout each time they run with a seed, but not the one that uncompiled code draws.
    """
    denoiser.compile(backend=COMPILE_BACKEND)
