"""What a YAML does not say of a network is that of the weights that it starts from."""

import pytest
import torch

from lightning_modules import MotionDiffusion
from lightning_modules.checkpoints import save_prior

SIZES = {"width": 24, "num_layers": 2, "num_heads": 2, "feedforward": 32, "num_steps": 20}


@pytest.fixture
def stored(tmp_path):
    torch.manual_seed(0)
    model = MotionDiffusion(**SIZES, arch="conformer", predicts="v", activities=["walking", "running"])
    model.statistics.set(torch.zeros(263), torch.ones(263))
    save_prior(model, tmp_path / "small.safetensors", {})
    return str(tmp_path / "small.safetensors")


def test_a_run_that_says_nothing_of_the_network_gets_that_of_the_weights(stored):
    model = MotionDiffusion(init_from=stored)
    assert (model.arguments["width"], model.arguments["arch"], model.arguments["num_steps"]) == (24, "conformer", 20)
    assert model.arguments["predicts"] == "v"
    assert model.texts.activities == ("walking", "running")
    # Its own checkpoint needs the file no more.
    again = MotionDiffusion(**{key: value for key, value in model.arguments.items() if key in {*SIZES, "arch"}})
    assert again.average.embed_text.weight.shape[0] == 24


def test_what_is_said_of_training_stays(stored):
    model = MotionDiffusion(init_from=stored, dropout=0.2, cond_drop_prob=0.3)
    assert (model.arguments["dropout"], model.cond_drop_prob) == (0.2, 0.3)


def test_what_is_said_otherwise_is_refused_and_a_skip_may_be_added(stored):
    with pytest.raises(ValueError, match=r"width=24 \(the model has 32\)"):
        MotionDiffusion(init_from=stored, width=32)
    assert MotionDiffusion(init_from=stored, skip="detail").arguments["width"] == 24
