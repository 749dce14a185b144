"""The rollout walks as the sampler does, learns from one call at a time in constant memory, and resumes exactly."""

from __future__ import annotations

import pytest
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from lightning_modules.rollout import RolloutOptions
from lightning_modules.sampling.samplers import guide, sample

KEYS = (0, 7, 0, 0)
ROLLOUT = {"weight": 0.1, "steps": 5, "motions": 4, "seconds": 2.5, "sensors": {"placements": ["left_wrist"]}}


@pytest.fixture(autouse=True)
def _quiet(recwarn):
    """Lightning warns of what is as intended here."""


@pytest.fixture
def ready(make_prior, clips):
    """A tiny prior with the statistics of the clips."""
    model = make_prior(dropout=0.1)
    model.statistics.set(*clips().feature_statistics())
    return model


def advance(rollout, model, keys=KEYS):
    return rollout.advance(model.denoiser, model.texts, model.statistics, keys=keys, device=model.device)


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
def test_it_walks_as_the_sampler_does(ready, make_rollout, sampler):
    rollout = make_rollout(ready, sampler=sampler, steps=4)
    ready.denoiser.train()
    states = []
    for _ in range(4):
        advance(rollout, ready)
        states.append(rollout.state())
    assert ready.denoiser.training
    assert [None if state is None else state[1] for state in states] == [1, 2, 3, None]
    walk = rollout._begin(KEYS, ready.device)
    text = ready.texts(walk.captions)
    predict = guide(ready.denoiser.eval(), text.embedding, torch.full((4,), 50), guidance=1.5)
    seen = []

    def watch(x, timestep):
        seen.append(x)
        return predict(x, timestep)

    with torch.no_grad():
        sample(
            sampler, watch, walk.x, ready.schedule, lambda step: rollout._draw_noise(KEYS, step, ready.device), steps=4
        )
    for state, x in zip(states[:-1], seen[1:], strict=True):
        torch.testing.assert_close(state[2], x, rtol=1e-4, atol=1e-5)


def test_only_the_calls_that_learn_carry_a_gradient(ready, make_rollout):
    assert RolloutOptions(steps=10, at=[0.5, 1.0, 0.75]).learning_calls == (4, 7, 9)
    assert RolloutOptions(steps=3).learning_calls == (0, 1, 2)
    rollout = make_rollout(ready, at=[0.5, 0.75])
    advance(rollout, ready)
    assert rollout.state()[1] == 3
    distances = advance(rollout, ready)
    # Nothing learns at the last call, so that the next step begins anew.
    assert rollout.state() is None
    assert not any(value.requires_grad for value in (rollout._begin(KEYS, ready.device).x,))
    assert all(bool(value.requires_grad) and value.shape == () for value in distances.values())
    sum(distances.values()).backward()
    assert all(parameter.grad is not None for parameter in ready.denoiser.output_process.parameters())


def saved_bytes(rollout, model, number):
    """Bytes that a backward pass would need, at the given training step of a sampling."""
    for step in range(number + 1):
        held = 0

        def keep(tensor):
            nonlocal held
            held += tensor.numel() * tensor.element_size()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            advance(rollout, model, keys=(0, step, 0, 0))
    return held


def test_memory_does_not_grow_with_the_number_of_calls(make_prior, clips, make_rollout):
    model = make_prior(num_steps=50)
    model.statistics.set(*clips().feature_statistics())
    few, many = (saved_bytes(make_rollout(model, steps=steps), model, steps - 1) for steps in (5, 20))
    skipping = saved_bytes(make_rollout(model, steps=20, at=[1.0]), model, 0)
    assert few == many == skipping > 0


def test_each_sampling_draws_anew_and_holds_motions_to_their_activity(ready, make_rollout):
    rollout = make_rollout(ready, motions=8)
    one, other = (rollout._begin((0, step, 0, 0), ready.device) for step in (1, 2))
    assert not torch.equal(one.x, other.x)
    assert {reference.activity for reference in one.references} == {"walking", "jumping"}
    for reference, caption in zip(one.references, one.captions, strict=True):
        assert caption in reference.captions
    few = make_rollout(ready, motions=4)._begin(KEYS, ready.device)
    assert len({reference.activity for reference in few.references}) == 1


