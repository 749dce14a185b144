"""HARClassifier in a real Trainer on a problem with a known answer, and the networks under it."""

import numpy as np
import pandas as pd
import pytest
import torch
from lightning import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

from datamodules.har import WindowDataModule
from datamodules.har.windows.loading import WindowDataset
from datamodules.har.windows.window_set import WindowSet
from lightning_modules.har.networks import NETWORKS, build_classifier
from lightning_modules.har_classifier import HARClassifier, balanced_weights

CLASSES = ["slow", "fast", "still"]
CHANNELS = ("accel_x", "accel_y", "accel_z")


def _oscillations(per_class=(60, 60, 60), seed=0):
    """Sines of 1 Hz, sines of 4 Hz and noise, at random phases: told apart by frequency alone."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), per_class)
    time = np.arange(64) / 32.0
    frequency = np.array([1.0, 4.0, 0.0])[labels]
    phase = rng.uniform(0, 2 * np.pi, (len(labels), 1, 3))
    wave = np.sin(2 * np.pi * frequency[:, None, None] * time[None, :, None] + phase) * (labels != 2)[:, None, None]
    signals = (wave + 0.2 * rng.standard_normal(wave.shape)).astype(np.float32)
    subjects = np.array([f"s{i % 6}" for i in range(len(labels))])
    return WindowSet(signals, labels, subjects, np.arange(len(labels)), tuple(CLASSES), CHANNELS, 32.0)


def _trainer(tmp_path, epochs=1, logger=False):
    return Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=epochs,
        logger=logger,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )


@pytest.mark.parametrize("network", NETWORKS)
def test_learns_to_tell_frequencies_apart(network, tmp_path):
    torch.manual_seed(0)
    data = WindowDataModule(_oscillations(), _oscillations(seed=1), batch_size=32)
    model = HARClassifier(CLASSES, 3, network=network)
    trainer = _trainer(tmp_path, epochs=20, logger=CSVLogger(tmp_path))
    trainer.fit(model, data)
    assert float(trainer.callback_metrics["val/macro_f1"]) > 0.9
    (metrics,) = trainer.test(model, data, verbose=False)
    assert metrics["test/macro_f1"] > 0.95
    assert {f"test/f1/{name}" for name in CLASSES} <= set(metrics)
    assert model.test_scores.confusion.sum() == 180
    table = pd.read_csv(next(tmp_path.rglob("test_confusion.csv")), index_col=0)
    assert table.columns.tolist() == table.index.tolist() == CLASSES
    np.testing.assert_array_equal(table.to_numpy(), model.test_scores.confusion)
    np.testing.assert_array_equal(model.test_predictions.labels, data.test_windows.labels)

    path = tmp_path / "model.ckpt"
    trainer.save_checkpoint(path)
    restored = HARClassifier.load_from_checkpoint(path, weights_only=True)
    signals = torch.cat([data.normalise(batch).signals for batch in data.test_dataloader()])
    torch.testing.assert_close(restored.eval()(signals), model.eval()(signals))
    (first, *_) = trainer.predict(model, data)
    torch.testing.assert_close(first[1].sum(dim=1), torch.ones(32))


@pytest.mark.parametrize("network", NETWORKS)
def test_a_resumed_run_ends_with_the_weights_of_an_uncut_one(network, tmp_path):
    """Cut in the middle of its second epoch of six steps, with half of the values dropped at random."""

    def run(folder, resume=None):
        torch.manual_seed(0)
        data = WindowDataModule(_oscillations(), batch_size=32, val_fraction=0.0)
        model = HARClassifier(CLASSES, 3, network=network, dropout_seed=0)
        trainer = Trainer(
            accelerator="cpu",
            max_epochs=3,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[ModelCheckpoint(folder, filename="{step}", every_n_train_steps=1, save_top_k=-1)],
        )
        trainer.fit(model, data, ckpt_path=resume, weights_only=True)
        assert trainer.global_step == 18
        return model.state_dict()

    whole = run(tmp_path / "whole")
    resumed = run(tmp_path / "rest", tmp_path / "whole" / "step=9.ckpt")
    for name, value in whole.items():
        torch.testing.assert_close(resumed[name], value, rtol=0, atol=0)


def test_class_weights_come_from_the_training_windows(tmp_path):
    data = WindowDataModule(_oscillations((90, 30, 0)), val_fraction=0.0)
    model = HARClassifier(CLASSES, 3, network="cnn")
    _trainer(tmp_path).fit(model, data)
    torch.testing.assert_close(model.class_weight, torch.tensor([120 / 180, 120 / 60, 0.0]))


def test_balanced_weights_give_each_class_the_same_say():
    counts = [10, 30, 60]
    weights = balanced_weights(counts)
    assert np.ptp([w * n for w, n in zip(weights, counts, strict=True)]) == pytest.approx(0.0, abs=1e-9)
    assert sum(w * n for w, n in zip(weights, counts, strict=True)) == pytest.approx(100)


def test_balanced_weights_need_a_data_module_that_counts(tmp_path):
    loader = DataLoader(WindowDataset(_oscillations()), batch_size=8)
    with pytest.raises(ValueError, match="class_weights: none or a list"):
        _trainer(tmp_path).fit(HARClassifier(CLASSES, 3), loader)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("samples", [2, 25, 128])
def test_networks_take_windows_of_any_length(name, samples):
    network = build_classifier(name, num_channels=6, num_classes=4, filters=8, units=8, layers=1, dropout=0.5)
    assert network.eval()(torch.randn(3, samples, 6)).shape == (3, 4)


@pytest.mark.parametrize("name", NETWORKS)
def test_no_window_influences_another_in_evaluation(name):
    network = build_classifier(name, num_channels=6, num_classes=4, filters=8, units=8, layers=1, dropout=0.5).eval()
    signals = torch.randn(5, 40, 6)
    torch.testing.assert_close(network(signals)[2:3], network(signals[2:3]), atol=1e-6, rtol=1e-5)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="did you mean deepconvlstm"):
        HARClassifier(CLASSES, network="deepconvltsm")
    with pytest.raises(ValueError, match="filters is 0"):
        HARClassifier(CLASSES, filters=0)
    with pytest.raises(ValueError, match="2 class_weights for 3 classes"):
        HARClassifier(CLASSES, class_weights=[1.0, 1.0])
    with pytest.raises(ValueError, match=r"expected \(B, T, 6\); give the model num_channels"):
        HARClassifier(CLASSES)(torch.zeros(1, 8, 3))
