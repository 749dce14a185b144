"""What is trained and how: adapters, last layers, clipping, accumulation, precision, determinism, compilation."""

from __future__ import annotations

import shutil

import pytest
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from lightning_modules import MotionDiffusion
from lightning_modules.checkpoints import load_mdm, load_prior, save_mdm, save_prior
from lightning_modules.networks.lora import LowRankUpdate, merge_state
from lightning_modules.training import recipes, trained_prior
from lightning_modules.training.randomness import TrainingDraw, draw_training_step
from lightning_modules.weights import read_weights

RECIPES = ("lora", "last:2")


@pytest.fixture(autouse=True)
def _quiet(recwarn):
    """Lightning warns of what is as intended here."""


def denoise(network):
    generator = torch.Generator().manual_seed(2)
    x, text = torch.randn(2, 9, 263, generator=generator), torch.randn(2, 8, generator=generator)
    with torch.no_grad():
        return network(x, torch.tensor([3, 11]), text, torch.tensor([9, 6]))


@pytest.fixture
def prior_file(make_prior, tmp_path):
    save_prior(make_prior(), tmp_path / "prior.safetensors", {})
    return str(tmp_path / "prior.safetensors")


@pytest.fixture
def fit(make_prior, make_trainer, make_clips):
    def run(model=None, *, clips=None, trainer=None, **changes):
        model = make_prior(**changes) if model is None else model
        make_trainer(**(trainer or {})).fit(model.train(), clips or make_clips())
        return model.eval()

    return run


@pytest.mark.parametrize("trainable", RECIPES)
def test_the_start_equals_the_prior_exactly(make_prior, prior_file, trainable):
    prior = load_prior(prior_file)
    model = make_prior(init_from=prior_file, trainable=trainable, lora_rank=2)
    assert torch.equal(denoise(model.denoiser), denoise(prior.denoiser))
    assert torch.equal(denoise(model.average), denoise(prior.average))


@pytest.mark.parametrize("trainable", RECIPES)
def test_only_what_the_recipe_names_is_trained(make_prior, fit, prior_file, trainable):
    before = load_prior(prior_file).denoiser.state_dict()
    model = fit(init_from=prior_file, trainable=trainable, lora_rank=2)
    after = merge_state(model.denoiser)
    changed = {key for key, value in after.items() if not torch.equal(value, before[key])}
    if trainable == "lora":
        names = ("in_proj_weight", "out_proj.weight")
        expected = {f"seqTransEncoder.layers.{layer}.self_attn.{name}" for layer in range(3) for name in names}
        count = 3 * 4 * 2 * 2 * 16  # layers, projections, two factors of rank 2 by width 16
        for key in expected:
            for change in (after[key] - before[key]).split(16):
                values = torch.linalg.svdvals(change)
                assert values[1] > 1e-4
                assert values[2] < 1e-5
    else:
        places = ("seqTransEncoder.layers.1.", "seqTransEncoder.layers.2.", "output_process.")
        expected = {key for key in before if key.startswith(places)}
        count = sum(before[key].numel() for key in expected)
    assert changed == expected
    assert model.trainer.callback_metrics["trainable_parameters"] == count
    moved = {key for key, value in model.average.state_dict().items() if not torch.equal(value, before[key])}
    assert moved == expected


@pytest.mark.parametrize("trainable", RECIPES)
def test_resuming_is_the_same_as_never_stopping(make_prior, make_trainer, fit, tmp_path, prior_file, trainable):
    keep = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=2, save_top_k=-1)
    options = {"trainable": trainable, "lora_rank": 2, "cond_drop_prob": 0.5}
    trainer = {"max_steps": 4, "enable_checkpointing": True, "callbacks": [keep]}
    straight = fit(init_from=prior_file, trainer=trainer, **options)
    torch.manual_seed(123)
    resumed = make_prior(**options)
    clips = straight.trainer.datamodule
    make_trainer(max_steps=4).fit(resumed.train(), clips, ckpt_path=tmp_path / "step=2.ckpt")
    expected = straight.state_dict()
    assert resumed.state_dict().keys() == expected.keys()
    for key, value in resumed.state_dict().items():
        assert torch.equal(value, expected[key]), key


