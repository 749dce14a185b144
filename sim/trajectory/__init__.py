"""Motion in continuous time: splines of positions and rotations with exact derivatives."""

from sim.trajectory.position import sample_position
from sim.trajectory.resample import resample_motion, uniform_times
from sim.trajectory.rotation import sample_rotation

__all__ = ["resample_motion", "sample_position", "sample_rotation", "uniform_times"]
