"""Fit a body to optical markers: shape once, pose in every frame, smooth in time; and say how well it fits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from datamodules.formats.marker_recording import MarkerRecording
from datamodules.markers.calibration import calibrate, fit_shape
from datamodules.markers.degrees import Freedom, choose_freedom
from datamodules.markers.marker_sets import MarkerSet, choose_marker_set
from datamodules.markers.model import MarkerModel, build_model
from datamodules.markers.soles import level_soles
from datamodules.markers.solver import Pose, step_together
from datamodules.markers.static import calibrate_on
from sim.body import Body
from sim.conventions import JOINT_NAMES
from sim.motion import Motion
from sim.trajectory import resample_motion

KEY_RATE_HZ: Final[float] = 12.0
"""Rate at which poses are first sought [Hz]."""

MAX_KEYS: Final[int] = 120
"""Most frames of the first search; a longer recording has them farther apart."""

STEPS: Final[int] = 5
BLOCK_FRAMES: Final[int] = 1500
"""Frames that are tied together at once; longer recordings are fitted in blocks that overlap."""

OVERLAP_FRAMES: Final[int] = 100

LONG_GAP_S: Final[float] = 0.5
"""Gaps beyond this are named one by one [s]."""


SPAN_M: Final[tuple[float, float]] = (0.3, 4.0)
"""Extent of a person's markers in one frame [m]; others mean another unit."""


@dataclass(frozen=True, eq=False)
class MarkerFit:
    """A body fitted to markers.

    Attributes:
        motion: of that body, at the recording's rate, world Y up, float32.
        body: the body in its fitted shape.
        set_name: the marker set.
        names: the M markers that were used.
        residual_m: distance of each marker from the body's ``(T, M)`` [m], NaN where it was not seen.
        offset_m: how far each marker lies from where its set says, after fitting ``(M,)`` [m].
        unknown: markers that the set does not know and that were left out.
        prior_joints: joints that no marker tells of; they follow the prior (see :mod:`datamodules.markers.degrees`).
        longest_gap_s: longest time for which each marker was not seen ``(M,)`` [s]; the body bridged it.
    """

    motion: Motion
    body: Body
    set_name: str
    names: tuple[str, ...]
    residual_m: np.ndarray[tuple[int, int], np.dtype[np.float64]]
    offset_m: np.ndarray[tuple[int], np.dtype[np.float64]]
    unknown: tuple[str, ...]
    prior_joints: tuple[str, ...]
    longest_gap_s: np.ndarray[tuple[int], np.dtype[np.float64]]

    @property
    def median_residual_m(self) -> float:
        """Median distance over all frames and markers [m]."""
        return float(np.nanmedian(self.residual_m))

    @property
    def occluded(self) -> int:
        """Samples of markers that were not seen."""
        return int(np.isnan(self.residual_m).sum())

    def describe(self) -> tuple[str, ...]:
        """Return in words how well the body fits and what it does not know."""
        each = np.nanmedian(self.residual_m, axis=0)
        worst = np.argsort(-each)[:3]
        lines = [
            f"marker residual: median {1e3 * self.median_residual_m:.1f} mm, 95% under "
            f"{1e3 * float(np.nanquantile(self.residual_m, 0.95)):.0f} mm; largest medians "
            + ", ".join(f"{self.names[index]} {1e3 * each[index]:.0f} mm" for index in worst),
            f"markers lie {1e3 * float(np.median(self.offset_m)):.0f} mm (median) from where the set says; fitted",
            f"not seen: {self.occluded} of {self.residual_m.size} samples, bridged by the body",
            f"no marker tells of {', '.join(self.prior_joints)}: they follow the prior",
        ]
        long = [
            f"{name} for {gap:.1f} s"
            for name, gap in zip(self.names, self.longest_gap_s, strict=True)
            if gap > LONG_GAP_S
        ]
        if long:
            lines.append(f"gaps too long to be trusted: {', '.join(long[:6])}{' ...' if len(long) > 6 else ''}")
        if self.unknown:
            lines.append(f"markers that the set does not know, left out: {', '.join(self.unknown)}")
        return tuple(lines)


