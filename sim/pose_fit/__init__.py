"""From joint positions to a pose: rotations that put a skeleton's joints where they were seen."""

from sim.pose_fit.fit import TwistPrior, fit_pose, fit_rotations

__all__ = ["TwistPrior", "fit_pose", "fit_rotations"]
