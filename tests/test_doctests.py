"""Examples in the docstrings of the public doors hold."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = (
    "sim.motion",
    "sim.body.body",
    "sim.placements.placement",
    "sim.imu.simulate",
    "sim.recording",
    "sim.sensor_errors.errors",
    "sim.features.decode",
    "sim.features.encode",
    "datamodules.har.registry",
    "datamodules.har.windows.window_set",
    "lightning_modules.har_classifier",
    "lightning_modules.losses",
    "lightning_modules.objective",
    "lightning_modules.metrics.paired_error",
    "lightning_modules.sampling.samplers",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_hold(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert results.attempted, f"{name} has no example; write one, or take it off this list"
    assert results.failed == 0
