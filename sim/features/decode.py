"""HumanML3D's 263-number features back to the root's path, to joints and to a Motion.

``positions`` is HumanML3D's own way (``recover_from_ric``), what parity and published metrics use. It leaves the steps
of the joints unused, which say ten times better how a joint moves from frame to frame; ``consistent`` fits both
(:mod:`sim.step_fit`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, cast

import torch
from torch import Tensor
from torch.nn import functional

from sim.conventions import DECODERS, FEATURE_FPS, NUM_JOINTS, Decoder
from sim.features.layout import FEATURE_SLICES, check_features, heading_matrix
from sim.motion import Motion
from sim.names import check_name
from sim.pose_fit import fit_pose
from sim.step_fit import fit_positions_and_steps

POSITION_STD_M: Final[float] = 0.1222
STEP_STD_M: Final[float] = 0.01947
"""Standard deviations of joint positions and of their steps to the next frame in HumanML3D's training features [m],
one for all joints (its ``Std.npy``): what the two are weighed by where nothing else is known."""


def check_decoder(name: str) -> Decoder:
    """Return a name, which a command or YAML gave, as the decoder that it is.

    Raises:
        ValueError: there is no such decoder; it names the valid ones and the nearest.
    """
    check_name(name, DECODERS, "decoder")
    return cast(Decoder, name)


def features_to_root(features: Tensor) -> tuple[Tensor, Tensor]:
    """Integrate the root's turn and velocity.

    Args:
        features: ``(..., T, 263)``, de-normalised.

    Returns:
        ``(heading (..., T, 3, 3), position (..., T, 3) [m])``: the heading maps world to the person's frame, a turn
        about +Y only; at the first frame it is the identity and the position is above the origin.

    Raises:
        ValueError: the last axis is not 263 wide or there is no frame.
    """
    check_features(features)
    turn, step, height, *_ = _split(features)
    return _integrate_root(turn, step, height)


def features_to_joints(
    features: Tensor, decoder: Decoder = "positions", *, std: Tensor | None = None, lengths: Tensor | None = None
) -> Tensor:
    """Recover joint positions.

    Args:
        features: ``(..., T, 263)``, de-normalised; rotations and contacts in them are not used.
        decoder: ``positions`` takes the root's motion and the local positions (HumanML3D's recover_from_ric);
            ``consistent`` the paths nearest to these and to the joints' steps, weighed by their spread, which for
            recorded features are the same.
        std: standard deviations of the features ``(263,)``, such as the normalisation's, by which ``consistent``
            weighs; None takes HumanML3D's, :data:`POSITION_STD_M` and :data:`STEP_STD_M`.
        lengths: valid frames of each clip ``(...)``, for ``consistent``: what is beyond touches nothing inside.

    Returns:
        Joint positions ``(..., T, 22, 3)`` [m], Y up, starting above the origin and facing +Z; differentiable.

    Raises:
        ValueError: the last axis is not 263 wide, there is no frame, the decoder is unknown, or ``std`` or ``lengths``
            do not fit.

    Examples:
        >>> features = torch.zeros(40, 263)
        >>> features[:, FEATURE_SLICES.root_linear_velocity] = torch.tensor([0.0, 0.05])  # 5 cm a frame, forwards
        >>> joints = features_to_joints(features)
        >>> joints.shape, joints[-1, 0].round(decimals=2)
        (torch.Size([40, 22, 3]), tensor([0.0000, 0.0000, 1.9500]))
    """
    check_name(decoder, DECODERS, "decoder")
    check_features(features)
    turn, ahead, height, local, _, steps, _ = _split(features)
    heading, root = _integrate_root(turn, ahead, height)
    ground = root * root.new_tensor([1.0, 0.0, 1.0])
    # Turned in one go: a product of many small matrices costs by their number.
    seen = [local] if decoder == "positions" else [local, steps]
    turned = torch.cat(seen, dim=-1).unflatten(-1, (-1, 3)) @ heading
    place, *step = turned.split([part.shape[-1] // 3 for part in seen], dim=-2)
    joints = torch.cat([root[..., None, :], place + ground[..., None, :]], dim=-2)
    if not step:
        return joints
    fitted = fit_positions_and_steps(
        joints.flatten(-2), step[0][..., :-1, :, :].flatten(-2), step_weight=_step_weight(std), lengths=lengths
    )
    return fitted.unflatten(-1, (NUM_JOINTS, 3))


def features_to_motion(
    features: Tensor,
    *,
    fps: float = FEATURE_FPS,
    text: str | Sequence[str] | None = None,
    decoder: Decoder = "consistent",
    std: Tensor | None = None,
    lengths: Tensor | None = None,
) -> Motion:
    """Turn features into a Motion of the default body: positions by :func:`features_to_joints`, rotations by fit_pose.

    Features that a network made are to be decoded consistently; for recorded ones both decoders are the same.

    Args:
        features: ``(..., T, 263)``, de-normalised.
        fps: frame rate that the features stand for [Hz]; 20 for HumanML3D's.
        text: the caption that the motion carries on.
        decoder: as in :func:`features_to_joints`; the Motion says which.
        std: as in :func:`features_to_joints`.
        lengths: as in :func:`features_to_joints`.

    Raises:
        ValueError: as :func:`features_to_joints`, a number is not finite or ``fps`` is not positive.
    """
    joints = features_to_joints(features, decoder, std=std, lengths=lengths)
    return replace(fit_pose(joints, fps=fps), text=text, decoder=decoder)


def _split(features: Tensor) -> tuple[Tensor, ...]:
    """Return the parts of :data:`FEATURE_SLICES`; one split has one backward pass, where slices have one each."""
    parts: tuple[Tensor, ...] = features.split([part.stop - part.start for part in FEATURE_SLICES], dim=-1)
    return parts


def _integrate_root(turn: Tensor, step: Tensor, height: Tensor) -> tuple[Tensor, Tensor]:
    """Return heading and position as :func:`features_to_root` does, from the root's features."""
    angle = 2.0 * _integrate(turn[..., :-1, :])[..., 0]
    heading = heading_matrix(torch.stack([-torch.sin(angle), torch.cos(angle)], dim=-1))
    step_x, step_z = step[..., :-1, :].unbind(-1)
    local_step = torch.stack([step_x, torch.zeros_like(step_x), step_z], dim=-1)
    world_step = torch.einsum("...ji,...j->...i", heading[..., 1:, :, :], local_step)
    position = _integrate(world_step)
    return heading, torch.cat([position[..., :1], height, position[..., 2:]], dim=-1)


