"""Does generated motion move like real motion? Accelerations, jerk and feet, set beside real clips of the same kind.

Foot skating: a foot slides in a step where it stays lower than 5 cm and moves horizontally by more than 2.5 cm
(0.5 m/s at 20 fps), in the step itself and in the mean of the five around it (Karunratanakul et al. 2023,
arXiv:2305.12577, section 4). Distributions: :mod:`lightning_modules.metrics.acceleration_distance`.

Accelerations and jerks are of joints decoded consistently, as generated motion is simulated. ``foot_skating`` stays as
published, of joints by positions alone; ``foot_skating_consistent`` is the same of what is simulated. What rests on
embeddings (R-precision, Frechet distance and their kin) takes features and decodes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from lightning_modules.metrics.acceleration_distance import acceleration_distance, magnitude_wasserstein
from lightning_modules.metrics.clip_metric import ClipMetric
from lightning_modules.metrics.dynamics import DYNAMICS_GROUPS
from sim.conventions import FEATURE_FPS, JOINT_INDEX
from sim.features import DECODERS, Decoder, features_to_joints
from sim.names import check_name

SENSOR_JOINTS: Final = ("pelvis", "head", "left_wrist", "right_wrist", "left_ankle", "right_ankle")
"""Joints whose accelerations and jerks are compared: where sensors are worn."""

FOOT_HEIGHT_M: Final = 0.05
FOOT_SPEED_M_S: Final = 0.5
FOOT_WINDOW: Final = 5
"""Steps over which a sliding foot's speed is averaged."""

REAL: Final = -1
"""The slot of real motions; generated ones have the number of their replication, from 0 on."""

SHORTEST_FRAMES: Final = 10
"""Frames of the shortest motion that has a spectrum: eight accelerations."""


@dataclass(frozen=True)
class Skating:
    """Steps from one frame to the next in which feet slide.

    Attributes:
        sliding: steps in which a foot slides ``(B,)``.
        contact: steps in which a foot is down ``(B,)``.
        steps: all steps of each clip ``(B,)``.
    """

    sliding: Tensor
    contact: Tensor
    steps: Tensor


