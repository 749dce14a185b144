"""A loss on what the model itself samples: sensors of its own rollout against recorded motion of the same activity."""

from lightning_modules.rollout.options import RolloutOptions
from lightning_modules.rollout.rollout import Rollout

__all__ = ["Rollout", "RolloutOptions"]