def fit_markers(
    recording: MarkerRecording,
    *,
    marker_set: MarkerSet | None = None,
    body: Body | None = None,
    static: MarkerRecording | None = None,
    cutoff_hz: float = 15.0,
    origin: str | Path = "the recording",
) -> MarkerFit:
    """Fit a body's shape and motion to markers.

    Args:
        recording: the markers.
        marker_set: where they sit; None chooses a built-in set by their names.
        body: whose mesh; its shape is fitted. None takes ``Body.default()``.
        static: a calibration recording of the same person with the same markers, whose shape and marker places are
            taken over (markers that only one of the two has are allowed).
        cutoff_hz: smoothness of the poses in time, see :func:`datamodules.markers.solver.step_together` [Hz].
        origin: where from, for messages.

    Raises:
        ValueError: no set knows the markers, or too few are seen to place a body.
    """
    recording = recording.turned_up()
    chosen = marker_set if marker_set is not None else choose_marker_set(recording.names, origin)
    known, unknown = chosen.split(recording.names)
    columns = [recording.names.index(name) for name in known]
    observed = torch.from_numpy(recording.positions[:, columns])
    ever = observed.isfinite().all(dim=-1).any(dim=0)
    _check_seen(observed, ever, origin)
    known = [name for name, used in zip(known, ever.tolist(), strict=True) if used]
    observed = observed[:, ever]
    seen = observed.isfinite().all(dim=-1).double()
    observed = observed.nan_to_num()
    model = build_model([chosen.sites[name] for name in known], body if body is not None else Body.default())
    freedom, prior_joints = choose_freedom(chosen.sites[name].point.bone for name in known)
    try:
        if static is not None:
            model = calibrate_on(static.turned_up(), chosen, known, model)
        model, pose = _fit(model, observed, seen, freedom, recording.fps, cutoff_hz)
        if static is None:
            model, pose = level_soles(model, pose, fps=recording.fps)
    except ValueError as error:
        raise ValueError(f"{origin}: {error}") from error
    markers = torch.cat([_placed(model, pose, start) for start in range(0, len(observed), BLOCK_FRAMES)])
    residual = torch.where(seen > 0, (markers - observed).norm(dim=-1), torch.nan)
    return MarkerFit(
        motion=Motion(pose.rotations.float(), pose.translation.float(), recording.fps),
        body=model.body.with_shape(model.betas).to(dtype=torch.float32),
        set_name=chosen.name,
        names=tuple(known),
        residual_m=residual.numpy(),
        offset_m=model.offsets.norm(dim=-1).numpy(),
        unknown=tuple(unknown),
        prior_joints=tuple(name for name in JOINT_NAMES if name in prior_joints),
        longest_gap_s=_longest_gaps(seen) / recording.fps,
    )


def _check_seen(observed: Tensor, ever: Tensor, origin: str | Path) -> None:
    """Refuse recordings without markers, and those whose markers lie apart as no person's do."""
    if not bool(ever.any()):
        raise ValueError(f"{origin}: no marker of the set is seen in {len(observed)} frames, expected some; look at it")
    flat = observed[:, ever].numpy()
    seen = np.isfinite(flat).all(axis=(1, 2)) if np.isfinite(flat).all(axis=(1, 2)).any() else slice(None)
    spans = np.nanmax(flat[seen], axis=1) - np.nanmin(flat[seen], axis=1)
    span = float(np.nanmedian(np.linalg.norm(spans, axis=1)))
    if not SPAN_M[0] < span < SPAN_M[1]:
        raise ValueError(
            f"{origin}: markers of one frame lie within {span:.3g} m, expected {SPAN_M[0]:g} to {SPAN_M[1]:g} m of a "
            "person; the unit is another one, pass unit_m (--unit-m 0.001 for mm)"
        )


def _fit(
    model: MarkerModel, observed: Tensor, seen: Tensor, freedom: Freedom, fps: float, cutoff_hz: float
) -> tuple[MarkerModel, Pose]:
    frames = len(observed)
    stride = max(1, round(fps / KEY_RATE_HZ), -(-frames // MAX_KEYS))
    keys = torch.arange(0, frames, stride)
    calibrated, pose = calibrate(model, observed[keys], seen[keys], freedom)
    sparse = Motion(pose.rotations, pose.translation, fps / stride)
    dense = resample_motion(sparse, fps=fps) if len(keys) > 1 else sparse
    # Frames after the last key start from it.
    at = torch.arange(frames).clamp_max(dense.num_frames - 1)
    pose = Pose(dense.rotations[at], dense.translation[at])
    for number in range(STEPS):
        pose = _step_in_blocks(calibrated, pose, observed, seen, freedom, fps, cutoff_hz)
        if number == 1:
            calibrated = fit_shape(
                calibrated,
                Pose(pose.rotations[keys], pose.translation[keys]),
                observed[keys],
                seen[keys],
                looseness=1.0,
            )
    return calibrated, pose


def _step_in_blocks(
    model: MarkerModel, pose: Pose, observed: Tensor, seen: Tensor, freedom: Freedom, fps: float, cutoff_hz: float
) -> Pose:
    frames = len(observed)
    rotations, translation = pose.rotations.clone(), pose.translation.clone()
    for start in range(0, frames, BLOCK_FRAMES):
        low, high = max(0, start - OVERLAP_FRAMES), min(frames, start + BLOCK_FRAMES + OVERLAP_FRAMES)
        part = Pose(pose.rotations[low:high], pose.translation[low:high])
        moved = step_together(model, part, observed[low:high], seen[low:high], freedom, fps=fps, cutoff_hz=cutoff_hz)
        stop = min(frames, start + BLOCK_FRAMES)
        rotations[start:stop] = moved.rotations[start - low : stop - low]
        translation[start:stop] = moved.translation[start - low : stop - low]
    return Pose(rotations, translation)


def _placed(model: MarkerModel, pose: Pose, start: int) -> Tensor:
    part = slice(start, start + BLOCK_FRAMES)
    return model.place(pose.rotations[part], pose.translation[part])[0]


def _longest_gaps(seen: Tensor) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the longest run of frames in which each marker was not seen ``(M,)``."""
    longest = np.zeros(seen.shape[1])
    for marker, column in enumerate(seen.numpy().T):
        edges = np.flatnonzero(np.diff(np.concatenate([[1.0], column, [1.0]])))
        longest[marker] = max((stop - start for start, stop in zip(edges[::2], edges[1::2], strict=True)), default=0)
    return longest
