"""The activities that priors are told are those that the labels of the training set speak of."""

from pathlib import Path

import pytest
import yaml

from datamodules.clips.captions import load_paraphrases
from datamodules.clips.clip import ACTIVITIES

EXPERIMENTS = Path(__file__).parents[3] / "experiments"


def told(name):
    return yaml.safe_load((EXPERIMENTS / name).read_text())["model"]["init_args"]["network"]["activities"]


def test_every_activity_is_a_canonical_one_and_has_sentences():
    names = told("prior.yaml")
    assert len(set(names)) == len(names)
    assert set(names) <= set(ACTIVITIES)
    assert all(len(load_paraphrases()[name]) >= 10 for name in names)


@pytest.mark.parametrize("name", ["baselines/motiondiffuse.yaml", "baselines/latent_diffusion.yaml"])
def test_baselines_are_told_what_the_prior_is_told(name):
    assert told(name) == told("prior.yaml")


@pytest.mark.parametrize("name", ["motiondiffuse", "latent_diffusion", "motion_vae"])
def test_baselines_are_trained_on_the_priors_data(name):
    data = [
        yaml.safe_load((EXPERIMENTS / path).read_text())["data"] for path in ("prior.yaml", f"baselines/{name}.yaml")
    ]
    assert data[0] == data[1]