def _step_weight(std: Tensor | None) -> Tensor:
    """Return what a step's squared error counts for beside a position's, for each of 22 joints' x, y and z ``(66,)``.

    One number for each joint and all axes, because headings turn the axes; joint 0, whose position is integrated, takes
    the mean of the others.
    """
    if std is None:
        return torch.full((3 * NUM_JOINTS,), (POSITION_STD_M / STEP_STD_M) ** 2, dtype=torch.float64)
    if std.shape != (FEATURE_SLICES.foot_contacts.stop,) or not bool(((std > 0) & std.isfinite()).all()):
        raise ValueError(
            f"std has shape {tuple(std.shape)}, expected (263,) of finite numbers above 0, the normalisation's"
        )
    position, step = (
        std[part].double().unflatten(-1, (-1, 3)).square().mean(dim=-1)
        for part in (FEATURE_SLICES.positions, FEATURE_SLICES.velocities)
    )
    weight = torch.cat([position.mean(dim=-1, keepdim=True) / step[:1], position / step[1:]])
    return weight.repeat_interleave(3)


def _integrate(steps: Tensor) -> Tensor:
    """Sum steps ``(..., T-1, K)`` up from zero: ``(..., T, K)``."""
    return functional.pad(torch.cumsum(steps, dim=-2), (0, 0, 1, 0))
