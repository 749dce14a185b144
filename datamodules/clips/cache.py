"""Clips converted once: features at 20 fps, their mirror images and the motions, in files named by what made them.

A run that is killed leaves no half file; a lock keeps several processes from converting the same thing at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray

from datamodules.clips.breaks import MIN_SECONDS
from datamodules.clips.clip import Clip
from datamodules.clips.duplicates import RATE_HZ
from datamodules.clips.sources import SourceItem
from datamodules.splits import Split
from sim.body import Body
from sim.conventions import FEATURE_FPS
from sim.features import joints_to_features
from sim.files import clear_left_overs, mark_cache, require_space, whole_file
from sim.motion import Motion
from sim.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from sim.trajectory import resample_motion

_USUAL_BYTES: Final[int] = 350_000  # of a converted file, by those of the package

MAX_FPS: Final[float] = 60.0
"""Motions are kept at their own rate up to this one [Hz]; a person's movement holds nothing above half of it."""


@dataclass(frozen=True)
class CachedClip:
    """A converted clip.

    Attributes:
        item: the source item it comes from.
        name: the clip's name.
        activity: its activity.
        captions: its captions.
        source: the set it comes from.
        constructed: made by a formula.
        licence: terms in short.
        ships: whether weights trained on it may be shipped.
        looped: a copy made longer by repeating a gait cycle.
        features: HumanML3D features ``(N, 263)`` at 20 fps, float32.
        mirrored: features of the mirror image ``(N, 263)``.
        joints: world joints ``(T, 22, 3)`` [m] at 40 Hz, to find duplicates by.
        recorded_s: length of the whole recording that it is a part of [s]; 0 where it is not known.
        path: the file, from which :meth:`load_clip` reads the motion.
        number: which of the file's clips it is.
    """

    item: SourceItem
    name: str
    activity: str
    captions: tuple[str, ...]
    source: str
    constructed: bool
    licence: str
    ships: bool
    looped: bool
    features: NDArray[np.float32]
    mirrored: NDArray[np.float32]
    joints: NDArray[np.float32]
    path: Path
    number: int
    recorded_s: float = 0.0

    @property
    def seconds(self) -> float:
        """Length at 20 fps [s]."""
        return len(self.features) / FEATURE_FPS

    @property
    def declared_split(self) -> Split | None:
        """Side that the source asks for."""
        return self.item.split

    def load_clip(self) -> Clip:
        """Read the motion from the cache, at its native rate or 60 fps, whichever is lower."""
        with np.load(self.path, allow_pickle=False) as data:
            vectors = data[f"{self.number}/rotation_vectors"]
            translation = torch.from_numpy(data[f"{self.number}/translation"])
            fps = float(data[f"{self.number}/fps"])
        motion = Motion(axis_angle_to_matrix(torch.from_numpy(vectors)), translation, fps)
        return Clip(
            self.name,
            motion,
            self.activity,
            self.captions,
            self.source,
            constructed=self.constructed,
            licence=self.licence,
            ships=self.ships,
            looped=self.looped,
        )


def convert(
    items: Sequence[SourceItem], cache_dir: str | Path, *, progress: Callable[[int, int, str], None] | None = None
) -> None:
    """Convert what the cache lacks; safe to be called by several processes at once.

    Args:
        items: what to convert.
        cache_dir: where to keep the results.
        progress: called with items done, items to do and the name of the next.

    Raises:
        ValueError: a file is damaged; the message names it, and what was converted before stays in the cache.
    """
    folder = Path(cache_dir)
    mark_cache(folder)
    missing = [item for item in items if not _path(folder, item).is_file()]
    if not missing:
        return
    with FileLock(folder / "convert.lock"):
        clear_left_overs(folder)
        require_space(folder, len(missing) * _USUAL_BYTES, f"{len(missing)} converted files")
        for number, item in enumerate(missing):
            if progress is not None:
                progress(number, len(missing), item.name)
            if not _path(folder, item).is_file():
                try:
                    _write(_path(folder, item), item.load())
                except ValueError as error:
                    raise ValueError(f"{item.name} cannot be converted: {error}") from error


def load(items: Sequence[SourceItem], cache_dir: str | Path) -> list[CachedClip]:
    """Read converted clips, in the order of the items.

    Raises:
        FileNotFoundError: an item was not converted.
    """
    clips = []
    for item in items:
        path = _path(Path(cache_dir), item)
        if not path.is_file():
            raise FileNotFoundError(f"{item.name} is not in the cache {cache_dir}; call prepare_data() first")
        with np.load(path, allow_pickle=False) as data:
            for number, about in enumerate(json.loads(str(data["about"]))):
                clips.append(
                    CachedClip(
                        item=item,
                        path=path,
                        number=number,
                        **{**about, "captions": tuple(about["captions"])},
                        features=data[f"{number}/features"],
                        mirrored=data[f"{number}/mirrored"],
                        joints=data[f"{number}/joints"],
                    )
                )
    return clips


def compute_features(motion: Motion) -> torch.Tensor:
    """Return HumanML3D features ``(N, 263)`` of a motion of any rate, on the default body.

    The first frame is left out: the reference's heading is exactly +Z there and smoothed everywhere else, which makes a
    jerk that no recording has.
    """
    return joints_to_features(Body.default().joints(resample_motion(motion, fps=FEATURE_FPS)))[1:]


def _path(folder: Path, item: SourceItem) -> Path:
    return folder / f"{item.key}.npz"


def _write(path: Path, clips: list[Clip]) -> None:
    arrays: dict[str, NDArray[np.generic]] = {}
    about: list[dict[str, object]] = []
    for clip in clips:
        motion = clip.motion if clip.motion.fps <= MAX_FPS else resample_motion(clip.motion, fps=MAX_FPS)
        if motion.duration_s < MIN_SECONDS:
            continue
        number = len(about)
        about.append(
            {
                "name": clip.name,
                "activity": clip.activity,
                "captions": clip.captions,
                "source": clip.source,
                "constructed": clip.constructed,
                "licence": clip.licence,
                "ships": clip.ships,
                "looped": clip.looped,
                "recorded_s": clip.recorded_s,
            }
        )
        vectors = matrix_to_axis_angle(motion.rotations.double()).numpy()
        joints = Body.default().joints(resample_motion(clip.motion, fps=RATE_HZ))
        arrays |= {
            f"{number}/features": compute_features(clip.motion).float().numpy(),
            f"{number}/mirrored": compute_features(clip.motion.mirrored()).float().numpy(),
            f"{number}/joints": joints.float().numpy(),
            f"{number}/rotation_vectors": vectors.astype(np.float32),
            f"{number}/translation": motion.translation.float().numpy(),
            f"{number}/fps": np.array(motion.fps),
        }
    with whole_file(path) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, about=np.array(json.dumps(about)), **arrays)
