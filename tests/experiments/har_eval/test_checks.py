"""Numbers of har_eval that cannot be meant, null, and arms of a layer that was not given: one line before any work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from experiments.har_eval.checks import load_config
from experiments.har_eval.options import DEFAULT_CONFIG

LAYERS = Path(DEFAULT_CONFIG).parent / "har_eval" / "layers"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("seeds=[-1]", "one of seeds is -1, expected a whole number from 0"),
        ("seeds=[0,99999999999999999999]", "one of seeds is 99999999999999999999"),
        ("resamples=1000000000000", "resamples is 1e+12, expected"),
        ("processes=1000000000", "processes is 1e+09, expected"),
        ("generation.seconds=1e9", "generation.seconds is 1000000000.0, expected 1 to 60"),
        ("generation.motions_per_activity=1000000000", "generation.motions_per_activity is 1e+09, expected"),
        ("generation.steps=0", "generation.steps is 0, expected 1 to 1,000"),
        ("generation.guidance=.nan", "generation.guidance is nan, expected"),
        ("simulation.repeats=1000000000", "simulation.repeats is 1e+09, expected"),
        ("simulation.along_mm=.inf", "simulation.along_mm is inf, expected"),
        ("simulation.rotation_deg=-1", "simulation.rotation_deg is -1, expected"),
        ("sets.dynamic_chest.rate_hz=1e9", "sets.dynamic_chest.rate_hz is 1e+09, expected"),
        ("sets.dynamic_chest.overlap=1", "sets.dynamic_chest.overlap is 1, expected 0 to 0.99"),
        ("sets.dynamic_chest.purity=.nan", "sets.dynamic_chest.purity is nan, expected"),
        ("sets.dynamic_chest.turned_copies=-1", "sets.dynamic_chest.turned_copies is -1, expected"),
        ("classifiers.cnn.networks=1000000000", "classifiers.cnn.networks is 1e+09, expected"),
        ("paired.window_s=1e9", "paired.window_s is 1e+09, expected"),
        ("resamples=null", "resamples: "),
        ("generation.seconds=null", "generation.seconds: "),
        ("sets.dynamic_chest.rate_hz=null", "rate_hz: "),
    ],
)
def test_what_cannot_be_meant_is_refused(override: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        load_config(DEFAULT_CONFIG, [override])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("layer", ["augmented.yaml", "pretrain.yaml"])
def test_a_layer_over_another_says_which_one_it_needs(layer: str) -> None:
    with pytest.raises(
        ValueError,
        match=r"unknown arm .*; experiments/har_eval/layers/mixed\.yaml has one of that name: give it with -c",
    ):
        load_config([DEFAULT_CONFIG, LAYERS / layer])
    assert load_config([DEFAULT_CONFIG, LAYERS / "mixed.yaml", LAYERS / layer]).arms
