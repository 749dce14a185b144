"""From a moving person to what sensors strapped to them would read (pure torch; imports nothing of ours but itself)."""

from typing import TYPE_CHECKING

from sim.lazy_names import import_lazily

if TYPE_CHECKING:
    from sim.body import Body
    from sim.imu import simulate, simulate_joints, simulate_rigid
    from sim.motion import Motion
    from sim.placements import PLACEMENT_NAMES, Placement
    from sim.placements.soft_tissue import SoftTissue
    from sim.recording import ImuRecording
    from sim.sensor_errors import SensorErrors, TimingErrors, TriadErrors
else:
    __getattr__, __dir__ = import_lazily(
        __name__,
        {
            "sim.body": ["Body"],
            "sim.imu": ["simulate", "simulate_joints", "simulate_rigid"],
            "sim.motion": ["Motion"],
            "sim.placements": ["PLACEMENT_NAMES", "Placement"],
            "sim.placements.soft_tissue": ["SoftTissue"],
            "sim.recording": ["ImuRecording"],
            "sim.sensor_errors": ["SensorErrors", "TimingErrors", "TriadErrors"],
        },
    )

__all__ = [
    "PLACEMENT_NAMES",
    "Body",
    "ImuRecording",
    "Motion",
    "Placement",
    "SensorErrors",
    "SoftTissue",
    "TimingErrors",
    "TriadErrors",
    "simulate",
    "simulate_joints",
    "simulate_rigid",
]