def measure_skating(joints: Tensor, lengths: Tensor, *, fps: float = FEATURE_FPS) -> Skating:
    """Count the steps in which a foot slides; see the module.

    Args:
        joints: positions ``(B, T, 22, 3)`` [m], Y up, the floor at y = 0.
        lengths: valid frames of each clip ``(B,)``.
        fps: frame rate [Hz].
    """
    feet = joints[..., [JOINT_INDEX["left_foot"], JOINT_INDEX["right_foot"]], :]
    inside = torch.arange(feet.shape[1] - 1, device=feet.device) < (lengths.to(feet.device) - 1)[:, None]
    speed = feet[..., [0, 2]].diff(dim=1).norm(dim=-1) * fps
    speed = torch.where(inside[..., None], speed, 0.0)
    # Beyond either end of a clip the foot counts as still, as in the reference.
    mean = functional.avg_pool1d(speed.transpose(1, 2), FOOT_WINDOW, stride=1, padding=FOOT_WINDOW // 2).transpose(1, 2)
    low = feet[..., 1] < FOOT_HEIGHT_M
    down = low[:, 1:] & low[:, :-1] & inside[..., None]
    sliding = down & (speed > FOOT_SPEED_M_S) & (mean > FOOT_SPEED_M_S)
    return Skating(sliding.any(dim=-1).sum(dim=1), down.any(dim=-1).sum(dim=1), inside.sum(dim=1))


class MotionQuality(ClipMetric):
    """Accelerations, jerks and feet of real and generated motions; each clip counts once in each replication.

    ``compute`` returns a flat dict of scores for each slot (:data:`REAL` and the replications): by name overall, and as
    ``name/<group>`` for each group that has clips. Distances are from the real motions, absent without any.

    Args:
        decoder: of accelerations and jerks; ``positions`` is what figures before consistent decoding were of.

    Raises:
        ValueError: the decoder is unknown.
    """

    def __init__(self, decoder: Decoder = "consistent") -> None:
        super().__init__(
            ["group", "sliding", "sliding_consistent", "contact", "steps"], series=["acceleration", "jerk"]
        )
        check_name(decoder, DECODERS, "decoder")
        self.decoder: Decoder = decoder

    def update(
        self,
        features: Tensor,
        lengths: Tensor,
        *,
        sample_id: Tensor,
        group: Tensor,
        slot: int,
        std: Tensor | None = None,
    ) -> None:
        """Add motions.

        Args:
            features: de-normalised HumanML3D features ``(B, T, 263)`` at 20 fps.
            lengths: valid frames of each ``(B,)``.
            sample_id: number of each clip ``(B,)``; a generated motion has that of the real clip beside it.
            group: index into :data:`lightning_modules.metrics.dynamics.DYNAMICS_GROUPS` ``(B,)``; below 0 is in none.
            slot: :data:`REAL`, or the number of the replication.
            std: deviations ``(263,)`` by which consistent decoding weighs; None takes HumanML3D's.

        Raises:
            ValueError: a motion is too short for a spectrum.
        """
        if int(lengths.min()) < SHORTEST_FRAMES:
            raise ValueError(
                f"a clip has {int(lengths.min())} frames, expected at least {SHORTEST_FRAMES} to take a spectrum of; "
                "leave clips so short out"
            )
        with torch.no_grad(), torch.autocast(features.device.type, enabled=False):
            joints: dict[Decoder, Tensor] = {
                name: features_to_joints(features.float(), name, std=std, lengths=lengths) for name in DECODERS
            }
        worn = joints[self.decoder][..., [JOINT_INDEX[name] for name in SENSOR_JOINTS], :]
        skating, consistent = (measure_skating(joints[name], lengths) for name in ("positions", "consistent"))
        self.add_rows(
            {
                "group": group,
                "sliding": skating.sliding,
                "sliding_consistent": consistent.sliding,
                "contact": skating.contact,
                "steps": skating.steps,
            },
            slot=slot,
            sample_id=sample_id,
            series={"acceleration": _magnitudes(worn, lengths, order=2), "jerk": _magnitudes(worn, lengths, order=3)},
        )

    def compute(self) -> dict[int, dict[str, float]]:
        """Return the scores of each slot."""
        rows = {name: values.cpu().numpy() for name, values in self.gather_rows().items()}
        acceleration, jerk = (self.gather_series(name) for name in ("acceleration", "jerk"))
        everywhere = np.ones(len(rows["slot"]), dtype=bool)
        choices = {"": everywhere} | {f"/{name}": rows["group"] == n for n, name in enumerate(DYNAMICS_GROUPS)}
        scores: dict[int, dict[str, float]] = {}
        for slot in np.unique(rows["slot"]).tolist():
            scores[slot] = {}
            for suffix, chosen in choices.items():
                ours, theirs = (np.flatnonzero(chosen & (rows["slot"] == side)) for side in (slot, REAL))
                if not len(ours):
                    continue
                found = {"clips": float(len(ours)), **_measure(_Motions.take(ours, acceleration, jerk))}
                found |= _count_skating(rows, ours)
                if slot != REAL and len(theirs):
                    pair = (_Motions.take(side, acceleration, jerk) for side in (ours, theirs))
                    found |= _compare(*pair)
                scores[slot] |= {f"{name}{suffix}": value for name, value in found.items()}
        return scores


@dataclass(frozen=True)
class _Motions:
    """Magnitudes over time of some motions, one array a joint of a motion."""

    acceleration: list[NDArray[np.float32]]
    jerk: list[NDArray[np.float32]]

    @classmethod
    def take(
        cls, rows: NDArray[np.int64], acceleration: Sequence[NDArray[np.float32]], jerk: Sequence[NDArray[np.float32]]
    ) -> _Motions:
        return cls([s for row in rows for s in acceleration[row].T], [s for row in rows for s in jerk[row].T])


def _measure(motions: _Motions) -> dict[str, float]:
    return {
        "acceleration_m_s2": float(np.concatenate(motions.acceleration).mean()),
        "jerk_m_s3": float(np.concatenate(motions.jerk).mean()),
    }


def _compare(ours: _Motions, theirs: _Motions) -> dict[str, float]:
    distance = acceleration_distance(ours.acceleration, theirs.acceleration, fps=FEATURE_FPS)
    return {
        "acceleration_wasserstein_m_s2": distance.wasserstein_m_s2,
        "acceleration_psd_log10": distance.psd_log10,
        "peak_ratio_p95": distance.peak_ratio_p95,
        "peak_ratio_p99": distance.peak_ratio_p99,
        "jerk_wasserstein_m_s3": magnitude_wasserstein(np.concatenate(ours.jerk), np.concatenate(theirs.jerk)),
    }


def _count_skating(rows: dict[str, NDArray[np.generic]], chosen: NDArray[np.int64]) -> dict[str, float]:
    sliding, consistent, contact, steps = (
        float(rows[name][chosen].sum()) for name in ("sliding", "sliding_consistent", "contact", "steps")
    )
    return {
        "foot_skating": sliding / steps,
        "foot_skating_consistent": consistent / steps,
        "foot_skating_in_contact": sliding / contact if contact else float("nan"),
    }


def _magnitudes(joints: Tensor, lengths: Tensor, *, order: int) -> list[Tensor]:
    """Return magnitudes of differences times fps^order inside each clip, ``(length - order, J)`` each."""
    values = (joints.diff(n=order, dim=1) * FEATURE_FPS**order).norm(dim=-1)
    return [row[: length - order] for row, length in zip(values, lengths.tolist(), strict=True)]
