"""Real and simulated windows in one training set: how many of each, whose, and what the normalisation has seen."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from datamodules.har import Augmentation, MixedIMUDataModule, RealIMUDataModule, VirtualIMUDataModule
from datamodules.har.windows.mixing import MixtureSampler
from sim.recording import ImuRecording

CLASSES = ["walking", "standing"]
PEOPLE = [f"s{number}" for number in range(1, 13)]
DESCRIPTION = """
files: '(?P<subject>s[0-9]+)/(?P<activity>[a-z]+)\\.csv'
rate_hz: 50
units: {accel: m/s^2, gyro: rad/s}
gravity: included
sensors:
  waist: {accel: [ax, ay, az], gyro: [gx, gy, gz]}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve real people around 100 m/s^2, simulated ones around -100: nobody can be mistaken for another."""
    root = tmp_path_factory.mktemp("sets")
    rng = np.random.default_rng(0)
    (root / "real").mkdir()
    (root / "real" / "imuforge.yaml").write_text(DESCRIPTION)
    for person in PEOPLE:
        (root / "real" / person).mkdir()
        for label in CLASSES:
            table = rng.standard_normal((512, 6)) + 100
            path = root / "real" / person / f"{label}.csv"
            np.savetxt(path, table, delimiter=",", header="ax,ay,az,gx,gy,gz", comments="")
    (root / "virtual").mkdir()
    with (root / "virtual" / "manifest.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "label", "subject"])
        for number in range(4):
            for label in CLASSES:
                channels = torch.from_numpy(rng.standard_normal((3, 1280, 1, 3)) - 100).float()
                recording = ImuRecording(
                    accel=channels[0],
                    gyro=channels[1],
                    linear_accel=channels[2],
                    orientation=torch.eye(3).expand(1280, 1, 3, 3).clone(),
                    position=torch.zeros(1280, 1, 3),
                    rate_hz=50.0,
                    names=("waist",),
                )
                name = f"{label}_{number}.parquet"
                recording.save(root / "virtual" / name)
                rows.writerow([name, label, f"v{number}"])
    return root


def _mix(folder: Path, *, classes: list[str] | None = None, **options) -> MixedIMUDataModule:
    cache = str(folder / "cache")
    real = RealIMUDataModule(
        "csv_folder",
        str(folder / "real"),
        classes=classes or CLASSES,
        placements=["waist"],
        split="subjects",
        test_subjects=["s11", "s12"],
        overlap=0.0,
        cache_dir=cache,
    )
    virtual = VirtualIMUDataModule(
        str(folder / "virtual"), classes=CLASSES, placements=["waist"], overlap=0.0, cache_dir=cache
    )
    return MixedIMUDataModule(real, virtual, **options)


def _people(data: MixedIMUDataModule) -> set[str]:
    return {name for windows in (data.train_windows, data.val_windows) for name in windows.subjects if name[0] == "s"}


def test_fewer_people_are_part_of_more(folder: Path) -> None:
    chosen = []
    for count in (0, 1, 2, 4, None):
        data = _mix(folder, real_subjects=count, seed=3)
        data.setup()
        chosen.append(_people(data))
        assert data.test_windows is not None
        assert set(data.test_windows.subjects) == {"s11", "s12"}
    assert [len(people) for people in chosen] == [0, 1, 2, 4, 10]
    assert all(few < more for few, more in pairwise(chosen))


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_fewer_people_are_part_of_more_once_validation_is_held_out(folder: Path, share: float) -> None:
    trained = []
    for count in range(1, 11):
        data = _mix(folder, real_subjects=count, virtual_share=share, val_fraction=0.3, seed=5)
        data.setup()
        trained.append({name for name in data.train_windows.subjects if name[0] == "s"})
        assert set(data.val_windows.subjects).isdisjoint(data.train_windows.subjects)
        assert len(data.val_windows)
    assert [len(people) for people in trained] == [1, 2, 2, 3, 3, 4, 5, 6, 6, 7]
    assert all(few <= more for few, more in pairwise(trained))


def test_validation_comes_from_real_people_where_there_are_enough(folder: Path) -> None:
    sides = []
    for count in (2, 4):
        data = _mix(folder, real_subjects=count, val_fraction=0.3)
        data.setup()
        sides.append({name[0] for name in data.val_windows.subjects})
        assert set(data.val_windows.subjects).isdisjoint(data.train_windows.subjects)
    assert sides == [{"v"}, {"s"}]


@pytest.mark.parametrize("share", [0.25, 0.5, 0.8])
def test_windows_are_drawn_in_the_ratio_asked_for_and_none_is_left_out(folder: Path, share: float) -> None:
    data = _mix(folder, real_subjects=2, virtual_share=share, val_fraction=0.0, batch_size=16)
    data.setup()
    batches = list(data.train_dataloader())
    drawn = torch.cat([batch.sample_id for batch in batches]).numpy()
    names = data.train_windows.subjects[drawn]
    assert np.char.startswith(names, "v").mean() == pytest.approx(share, abs=0.02)
    assert set(drawn.tolist()) == set(range(len(data.train_windows)))
    # What comes is what the numbers say.
    firsts = torch.cat([batch.signals[:, 0, 0] for batch in batches]).numpy()
    np.testing.assert_array_equal(firsts > 0, np.char.startswith(names, "s"))


def test_normalisation_is_fitted_on_what_is_drawn_and_on_no_test_person(folder: Path) -> None:
    data = _mix(folder, real_subjects=2, virtual_share=0.25, val_fraction=0.0, batch_size=16)
    data.setup()
    drawn = torch.cat([batch.signals for batch in data.train_dataloader()]).numpy().reshape(-1, 6)
    np.testing.assert_allclose(data.statistics.mean, drawn.mean(axis=0), atol=3.0)  # 25% is met within a window or so
    np.testing.assert_allclose(data.statistics.std, drawn.std(axis=0), rtol=0.02)
    assert data.statistics.mean == pytest.approx(0.75 * 100 - 0.25 * 100, abs=0.1)


def test_each_part_alone(folder: Path) -> None:
    for options, letter in (
        ({"virtual_share": 0.0}, "s"),
        ({"virtual_share": 1.0}, "v"),
        ({"real_subjects": 0}, "v"),
        ({"real_subjects": 0, "virtual_share": 0.5}, "v"),
    ):
        data = _mix(folder, **options)
        data.setup()
        assert {name[0] for name in data.train_windows.subjects} == {letter}
        assert len(list(data.train_dataloader())) > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"real_subjects": 11}, "11 people asked for, expected 0 to 10"),
        ({"virtual_share": 1.5}, "virtual_share is 1.5, expected a share"),
        ({"real_subjects": 0, "virtual_share": 0.0}, "nothing to train on"),
        ({"classes": ["walking"]}, "classes of real are .* give both the same"),
    ],
)
def test_what_cannot_be_mixed_is_refused(folder: Path, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _mix(folder, **options).setup()


class _Watcher(LightningModule):
    """Keeps what a model is given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch, batch_idx):
        self.seen.append(batch.signals.clone())
        return self.weight.sum()

    def test_step(self, batch, batch_idx):
        self.seen.append(batch.signals.clone())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def _train(folder: Path, tmp_path: Path, epochs: int, *, resume: Path | None = None, **options) -> list[torch.Tensor]:
    """What a model was given, step by step; a checkpoint of every step is kept."""
    model = _Watcher()
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        callbacks=[ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=1, save_top_k=-1)],
    )
    data = _mix(folder, val_fraction=0.0, **{"batch_size": 64, **options})
    trainer.fit(model, data, ckpt_path=resume, weights_only=False)
    return model.seen


