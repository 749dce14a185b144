"""HumanML3D: clips and lengths by MDM's rules, published features unchanged, the same data on any ranks."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

import datamodules.humanml3d.shards as shards_module
from datamodules import HumanML3DDataModule
from datamodules.batches import MotionBatch
from datamodules.humanml3d.files import list_files, read_captions
from datamodules.humanml3d.shards import open_pack, pack
from datamodules.humanml3d.windows import draw_length
from datamodules.motion_windows import EpochSampler
from lightning_modules.evaluation.guo import EvaluationStatistics, TokenisedCaptions
from lightning_modules.networks.packing import mask_frames_of
from lightning_modules.training.feature_statistics import FeatureStatistics, MotionData

Write = Callable[..., Path]
LINE = "a person moves.#a/DET person/NOUN move/VERB#0.0#0.0"


def module_of(root: Path, **options: object) -> HumanML3DDataModule:
    options.setdefault("cache_dir", str(root.parent / "cache"))
    data = HumanML3DDataModule(str(root), **options)
    data.prepare_data()
    data.setup()
    return data


def drawn(data: HumanML3DDataModule, epoch: int = 0) -> list[MotionBatch]:
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return list(loader)


def test_clips_are_those_of_mdm(made_up: Path) -> None:
    data = module_of(made_up)
    # c is a frame too short, d a frame too long (its part goes with it), 1.0 to 2.9 s are 38 frames, "backwards" none.
    assert data.clips("train") == ["a", "b", "b@41-100/2", "e@60-2000/0"]
    assert data.clips("val") == ["f", "g"]
    part = data.shards.features(data.clips("train").index("b@41-100/2"))
    assert part.shape == (59, 263)
    assert (part[0, 0], part[0, 1], part[-1, 1]) == (2, 41, 99)
    assert len(data.shards.features(3)) == 61
    assert data.shards.captions(1) == ["all of b", "again all"]
    assert data.captions() == sorted(
        [f"a person does {name}." for name in "afgh"] + ["all of b", "again all", "a part of b", "the end of e"]
    )
    assert (data.shards.missing["train"], data.shards.skipped["train"]) == (1, 2)


def test_missing_motions_are_counted_aloud(made_up: Path, caplog: pytest.LogCaptureFixture) -> None:
    module_of(made_up)
    assert "1 motions that the lists" in caplog.text


def test_lengths_are_multiples_of_four_and_one_in_three_is_shorter() -> None:
    generator = np.random.default_rng(0)
    lengths = np.array([draw_length(199, generator) for _ in range(3000)])
    assert set(lengths) == {196, 192}
    assert abs((lengths == 192).mean() - 1 / 3) < 0.03
    assert {draw_length(40, generator) for _ in range(50)} == {40, 36}


def test_batches_are_crops_of_their_clips(made_up: Path) -> None:
    data = module_of(made_up, samples_per_epoch=400, batch_size=400)
    (batch,) = drawn(data)
    assert batch.features.shape == (400, 196, 263)
    assert batch.features.dtype == torch.float32
    assert batch.lengths.dtype == batch.activity.dtype == batch.sample_id.dtype == torch.int64
    offsets: dict[str, set[int]] = {}
    for features, length, caption in zip(batch.features, batch.lengths.tolist(), batch.captions, strict=True):
        assert (features[length:] == 0).all()
        assert length % 4 == 0
        steps = features[:length, 1]
        assert torch.equal(steps, steps[0] + torch.arange(length))
        assert (features[:length, 0] == {"a pe": 1, "all ": 2, "agai": 2, "a pa": 2, "the ": 5}[caption[:4]]).all()
        offsets.setdefault(caption, set()).add(int(steps[0]))
    assert set(offsets) == {"a person does a.", "all of b", "again all", "a part of b", "the end of e"}
    # 199 frames: 196 at 0 to 3, 192 at 0 to 7; the part starts at 41 and has 59 frames: 56 or 52 of them.
    assert offsets["all of b"] | offsets["again all"] == set(range(8))
    assert offsets["a part of b"] == set(range(41, 49))


def test_every_clip_comes_once_in_a_round_on_any_number_of_ranks(made_up: Path) -> None:
    data = module_of(made_up)
    assert sorted(batch_ids(drawn(data), 0)) == [1, 2, 2, 5]
    assert sorted(batch_ids(drawn(data, 7), 0)) == [1, 2, 2, 5]
    crops = data.train_dataloader().dataset
    seen = []
    for epoch in range(4):  # of three clips on each of one rank, four make three rounds
        sampler = EpochSampler(crops, size=3, num_replicas=1, rank=0)
        sampler.set_epoch(epoch)
        seen += [float(crops[number].features[0, 0]) for number in sampler]
    assert sorted(seen) == [1, 1, 1, 2, 2, 2, 2, 2, 2, 5, 5, 5]


def batch_ids(batches: list[MotionBatch], feature: int) -> list[float]:
    return [float(value) for batch in batches for value in batch.features[:, 0, feature]]


def test_data_follow_from_seed_and_epoch_only(made_up: Path) -> None:
    def ids(data: HumanML3DDataModule, epoch: int = 0) -> list[int]:
        return [number for batch in drawn(data, epoch) for number in batch.sample_id.tolist()]

    options = {"samples_per_epoch": 40}
    first = ids(module_of(made_up, batch_size=7, **options))
    assert first == ids(module_of(made_up, batch_size=40, **options))
    assert first != ids(module_of(made_up, **options), epoch=1)
    assert first != ids(module_of(made_up, seed=1, **options))
    fixed = [
        torch.cat([batch.sample_id for batch in module_of(made_up, seed=seed).val_dataloader()]) for seed in (0, 1)
    ]
    assert torch.equal(*fixed)


def test_workers_see_the_same_and_get_no_features_sent(made_up: Path) -> None:
    data = module_of(made_up, samples_per_epoch=24, batch_size=8)
    assert len(pickle.dumps(data.shards)) < 20_000
    data.shards.features(0)
    assert len(pickle.dumps(data.shards)) < 20_000
    copied = pickle.loads(pickle.dumps(data.shards))
    assert np.array_equal(copied.features(1), data.shards.features(1))
    alone = [batch.sample_id.tolist() for batch in drawn(data)]
    shutil.rmtree(made_up / "new_joint_vecs")  # whoever still reads a file of the set fails
    data._num_workers = 2
    batches = drawn(data)
    assert [batch.sample_id.tolist() for batch in batches] == alone


class Recorder(LightningModule):
    """Keeps the sample numbers that it was trained on."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen: list[list[int]] = []

    def training_step(self, batch: MotionBatch, batch_index: int) -> torch.Tensor:
        self.seen.append(batch.sample_id.tolist())
        return self.weight.square().sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_a_resumed_run_sees_the_same_data(made_up: Path, tmp_path: Path) -> None:
    def run(folder: Path, steps: int, resume: Path | None = None) -> list[list[int]]:
        recorder = Recorder()
        trainer = Trainer(
            max_steps=steps,
            accelerator="cpu",
            devices=1,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            limit_val_batches=0,
            callbacks=[ModelCheckpoint(folder, filename="at-{step}", every_n_train_steps=1, save_top_k=-1)],
        )
        data = module_of(made_up, samples_per_epoch=6, batch_size=2)
        trainer.fit(recorder, datamodule=data, ckpt_path=resume, weights_only=False)
        return recorder.seen

    whole = run(tmp_path / "whole", 8)
    run(tmp_path / "part", 4)
    assert run(tmp_path / "rest", 8, tmp_path / "part" / "at-step=4.ckpt") == whole[4:]


