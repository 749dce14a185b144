"""LightningModules, networks, diffusion maths, losses and metrics."""

from lightning_modules.har_classifier import HARClassifier
from lightning_modules.motion_diffusion import MotionDiffusion

__all__ = ["HARClassifier", "MotionDiffusion"]