def test_resuming_in_the_middle_of_a_sampling_is_the_same_as_never_stopping(make_prior, make_trainer, clips, tmp_path):
    options = {"rollout": ROLLOUT, "dropout": 0.1, "cond_drop_prob": 0.5}
    keep = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=2, save_top_k=-1)
    straight = make_prior(**options)
    make_trainer(max_steps=7, enable_checkpointing=True, callbacks=[keep]).fit(straight, clips())
    torch.load(tmp_path / "step=2.ckpt", weights_only=True)
    torch.manual_seed(123)
    resumed = make_prior(**options)
    make_trainer(max_steps=7).fit(resumed, clips(), ckpt_path=tmp_path / "step=2.ckpt")
    for key, value in resumed.state_dict().items():
        assert torch.equal(value, straight.state_dict()[key]), key
    forgetful = make_prior(**options)
    forgetful.on_load_checkpoint = lambda checkpoint: None
    make_trainer(max_steps=7).fit(forgetful, clips(), ckpt_path=tmp_path / "step=2.ckpt")
    assert any(not torch.equal(value, straight.state_dict()[key]) for key, value in forgetful.state_dict().items())


class Log(Callback):
    def __init__(self):
        self.rows = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.rows.append({name: float(value) for name, value in trainer.callback_metrics.items()})


def fit(make_prior, make_trainer, clips, *, max_steps=3, **options):
    log = Log()
    make_trainer(max_steps=max_steps, callbacks=[log], logger=False).fit(make_prior(**options), clips())
    return log.rows


def test_the_anchor_sees_the_same_randomness_and_the_rollout_is_logged(make_prior, make_trainer, clips):
    without = fit(make_prior, make_trainer, clips, lr=0.0, dropout=0.1)
    joined = fit(make_prior, make_trainer, clips, lr=0.0, dropout=0.1, rollout=ROLLOUT, log_gradient_norms_every=1)
    for plain, row in zip(without, joined, strict=True):
        assert plain["train/reconstruction"] == row["train/reconstruction"]
        distances = row["train/rollout_spectrum"] + row["train/rollout_quantiles"]
        assert row["train/loss"] == pytest.approx(plain["train/loss"] + 0.1 * distances, rel=1e-4)
        assert min(row["grad_norm/rollout_spectrum"], row["grad_norm/rollout_quantiles"]) > 0


def test_every_and_warm_up(make_prior, make_trainer, clips):
    options = {"rollout": ROLLOUT | {"every": 2, "warmup_steps": 4, "weights": {"spectrum": 1.0}}, "lr": 0.0}
    rows = fit(make_prior, make_trainer, clips, max_steps=4, **options)
    for step, row in enumerate(rows):
        added = row["train/loss"] - row["train/reconstruction"]
        expected = 0.1 * step / 4 * row["train/rollout_spectrum"] if step % 2 == 0 else 0.0
        assert added == pytest.approx(expected, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampler": "dpm++"}, r"unknown sampler of the rollout 'dpm\+\+', expected one of \['ddpm', 'ddim'\]"),
        ({"weights": {"spectra": 1.0}}, "unknown distance of the rollout 'spectra'.*did you mean spectrum"),
        ({"weights": {"spectrum": 0.0}}, "one of the distances above"),
        ({"weight": -1.0}, "none below 0"),
        ({"at": []}, "expected fractions of the sampling"),
        ({"at": [5.0]}, "expected fractions of the sampling"),
        ({"every": 0}, "expected at least 1"),
        ({"steps": 13}, "13 sampling steps were asked of a schedule of 12"),
        ({"seconds": 2.0}, "rollout.seconds is 2, expected at least 2.3"),
        ({"sensors": {"placements": ["left_wirst"]}}, "did you mean 'left_wrist'"),
        ({"spectrum": {"band": [1.0, 2.0]}}, "unknown option of spectrum 'band'"),
    ],
)
def test_bad_options_are_one_line(make_prior, options, message):
    with pytest.raises(ValueError, match=message):
        make_prior(rollout={"weight": 1.0} | options)


def test_guidance_needs_a_dropped_condition(make_prior):
    with pytest.raises(ValueError, match=r"rollout.guidance is 2.5, but cond_drop_prob is 0"):
        make_prior(rollout={"weight": 1.0}, cond_drop_prob=0.0)
    assert make_prior(rollout={"weight": 1.0, "guidance": 1.0}, cond_drop_prob=0.0).rollout is not None
    assert make_prior().rollout is None