def test_padding_is_zero_after_normalisation(made_up: Path) -> None:
    data = module_of(made_up, batch_size=4)
    assert isinstance(data, MotionData)
    statistics = FeatureStatistics()
    statistics.set(*data.feature_statistics())
    assert torch.equal(statistics.mean, torch.from_numpy(np.load(made_up / "Mean.npy")))
    batch = drawn(data)[0]
    mask = mask_frames_of(batch.lengths, 196)
    normalised = statistics.normalise(batch.features, mask)
    assert (normalised[~mask] == 0).all()
    assert torch.allclose(normalised[mask], (batch.features[mask] - statistics.mean) / statistics.std)


def test_evaluation_has_statistics_of_its_own(made_up: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"t2m_mean\.npy.*evaluation_dir"):
        module_of(made_up).evaluation_statistics()
    for folder, prefix in ((made_up, "t2m_"), (tmp_path / "meta", "")):
        folder.mkdir(exist_ok=True)
        np.save(folder / f"{prefix}mean.npy", np.full(263, 2.0))
        np.save(folder / f"{prefix}std.npy", np.full(263, 3.0))
        mean, std = module_of(made_up, evaluation_dir=str(folder)).evaluation_statistics()
        assert (mean == 2).all()
        assert (std == 3).all()


def test_test_captions_have_their_published_tokens(made_up: Path) -> None:
    (test,) = set((made_up / "test.txt").read_text(encoding="utf-8").split())
    lines = ["He walks.#he/PRON walk/VERB#0.0#0.0", "then he runs.#then/ADV he/PRON run/VERB#1.0#4.0"]
    (made_up / "texts" / f"{test}.txt").write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    data = module_of(made_up)
    assert isinstance(data, TokenisedCaptions)
    assert isinstance(data, EvaluationStatistics)
    assert data.caption_tokens() == {"He walks.": "he/PRON walk/VERB", "then he runs.": "then/ADV he/PRON run/VERB"}


