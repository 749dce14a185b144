"""Metrics of motions and denoisers: paired errors, dynamics, distances between distributions."""

from lightning_modules.metrics.paired_error import PairedAccelerationError

__all__ = ["PairedAccelerationError"]
