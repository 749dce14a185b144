"""The rollout objective: the model samples, and at each call its prediction is held against recorded motion at once.

One-step predictions cannot say what sampling does with them, and a squared loss on them teaches the mean of what could
be. Here the prediction of a call of the model's own sampling is decoded and simulated, and distances of spectra and
quantiles to recorded motion of the same activity are lowered right there; the state that the call came from, and the
one it leads to, carry no gradient, so that memory does not grow with the number of calls (after EasyTune,
arXiv:2602.07967). Each training step does one such call beside its ordinary losses, which stay as the anchor, and the
sampling goes on in the next, with weights that have moved: a sampling of ten calls takes ten training steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from lightning_modules.diffusion import Schedule
from lightning_modules.networks.packing import mask_frames_of
from lightning_modules.rollout.options import RolloutOptions
from lightning_modules.rollout.reference import (
    Reference,
    SensorSummary,
    gather_references,
    measure_distances,
    summarise,
)
from lightning_modules.sampling.samplers import STEPS, PredictClean, guide, space
from lightning_modules.spectra.sensor_spectra import SensorSpectra
from lightning_modules.text.lookup import TextBatch
from lightning_modules.training.feature_statistics import FeatureStatistics
from lightning_modules.training.randomness import derive_seed
from lightning_modules.virtual_sensors import VirtualSensors
from sim.conventions import FEATURE_FPS, NUM_FEATURES
from sim.features import features_to_joints
from sim.imu.padded_readings import PaddedReadings

_ROLLOUT_KEY = 3  # keeps a rollout's draws apart from those of the training step that begins it
_MOTIONS_OF_AN_ACTIVITY = 4  # fewer make no spectrum or quantile


class TextEmbeddings(Protocol):
    """What turns prompts into embeddings."""

    def __call__(self, texts: Sequence[str]) -> TextBatch:
        """Return the texts' embeddings."""
        ...


@dataclass
class _Walk:
    """Where a sampling is.

    Attributes:
        keys: what all of its randomness follows from.
        x: its state ``(M, T, 263)``, normalised, without a gradient.
        call: number of the network call that comes next.
        references: recorded motion that each motion is held to.
        captions: what each motion is sampled from.
    """

    keys: tuple[int, ...]
    x: Tensor
    call: int
    references: list[Reference]
    captions: list[str]


