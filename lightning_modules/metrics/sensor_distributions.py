"""Does what virtual sensors read look like recorded motion? Generated beside recorded, by activity and placement.

Paired errors say how well a clip is denoised; these say whether what is sampled is as strong, as sharp and as quick as
recorded motion, which is what a classifier gets to see. :mod:`lightning_modules.metrics.sensor_quantities` defines the
quantities.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_modules.metrics.clip_metric import ClipMetric
from lightning_modules.metrics.distribution_table import DistributionRow, DistributionTable, tabulate
from lightning_modules.metrics.motion_quality import REAL
from lightning_modules.metrics.sensor_quantities import SensorMagnitudes
from lightning_modules.virtual_sensors import VirtualSensors
from sim.body import Body
from sim.conventions import FEATURE_FPS
from sim.features import Decoder, features_to_joints
from sim.imu import simulate
from sim.motion import Motion
from sim.placements import Placement

DECIDING_PLACEMENTS: Final = ("waist", "chest", "left_wrist", "left_thigh")
"""Where sensors are worn unless said otherwise."""

_CHUNK: Final = 32  # clips that are decoded and simulated at once
_EDGE_S: Final = 0.15  # as sim.imu.padded_readings: three frames at either end are the spline's, not the data's

Series = NDArray[np.floating]


class SensorDistributions(ClipMetric):
    """Magnitudes that virtual sensors read in recorded and generated motions, compared by ``compute``.

    Clips are simulated :data:`_CHUNK` at a time; what is kept of each is its magnitudes in float32, 2.4 kB for four
    seconds at four placements. Each clip counts once in each slot, on any number of processes.

    Args:
        activities: names, in the order of the indices in batches.
        placements: presets of :mod:`sim.placements.presets`, each once.
        rate_hz: output rate of the virtual sensors [Hz].

    Raises:
        ValueError: a placement is unknown or comes twice, or the rate is too low for the bands.
    """

    def __init__(
        self,
        activities: Sequence[str],
        *,
        placements: Sequence[str] = DECIDING_PLACEMENTS,
        rate_hz: float = FEATURE_FPS,
    ) -> None:
        super().__init__(["activity"], series=["force", "rate"])
        self.activities = tuple(activities)
        self.sensors = VirtualSensors(placements=tuple(placements), rate_hz=rate_hz)
        SensorMagnitudes(np.empty((0, 0, 1)), np.empty((0, 0, 1)), rate_hz)  # checks the rate

    def update(
        self, joints: Tensor, lengths: Tensor, *, activity: Tensor, slot: int, sample_id: Tensor | None = None
    ) -> None:
        """Add motions.

        Args:
            joints: decoded positions ``(B, T, 22, 3)`` [m] at 20 fps.
            lengths: valid frames of each ``(B,)``.
            activity: index of each one's activity ``(B,)``.
            slot: :data:`lightning_modules.metrics.motion_quality.REAL`, or from 0 on the number of the generation.
            sample_id: number of each clip ``(B,)``, by which one that comes twice counts once; None counts all.
        """
        force, rate = read_magnitudes(joints, lengths, self.sensors)
        self.add_rows(
            {"activity": activity},
            slot=slot,
            sample_id=sample_id,
            series={
                "force": [torch.from_numpy(clip) for clip in force],
                "rate": [torch.from_numpy(clip) for clip in rate],
            },
        )

    def compute(self) -> list[DistributionRow]:
        """Return generated beside recorded for every activity that has both; empty if there is none."""
        rows = {name: values.cpu().numpy() for name, values in self.gather_rows().items()}
        series = [self.gather_series(name) for name in ("force", "rate")]
        sides: list[dict[str, SensorMagnitudes]] = [{}, {}]
        for number, name in enumerate(self.activities):
            for side, of_side in zip(sides, (rows["slot"] != REAL, rows["slot"] == REAL), strict=True):
                chosen = np.flatnonzero(of_side & (rows["activity"] == number))
                if len(chosen):
                    force, rate = ([clips[row] for row in chosen] for clips in series)
                    side[name] = SensorMagnitudes.pad(force, rate, rate_hz=self.sensors.rate_hz)
        return list(tabulate(sides[0], sides[1], self.sensors.placements).rows)


@torch.no_grad()
def read_magnitudes(
    joints: Tensor, lengths: Tensor, sensors: VirtualSensors
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Return |specific force| [m/s^2] and angular rate [rad/s] of each clip, ``(T_i, S)``, three frames off its ends.

    Args:
        joints: decoded positions ``(B, T, 22, 3)`` [m] at 20 fps.
        lengths: valid frames of each ``(B,)``; of under seven nothing is left.
        sensors: where, and how often.
    """
    force: list[NDArray[np.float32]] = []
    rate: list[NDArray[np.float32]] = []
    for start in range(0, len(joints), _CHUNK):
        part = slice(start, start + _CHUNK)
        sizes = lengths[part].to(joints.device)
        clips = joints[part, : max(int(sizes.max()), 1)].float()
        readings = sensors.read(clips, torch.arange(clips.shape[1], device=joints.device) < sizes[:, None])
        for kept, values in ((force, readings.accel), (rate, readings.gyro)):
            norms = values.norm(dim=-1)
            kept += [norm[inside].cpu().numpy() for norm, inside in zip(norms, readings.inside, strict=True)]
    return force, rate


