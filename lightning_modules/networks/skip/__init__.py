"""Roads from the noisy motion past a denoiser's narrow middle to its output, by the name that YAML uses."""

from lightning_modules.networks.skip.by_name import SKIPS, Skip, SkipOptions, build_skip

__all__ = ["SKIPS", "Skip", "SkipOptions", "build_skip"]
