"""Networks: denoisers, autoencoders and their parts, and the table that YAML chooses from by name."""

from lightning_modules.networks.by_name import MotionNetwork, Network, NetworkOptions, build_network
from lightning_modules.networks.own import OwnNetwork

__all__ = ["MotionNetwork", "Network", "NetworkOptions", "OwnNetwork", "build_network"]
