"""HumanML3DDataModule: the published HumanML3D set, cropped by MDM's rules, from shards that are packed once."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import numpy as np
from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray
from rich.progress import Progress
from torch import Tensor
from torch.utils.data import DataLoader

from datamodules.batches import MotionBatch
from datamodules.humanml3d.files import SPLITS, Listing, list_files, read_statistics, read_tokens
from datamodules.humanml3d.rates import list_mislabelled_rates
from datamodules.humanml3d.shards import Shards, open_pack, pack
from datamodules.humanml3d.windows import FixedCrops, TrainingCrops
from datamodules.motion_windows import EpochSampler, MotionWindow, collate_windows
from datamodules.splits import Split
from datamodules.training_position import find_position

log = logging.getLogger(__name__)

MOST_RECORDED: Final = 128
"""Clips that :meth:`HumanML3DDataModule.recorded_windows` hands out, which say how people move on average."""


class HumanML3DDataModule(LightningDataModule):
    """HumanML3D in the folder layout that it is published in: 20 fps features with captions.

    ``root`` holds ``new_joint_vecs/*.npy`` ``(T, 263)``, ``texts/*.txt`` with lines ``caption#tokens#start#end``
    (seconds), ``train.txt``, ``val.txt``, ``test.txt``, ``Mean.npy`` and ``Std.npy``. As in MDM, clips have 40 to 199
    frames, captions of a part make a clip of their own, and each clip is cropped to a multiple of four frames and
    padded to 196. Batches hold raw features; whoever normalises has to keep the padding zero afterwards, as
    ``MotionDiffusion`` does by its mask. Mirrored motions (``M...``) are ordinary files of the set.

    Known flaws: the lists name motions without a file, which are counted and logged; some clips are not at 20 fps
    (:mod:`datamodules.humanml3d.rates`), which ``exclude_mislabelled`` leaves out where it is known.

    Attributes:
        activities: the set has none, so that all clips are of the one named ``all``.

    Args:
        root: the folder.
        batch_size: clips in a batch.
        samples_per_epoch: training clips in an epoch, over all processes; None takes as many as there are.
        num_workers: worker processes of each loader; all map the same files.
        cache_dir: where the pack is kept, about as large as ``new_joint_vecs``.
        seed: decides the training data and their order.
        exclude_mislabelled: leave out clips whose rate is known to be wrong; needs the set's ``index.csv``.
        evaluation_dir: folder of the evaluators' statistics, see :meth:`evaluation_statistics`; None takes ``root``.

    Raises:
        ValueError: a parameter is out of range, or (from ``prepare_data`` and ``setup``) a file is damaged.
        FileNotFoundError: from ``prepare_data`` and ``setup``: the folder or a part of it is absent.
    """

    def __init__(
        self,
        root: str,
        *,
        batch_size: int = 64,
        samples_per_epoch: int | None = None,
        num_workers: int = 0,
        cache_dir: str = "runs/cache/humanml3d",
        seed: int = 0,
        exclude_mislabelled: bool = False,
        evaluation_dir: str | None = None,
    ) -> None:
        super().__init__()
        if batch_size < 1 or (samples_per_epoch is not None and samples_per_epoch < 1):
            raise ValueError(f"batch_size {batch_size} and samples_per_epoch {samples_per_epoch} must be at least 1")
        if seed < 0:
            raise ValueError(f"seed is {seed}, expected 0 or more")
        self.activities = ["all"]
        self.batch_size = batch_size
        self._root = Path(root)
        self._samples_per_epoch = samples_per_epoch
        self._num_workers = num_workers
        self._cache_dir = Path(cache_dir)
        self._seed = seed
        self._exclude_mislabelled = exclude_mislabelled
        self._evaluation_dir = Path(root if evaluation_dir is None else evaluation_dir)
        self._shards: Shards | None = None
        self._clips: dict[Split, NDArray[np.int64]] = {}
        self.save_hyperparameters()

    def prepare_data(self) -> None:
        """Pack what the cache lacks, with a progress bar; the second time there is nothing to do."""
        listing = list_files(self._root)
        with Progress(transient=True) as bar:
            task = bar.add_task("packing HumanML3D", total=None)
            pack(listing, self._cache_dir, progress=lambda done, total: bar.update(task, completed=done, total=total))

    def setup(self, stage: str | None = None) -> None:
        """Open the pack; the stage makes no difference."""
        if self._shards is not None:
            return
        listing = list_files(self._root)
        shards = open_pack(listing, self._cache_dir)
        clips = {split: shards.clips(split) for split in SPLITS}
        if self._exclude_mislabelled:
            clips = self._keep_right_rates(shards, clips)
        self._shards, self._clips = shards, clips
        _describe(listing, shards, clips)

    @property
    def shards(self) -> Shards:
        """The open pack.

        Raises:
            RuntimeError: ``setup()`` has not run.
        """
        if self._shards is None:
            raise RuntimeError("the data module is not set up; call prepare_data() and setup() first")
        return self._shards

    def clips(self, split: Split) -> list[str]:
        """Return the names of a split's clips; a part of a motion is named ``motion@start-end/number``."""
        return [self.shards.names[int(clip)] for clip in self._side(split)]

    def recorded_windows(self) -> MotionBatch:
        """Return a fixed crop of training clips, :data:`MOST_RECORDED` at most, evenly spread over the set."""
        clips = self._side("train")
        crops = FixedCrops(self.shards, clips[:: -(-len(clips) // MOST_RECORDED)])
        return collate_windows([crops[number] for number in range(len(crops))])

    def captions(self) -> list[str]:
        """Return every caption that can occur in a batch, sorted."""
        return sorted(
            {text for split in SPLITS for clip in self._side(split) for text in self.shards.captions(int(clip))}
        )

    def caption_tokens(self) -> dict[str, str]:
        """Return the published tokens of the test clips' captions, written ``a/DET person/NOUN walk/VERB``.

        The text files are read anew, for nothing but the published evaluators asks for tokens.
        """
        listing = list_files(self._root)
        tokens: dict[str, str] = {}
        for name in sorted({name.partition("@")[0] for name in self.clips("test")}):
            tokens |= read_tokens(listing.text_path(name))
        return tokens

    def feature_statistics(self) -> tuple[Tensor, Tensor]:
        """Return mean ``(263,)`` and standard deviation ``(263,)`` to train with: the set's ``Mean.npy``, ``Std.npy``.

        A model started from published MDM weights has to have these, not :meth:`evaluation_statistics`.
        """
        return read_statistics(self._root / "Mean.npy", self._root / "Std.npy")

    def evaluation_statistics(self) -> tuple[Tensor, Tensor]:
        """Return mean ``(263,)`` and standard deviation ``(263,)`` that the published evaluators normalise with.

        They differ from the training's. MDM keeps them as ``dataset/t2m_mean.npy`` and ``t2m_std.npy``; the evaluators'
        own download has them as ``t2m/Comp_v6_KLD005/meta/mean.npy`` and ``std.npy``. Give the folder of either as
        ``evaluation_dir``.

        Raises:
            FileNotFoundError: the folder holds neither pair.
        """
        folder, pairs = self._evaluation_dir, [("t2m_mean.npy", "t2m_std.npy")]
        if folder.resolve() != self._root.resolve():  # beside Mean.npy a mean.npy may be the same file
            pairs.append(("mean.npy", "std.npy"))
        for mean, std in pairs:
            if (folder / mean).is_file():
                return read_statistics(folder / mean, folder / std)
        raise FileNotFoundError(
            f"{folder} has no statistics for evaluation, expected {' or '.join(' and '.join(pair) for pair in pairs)}; "
            "take them from MDM's dataset folder and give theirs as evaluation_dir"
        )

    def train_dataloader(self) -> DataLoader[MotionWindow]:
        """Crops of shuffled clips; see the class."""
        clips = self._side("train")
        trainer = self.trainer
        sampler = EpochSampler(
            crops := TrainingCrops(self.shards, clips, seed=self._seed),
            size=self._samples_per_epoch or len(clips),
            num_replicas=trainer.world_size if trainer else 1,
            rank=trainer.global_rank if trainer else 0,
            position=lambda: find_position(self.trainer, batch_size=self.batch_size),
            block=self.batch_size,
        )
        return self._loader(crops, sampler=sampler)

    def val_dataloader(self) -> DataLoader[MotionWindow]:
        """One fixed crop of each validation clip."""
        return self._loader(FixedCrops(self.shards, self._side("val")))

    def test_dataloader(self) -> DataLoader[MotionWindow]:
        """One fixed crop of each test clip."""
        return self._loader(FixedCrops(self.shards, self._side("test")))

    def predict_dataloader(self) -> DataLoader[MotionWindow]:
        """One fixed crop of each test clip."""
        return self.test_dataloader()

    def _side(self, split: Split) -> NDArray[np.int64]:
        if self._shards is None:
            raise RuntimeError("the data module is not set up; call prepare_data() and setup() first")
        return self._clips[split]

    def _keep_right_rates(
        self, shards: Shards, clips: dict[Split, NDArray[np.int64]]
    ) -> dict[Split, NDArray[np.int64]]:
        wrong = set(list_mislabelled_rates(self._root)["name"])
        kept = {}
        for split, numbers in clips.items():
            keep = np.array([shards.names[int(clip)].partition("@")[0] not in wrong for clip in numbers], dtype=bool)
            log.info("%s: %d of %d clips left out for their rate", split, int((~keep).sum()), len(numbers))
            if not keep.any():
                raise ValueError(
                    f"exclude_mislabelled leaves none of the {len(numbers)} {split} clips of {self._root}; "
                    "check index.csv, or leave it out"
                )
            kept[split] = numbers[keep]
        return kept

    def _loader(
        self, crops: TrainingCrops | FixedCrops, *, sampler: EpochSampler | None = None
    ) -> DataLoader[MotionWindow]:
        return DataLoader(
            crops,
            batch_size=self.batch_size,
            sampler=sampler,
            num_workers=self._num_workers,
            collate_fn=collate_windows,
            persistent_workers=self._num_workers > 0,
        )


def _describe(listing: Listing, shards: Shards, clips: dict[Split, NDArray[np.int64]]) -> None:
    for split in SPLITS:
        log.info(
            "%s: %d motions listed, %d without a file, %d without a clip of 40 to 199 frames; %d clips",
            split,
            len(listing.names[split]),
            shards.missing[split],
            shards.skipped[split],
            len(clips[split]),
        )
    missing = sum(shards.missing.values())
    if missing:
        log.warning("%d motions that the lists of %s name have no file and are left out", missing, listing.root)
