"""Where a sensor sits on the skin and how its box is turned: presets, points of a mesh, mountings, soft tissue."""

from sim.placements.placement import Placement, resolve_all
from sim.placements.presets import PLACEMENT_NAMES
from sim.placements.sites import Sites, site_poses

__all__ = ["PLACEMENT_NAMES", "Placement", "Sites", "resolve_all", "site_poses"]