class Rollout:
    """Samples along with the training, and lowers distances to recorded motion call by call.

    Args:
        options: which calls, motions, distances and weights.
        schedule: the process that the network is trained on.
        sensors: which sensors are read unless the options name others.
        spectra: how spectra are taken unless the options say it.

    Raises:
        ValueError: the sampling has more calls than the schedule steps, or a motion is shorter than a window.
    """

    def __init__(
        self, options: RolloutOptions, schedule: Schedule, sensors: VirtualSensors, spectra: SensorSpectra
    ) -> None:
        self.options = options
        self.schedule = space(options.sampler, schedule, options.steps)
        self.sensors = sensors if options.sensors is None else VirtualSensors.from_options(options.sensors)
        self.spectra = spectra if options.spectrum is None else SensorSpectra.from_options(options.spectrum)
        self.num_frames = round(options.seconds * FEATURE_FPS)
        needed = self.spectra.shortest_clip(self.sensors)
        if self.num_frames < needed:
            raise ValueError(
                f"rollout.seconds is {options.seconds:g}, expected at least {needed / FEATURE_FPS:g} for a window of "
                f"{self.spectra.window_s:g} s and the spline's ends"
            )
        self._references: tuple[Reference, ...] = ()
        self._walk: _Walk | None = None

    def prepare(self, data: object) -> None:
        """Measure the recorded motion of the data module that is trained on.

        Raises:
            ValueError: it holds none of an activity that is asked for.
        """
        self._references = gather_references(data, self.options.activities, self.sensors, self.spectra)

    def advance(
        self,
        network: nn.Module,
        texts: TextEmbeddings,
        statistics: FeatureStatistics,
        *,
        keys: tuple[int, ...],
        device: torch.device,
    ) -> dict[str, Tensor]:
        """Go on to the next call that learns, and one call further.

        Args:
            network: what is trained; its dropout is off meanwhile, as when it samples.
            texts: embeddings of captions.
            statistics: of the features.
            keys: what names this training step, all >= 0, the rank last; a sampling that begins here follows from it.
            device: of the network.

        Returns:
            ``rollout_spectrum`` and ``rollout_quantiles``, means over the activities that are sampled, unweighted, with
            gradients to the network's weights.
        """
        learning = self.options.learning_calls
        walk = self._walk or self._begin(keys, device)
        with _evaluating(network):
            predict = self._guide(network, texts(walk.captions).to(device))
            while walk.call not in learning:
                with torch.no_grad():
                    self._move(walk, self._predict(predict, walk))
            clean = self._predict(predict, walk)
        distances = self._measure(clean, walk, statistics)
        self._move(walk, clean.detach())
        self._walk = walk if walk.call <= learning[-1] else None
        return {f"rollout_{name}": value for name, value in distances.items()}

    def weigh(self, distances: Mapping[str, Tensor], *, step: int) -> dict[str, Tensor]:
        """Return what each distance adds to the objective; ``step`` counts optimiser steps, for the warm-up."""
        warmup = self.options.warmup_steps
        weight = self.options.weight * (1.0 if step >= warmup else step / warmup)
        parts = {f"rollout_{name}": factor for name, factor in self.options.parts.items() if factor > 0}
        return {name: weight * factor * distances[name] for name, factor in parts.items()}

    def state(self) -> tuple[list[int], int, Tensor] | None:
        """Return keys without the rank, number of the next call and state of the sampling that goes on, if one does."""
        walk = self._walk
        return None if walk is None else (list(walk.keys[:-1]), walk.call, walk.x)

    def restore(self, state: tuple[Sequence[int], int, Tensor] | None, *, rank: int) -> None:
        """Go on where :meth:`state` was taken, after :meth:`prepare` with the same data."""
        self._walk = None
        if state is not None:
            keys, call, x = state
            walk = self._begin((*keys, rank), x.device)
            self._walk = _Walk(walk.keys, x, call, walk.references, walk.captions)

    def _begin(self, keys: tuple[int, ...], device: torch.device) -> _Walk:
        generator = torch.Generator().manual_seed(derive_seed(*keys, _ROLLOUT_KEY))
        motions = self.options.motions
        count = max(1, motions // _MOTIONS_OF_AN_ACTIVITY)
        order = torch.randperm(len(self._references), generator=generator)[:count].tolist()
        references = [self._references[order[motion % len(order)]] for motion in range(motions)]
        draws = torch.rand(motions, generator=generator).tolist()
        captions = [
            reference.captions[int(draw * len(reference.captions))]
            for reference, draw in zip(references, draws, strict=True)
        ]
        start = self._draw_noise(keys, self.schedule.num_steps, device)
        return _Walk(keys, start, 0, references, captions)

    def _draw_noise(self, keys: tuple[int, ...], step: int, device: torch.device) -> Tensor:
        generator = torch.Generator().manual_seed(derive_seed(*keys, _ROLLOUT_KEY, step))
        return torch.randn(self.options.motions, self.num_frames, NUM_FEATURES, generator=generator).to(device)

    def _guide(self, network: nn.Module, text: TextBatch) -> PredictClean:
        lengths = torch.full((self.options.motions,), self.num_frames, device=text.embedding.device)
        return guide(
            network,
            text.embedding,
            lengths,
            guidance=self.options.guidance,
            guided_from=self.schedule.guided_from,
            text_mask=text.mask,
        )

    def _step_of(self, walk: _Walk) -> int:
        return self.schedule.num_steps - 1 - walk.call

    def _predict(self, predict: PredictClean, walk: _Walk) -> Tensor:
        return predict(walk.x, int(self.schedule.timestep_map[self._step_of(walk)])).float()

    def _move(self, walk: _Walk, clean: Tensor) -> None:
        walk.x = STEPS[self.options.sampler](
            walk.x,
            clean,
            self.schedule,
            self._step_of(walk),
            lambda step: self._draw_noise(walk.keys, step, clean.device),
        )
        walk.call += 1

    def _measure(self, clean: Tensor, walk: _Walk, statistics: FeatureStatistics) -> dict[str, Tensor]:
        """Return the distances of a prediction ``(M, T, 263)``, means over the activities."""
        lengths = torch.full((len(clean),), self.num_frames, device=clean.device)
        # Under autocast, rounding positions to bfloat16 (4 mm at 1 m) would drown differences taken at 20 fps.
        with torch.autocast(clean.device.type, enabled=False):
            joints = features_to_joints(
                clean * statistics.std + statistics.mean, "consistent", std=statistics.std, lengths=lengths
            )
            readings = self.sensors.read(joints, mask_frames_of(lengths, self.num_frames))
        found: dict[str, list[Tensor]] = {}
        for reference in dict.fromkeys(walk.references):
            rows = [row for row, other in enumerate(walk.references) if other is reference]
            sampled = summarise(PaddedReadings(*(part[rows] for part in readings)), self.sensors, self.spectra)
            if sampled is not None:
                recorded = SensorSummary(*(part.to(clean.device) for part in reference.summary))
                for name, value in measure_distances(sampled, recorded, self.sensors, self.spectra).items():
                    found.setdefault(name, []).append(value)
        return {name: torch.stack(values).mean() for name, values in found.items()}


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode inside the block."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)
