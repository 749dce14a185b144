"""Networks: denoisers, autoencoders and their parts, and the table that YAML chooses from by name."""

from lightning_modules.networks.by_name import MotionNetwork, Network, build_network

__all__ = ["MotionNetwork", "Network", "build_network"]