def test_a_model_is_given_normalised_windows(folder: Path, tmp_path: Path) -> None:
    seen = torch.cat(_train(folder, tmp_path, 1))
    assert abs(float(seen.mean())) < 1e-4
    assert float(seen.std()) == pytest.approx(1.0, abs=1e-3)


def test_augmentation_acts_in_training_and_differs_from_epoch_to_epoch(folder: Path, tmp_path: Path) -> None:
    plain, noisy, again = (
        _train(folder, tmp_path / str(number), 2, augment=augment)
        for number, augment in enumerate((None, Augmentation(jitter=0.1), Augmentation(jitter=0.1)))
    )
    noise = [after - before for before, after in zip(plain, noisy, strict=True)]
    assert float(torch.cat(noise).std()) == pytest.approx(0.1, rel=0.03)
    assert not torch.allclose(noise[0], noise[len(noise) // 2])
    assert all(torch.equal(first, second) for first, second in zip(noisy, again, strict=True))


def test_a_checkpoint_carries_the_normalisation_it_was_trained_with(folder: Path, tmp_path: Path) -> None:
    options = {
        "accelerator": "cpu",
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "default_root_dir": tmp_path,
    }
    trained = _mix(folder, real_subjects=0, val_fraction=0.0)
    trainer = Trainer(max_epochs=1, enable_checkpointing=False, **options)
    trainer.fit(_Watcher(), trained)
    trainer.save_checkpoint(tmp_path / "virtual.ckpt")
    state = torch.load(tmp_path / "virtual.ckpt", weights_only=True)["MixedIMUDataModule"]
    torch.testing.assert_close(state["mean"], torch.from_numpy(trained.statistics.mean))

    other, model = _mix(folder, real_subjects=2, val_fraction=0.0), _Watcher()
    with pytest.warns(UserWarning, match="the checkpoint's are used"):
        Trainer(enable_checkpointing=False, **options).test(model, other, ckpt_path=tmp_path / "virtual.ckpt")
    # Real people lie 200 m/s^2 from the simulated ones, whose deviation is 1.
    assert float(torch.cat(model.seen).mean()) == pytest.approx(200, rel=0.05)
    state["channels"] = ["accel_x"]
    with pytest.raises(ValueError, match=r"trained on channels \['accel_x'\]"):
        other.load_state_dict(state)


def test_a_run_resumed_within_an_epoch_is_given_what_the_whole_one_was(folder: Path, tmp_path: Path) -> None:
    options = {"virtual_share": 0.5, "batch_size": 16, "augment": Augmentation(rotation_deg=30.0, jitter=0.1)}
    whole = _train(folder, tmp_path / "whole", 2, **options)
    per_epoch = len(whole) // 2
    step = per_epoch + per_epoch // 2
    assert step % per_epoch
    resumed = _train(folder, tmp_path / "rest", 2, resume=tmp_path / "whole" / f"step={step}.ckpt", **options)
    assert len(resumed) == len(whole) - step
    assert all(torch.equal(first, second) for first, second in zip(whole[step:], resumed, strict=True))


def test_ranks_draw_windows_of_their_own_equally_many() -> None:
    for share in (None, 0.3):
        ranks = [MixtureSampler(50, 31, share=share, ranks=3, rank=rank, seed=1) for rank in range(3)]
        drawn = [list(sampler) for sampler in ranks]
        assert [len(part) for part in drawn] == [len(ranks[0])] * 3
        assert set().union(*drawn) == set(range(81))
        whole = list(MixtureSampler(50, 31, share=share, seed=1))
        together = list(chain.from_iterable(drawn))
        assert set(whole) == set(together)
        assert 0 <= len(together) - len(whole) < 3
    sampler = MixtureSampler(50, 31, share=0.3)
    first = list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != first
    sampler.set_epoch(0)
    assert list(sampler) == first


def test_the_yaml_trains_tests_and_resumes(folder: Path, tmp_path: Path) -> None:
    """``lightning fit -c experiments/har_mixed.yaml`` as a user runs it, with a real set of one's own."""
    root = Path(__file__).resolve().parents[3]
    config = yaml.safe_load((root / "experiments" / "har_mixed.yaml").read_text())
    data = config["data"]["init_args"]
    data["real"]["init_args"] |= {
        "name": "csv_folder",
        "root": str(folder / "real"),
        "classes": CLASSES,
        "placements": ["waist"],
        "split": "kfold",
        "num_folds": 3,
    }
    data["virtual"]["init_args"] |= {"classes": CLASSES}
    data["augment"] = {"rotation_deg": 10.0}
    path = tmp_path / "mixed.yaml"
    path.write_text(yaml.safe_dump(config))
    small = ["--trainer.max_epochs=1", "--model.filters=4", "--model.units=4", "--trainer.accelerator=cpu"]
    environment = {**os.environ, "IMUFORGE_RUNS": str(tmp_path), "IMUFORGE_VIRTUAL": str(folder / "virtual")}

    def run(*words: str) -> str:
        command = [sys.executable, "-m", "lightning_modules", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=root)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    said = run("fit", "-c", str(path), *small)
    assert "real people taken: s" in said
    assert "training: " in said
    assert "walking" in said
    run("fit", "-c", str(path), *small, "--trainer.max_epochs=2", "--ckpt_path=last")
    assert "test/macro_f1" in run("test", "-c", str(path), *small, "--ckpt_path=last")
