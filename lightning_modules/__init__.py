"""LightningModules, networks, diffusion maths, losses and metrics."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightning_modules.har_classifier import HARClassifier
    from lightning_modules.latent_diffusion import LatentMotionDiffusion
    from lightning_modules.motion_diffusion import MotionDiffusion
    from lightning_modules.motion_vae import MotionVAE
else:

    def __getattr__(name: str) -> object:
        # Not above: a folder named sim in a user's project may stand before ours, and own_packages.py is to say so.
        from sim.lazy_names import import_lazily

        find_name, _ = import_lazily(
            __name__,
            {
                "lightning_modules.har_classifier": ["HARClassifier"],
                "lightning_modules.latent_diffusion": ["LatentMotionDiffusion"],
                "lightning_modules.motion_diffusion": ["MotionDiffusion"],
                "lightning_modules.motion_vae": ["MotionVAE"],
            },
        )
        return find_name(name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__all__ = ["HARClassifier", "LatentMotionDiffusion", "MotionDiffusion", "MotionVAE"]
