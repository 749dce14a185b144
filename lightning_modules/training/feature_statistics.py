"""What a prior takes from the data module it is trained on: feature statistics, activities and captions."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from sim.conventions import NUM_FEATURES


def find_std(module: nn.Module) -> Tensor | None:
    """Return the deviations ``(263,)`` that a module normalises by, by which its features are decoded; else None."""
    statistics = getattr(module, "statistics", None)
    return statistics.std if isinstance(statistics, FeatureStatistics) and bool(statistics.known) else None


@runtime_checkable
class MotionData(Protocol):
    """The part of a data module that training asks for, after its ``setup``."""

    @property
    def activities(self) -> list[str]:
        """Names of the activities, in the order of the indices in batches."""
        ...

    def feature_statistics(self) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of the training features, each ``(263,)``."""
        ...

    def captions(self) -> list[str]:
        """Return every caption that can occur in a batch."""
        ...


class FeatureStatistics(nn.Module):
    """Mean and standard deviation of each feature, kept in the checkpoint, and whether they are known yet."""

    mean: Tensor
    std: Tensor
    known: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(NUM_FEATURES))
        self.register_buffer("std", torch.ones(NUM_FEATURES))
        self.register_buffer("known", torch.tensor(False))

    def set(self, mean: Tensor, std: Tensor) -> None:
        """Set mean and standard deviation, each ``(263,)``.

        Raises:
            ValueError: a shape is another one, a value is not finite, or a deviation is not above 0.
        """
        for name, value in (("mean", mean), ("std", std)):
            if value.shape != (NUM_FEATURES,):
                raise ValueError(f"{name} has shape {tuple(value.shape)}, expected {NUM_FEATURES} finite numbers")
            if not bool(value.isfinite().all()):
                raise ValueError(
                    f"{name} is not finite for {int((~value.isfinite()).sum())} of {NUM_FEATURES} features, expected "
                    "finite numbers; measure the statistics again, or give HumanML3D's Mean.npy and Std.npy"
                )
        if not bool((std > 0).all()):
            raise ValueError(
                f"std is 0 for {int((std <= 0).sum())} of {NUM_FEATURES} features, expected above 0; "
                "train on more varied motion, or raise these values"
            )
        self.mean.copy_(mean)
        self.std.copy_(std)
        self.known.fill_(True)

    def require(self) -> None:
        """Make sure that the statistics are known.

        Raises:
            ValueError: they are not.
        """
        if not self.known:
            raise ValueError(
                "the model has no feature statistics; put HumanML3D's Mean.npy and Std.npy beside a published MDM, fit "
                "it with a MotionDataModule, give mean= and std= to load_mdm, or call model.statistics.set(mean, std)"
            )

    def normalise(self, features: Tensor, mask: Tensor) -> Tensor:
        """Return normalised features ``(B, T, 263)``, zero where ``mask (B, T)`` is False."""
        return torch.where(mask[..., None], (features - self.mean) / self.std, 0.0)

    def denormalise(self, features: Tensor, mask: Tensor) -> Tensor:
        """Return raw features ``(B, T, 263)``, zero where ``mask (B, T)`` is False."""
        return torch.where(mask[..., None], features * self.std + self.mean, 0.0)
