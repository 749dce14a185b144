"""From a moving person to what sensors strapped to them would read (pure torch; imports nothing of ours but itself)."""

from sim.body import Body
from sim.motion import Motion
from sim.placements import PLACEMENT_NAMES, Placement

__all__ = ["PLACEMENT_NAMES", "Body", "Motion", "Placement"]