def test_what_adapters_learnt_is_usable_everywhere_in_the_plain_layout(make_prior, fit, tmp_path, prior_file):
    trainer = {"enable_checkpointing": True}
    model = fit(init_from=prior_file, trainable="lora", lora_rank=2, ema_decay=0.5, trainer=trainer)
    model.trainer.save_checkpoint(tmp_path / "lora.ckpt")
    torch.load(tmp_path / "lora.ckpt", weights_only=True)
    expected = denoise(model.average)
    assert not torch.equal(expected, denoise(load_prior(prior_file).average))

    assert read_weights(tmp_path / "lora.ckpt").parameters.keys() == make_prior().denoiser.state_dict().keys()
    for trainable in ("all", "lora", "last:1"):
        started = make_prior(init_from=str(tmp_path / "lora.ckpt"), trainable=trainable)
        assert torch.equal(denoise(started.denoiser), expected)
        assert torch.equal(denoise(started.average), expected)
    loaded = MotionDiffusion.load_from_checkpoint(tmp_path / "lora.ckpt", weights_only=True).eval()
    assert torch.equal(denoise(loaded.denoiser), denoise(model.denoiser))

    save_prior(model, tmp_path / "exported.safetensors", {})
    torch.testing.assert_close(
        denoise(load_prior(tmp_path / "exported.safetensors").denoiser), expected, rtol=0, atol=5e-3
    )
    for layout in ("flat", "average"):
        save_mdm(model, tmp_path / layout / "model.pt", layout=layout)
    trained = torch.load(tmp_path / "average" / "model.pt", weights_only=True)["model"]
    plain = make_prior().denoiser
    plain.load_state_dict(trained)
    torch.testing.assert_close(denoise(plain), denoise(model.denoiser), rtol=0, atol=1e-6)
    assert load_mdm(tmp_path / "flat" / "model.pt").denoiser.state_dict().keys() == plain.state_dict().keys()


def test_loading_weights_forgets_what_adapters_had_learnt(fit, prior_file):
    model = fit(trainable="lora", lora_rank=2)
    model.load_weights(read_weights(prior_file), source="prior")
    assert torch.equal(denoise(model.denoiser), denoise(load_prior(prior_file).denoiser))


def test_an_update_of_a_stack_is_one_update_for_each_projection():
    weight, generator = torch.randn(12, 4), torch.Generator().manual_seed(0)
    update = LowRankUpdate(weight, rank=2, generator=generator)
    torch.nn.init.normal_(update.up)
    for part in range(3):
        rows = slice(4 * part, 4 * part + 4)
        torch.testing.assert_close(update(weight)[rows], weight[rows] + update.up[part] @ update.down[part])


def test_adapters_leave_the_global_generator_alone(make_prior):
    plain = make_prior()
    expected = torch.rand(1)
    adapted = make_prior(trainable="lora")
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(denoise(plain.denoiser), denoise(adapted.denoiser))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trainable": "lorra"}, "trainable 'lorra' is unknown.*did you mean 'lora'"),
        ({"trainable": "last"}, "did you mean 'last:2'"),
        ({"trainable": "last:4"}, "'last:4', expected last:1 to last:3"),
        ({"trainable": "last:0"}, "'last:0', expected last:1"),
        ({"trainable": "lora", "lora_rank": 0}, "lora_rank is 0, expected 1 to 16"),
    ],
)
def test_recipes_that_cannot_be_are_refused(make_prior, arguments, message):
    with pytest.raises(ValueError, match=message):
        make_prior(**arguments)


class GradientNorms(Callback):
    """Norms of the gradients that the optimiser saw."""

    def __init__(self):
        self.norms = []

    def on_train_batch_end(self, trainer, pl_module, *_):
        gradients = [item.grad for item in pl_module.denoiser.parameters() if item.grad is not None]
        self.norms.append(float(torch.nn.utils.get_total_norm(gradients)))


@pytest.mark.parametrize(("trainable", "precision"), [("all", "32-true"), ("lora", "32-true"), ("all", "bf16-mixed")])
def test_gradients_are_clipped(fit, trainable, precision):
    free, clipped = GradientNorms(), GradientNorms()
    options = {"max_steps": 1, "precision": precision}
    fit(trainable=trainable, trainer={"callbacks": [free], **options})
    limit = 0.5 * free.norms[0]
    fit(trainable=trainable, trainer={"callbacks": [clipped], "gradient_clip_val": limit, **options})
    assert clipped.norms[0] == pytest.approx(limit, rel=1e-3)


