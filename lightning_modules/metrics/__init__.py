"""Metrics of motions, denoisers and sensor output: paired errors, dynamics, distances between distributions."""

from lightning_modules.metrics.distribution_table import DistributionTable
from lightning_modules.metrics.paired_error import PairedAccelerationError
from lightning_modules.metrics.sensor_distributions import SensorDistributions, compare_distributions

__all__ = ["DistributionTable", "PairedAccelerationError", "SensorDistributions", "compare_distributions"]
