"""The motion writer on a real (tiny) MotionDiffusion."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback

from datamodules import PromptDataModule
from lightning_modules import MotionDiffusion
from lightning_modules.callbacks.motion_writer import MotionWriter, hash_configuration
from sim import Motion
from sim.conventions import DECODERS, Decoder
from sim.features import features_to_motion

FPS = 20.0


def tiny_model(cache_dir: Path) -> MotionDiffusion:
    torch.manual_seed(0)
    model = MotionDiffusion(
        width=16, num_layers=1, num_heads=2, feedforward=16, num_steps=4, cache_dir=str(cache_dir), sampling_steps=None
    )
    model.statistics.set(torch.zeros(263), torch.ones(263))
    return model


def predict(model: MotionDiffusion, data: PromptDataModule, writer: Callback, root: Path) -> None:
    trainer = Trainer(
        accelerator="cpu", logger=False, callbacks=[writer], enable_progress_bar=False, default_root_dir=root
    )
    trainer.predict(model, data, return_predictions=False)


@pytest.mark.parametrize("decoder", ["consistent", "positions"])
def test_writer_writes_what_generate_returns(tmp_path: Path, cache_dir: Path, decoder: Decoder) -> None:
    model = tiny_model(cache_dir)
    prompts = {"waving hands": ["a person waves."], "walking": ["a person walks.", "someone is walking."]}
    data = PromptDataModule(prompts, motions_per_activity=3, seconds=1.5, batch_size=4, seed=3)
    writer = MotionWriter(str(tmp_path / "motions"), decoder=decoder)
    assert MotionWriter().decoder == "consistent"
    predict(model, data, writer, tmp_path)

    manifest = json.loads((writer.folder / "manifest-0.json").read_text(encoding="utf-8"))
    expected = hash_configuration(model, dict(data.hparams), decoder=decoder)
    assert manifest["config_hash"] == writer.config_hash == expected
    assert manifest["decoder"] == decoder
    assert [entry["index"] for entry in manifest["motions"]] == list(range(6))
    assert {path.name for path in writer.folder.iterdir()} == {
        "manifest-0.json",
        *(entry["file"] for entry in manifest["motions"]),
    }
    assert manifest["motions"][0]["file"] == "000000_waving_hands.npz"
    for entry in manifest["motions"]:
        motion = Motion.load(writer.folder / entry["file"])
        assert (motion.text, motion.num_frames, motion.fps) == (entry["text"], entry["num_frames"], FPS)
        assert entry["text"] in prompts[entry["activity"]]
        features = model.generate([entry["text"]], num_frames=entry["num_frames"], seeds=[entry["seed"]])
        assert motion.decoder == decoder
        again = features_to_motion(features[0], decoder=decoder, std=model.statistics.std)
        torch.testing.assert_close(motion.translation, again.translation, atol=1e-4, rtol=1e-4)


def test_motions_of_two_configurations_never_mix(tmp_path: Path, cache_dir: Path) -> None:
    prompts = {"walking": ["a person walks."]}
    model, writer = tiny_model(cache_dir), MotionWriter(str(tmp_path))
    folders = []
    for seed in (0, 1, 0):
        data = PromptDataModule(prompts, motions_per_activity=1, seconds=1, seed=seed)
        predict(model, data, writer, tmp_path)
        folders.append(writer.folder)
    assert folders[0] == folders[2] != folders[1]
    with torch.no_grad():
        next(model.average.parameters()).add_(1.0)
    assert hash_configuration(model, dict(data.hparams)) != folders[0].name
    hashes = {hash_configuration(model, {}, decoder=decoder) for decoder in DECODERS}
    assert len(hashes) == len(DECODERS)


def test_a_decoder_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown decoder 'steps', expected one of"):
        MotionWriter(decoder="steps")