def compare_distributions(
    generated: Mapping[str, Sequence[Tensor | Motion]],
    recorded: Mapping[str, Sequence[Tensor | Motion]],
    *,
    placements: Sequence[str] = DECIDING_PLACEMENTS,
    rate_hz: float = FEATURE_FPS,
    decoder: Decoder = "consistent",
    std: Tensor | None = None,
) -> DistributionTable:
    """Compare generated with recorded motions, activity by activity, by what virtual sensors read of them.

    Args:
        generated: motions by activity, as features ``(T_i, 263)`` at 20 fps or as :class:`sim.Motion` of any rate.
        recorded: the same of recorded motion; activities that only one side has are left out.
        placements: presets of :mod:`sim.placements.presets`, each once.
        rate_hz: output rate of the virtual sensors [Hz].
        decoder: of features on both sides, as in :func:`sim.features.features_to_joints`; recorded features are the
            same by either.
        std: normalisation's standard deviations ``(263,)`` for the consistent decoder.

    Returns:
        For each activity, placement and quantity the ratio, and how many motions and seconds stand behind it.

    Raises:
        ValueError: no activity has motions on both sides, or a placement, the decoder or the rate is no valid one.

    Examples:
        >>> walk = torch.zeros(60, 263)
        >>> walk[:, 4:67:3] = 0.1 * torch.sin(torch.arange(60.0))[:, None]
        >>> compare_distributions({"walking": [walk]}, {"walking": [walk]}).summary()
        0.0
    """
    sensors = VirtualSensors(placements=tuple(placements), rate_hz=rate_hz)
    shared = [name for name in generated if generated[name] and recorded.get(name)]
    if not shared:
        raise ValueError(
            f"generated motions are of {sorted(generated)} and recorded ones of {sorted(recorded)}, expected at least "
            "one activity that has both"
        )
    sides = [
        {name: _read_motions(side[name], sensors, decoder=decoder, std=std) for name in shared}
        for side in (generated, recorded)
    ]
    return tabulate(sides[0], sides[1], sensors.placements)


def _read_motions(
    motions: Sequence[Tensor | Motion], sensors: VirtualSensors, *, decoder: Decoder, std: Tensor | None
) -> SensorMagnitudes:
    force: list[Series] = []
    rate: list[Series] = []
    features = [motion for motion in motions if isinstance(motion, Tensor)]
    simulated = (_simulate(motion, sensors) for motion in motions if isinstance(motion, Motion))
    for clip_force, clip_rate in (*_read_features(features, sensors, decoder, std), *simulated):
        force.append(clip_force)
        rate.append(clip_rate)
    return SensorMagnitudes.pad(force, rate, rate_hz=sensors.rate_hz)


@torch.no_grad()
def _read_features(
    clips: Sequence[Tensor], sensors: VirtualSensors, decoder: Decoder, std: Tensor | None
) -> Iterator[tuple[Series, Series]]:
    for start in range(0, len(clips), _CHUNK):
        part = list(clips[start : start + _CHUNK])
        lengths = torch.tensor([len(clip) for clip in part])
        features = torch.nn.utils.rnn.pad_sequence(part, batch_first=True).float()
        joints = features_to_joints(features, decoder, std=std, lengths=lengths)
        yield from zip(*read_magnitudes(joints, lengths, sensors), strict=True)


@torch.no_grad()
def _simulate(motion: Motion, sensors: VirtualSensors) -> tuple[Series, Series]:
    read = simulate(
        motion, Body.default(), [Placement.preset(name) for name in sensors.placements], rate_hz=sensors.rate_hz
    )
    edge = round(_EDGE_S * sensors.rate_hz)
    accel, gyro = (values.norm(dim=-1)[edge : len(values) - edge].float().numpy() for values in (read.accel, read.gyro))
    return accel, gyro
