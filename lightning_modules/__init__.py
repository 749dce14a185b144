"""LightningModules, networks, diffusion maths, losses and metrics."""

from lightning_modules.har_classifier import HARClassifier
from lightning_modules.latent_diffusion import LatentMotionDiffusion
from lightning_modules.motion_diffusion import MotionDiffusion
from lightning_modules.motion_vae import MotionVAE

__all__ = ["HARClassifier", "LatentMotionDiffusion", "MotionDiffusion", "MotionVAE"]
