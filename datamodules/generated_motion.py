"""GeneratedMotionDataModule: what another generator made, as a folder of joint files with prompts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from datamodules.clips import Clip
from datamodules.feature_statistics import measure_statistics
from datamodules.motion_files.folder_rules import read_folder_rules
from datamodules.motion_files.joint_files import (
    JointFile,
    UpAxis,
    list_joint_files,
    read_joints,
    read_other,
    read_rate,
    resample_joints,
)
from datamodules.motion_files.terms import join_terms
from datamodules.motion_windows import (
    EpochSampler,
    FixedWindows,
    MotionWindow,
    SamplingPlan,
    TrainingWindows,
    balance_clips,
    collate_windows,
    hash_sample,
    swap_sides,
)
from datamodules.splits import Split
from datamodules.training_position import find_position
from sim.body import Body
from sim.conventions import FEATURE_FPS, MIRROR
from sim.features import joints_to_features
from sim.motion import Motion
from sim.pose_fit import fit_pose


@dataclass(frozen=True)
class GeneratedClip:
    """A generated motion.

    Attributes:
        name: its file's name.
        activity: a name for what it shows.
        captions: its prompts.
        features: HumanML3D features ``(N, 263)`` at 20 fps.
        mirrored: features of the mirror image ``(N, 263)``; the same as ``features`` where none was asked for.
        joints: positions ``(T, 22, 3)`` [m] at the file's rate, Y up.
        fps: the file's rate [Hz].
        motion: with the rotations that the file tells; None where it tells positions alone.
        licence: what is known of its terms.
    """

    name: str
    activity: str
    captions: tuple[str, ...]
    features: NDArray[np.float32]
    mirrored: NDArray[np.float32]
    joints: Tensor
    fps: float
    motion: Motion | None = None
    licence: str = ""

    @property
    def seconds(self) -> float:
        """Length at 20 fps [s]."""
        return len(self.features) / FEATURE_FPS


class GeneratedMotionDataModule(LightningDataModule):
    """A folder of generated motions with prompts beside them, whoever made them.

    Files are ``.npy``, or ``.npz`` with the key ``joints``: world positions ``(T, 22, 3)`` of SMPL's first 22 joints in
    metres; or of a generator's own form, which is told by what they hold (docs/motion_files.md: HumanML3D's 263 numbers
    a frame, MotionStreamer's 272, HY-Motion's 201 and SMPL-H, AMASS, Kimodo, ``Motion.save``), or ``.bvh``.
    Prompts are in ``prompts.csv`` (columns ``file``, ``text`` and, if wanted, ``activity``) or in ``<name>.txt``.
    Positions are brought to 20 fps through splines and turned into HumanML3D features; a frame is lost at either end,
    to the features' steps and to the jerk of the heading that they start with.

    Test and predict take every file, validation a tenth of them (at least one) and training the others. A ``reference``
    puts real motion beside them: its test loader becomes the second one, as ``GeneratedMotionEvaluator`` wants it.

    Attributes:
        activities: names that ``MotionBatch.activity`` indexes, sorted; after ``setup()``.

    Args:
        root: the folder.
        fps: frame rate of joint positions [Hz]; an ``.npz`` that states its own under ``fps`` keeps that.
        up: axis of joint positions that points up, ``y`` or ``z``.
        window_s: length of a window [s]; shorter motions are padded with zeros. None takes the longest motion's, so
            that every motion is one window.
        batch_size: windows in a batch.
        samples_per_epoch: training windows in an epoch, over all processes.
        num_workers: worker processes of each loader.
        mirror: add mirror images to the training.
        seed: decides the order of the training data and which files validate.
        reference: a data module whose test clips are the real motions to compare with.

    Raises:
        ValueError: a parameter is out of range, or (from ``setup``) a file is damaged or of another shape or unit.
        FileNotFoundError: from ``setup``: the folder is absent or empty, or a prompt is missing.
    """

    activities: list[str]

    def __init__(
        self,
        root: str,
        *,
        fps: float = FEATURE_FPS,
        up: UpAxis = "y",
        window_s: float | None = None,
        batch_size: int = 64,
        samples_per_epoch: int = 8192,
        num_workers: int = 0,
        mirror: bool = False,
        seed: int = 0,
        reference: LightningDataModule | None = None,
    ) -> None:
        super().__init__()
        if not 1 <= fps <= 1000:
            raise ValueError(f"fps is {fps}, expected 1 to 1000 frames a second")
        if up not in ("y", "z"):
            raise ValueError(f"up is {up!r}, expected y or z: the axis of the files that points up")
        if window_s is not None and window_s < 1:
            raise ValueError(f"window_s is {window_s}, expected at least 1 second, or null for whole motions")
        if batch_size < 1 or samples_per_epoch < 1 or seed < 0:
            raise ValueError(
                f"batch_size is {batch_size}, samples_per_epoch {samples_per_epoch} and seed {seed}, expected at least "
                "1, 1 and 0"
            )
        self.batch_size = batch_size
        self._root, self._fps, self._up, self._window_s = Path(root), fps, up, window_s
        self._samples_per_epoch, self._num_workers, self._mirror, self._seed = (
            samples_per_epoch,
            num_workers,
            mirror,
            seed,
        )
        self._reference = reference
        self._clips: list[GeneratedClip] = []
        self._licence: str | None = None
        self.save_hyperparameters(ignore=["reference"])

    def prepare_data(self) -> None:
        """Let the reference convert what its cache lacks."""
        if self._reference is not None:
            self._reference.prepare_data()

    def setup(self, stage: str | None = None) -> None:
        """Read all files; the stage makes no difference."""
        if not self._clips:
            self._licence = read_folder_rules(self._root).licence
            self._clips = [self._read(file) for file in list_joint_files(self._root)]
            self.activities = sorted({clip.activity for clip in self._clips})
        if self._reference is not None:
            self._reference.setup("test")

    def clips(self, split: Split) -> list[Clip]:
        """Return motions of a side at the files' own rate, with poses fitted to the joints, to simulate sensors on."""
        return [
            Clip(
                clip.name,
                clip.motion if clip.motion is not None else fit_pose(clip.joints, fps=clip.fps),
                clip.activity,
                clip.captions,
                str(self._root),
                licence=clip.licence,
                ships=False,
            )
            for clip in self._side(split)
        ]

    def captions(self) -> list[str]:
        """Return every prompt that can occur in a batch, mirrored ones included, sorted."""
        texts = {text for clip in self._clips for text in clip.captions}
        return sorted(texts | ({swap_sides(text) for text in texts} if self._mirror else set()))

    def feature_statistics(self) -> tuple[Tensor, Tensor]:
        """Return mean ``(263,)`` and standard deviation ``(263,)`` of training features."""
        clips = self._side("train")
        return measure_statistics(clips, balance_clips(clips, temperature=1.0), mirror=self._mirror)

    def train_dataloader(self) -> DataLoader[MotionWindow]:
        """Windows at random offsets of the training motions."""
        clips = self._side("train")
        plan = SamplingPlan(balance_clips(clips, temperature=1.0), self._seed, self._mirror)
        windows = TrainingWindows(clips, activities=self.activities, width=self._width, plan=plan)
        trainer = self.trainer
        sampler = EpochSampler(
            windows,
            size=self._samples_per_epoch,
            num_replicas=trainer.world_size if trainer else 1,
            rank=trainer.global_rank if trainer else 0,
            position=lambda: find_position(self.trainer, batch_size=self.batch_size),
            block=self.batch_size,
        )
        return self._loader(windows, sampler=sampler)

    def val_dataloader(self) -> DataLoader[MotionWindow]:
        """Fixed windows of the validation motions."""
        return self._loader(self._fixed("val"))

    def test_dataloader(self) -> list[DataLoader[MotionWindow]]:
        """Fixed windows of all motions; then, with a reference, its own test data."""
        loaders = [self._loader(self._fixed("test"))]
        if self._reference is not None:
            loaders.append(self._reference.test_dataloader())
        return loaders

    def predict_dataloader(self) -> DataLoader[MotionWindow]:
        """Fixed windows of all motions."""
        return self._loader(self._fixed("test"))

    @property
    def _width(self) -> int:
        """Frames of a window."""
        if self._window_s is not None:
            return round(self._window_s * FEATURE_FPS)
        return max(len(clip.features) for clip in self._clips)

    def _read(self, file: JointFile) -> GeneratedClip:
        motion = read_other(file.path)
        if motion is None:
            fps = read_rate(file.path, self._fps)
            joints = read_joints(file.path, fps=fps, up=self._up, texts=file.texts)
        else:
            fps, joints = motion.fps, Body.default().joints(motion).double()
        mirrored = joints[:, list(MIRROR)] * joints.new_tensor([-1.0, 1.0, 1.0]) if self._mirror else joints
        features, other = (
            joints_to_features(resample_joints(side, fps=fps))[1:].float().numpy() for side in (joints, mirrored)
        )
        licence = join_terms([self._licence, None if motion is None else motion.licence]) or ""
        return GeneratedClip(file.path.stem, file.activity, file.texts, features, other, joints, fps, motion, licence)

    def _side(self, split: Split) -> list[GeneratedClip]:
        if not self._clips:
            raise RuntimeError("the data module is not set up; call prepare_data() and setup() first")
        if split == "test" or len(self._clips) == 1:
            return self._clips
        order = sorted(self._clips, key=lambda clip: hash_sample(self._seed, clip.name))
        held_out = max(1, len(order) // 10)
        return order[:held_out] if split == "val" else order[held_out:]

    def _fixed(self, split: Split) -> FixedWindows:
        return FixedWindows(self._side(split), activities=self.activities, width=self._width, limit=None)

    def _loader(
        self, windows: TrainingWindows | FixedWindows, *, sampler: EpochSampler | None = None
    ) -> DataLoader[MotionWindow]:
        return DataLoader(
            windows,
            batch_size=self.batch_size,
            sampler=sampler,
            num_workers=self._num_workers,
            collate_fn=collate_windows,
            persistent_workers=self._num_workers > 0,
        )
