"""How dynamic a clip is: high and low dynamics, told apart by measured peak acceleration, not by an activity's name.

An acceleration loss should help most where motion is fast (Häusler et al. 2025, arXiv:2512.08859, report running and
jumping); names of activities say little about that: a person also "walks" in a hurry.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from sim.conventions import FEATURE_FPS
from sim.features import features_to_joints

DYNAMICS_GROUPS: Final = ("low_dynamics", "high_dynamics")
"""Names of the groups, in the order of the indices that :func:`group_dynamics` gives."""

HIGH_DYNAMICS_M_S2: Final = 12.0
"""Peak acceleration from which on a clip is of high dynamics [m/s^2]; docs/evaluation.md shows where clips lie."""

PEAK_QUANTILE: Final = 0.95


def measure_peak_acceleration(features: Tensor, lengths: Tensor) -> Tensor:
    """Return how large the acceleration of each clip's body becomes; decoded consistently, by HumanML3D's weights.

    Args:
        features: de-normalised HumanML3D features ``(B, T, 263)`` at 20 fps.
        lengths: valid frames of each clip ``(B,)``.

    Returns:
        ``(B,)`` [m/s^2]: the 95th percentile over time of the mean over the 22 joints of |second difference * fps^2|,
        of second differences whose three frames lie inside the clip; 0 for a clip of under three frames.
    """
    with torch.no_grad(), torch.autocast(features.device.type, enabled=False):
        joints = features_to_joints(features.float(), "consistent", lengths=lengths)
        acceleration = joints.diff(n=2, dim=1) * FEATURE_FPS**2
    return peak_of_acceleration(acceleration, lengths)


def peak_of_acceleration(acceleration: Tensor, lengths: Tensor) -> Tensor:
    """Return the peak ``(B,)`` [m/s^2] of joint accelerations; see :func:`measure_peak_acceleration`.

    Args:
        acceleration: of clips ``(B, T-2, J, 3)`` [m/s^2].
        lengths: valid frames of each clip ``(B,)``.
    """
    magnitude = acceleration.detach().norm(dim=-1).mean(dim=-1)
    if magnitude.shape[1] < 1:
        return magnitude.new_zeros(len(magnitude))
    inside = torch.arange(magnitude.shape[1], device=magnitude.device) < (lengths.to(magnitude.device) - 2)[:, None]
    peaks = torch.nanquantile(magnitude.masked_fill(~inside, torch.nan), PEAK_QUANTILE, dim=1)
    return peaks.nan_to_num(nan=0.0)


def group_dynamics(peaks: Tensor, threshold_m_s2: float = HIGH_DYNAMICS_M_S2) -> Tensor:
    """Return the group of each clip ``(B,)``, an index into :data:`DYNAMICS_GROUPS`.

    Args:
        peaks: peak accelerations ``(B,)`` [m/s^2].
        threshold_m_s2: from where on dynamics are high [m/s^2].
    """
    return (peaks >= threshold_m_s2).long()
