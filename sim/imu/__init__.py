"""What sensors on a moving body read: specific force and angular rate in the sensor frame."""

from sim.imu.simulate import simulate, simulate_joints, simulate_rigid

__all__ = ["simulate", "simulate_joints", "simulate_rigid"]