def test_noisy_steps_are_drawn_more_often_where_asked():
    options = {"num_steps": 50, "device": torch.device("cpu")}
    even, noisier = (
        torch.bincount(draw_training_step((0,), torch.Size((50_000, 1)), noisier=power, **options).steps, minlength=50)
        for power in (0.0, 1.0)
    )
    assert even.min() > 800
    assert even.max() < 1200
    # In proportion to k + 1/2: a quarter of all draws lies in the first half of the schedule.
    assert noisier[:25].sum() / 50_000 == pytest.approx(0.25, abs=0.02)
    assert noisier[40:].sum() / 50_000 == pytest.approx(0.36, abs=0.02)


@pytest.mark.parametrize("trainable", ["all", "lora"])
def test_bfloat16_trains_close_to_float32(fit, trainable):
    options = {"trainable": trainable, "dropout": 0.0}
    full, mixed = fit(**options), fit(trainer={"precision": "bf16-mixed"}, **options)
    assert all(value.dtype == torch.float32 for value in mixed.denoiser.parameters())
    losses = [float(model.trainer.callback_metrics["train/loss"]) for model in (full, mixed)]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert losses[0] != losses[1]


def test_accumulating_two_batches_is_one_step_at_twice_the_size(fit, make_clips, monkeypatch):
    """Given the same draws. Those of a run differ: each batch has its own, so that no two of a step are the same."""

    def draw(keys, shape, **options):
        whole = draw_training_step((keys[0],), torch.Size((4, *shape[1:])), **options)
        part = slice(None) if shape[0] == 4 else slice(2 * keys[2], 2 * keys[2] + 2)
        return TrainingDraw(whole.steps[part], whole.uniform[part], whole.noise[part], whole.dropout_seed)

    monkeypatch.setattr(trained_prior, "draw_training_step", draw)
    options = {"dropout": 0.0, "loss_weights": {"reconstruction": 1.0, "acc_joints": 1e-3}, "cond_drop_prob": 0.5}
    whole = fit(clips=make_clips(4), trainer={"max_steps": 1}, **options)
    halves = fit(clips=make_clips(2), trainer={"max_steps": 1, "accumulate_grad_batches": 2}, **options)
    assert halves.trainer.global_step == whole.trainer.global_step == 1
    for (name, one), other in zip(whole.denoiser.named_parameters(), halves.denoiser.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-5, msg=name)


def test_batches_of_one_step_have_draws_of_their_own(fit, make_clips, monkeypatch):
    seen = []

    def draw(keys, shape, **options):
        seen.append(keys)
        return draw_training_step(keys, shape, **options)

    monkeypatch.setattr(trained_prior, "draw_training_step", draw)
    fit(clips=make_clips(2), trainer={"max_steps": 2, "accumulate_grad_batches": 2})
    assert len(set(seen)) == len(seen) == 4


@pytest.mark.parametrize("trainable", ["all", "lora"])
def test_deterministic_runs_are_equal_bit_for_bit(fit, trainable):
    try:
        first, second = (fit(trainable=trainable, trainer={"deterministic": True}) for _ in "ab")
    finally:
        torch.use_deterministic_algorithms(False)
    assert first.trainer.global_step == 2
    for key, value in second.state_dict().items():
        assert torch.equal(value, first.state_dict()[key]), key


@pytest.mark.parametrize("trainable", ["all", "lora"])
def test_compiling_keeps_names_and_results(fit, make_prior, trainable, monkeypatch):
    monkeypatch.setattr(recipes, "COMPILE_BACKEND", "aot_eager")
    options = {"trainable": trainable, "dropout": 0.0}
    plain, compiled = fit(**options), fit(compile_denoiser=True, **options)
    assert compiled.denoiser._compiled_call_impl is not None
    assert compiled.state_dict().keys() == plain.state_dict().keys()
    for key, value in compiled.state_dict().items():
        torch.testing.assert_close(value, plain.state_dict()[key], rtol=1e-3, atol=1e-4, msg=key)


@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="torch.compile needs a C++ compiler")
@pytest.mark.slow
def test_the_default_compiler_trains_and_repeats_its_dropout(fit, make_prior):
    first, second = (fit(compile_denoiser=True, dropout=0.3) for _ in "ab")
    assert not torch.equal(denoise(first.average), denoise(make_prior(dropout=0.3).average))
    for key, value in second.state_dict().items():
        assert torch.equal(value, first.state_dict()[key]), key
