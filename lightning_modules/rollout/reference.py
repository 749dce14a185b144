"""What recorded motion of an activity looks like to sensors, and how far sampled motion is from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from datamodules.batches import MotionBatch
from lightning_modules.networks.packing import mask_frames_of
from lightning_modules.spectra.sensor_spectra import SensorSpectra
from lightning_modules.virtual_sensors import VirtualSensors
from sim.features import features_to_joints
from sim.imu.padded_readings import PaddedReadings
from sim.names import check_name

PROBABILITIES: Final = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""Of the quantiles of |specific force| and |angular rate| that are compared."""


@runtime_checkable
class HoldsRecordedMotion(Protocol):
    """A data module that hands out what it holds of recorded motion to train on."""

    @property
    def activities(self) -> list[str]:
        """Names of the activities, in the order of the indices in batches."""
        ...

    def recorded_windows(self) -> MotionBatch | None:
        """Return windows of the training clips that were recorded, the same every time; None if there are none."""
        ...


class SensorSummary(NamedTuple):
    """How strongly sensors move in motion of one activity; K = channels x sensors, angular rate times ``gyro_scale``.

    Attributes:
        log_density: logarithm of the mean power spectrum ``(F, K)``.
        quantiles: of the vectors' lengths at :data:`PROBABILITIES` ``(Q, K)`` [m/s^2].
        variance: of the vectors' lengths ``(K,)`` [(m/s^2)^2].
    """

    log_density: Tensor
    quantiles: Tensor
    variance: Tensor


@dataclass(frozen=True, eq=False)
class Reference:
    """Recorded motion of one activity.

    Attributes:
        activity: its name.
        captions: of its windows, which are what motions are sampled from.
        summary: what sensors show of it.
    """

    activity: str
    captions: tuple[str, ...]
    summary: SensorSummary


def summarise(readings: PaddedReadings, sensors: VirtualSensors, spectra: SensorSpectra) -> SensorSummary | None:
    """Return what clips of one activity have in common, or None if each is shorter than a window.

    Args:
        readings: of the clips.
        sensors: what they are readings of.
        spectra: how spectra are taken.
    """
    density, long = spectra.measure(readings, sensors)
    if not bool(long.any()):
        return None
    size = sensors.scale(readings)[long].norm(dim=-1)[readings.inside[long]]
    levels = torch.tensor(PROBABILITIES, dtype=size.dtype, device=size.device)
    quantiles = torch.quantile(size, levels, dim=0)
    return SensorSummary(spectra.log(density[long].mean(dim=0)), quantiles, size.var(dim=0, unbiased=False))


def measure_distances(
    sampled: SensorSummary, recorded: SensorSummary, sensors: VirtualSensors, spectra: SensorSpectra
) -> dict[str, Tensor]:
    """Return how far sampled motion is from recorded motion, scalars that are 0 where they look alike.

    ``spectrum`` is the mean squared difference of the logarithms of the power spectra, over frequencies, sensors and
    channels. ``quantiles`` is the mean of log(1 + z^2), z the difference of two quantiles over the recorded standard
    deviation (with the noise that the spectra's floor stands for): z^2 where they are near, and hardly more where they
    are far, because a pose fit that flips over turns faster than any person and would drown the rest.
    """
    spectrum = (sampled.log_density - recorded.log_density).square().mean()
    scale = recorded.variance + spectra.floor * sensors.rate_hz / 2
    quantiles = ((sampled.quantiles - recorded.quantiles).square() / scale).log1p().mean()
    return {"spectrum": spectrum, "quantiles": quantiles}


@torch.no_grad()
def gather_references(
    data: object, wanted: Sequence[str] | None, sensors: VirtualSensors, spectra: SensorSpectra
) -> tuple[Reference, ...]:
    """Return one reference for each activity.

    Args:
        data: the data module that is trained on, after its ``setup``.
        wanted: activities; None takes all of which there is recorded motion that is long enough.
        sensors: which sensors are read.
        spectra: how spectra are taken.

    Raises:
        ValueError: the data module cannot tell what is recorded, has no such activity, or no recorded clip of one that
            is long enough.
    """
    if not isinstance(data, HoldsRecordedMotion):
        raise ValueError(
            f"rollout needs recorded motion to compare with, which {type(data).__name__} does not hand out; train on a "
            "MotionDataModule or HumanML3DDataModule, or set rollout.weight to 0"
        )
    for name in wanted or ():
        check_name(name, data.activities, "activity of the rollout")
    windows = data.recorded_windows()
    found: dict[str, Reference] = {}
    for number, name in enumerate(data.activities if windows is not None else ()):
        if windows is not None and (wanted is None or name in wanted):
            rows = (windows.activity == number).nonzero()[:, 0].tolist()
            reference = _refer(name, windows, rows, sensors, spectra)
            found |= {} if reference is None else {name: reference}
    missing = sorted(set(wanted or ()) - found.keys())
    if missing or not found:
        raise ValueError(
            f"rollout found no recorded motion of {', '.join(missing) or 'any activity'} in the training data, "
            f"expected clips of at least {spectra.shortest_clip(sensors)} frames; it has {', '.join(found) or 'none'}: "
            "add recordings (data.sources), or name others in rollout.activities"
        )
    return tuple(found.values())


def _refer(
    name: str, windows: MotionBatch, rows: Sequence[int], sensors: VirtualSensors, spectra: SensorSpectra
) -> Reference | None:
    if not rows:
        return None
    features, lengths = windows.features[rows], windows.lengths[rows]
    joints = features_to_joints(features, "consistent", lengths=lengths)
    readings = sensors.read(joints, mask_frames_of(lengths, features.shape[1]))
    summary = summarise(readings, sensors, spectra)
    if summary is None:
        return None
    captions = dict.fromkeys(windows.captions[row] for row in rows)
    return Reference(name, tuple(captions), summary)
