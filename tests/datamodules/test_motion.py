"""MotionDataModule: what a batch holds, who is on which side, and that order follows from seed and epoch alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from datamodules.batches import MotionBatch
from datamodules.clips.cache import compute_features
from datamodules.clips.clip import LYING
from datamodules.clips.motion_pack import list_packed
from datamodules.motion import MotionDataModule
from datamodules.motion_windows import EpochSampler, swap_sides
from datamodules.splits import SplitRequest, assign_splits, reported_activities
from sim import Body, Motion


@pytest.fixture(scope="module")
def module(cache_dir: Path) -> MotionDataModule:
    data = MotionDataModule(cache_dir=str(cache_dir / "motion"), samples_per_epoch=64, batch_size=16)
    data.prepare_data()
    data.setup()
    return data


def fresh(module: MotionDataModule, **options: object) -> MotionDataModule:
    data = MotionDataModule(
        cache_dir=module.hparams["cache_dir"], **{"samples_per_epoch": 64, "batch_size": 16} | options
    )
    data.setup()
    return data


def batches(data: MotionDataModule, *, epoch: int = 0) -> list[MotionBatch]:
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return list(loader)


def test_a_batch_is_what_it_says(module: MotionDataModule) -> None:
    batch = batches(module)[0]
    assert batch.features.shape == (16, 80, 263)
    assert batch.features.dtype == torch.float32
    assert batch.lengths.dtype == batch.activity.dtype == batch.sample_id.dtype == torch.int64
    assert (batch.lengths >= 18).all()
    assert (batch.lengths <= 80).all()
    for features, length, caption, activity in zip(
        batch.features, batch.lengths, batch.captions, batch.activity, strict=True
    ):
        assert (features[length:] == 0).all()
        assert (features[:length].abs().sum(dim=1) > 0).all()
        assert caption in module.captions()
        assert module.activities[activity]


def test_features_are_those_of_the_motion(module: MotionDataModule) -> None:
    clip = next(clip for clip in module.clips("test") if clip.name == "walk_forward")
    cached = next(clip for clip in module.library.side("test") if clip.name == "walk_forward")
    assert np.abs(compute_features(clip.motion).numpy() - cached.features).max() < 1e-4
    mirrored = compute_features(clip.motion.mirrored()).numpy()
    assert np.abs(mirrored - cached.mirrored).max() < 1e-4
    # The reflection flips turning and sideways speed and leaves height and forward speed.
    assert np.abs(cached.mirrored[:, [0, 1]] + cached.features[:, [0, 1]]).max() < 2e-2
    assert np.abs(cached.mirrored[:, [2, 3]] - cached.features[:, [2, 3]]).max() < 2e-2


def test_data_order_depends_on_seed_and_epoch_only(module: MotionDataModule) -> None:
    first = torch.cat([batch.sample_id for batch in batches(module)])
    again = torch.cat([batch.sample_id for batch in batches(fresh(module, batch_size=8))])
    assert torch.equal(first, again)
    assert not torch.equal(first, torch.cat([batch.sample_id for batch in batches(module, epoch=1)]))
    assert not torch.equal(first, torch.cat([batch.sample_id for batch in batches(fresh(module, seed=1))]))


def test_ranks_share_an_epoch_without_overlap(module: MotionDataModule) -> None:
    windows = module.train_dataloader().dataset
    shares = [EpochSampler(windows, size=64, num_replicas=2, rank=rank) for rank in (0, 1)]
    for share in shares:
        share.set_epoch(3)
    numbers = [list(share) for share in shares]
    assert sorted(numbers[0] + numbers[1]) == list(range(192, 256))


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


def run(module: MotionDataModule, folder: Path, *, steps: int, resume: str | None = None) -> list[list[int]]:
    recorder = Recorder()
    trainer = Trainer(
        max_steps=steps,
        accelerator="cpu",
        devices=1,
        logger=False,
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        callbacks=[ModelCheckpoint(folder, filename="at-{step}", every_n_train_steps=1, save_top_k=-1)],
    )
    trainer.fit(recorder, datamodule=fresh(module), ckpt_path=resume, weights_only=False)
    return recorder.seen


@pytest.mark.parametrize("stopped_after", [2, 4, 6])
def test_a_resumed_run_sees_the_same_data(module: MotionDataModule, tmp_path: Path, stopped_after: int) -> None:
    whole = run(module, tmp_path / "whole", steps=10)
    run(module, tmp_path / "part", steps=stopped_after)
    rest = run(module, tmp_path / "rest", steps=10, resume=str(tmp_path / "part" / f"at-step={stopped_after}.ckpt"))
    assert rest == whole[stopped_after:]


def test_no_recording_is_on_two_sides(module: MotionDataModule) -> None:
    names = {side: {clip.item.group for clip in module.library.side(side)} for side in ("train", "val", "test")}
    assert not names["train"] & names["test"]
    assert not names["train"] & names["val"]
    assert not names["val"] & names["test"]
    assert {"embedded/run", "embedded/jump", "embedded/walk_forward"} <= names["test"]
    assert {"walking", "standing", "sitting", *LYING} <= set(module.reported_activities)
    assert {"running", "jumping", "sitting_down", "stairs_up"} <= set(module.reported_activities)


def test_the_whole_collection_keeps_duplicates_together(shared: Path, cache_dir: Path, tmp_path: Path) -> None:
    root = tmp_path / "mocap"
    root.mkdir()
    (root / "clips.tsv").touch()
    source = shared / "data" / "mocap"
    (root / "cmu_asfamc").symlink_to(source / "cmu_asfamc")
    (root / "cmu35_asfamc").mkdir()
    for name in (
        "35.asf",
        *(f"35_0{i}_walk_30fps.amc" for i in range(1, 9)),
        *(f"35_2{i}_jog_30fps.amc" for i in range(5)),
    ):
        (root / "cmu35_asfamc" / f"{name}.xz").symlink_to(source / "cmu35_asfamc" / f"{name}.xz")
    expmap = root / "cmu_expmap8"
    (expmap / "test" / "soccer").mkdir(parents=True)
    (expmap / "train" / "walking").mkdir(parents=True)
    (expmap / "skeleton.json").symlink_to(source / "cmu_expmap8" / "skeleton.json")
    for name in ("test/soccer/soccer_1", "train/walking/walking_1"):
        (expmap / f"{name}.txt.xz").symlink_to(source / "cmu_expmap8" / f"{name}.txt.xz")
    data = MotionDataModule([str(root), "embedded"], cache_dir=str(cache_dir / "motion"))
    data.prepare_data()
    data.setup()
    library = data.library
    pairs = {frozenset(library.clips[index].name for index in (pair.first, pair.second)) for pair in library.duplicates}
    # CMU's own numbering says that these are the same; 02_01 and 11_01 came to the eight actions' set by another way.
    assert pairs == {
        frozenset({"cmu_expmap8/test/soccer/soccer_1", "cmu_asfamc/11_01"}),
        frozenset({"cmu_expmap8/train/walking/walking_1", "cmu_asfamc/02_01"}),
    }
    sides = {clip.name: side for clip, side in zip(library.clips, library.sides, strict=True)}
    assert sides["cmu_expmap8/test/soccer/soccer_1"] == sides["cmu_asfamc/11_01"]
    assert sides["run"] == sides["jump"] == sides["walk_forward"] == "test"
    assert {"walking", "running"} <= set(data.reported_activities)
    for activity in ("walking", "running"):
        assert min(data.library.minutes(side)[activity] for side in ("train", "test")) > 0.05


def test_splits_hold_together_and_reach_every_side() -> None:
    requests = [SplitRequest(f"clip {i}", "walking", 4.0, i // 2, None) for i in range(40)]
    requests += [SplitRequest("run 1", "running", 2.0, 100, None), SplitRequest("run 2", "running", 2.0, 101, None)]
    requests += [SplitRequest("roll", "rolling", 2.0, 102, None), SplitRequest("held", "lying", 9.0, 103, "test")]
    requests += [SplitRequest("its twin", "lying", 9.0, 103, "train")]
    sides = assign_splits(requests)
    assert all(sides[i] == sides[i + 1] for i in range(0, 40, 2))
    assert {side: sides[:40].count(side) for side in ("train", "val", "test")} == {"train": 30, "val": 4, "test": 6}
    assert set(sides[40:42]) == {"train", "test"}
    assert sides[42:] == ["train", "test", "test"]
    assert reported_activities(requests, sides) == ["running", "walking"]
    turned = assign_splits(requests[::-1])
    assert turned[::-1] == sides


def test_statistics_are_those_of_what_is_drawn(module: MotionDataModule) -> None:
    mean, std = module.feature_statistics()
    drawn = fresh(module, samples_per_epoch=3000, batch_size=1000)
    frames = torch.cat(
        [
            window[:length]
            for batch in batches(drawn)
            for window, length in zip(batch.features, batch.lengths, strict=True)
        ]
    )
    assert (frames.mean(dim=0) - mean).abs().max() < 0.05
    assert (std >= 1e-3).all()
    assert (std[4:67] == std[4]).all()
    grouped = frames.std(dim=0)[4:67].mean()
    assert abs(grouped / std[4] - 1) < 0.15


def test_fixed_windows_are_fixed_and_limited(module: MotionDataModule) -> None:
    first = torch.cat([batch.sample_id for batch in module.test_dataloader()])
    assert torch.equal(first, torch.cat([batch.sample_id for batch in fresh(module).test_dataloader()]))
    assert len(first) == len(set(first.tolist()))
    few = fresh(module, eval_windows_per_activity=2)
    activity = torch.cat([batch.activity for batch in few.test_dataloader()])
    assert activity.bincount().max() == 2


def test_balance_evens_out_activities(module: MotionDataModule) -> None:
    def share_of_standing(balance: float) -> float:
        data = fresh(module, balance=balance, samples_per_epoch=1024, batch_size=1024)
        return float((batches(data)[0].activity == data.activities.index("standing")).float().mean())

    assert share_of_standing(1.0) > 2 * share_of_standing(0.0)


def test_favoured_activities_are_drawn_more_often(module: MotionDataModule) -> None:
    def share(**options: object) -> float:
        data = fresh(module, samples_per_epoch=1024, batch_size=1024, **options)
        return float((batches(data)[0].activity == data.activities.index("walking")).float().mean())

    before = share()
    assert share(favour={"walking": 3.0}) == pytest.approx(3 * before / (1 + 2 * before), abs=0.05)


def test_folder_of_own_motions(tmp_path: Path, cache_dir: Path, module: MotionDataModule) -> None:
    walk = next(clip.motion for clip in module.clips("train") if clip.name == "walk")
    for activity in ("strolling", "standing"):
        (tmp_path / "own" / activity).mkdir(parents=True)
        for number in range(3):
            motion = Motion(
                walk.rotations[20 * number :], walk.translation[20 * number :], walk.fps, f"stroll {number}"
            )
            motion.save(tmp_path / "own" / activity / f"{number}.npz")
    data = MotionDataModule([str(tmp_path / "own")], cache_dir=str(tmp_path / "cache"), activities=["strolling"])
    data.prepare_data()
    data.setup()
    assert data.activities == ["strolling"]
    assert "stroll 1" in data.captions()
    # All three are cut from one walk, so they lie on one side.
    assert len({*data.library.sides}) == 1


def test_a_damaged_file_is_named_and_the_rest_kept(tmp_path: Path, cache_dir: Path, module: MotionDataModule) -> None:
    walk = next(clip.motion for clip in module.clips("train") if clip.name == "walk")
    (tmp_path / "own").mkdir()
    walk.save(tmp_path / "own" / "a.npz")
    broken = walk.translation.clone()
    broken[7] = float("nan")
    Motion(walk.rotations, broken, walk.fps).save(tmp_path / "own" / "b.npz")
    data = MotionDataModule([str(tmp_path / "own")], cache_dir=str(tmp_path / "cache"))
    with pytest.raises(ValueError, match=r"own/b cannot be converted: .*translation"):
        data.prepare_data()
    assert len(list((tmp_path / "cache").glob("*.npz"))) == 1


def test_a_killed_conversion_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    data = MotionDataModule(cache_dir=str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", fail)
        with pytest.raises(KeyboardInterrupt):
            data.prepare_data()
    assert {path.name for path in tmp_path.iterdir() if path.suffix != ".lock"} <= {"CACHEDIR.TAG"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sources": []}, "sources is empty"),
        ({"window_s": 0.2}, "window_s is 0.2"),
        ({"balance": 2.0}, "balance is 2.0"),
        ({"batch_size": 0}, "batch_size 0"),
        ({"favour": {"walking": 0.0}}, "favour.walking is 0.0"),
        ({"favour": {"waking": 2.0}}, "unknown activity in favour 'waking'"),
    ],
)
def test_parameters_out_of_range_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MotionDataModule(**options)


def test_absent_root_says_where_to_get_data(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"mocap\.cs\.cmu\.edu"):
        MotionDataModule([str(tmp_path / "absent")]).prepare_data()
    with pytest.raises(FileNotFoundError, match="holds no motion"):
        MotionDataModule([str(tmp_path)]).prepare_data()


def test_unknown_activity_names_the_known(module: MotionDataModule) -> None:
    with pytest.raises(ValueError, match=r"flying.*walking"):
        fresh(module, activities=["flying"])


def test_captions_change_sides_with_the_mirror() -> None:
    assert swap_sides("a person turns left, then right.") == "a person turns right, then left."
    assert swap_sides("bright leftovers") == "bright leftovers"


def test_embedded_clips_stand_on_the_floor(module: MotionDataModule) -> None:
    packed = {clip.name for clip in list_packed()}
    for clip in module.clips("test"):
        lowest = float(Body.default().joints(clip.motion)[..., 1].min())
        if clip.name in packed:
            assert -0.16 < lowest < 0.25, clip.name  # a body that lies sinks in, a stool or a slope is not in the clip
        else:
            assert abs(lowest - 0.04) < 0.08, clip.name
