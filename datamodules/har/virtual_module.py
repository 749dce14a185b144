"""VirtualIMUDataModule: windows of simulated recordings in a folder, tested on others or on real people."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from datamodules.har.augmentations import Turning
from datamodules.har.real_module import RealIMUDataModule
from datamodules.har.registry import check_name
from datamodules.har.window_module import WindowDataModule
from datamodules.har.window_set import WindowSet, concatenate
from datamodules.har.windows import windows_from_imu
from sim.recording import ImuRecording

MANIFEST = "manifest.csv"
"""Table beside the recordings; see :func:`read_manifest`."""


class VirtualIMUDataModule(WindowDataModule):
    """Windows of simulated recordings, cut exactly as real ones are.

    Args:
        root: folder with a ``manifest.csv`` and the recordings it lists; see :func:`read_manifest`.
        classes: activities to tell apart, by the labels of the manifest.
        test_on: name of a real set to test on (its official test people; train on synthetic, test on real), or None
            to test on the manifest's rows of split ``test``, if any.
        test_root: folder that holds the real set; None for a set that a pip package brings.
        test_label_map: label of the real set -> class.
        window_s: length of a window [s].
        overlap: share of a window that the next one repeats.
        rate_hz: samples per second of the windows [Hz].
        channels: which of ``accel``, ``gyro``, ``linear_accel``.
        placements: which sensor sites; None takes all.
        batch_size: windows per batch.
        val_fraction: share of the virtual subjects held out for validation.
        turning: how to turn the axes of training windows; see :class:`WindowDataModule`.
        turned_copies: turned copies of each training window.
        num_workers: processes that load.
        seed: decides the validation split and the order of batches.

    Raises:
        ValueError: a name is unknown.
    """

    def __init__(
        self,
        root: str,
        *,
        classes: list[str],
        test_on: str | None = None,
        test_root: str | None = None,
        test_label_map: dict[str, str] | None = None,
        window_s: float = 2.56,
        overlap: float = 0.5,
        rate_hz: float = 50.0,
        channels: list[str] | None = None,
        placements: list[str] | None = None,
        batch_size: int = 64,
        val_fraction: float = 0.15,
        turning: Turning = "none",
        turned_copies: int = 4,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            val_fraction=val_fraction,
            turning=turning,
            turned_copies=turned_copies,
            num_workers=num_workers,
            seed=seed,
        )
        self.save_hyperparameters()
        self._root = Path(root)
        self._classes = tuple(classes)
        self._channels = tuple(channels or ("accel", "gyro"))
        self._placements = None if placements is None else tuple(placements)
        self._window_s, self._overlap, self._rate_hz = window_s, overlap, rate_hz
        self._real: RealIMUDataModule | None = None
        if test_on is not None:
            self._real = RealIMUDataModule(
                test_on,
                test_root,
                classes=classes,
                label_map=test_label_map,
                window_s=window_s,
                overlap=overlap,
                rate_hz=rate_hz,
                channels=channels,
            )

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of their indices; known before ``setup``."""
        return list(self._classes)

    @property
    def num_channels(self) -> int:
        """C, the number of channels of a window; known before ``setup``.

        Raises:
            FileNotFoundError: the manifest or its first recording is not there.
        """
        if self._placements is not None:
            return 3 * len(self._channels) * len(self._placements)
        first = ImuRecording.load(self._root / str(read_manifest(self._root)["file"].iloc[0]))
        return 3 * len(self._channels) * len(first.names)

    def load_windows(self) -> tuple[WindowSet, WindowSet | None]:
        """Read and cut the recordings that the manifest lists, and the real test people where asked for.

        Raises:
            FileNotFoundError: the manifest or a recording is not there.
            ValueError: the manifest does not have what is needed.
        """
        table = read_manifest(self._root)
        train = self._cut(table[table["split"] == "train"])
        if train is None:
            raise ValueError(f"{self._root / MANIFEST} has no row of split train, expected some to train on")
        if self._real is not None:
            return train, self._real.load_windows()[1]
        return train, self._cut(table[table["split"] == "test"])

    def _cut(self, rows: pd.DataFrame) -> WindowSet | None:
        sets = []
        for file, label, subject in zip(rows["file"], rows["label"], rows["subject"], strict=True):
            recording = ImuRecording.load(self._root / file)
            count = recording.accel.shape[:-3].numel()
            windows, _ = windows_from_imu(
                recording,
                label,
                classes=self._classes,
                subjects=[subject] * count,
                window_s=self._window_s,
                overlap=self._overlap,
                rate_hz=self._rate_hz,
                channels=self._channels,
                placements=self._placements,
            )
            sets.append(windows)
        return concatenate(sets) if sets else None


def read_manifest(root: Path) -> pd.DataFrame:
    """Read the list of simulated recordings in a folder.

    ``manifest.csv`` has columns ``file`` (path of an ImuRecording, relative to the folder) and ``label`` (activity),
    and may have ``subject`` (virtual wearer; ``virtual`` where absent) and ``split`` (``train`` or ``test``; ``train``
    where absent).

    Args:
        root: the folder.

    Returns:
        A table of text with exactly these four columns.

    Raises:
        FileNotFoundError: there is no manifest, or it lists a file that is not there.
        ValueError: a column is missing, there is no row, or a split has another name.
    """
    path = root / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(f"{MANIFEST} not found in root {root}; write one with: imuforge synth, or give a root")
    table = pd.read_csv(path, dtype=str)
    missing = [name for name in ("file", "label") if name not in table.columns]
    if missing:
        raise ValueError(f"{path} has columns {list(table.columns)}, expected also {missing}")
    for name, default in (("subject", "virtual"), ("split", "train")):
        table[name] = table[name].fillna(default) if name in table.columns else default
    for split in table["split"].unique():
        check_name(str(split), ("train", "test"), f"split in {path}")
    if table.empty:
        raise ValueError(f"{path} lists no recording, expected at least one row")
    absent = [file for file in table["file"] if not (root / file).is_file()]
    if absent:
        raise FileNotFoundError(f"{path} lists {absent[0]} and {len(absent) - 1} others that are not in {root}")
    return table[["file", "label", "subject", "split"]]
