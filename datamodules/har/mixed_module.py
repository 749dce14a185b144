"""MixedIMUDataModule: real people, few or many, and simulated recordings in one training set, tested on real people."""

from __future__ import annotations

import numpy as np
from lightning.pytorch.utilities import rank_zero_info

from datamodules.har.real_module import RealIMUDataModule
from datamodules.har.virtual_module import VirtualIMUDataModule
from datamodules.har.window_module import WindowDataModule
from datamodules.har.windows.augmentation import Augmentation
from datamodules.har.windows.mixing import MixtureSampler
from datamodules.har.windows.moments import Moments
from datamodules.har.windows.splitting import choose_people, list_subjects, split_off_last, split_off_validation
from datamodules.har.windows.views import JoinedWindows
from datamodules.har.windows.window_set import Windows

_ENOUGH_PEOPLE = 3
"""Real people from which on validation is held out of them; fewer are all trained on."""


class MixedIMUDataModule(WindowDataModule):
    """Windows of a real and of a simulated set, mixed in a given ratio, tested on the real set's test people.

    Of the parts the source, the windows and the split are used; how batches are made is said here. Validation is held
    out of the real training people where there are at least three, of the simulated ones otherwise. Normalisation is
    fitted on the training windows of both, in the ratio in which they are drawn.

    Args:
        real: the real set; its test people are tested on and never trained on.
        virtual: the simulated recordings; all rows of split ``train`` are trained on.
        real_subjects: how many of the real training people to train on: 0, 1, 2, 4 ...; ``seed`` decides who, and fewer
            are part of more, also once validation is held out of them: that takes the last. None takes all.
        virtual_share: share of the training windows drawn that are simulated, in [0, 1]: an epoch draws every window of
            both parts at least once and repeats those of the smaller part; 0 and 1 train on one part alone, and so does
            ``real_subjects`` of 0. None draws every window once.
        batch_size: windows per batch.
        val_fraction: share of the people held out for validation.
        augment: random changes of training windows; see :class:`datamodules.har.windows.augmentation.Augmentation`.
        num_workers: processes that load.
        seed: decides the few people, the validation split and the order of batches.

    Raises:
        ValueError: the parts differ in classes or number of channels, or a number is out of range.
    """

    def __init__(
        self,
        real: RealIMUDataModule,
        virtual: VirtualIMUDataModule,
        *,
        real_subjects: int | None = None,
        virtual_share: float | None = None,
        batch_size: int = 64,
        val_fraction: float = 0.15,
        augment: Augmentation | None = None,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(
            batch_size=batch_size, val_fraction=val_fraction, augment=augment, num_workers=num_workers, seed=seed
        )
        self.save_hyperparameters(ignore=["real", "virtual", "augment"])
        if real.classes != virtual.classes:
            raise ValueError(f"classes of real are {real.classes}, of virtual {virtual.classes}; give both the same")
        if virtual_share is not None and not 0 <= virtual_share <= 1:
            raise ValueError(f"virtual_share is {virtual_share}, expected a share in [0, 1] of the training windows")
        if real_subjects == 0 and virtual_share == 0:
            raise ValueError("virtual_share is 0 and real_subjects 0: there is nothing to train on; raise one of them")
        self._real, self._virtual = real, virtual
        self._real_subjects, self._share = real_subjects, virtual_share
        self._people: tuple[str, ...] = ()

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of their indices; known before ``setup``."""
        return self._real.classes

    @property
    def num_channels(self) -> int:
        """C, the number of channels of a window; known before ``setup``."""
        return self._real.num_channels

    def prepare_data(self) -> None:
        """Read both sets into the cache; once is enough."""
        self._real.prepare_data()
        self._virtual.prepare_data()

    def load_windows(self) -> tuple[Windows, Windows]:
        """Few or all real training people and all simulated ones, and the real test people.

        Raises:
            FileNotFoundError: a set is not there.
            ValueError: there are fewer real people than asked for, or the sets do not fit together.
        """
        real, test = self._real.load_windows()
        simulated = self._virtual.load_windows()[0]
        real.check_compatible(simulated, "virtual")
        if self._real_subjects is not None:
            people = list_subjects(real.subjects, what="the real training part")
            self._people = choose_people(people, self._real_subjects, seed=self._seed)
            names = ", ".join(self._people) or "none"
            rank_zero_info(
                f"real people taken: {names} of {len(people)}; validation, if held out of them, takes the last"
            )
            real = real.select(np.isin(real.subjects, self._people))
        if self._share == 1:
            real = _none_of(real)
        return JoinedWindows.of((real, simulated)), test

    def split_validation(self, windows: Windows) -> tuple[Windows, Windows]:
        """Hold out real people where there are enough, simulated ones otherwise."""
        real, simulated = _parts(windows)
        if len(np.unique(real.subjects)) < _ENOUGH_PEOPLE:
            simulated, validation = split_off_validation(simulated, fraction=self._val_fraction, seed=self._seed)
        elif self._people:
            real, validation = split_off_last(real, self._people, fraction=self._val_fraction)
        else:
            real, validation = split_off_validation(real, fraction=self._val_fraction, seed=self._seed)
        # Not before: the same few people alone are validated as they are in the mixture.
        return JoinedWindows.of((real, _none_of(simulated) if self._share == 0 else simulated)), validation

    def fit_moments(self, windows: Windows) -> Moments:
        """Moments of both parts, weighted as they are drawn."""
        parts = _parts(windows)
        if self._share is None or not all(len(part) for part in parts):
            return windows.moments()
        real, simulated = (part.moments() for part in parts)
        return real.weighted(1 - self._share).joined(simulated.weighted(self._share))

    def make_sampler(self, windows: Windows, *, ranks: int, rank: int) -> MixtureSampler:
        """Draw both parts in the ratio asked for."""
        real, simulated = _parts(windows)
        share = self._share if len(real) and len(simulated) else None
        return MixtureSampler(len(real), len(simulated), share=share, ranks=ranks, rank=rank, seed=self._seed)


def _none_of(windows: Windows) -> Windows:
    return windows.select(np.zeros(0, dtype=np.int64))


def _parts(windows: Windows) -> tuple[Windows, Windows]:
    if not isinstance(windows, JoinedWindows):
        raise TypeError(f"windows of a mixture are a {type(windows).__name__}, expected JoinedWindows")
    real, simulated = (windows.parts[part].select(windows.place[windows.part == part]) for part in (0, 1))
    return real, simulated
