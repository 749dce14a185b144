"""VirtualIMUDataModule: windows of simulated recordings in a folder, tested on others or on real people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_info

from datamodules.har.real_module import RealIMUDataModule
from datamodules.har.streams import checked_channels
from datamodules.har.streams.manifest import MANIFEST, read_manifest
from datamodules.har.streams.packing_progress import pack_with_progress
from datamodules.har.streams.set_streams import VirtualStreams, pack_streams
from datamodules.har.window_module import WindowDataModule
from datamodules.har.windows.augmentation import Augmentation
from datamodules.har.windows.cut_options import CUT_NAMES, CutOptions
from datamodules.har.windows.cutter import Cutter
from datamodules.har.windows.shard_windows import cut_shards
from datamodules.har.windows.turning import Turning
from datamodules.har.windows.window_set import Windows
from sim.options import plain, takes_flat_names
from sim.recording import ImuRecording


class VirtualIMUDataModule(WindowDataModule):
    """Windows of simulated recordings, cut exactly as real ones are.

    Args:
        root: folder with a ``manifest.csv`` and the recordings it lists; see
            :func:`datamodules.har.streams.manifest.read_manifest`.
        classes: activities to tell apart, by the labels of the manifest.
        test_on: name of a real set to test on (its official test people; train on synthetic, test on real), or None
            to test on the manifest's rows of split ``test``, if any.
        test_root: folder that holds the real set; None for a set that a pip package brings.
        test_label_map: label of the real set -> class.
        cut: length, rate and content of the windows; its fields may be given flat, too (``window_s``).
        batch_size: windows per batch.
        val_fraction: share of the virtual subjects held out for validation.
        turning: how to turn the axes of training windows; see :class:`WindowDataModule`.
        turned_copies: turned copies of each training window.
        augment: random changes of training windows; see :class:`datamodules.har.windows.augmentation.Augmentation`.
        cache_dir: where recordings are kept as memory-mapped files.
        num_workers: processes that load.
        seed: decides the validation split and the order of batches.

    Raises:
        ValueError: a name is unknown.
    """

    @takes_flat_names(CUT_NAMES)
    def __init__(
        self,
        root: str,
        *,
        classes: list[str],
        test_on: str | None = None,
        test_root: str | None = None,
        test_label_map: dict[str, str] | None = None,
        cut: CutOptions = CutOptions(),
        batch_size: int = 64,
        val_fraction: float = 0.15,
        turning: Turning = "none",
        turned_copies: int = 4,
        augment: Augmentation | None = None,
        cache_dir: str = "runs/cache/recordings",
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            val_fraction=val_fraction,
            turning=turning,
            turned_copies=turned_copies,
            augment=augment,
            num_workers=num_workers,
            seed=seed,
        )
        self.save_hyperparameters(ignore=["augment"])
        self.save_hyperparameters({**self.hparams, "cut": plain(cut)})
        self._cache_dir = cache_dir
        self._cutter = Cutter.of(cut, classes)
        self.source = VirtualStreams(
            Path(root).expanduser(),
            float(cut.rate_hz),
            checked_channels(cut.channels or ("accel", "gyro")),
            None if cut.placements is None else tuple(cut.placements),
        )
        self._real: RealIMUDataModule | None = None
        if test_on is not None:
            self._real = RealIMUDataModule(
                test_on,
                test_root,
                classes=classes,
                label_map=test_label_map,
                cut=replace(cut, placements=None),
                cache_dir=cache_dir,
            )

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of their indices; known before ``setup``."""
        return list(self._cutter.classes)

    @property
    def num_channels(self) -> int:
        """C, the number of channels of a window; known before ``setup``.

        Raises:
            FileNotFoundError: the manifest or its first recording is not there.
        """
        root, placements = self.source.root, self.source.placements
        if placements is None:
            placements = tuple(ImuRecording.load(root / str(read_manifest(root)["file"].iloc[0])).names)
        return 3 * len(self.source.channels) * len(placements)

    def prepare_data(self) -> None:
        """Read the recordings, and the real set, into the cache, with a progress bar; once is enough."""
        pack_with_progress(self.source, self._cache_dir, f"reading {self.source.root}")
        if self._real is not None:
            self._real.prepare_data()

    def load_windows(self) -> tuple[Windows, Windows | None]:
        """Open and cut the recordings that the manifest lists, and the real test people where asked for.

        Raises:
            FileNotFoundError: the manifest or a recording is not there.
            ValueError: the manifest does not have what is needed.
        """
        shards = pack_streams(self.source, self._cache_dir)
        windows, report = cut_shards(shards, self._cutter)
        rank_zero_info(str(report))
        chosen = shards.official_test[windows.recording]
        if shards.official_test.all():
            raise ValueError(f"{self.source.root / MANIFEST} has no row of split train, expected some to train on")
        if self._real is not None:
            return windows.select(~chosen), self._real.load_windows()[1]
        return windows.select(~chosen), windows.select(chosen) if shards.official_test.any() else None
