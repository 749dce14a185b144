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
def test_baselines_see_the_priors_data_for_as_many_steps(name):
    prior, baseline = (
        yaml.safe_load((EXPERIMENTS / path).read_text()) for path in ("prior.yaml", f"baselines/{name}.yaml")
    )
    assert prior["data"] == baseline["data"]
    assert prior["trainer"]["max_steps"] == baseline["trainer"]["max_steps"]


def test_arms_go_on_with_the_priors_data_and_objective():
    prior, layer = (
        yaml.safe_load((EXPERIMENTS / path).read_text()) for path in ("prior.yaml", "recipes/as_prior.yaml")
    )
    assert prior["data"] == layer["data"]
    objectives = [one["model"]["init_args"]["losses"]["level_weights"] for one in (prior, layer)]
    assert objectives[0] == objectives[1]
    noisier = [one["model"]["init_args"]["process"]["noisier"] for one in (prior, layer)]
    assert noisier[0] == noisier[1]