def test_golden_features_come_through_unchanged(
    golden: Callable[[str], np.lib.npyio.NpzFile], tmp_path: Path, write_humanml3d: Write
) -> None:
    archive = golden("humanml3d")
    motions = {name: archive[f"{name}/features"] for name in ("cartwheel", "getup_faceup", "dance_b")}
    root = write_humanml3d(
        tmp_path / "set",
        motions,
        {name: [LINE] for name in motions},
        {"train": ["getup_faceup"], "val": ["cartwheel"], "test": ["dance_b"]},
    )
    for name in ("Mean", "Std"):
        np.save(root / f"{name}.npy", archive[name])
        np.save(root / f"t2m_{name.lower()}.npy", archive[name.lower()])
    data = module_of(root)
    for number, name in enumerate(("getup_faceup", "cartwheel", "dance_b")):
        assert np.array_equal(data.shards.features(number), motions[name])
    for found, name in zip(
        data.feature_statistics() + data.evaluation_statistics(), ("Mean", "Std", "mean", "std"), strict=True
    ):
        assert torch.equal(found, torch.from_numpy(archive[name]).float())
    assert not torch.equal(data.feature_statistics()[1], data.evaluation_statistics()[1])


def test_a_pack_is_made_once_and_anew_when_a_file_changes(made_up: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = pack(list_files(made_up), cache)
    stamp = (first / "index.npz").stat().st_mtime_ns
    assert pack(list_files(made_up), cache) == first
    assert (first / "index.npz").stat().st_mtime_ns == stamp
    (made_up / "texts" / "a.txt").write_text("another#x#0.0#0.0\n", encoding="utf-8")
    with pytest.raises(FileNotFoundError, match="prepare_data"):
        open_pack(list_files(made_up), cache)
    assert pack(list_files(made_up), cache) != first
    assert open_pack(list_files(made_up), cache).captions(0) == ["another"]


def test_motions_spread_over_several_shards(made_up: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards_module, "SHARD_FRAMES", 100)
    data = module_of(made_up)
    assert data.shards.frames == [40 + 199, 121, 60 + 50, 45]
    assert [float(data.shards.features(clip)[0, 0]) for clip in range(7)] == [1, 2, 2, 5, 6, 7, 8]


def _pack_slowly(root: Path, cache: Path) -> None:
    read = shards_module.read_features

    def slow(path: Path) -> np.ndarray:
        time.sleep(0.2)
        return read(path)

    shards_module.read_features = slow
    pack(list_files(root), cache)


def test_a_killed_packing_is_started_anew(made_up: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    process = multiprocessing.get_context("fork").Process(target=_pack_slowly, args=(made_up, cache))
    process.start()
    deadline = time.monotonic() + 10
    while not list(cache.glob("*.part/shard-*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert list(cache.glob("*.part"))
    with pytest.raises(FileNotFoundError, match="not packed"):
        open_pack(list_files(made_up), cache)
    pack(list_files(made_up), cache)
    assert not list(cache.glob("*.part"))
    assert len(open_pack(list_files(made_up), cache).names) == 7


def test_a_truncated_shard_is_named(made_up: Path) -> None:
    data = module_of(made_up)
    path = data.shards.folder / "shard-00000.f32"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ValueError, match=r"shard-00000\.f32 has .* bytes, expected .*; delete"):
        module_of(made_up)


def test_times_are_seconds_at_twenty_frames(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("whole#x#0.0#0.0\nnan#x#nan#nan\n\npart#x#2.3#4.55\ninstant#x#0.01#0.02\n", encoding="utf-8")
    assert [tuple(caption) for caption in read_captions(path)] == [
        ("whole", None),
        ("nan", None),
        ("part", (int(2.3 * 20), int(4.55 * 20))),
        ("instant", (0, 0)),
    ]
