"""MotionDiffusion in a real Trainer: it learns, resumes exactly, and a seed gives one motion whatever the batch."""

import csv
import hashlib
from pathlib import Path

import pytest
import torch
from lightning import LightningDataModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

from datamodules.batches import MotionBatch, PromptBatch
from lightning_modules.checkpoints import save_prior
from lightning_modules.motion_diffusion import MotionDiffusion
from lightning_modules.training.ema import ramp_decay, update_average
from lightning_modules.training.randomness import paired_noise, seeded_dropout

DIMENSIONS = {"width": 16, "num_layers": 1, "num_heads": 2, "feedforward": 24, "text_dim": 8, "num_steps": 12}
TEXTS = ["a person walks", "a person jumps up", "someone runs"]


class WordHashEncoder:
    """A text encoder that needs no weights: the bytes of a hash as numbers. Counts the texts it encodes."""

    name, dim = "word-hash", 8

    def __init__(self):
        self.encoded = []

    def encode(self, texts):
        self.encoded += texts
        digests = [hashlib.sha256(text.encode()).digest()[: self.dim] for text in texts]
        return torch.tensor([[byte / 128 - 1 for byte in digest] for digest in digests])


class Clips(LightningDataModule):
    """Three smooth clips, the same batch every time; two batches an epoch."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        time = torch.linspace(0, 2, 16)[None, :, None]
        waves = torch.sin(3 * time + 6 * torch.rand(3, 1, 263, generator=generator)) * 0.1
        lengths = torch.tensor([16, 13, 9])
        self.batch = MotionBatch(waves, lengths, TEXTS, torch.tensor([0, 1, 0]), torch.tensor([5, 6, 7]))
        self.activities = ["walking", "jumping"]

    def captions(self):
        return TEXTS

    def feature_statistics(self):
        return torch.full((263,), 0.01), torch.full((263,), 0.1)

    def train_dataloader(self):
        return DataLoader([self.batch, self.batch], batch_size=None)

    def val_dataloader(self):
        return DataLoader([self.batch], batch_size=None)

    test_dataloader = val_dataloader


def make_model(**changes):
    torch.manual_seed(1)
    model = MotionDiffusion(**(DIMENSIONS | {"warmup_steps": 0, "lr": 1e-2, "lr_schedule": "constant"} | changes))
    model.texts.attach(WordHashEncoder())
    return model


def make_trainer(tmp_path, **options):
    defaults = {
        "accelerator": "cpu", "devices": 1, "logger": False, "enable_progress_bar": False,
        "enable_model_summary": False, "default_root_dir": tmp_path, "enable_checkpointing": False,
        "num_sanity_val_steps": 0, "limit_val_batches": 0,
    }  # fmt: skip
    return Trainer(**(defaults | options))


def make_ready(**changes):
    model = make_model(**changes).eval()
    model.statistics.set(*Clips().feature_statistics())
    return model


@pytest.fixture(autouse=True)
def _quiet(recwarn):
    """Lightning warns about worker processes and evaluation-mode modules, which is as intended here."""


def test_a_tiny_batch_is_learnt_with_every_loss(tmp_path):
    weights = {"reconstruction": 1.0, "velocity": 1.0, "acc_features": 0.1, "acc_joints": 1e-3}
    model = make_model(loss_weights=weights, dropout=0.0, ema_decay=0.9, width=32)
    trainer = make_trainer(tmp_path, max_steps=1, limit_val_batches=1)
    trainer.fit(model, Clips())
    before = dict(trainer.callback_metrics)
    trainer = make_trainer(tmp_path, max_steps=100)
    trainer.fit(model, Clips())
    scores = make_trainer(tmp_path).test(model, Clips(), verbose=False)[0]
    assert set(weights) | {"loss"} <= {name.removeprefix("test/") for name in scores}
    assert scores["test/reconstruction"] < 0.3 * float(before["train/reconstruction"])
    assert scores["test/acc_joints"] < 0.5 * float(before["train/acc_joints"])
    assert scores["test/loss"] == pytest.approx(sum(w * scores[f"test/{n}"] for n, w in weights.items()), rel=1e-4)


def test_validation_reports_each_activity_and_is_repeatable(tmp_path):
    model = make_ready()
    first, second = (
        make_trainer(tmp_path, limit_val_batches=1).validate(model, Clips(), verbose=False)[0] for _ in "ab"
    )
    assert first == pytest.approx(second, rel=0, abs=0, nan_ok=True)  # no clip here is of low dynamics
    names = ("loss", "acc_joints", "paired_acc/rmse", "paired_acc/mse", "paired_acc_positions/rmse")
    for name in (*names, "acc_sensors", "paired_sensors_accel/rmse", "paired_sensors_gyro/rmse"):
        assert {f"val/{name}", f"val/{name}/walking", f"val/{name}/jumping"} <= first.keys()
    # Two clips walk and one jumps.
    expected = (2 * first["val/loss/walking"] + first["val/loss/jumping"]) / 3
    assert first["val/loss"] == pytest.approx(expected, rel=1e-5)


def test_resuming_is_the_same_as_never_stopping(tmp_path):
    options = {"loss_weights": {"reconstruction": 1.0, "acc_joints": 1e-3}, "cond_drop_prob": 0.5}
    straight = make_model(**options)
    keep = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=2, save_top_k=-1)
    make_trainer(tmp_path, max_steps=4, enable_checkpointing=True, callbacks=[keep]).fit(straight, Clips())
    torch.manual_seed(123)  # another state of the global generator, as a new process has
    resumed = MotionDiffusion(**straight.hparams_initial)
    resumed.texts.attach(WordHashEncoder())
    make_trainer(tmp_path, max_steps=4).fit(resumed, Clips(), ckpt_path=tmp_path / "step=2.ckpt")
    expected = straight.state_dict()
    assert any(key.startswith("average.") for key in expected)
    for key, value in resumed.state_dict().items():
        assert torch.equal(value, expected[key]), key


ALL_OPTIONS = {
    "loss_weights": {"reconstruction": 1.0, "acc_sensors": 1e-4, "foot_contact": 0.1, "positions": 0.5},
    "loss_warmup_steps": {"acc_sensors": 3},
    "sensor_loss": {"placements": ["right_wrist"], "channels": ["accel"]},
}


def test_looking_at_gradients_changes_nothing(tmp_path):
    trained = {}
    for every in (0, 1):
        model = make_model(**ALL_OPTIONS, log_gradient_norms_every=every)
        trainer = make_trainer(tmp_path, max_steps=2, accumulate_grad_batches=2, max_epochs=9, gradient_clip_val=1.0)
        trainer.fit(model, Clips())
        trained[every] = model.state_dict()
        norms = {name for name in trainer.callback_metrics if name.startswith("grad_norm/")}
        assert norms == ({f"grad_norm/{name}" for name in ALL_OPTIONS["loss_weights"]} if every else set())
    assert all(torch.equal(value, trained[1][key]) for key, value in trained[0].items())


def test_gradient_norms_are_written_where_the_trainer_logs(tmp_path):
    logger = CSVLogger(tmp_path)
    trainer = make_trainer(tmp_path, max_steps=8, logger=logger, log_every_n_steps=2)
    trainer.fit(make_model(**ALL_OPTIONS, log_gradient_norms_every=4), Clips())
    with (Path(logger.log_dir) / "metrics.csv").open() as file:
        rows = {int(row["step"]): row["grad_norm/acc_sensors"] for row in csv.DictReader(file)}
    assert sorted(step for step, norm in rows.items() if norm) == [3, 7]
    assert float(rows[7]) > 0


def test_a_loss_that_warms_up_resumes_exactly(tmp_path):
    straight = make_model(**ALL_OPTIONS)
    keep = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=2, save_top_k=-1)
    make_trainer(tmp_path, max_steps=4, enable_checkpointing=True, callbacks=[keep]).fit(straight, Clips())
    torch.load(tmp_path / "step=2.ckpt", weights_only=True)
    resumed = MotionDiffusion.load_from_checkpoint(tmp_path / "step=2.ckpt", weights_only=True)
    assert resumed.objective == straight.objective
    resumed.texts.attach(WordHashEncoder())
    make_trainer(tmp_path, max_steps=4).fit(resumed, Clips(), ckpt_path=tmp_path / "step=2.ckpt")
    for key, value in resumed.state_dict().items():
        assert torch.equal(value, straight.state_dict()[key]), key
    abrupt = make_model(**(ALL_OPTIONS | {"loss_warmup_steps": {}}))
    make_trainer(tmp_path, max_steps=4).fit(abrupt, Clips())
    assert not torch.equal(next(abrupt.denoiser.parameters()), next(straight.denoiser.parameters()))


def test_arms_with_other_losses_see_the_same_randomness(tmp_path, monkeypatch):
    seen = {}

    class Spy(MotionDiffusion):
        def _predict_clean(self, network, batch, steps, text, noise, coarse=None):
            seen.setdefault(self.objective.active, []).append((steps, text.embedding, noise))
            return super()._predict_clean(network, batch, steps, text, noise, coarse)

    for weights in ({"reconstruction": 1.0}, {"reconstruction": 1.0, "acc_joints": 1.0}):
        model = Spy(**DIMENSIONS, loss_weights=weights, cond_drop_prob=0.5)
        model.texts.attach(WordHashEncoder())
        make_trainer(tmp_path, max_steps=3).fit(model, Clips())
    control, acc = seen.values()
    assert len(control) == 3
    for one, other in zip(control, acc, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert not torch.equal(control[0][2], control[1][2])


def test_texts_are_encoded_once_and_never_per_step(tmp_path):
    model, encoder = make_model(), WordHashEncoder()
    model.texts.attach(encoder)
    make_trainer(tmp_path, max_steps=5).fit(model, Clips())
    assert sorted(encoder.encoded) == sorted(TEXTS)


def test_same_seed_same_motion_whatever_the_batch():
    for mask_frames in (True, False):
        model = make_ready(mask_frames=mask_frames)
        for sampler in ("ddpm", "ddim", "dpm++", "sde-dpm++"):
            options = {"sampler": sampler, "steps": 6}
            together = model.generate(TEXTS, num_frames=[20, 14, 9], seeds=[1, 2, 3], **options)
            alone = model.generate(TEXTS[1:2], num_frames=14, seeds=[2], **options)
            assert together.shape == (3, 20, 263)
            torch.testing.assert_close(together[1, :14], alone[0], rtol=0, atol=1e-5)
            assert not together[1, 14:].any()
            assert not torch.allclose(alone, model.generate(TEXTS[1:2], num_frames=14, seeds=[3], **options))


def test_generated_features_are_denormalised():
    model = make_ready(num_steps=3)
    raw = model.generate(TEXTS[:1], num_frames=10, seeds=[0])
    model.statistics.set(torch.full((263,), 5.0), torch.full((263,), 0.2))
    torch.testing.assert_close(model.generate(TEXTS[:1], num_frames=10, seeds=[0]), (raw - 0.01) * 2 + 5)


def test_predicting_gives_what_generating_gives(tmp_path):
    model = make_ready(sampler="ddim", sampling_steps=4, guidance=1.5)
    batch = PromptBatch(TEXTS[:2], torch.tensor([8, 6]), [4, 5], torch.tensor([10, 11]), ["walking", "jumping"])
    (predicted,) = make_trainer(tmp_path).predict(model, DataLoader([batch], batch_size=None))
    expected = model.generate(TEXTS[:2], num_frames=[8, 6], seeds=[4, 5], sampler="ddim", steps=4, guidance=1.5)
    torch.testing.assert_close(predicted.features, expected)
    assert predicted.index.tolist() == [10, 11]


def test_fine_tuning_starts_from_a_prior_and_keeps_its_statistics(tmp_path):
    prior = make_ready()
    prior.statistics.set(torch.full((263,), 0.5), torch.full((263,), 2.0))
    save_prior(prior, tmp_path / "prior.safetensors", {"name": "test"})
    model = make_model(init_from=str(tmp_path / "prior.safetensors"), lr=0.0)
    make_trainer(tmp_path, max_steps=1).fit(model, Clips())
    assert float(model.statistics.mean[0]) == 0.5
    for key, value in model.denoiser.state_dict().items():
        torch.testing.assert_close(value, prior.average.state_dict()[key], rtol=1e-3, atol=1e-3)
    assert "init_from" not in model.hparams


def test_checkpoints_load_without_executing_code_and_generate_the_same(tmp_path):
    model = make_model()
    trainer = make_trainer(tmp_path, max_steps=2, enable_checkpointing=True)
    trainer.fit(model, Clips())
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    torch.load(tmp_path / "last.ckpt", weights_only=True)
    loaded = MotionDiffusion.load_from_checkpoint(tmp_path / "last.ckpt", weights_only=True)
    loaded.texts.attach(WordHashEncoder())
    arguments = {"num_frames": 7, "seeds": [1, 2, 3]}
    torch.testing.assert_close(loaded.generate(TEXTS, **arguments), model.generate(TEXTS, **arguments))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"texts": []}, "list of prompts is empty"),
        ({"num_frames": 0}, "expected at least 1"),
        ({"num_frames": [4, 4]}, "2 entries for 1 prompts"),
        ({"seeds": [1, 2]}, "2 entries for 1 prompts"),
        ({"sampler": "euler"}, "must be one of"),
        ({"steps": 13}, "expected 1 to 12"),
    ],
)
def test_generate_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_ready().generate(**({"texts": TEXTS[:1], "num_frames": 4} | arguments))


def test_generate_needs_statistics_and_a_dropped_condition():
    with pytest.raises(ValueError, match="no feature statistics"):
        make_model().generate(TEXTS, num_frames=4)
    with pytest.raises(ValueError, match="cond_drop_prob=0"):
        make_ready(cond_drop_prob=0.0).generate(TEXTS, num_frames=4, guidance=2.5)
    assert make_ready(cond_drop_prob=0.0).generate(TEXTS, num_frames=4).shape == (3, 4, 263)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss_weights": {"acc_sensor": 1.0}}, "'acc_sensor' is unknown.*'acc_sensors'"),
        ({"loss_warmup_steps": {"acc": 5}}, "'acc' is unknown"),
        ({"sensor_loss": {"placements": ["left_wirst"]}}, "did you mean 'left_wrist'"),
        ({"loss_decoder": "steps"}, "unknown loss_decoder 'steps'"),
        ({"lr_schedule": "linear"}, "lr_schedule 'linear'"),
        ({"sampler": "euler"}, "sampler 'euler'"),
        ({"cond_drop_prob": 1.5}, "cond_drop_prob is 1.5"),
        ({"text_encoder": "elmo"}, "text encoder 'elmo'"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        MotionDiffusion(**(DIMENSIONS | arguments)).texts(["a person walks"])


def test_bad_statistics_and_encoders_are_refused():
    model = make_model()
    with pytest.raises(ValueError, match="std is 0 for 1 of 263"):
        model.statistics.set(torch.zeros(263), torch.cat([torch.ones(262), torch.zeros(1)]))
    with pytest.raises(ValueError, match="expected 263 finite numbers"):
        model.statistics.set(torch.zeros(5), torch.ones(5))
    with pytest.raises(ValueError, match="mean is not finite for 2 of 263"):
        model.statistics.set(torch.cat([torch.zeros(261), torch.tensor([torch.nan, torch.inf])]), torch.ones(263))
    encoder = WordHashEncoder()
    encoder.dim = 9
    with pytest.raises(ValueError, match="gives 9 numbers"):
        model.texts.attach(encoder)


def test_average_moves_towards_the_weights():
    source, average = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    expected = 0.9 * average.weight.detach().clone() + 0.1 * source.weight.detach()
    update_average(average, source, 0.9)
    torch.testing.assert_close(average.weight.detach(), expected)
    assert [ramp_decay(0.999, n) for n in (0, 90, 100_000)] == [0.1, 0.91, 0.999]


def test_paired_noise_belongs_to_the_clip():
    first = paired_noise([5, 9], [4, 6], 6, 3, level=1)
    second = paired_noise([9], [6], 8, 3, level=1)
    assert torch.equal(first[1], second[0, :6])
    assert not first[0, 4:].any()
    assert not torch.equal(first[1], paired_noise([9], [6], 6, 3, level=2)[0])


def test_dropout_seed_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    with seeded_dropout(7, torch.device("cpu")):
        inside = torch.rand(2)
    assert torch.equal(torch.rand(2), expected)
    with seeded_dropout(7, torch.device("cpu")):
        assert torch.equal(torch.rand(2), inside)
