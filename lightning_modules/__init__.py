"""LightningModules, networks, diffusion maths, losses and metrics."""

from lightning_modules.motion_diffusion import MotionDiffusion

__all__ = ["MotionDiffusion"]
