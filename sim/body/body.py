"""Body: a person's skeleton and skin, moved by a Motion; SMPL files through smplx, or the built-in CC0 body."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from sim.body.skinning import BodyModel, carry, forward_kinematics, point_maps, pose_offsets, shape_points, skin_mesh
from sim.body.smpl_files import read_cc0_body, read_smpl
from sim.conventions import NUM_JOINTS
from sim.motion import Motion
from sim.names import suggest
from sim.precision import full_precision


@dataclass(frozen=True, eq=False)
class Body:
    """A body of 22 joints with skin, of one shape or a batch of shapes.

    World frame: Y up, the rest pose is a T facing +Z, the left hand towards +X. Results take the dtype and device of
    the motion, and their leading dims are those of the shapes and of the motion, broadcast. Hands follow the wrists,
    toes beyond joints 10 and 11 the feet.

    Attributes:
        model: the arrays of the body.
        betas: shape parameters ``(..., num_betas)``; zero is the mean body.

    Examples:
        >>> body = Body.default()
        >>> body.shape_names
        ('height', 'weight', 'muscle', 'gender', 'age', 'proportions')
        >>> heights = body.rest_vertices[:, 1]
        >>> round(float(heights.max() - heights.min()), 2)
        1.63
        >>> still = Motion(torch.eye(3).expand(10, 22, 3, 3), torch.zeros(10, 3), fps=20.0)
        >>> four = body.with_shape(body.sample_shapes(4, torch.Generator().manual_seed(0)))
        >>> four.joints(still).shape
        torch.Size([4, 10, 22, 3])
    """

    model: BodyModel
    betas: Tensor

    @classmethod
    def default(cls) -> Body:
        """Return the built-in CC0 body in its mean shape: 1.63 m tall, no download (see sim/assets/NOTICE.md)."""
        model = read_cc0_body()
        return cls(model, _mean_shape(model))

    @classmethod
    def from_smpl(cls, path: str | Path, *, gender: str = "neutral", num_betas: int = 10) -> Body:
        """Read an SMPL, SMPL-H or SMPL-X model with its shape and pose blend shapes; fingers and face stay at rest.

        Args:
            path: a ``.npz`` or ``.pkl`` file (read without executing it), or a folder of files named as published.
            gender: ``neutral``, ``male`` or ``female``: which file of a folder.
            num_betas: how many shape parameters to keep.

        Raises:
            FileNotFoundError: there is no such model.
            ValueError: the file is not in SMPL's layout, asks for more than arrays, or has fewer shape parameters.
        """
        model = read_smpl(path, gender=gender, num_betas=num_betas)
        return cls(model, _mean_shape(model))

    @property
    def num_betas(self) -> int:
        """The number of shape parameters."""
        return len(self.model.shape_names)

    @property
    def shape_names(self) -> tuple[str, ...]:
        """A name for each shape parameter."""
        return self.model.shape_names

    @property
    def faces(self) -> Tensor:
        """Triangles ``(F, 3)`` int64, counter-clockwise seen from outside."""
        return self.model.faces

    @property
    def rest_joints(self) -> Tensor:
        """Joints in the rest pose ``(..., 22, 3)`` [m]."""
        return self._rest_joints(self.betas)

    @property
    def rest_vertices(self) -> Tensor:
        """Skin in the rest pose ``(..., V, 3)`` [m]."""
        model = self.model.to(dtype=self.betas.dtype, device=self.betas.device)
        return shape_points(model.template, model.shape_directions, self.betas)

    def with_shape(self, betas: Tensor) -> Body:
        """Return the body in other shapes.

        Args:
            betas: ``(..., num_betas)``; leading dims broadcast with those of the motions.

        Raises:
            ValueError: the last axis is not ``num_betas`` long.
        """
        if betas.ndim == 0 or betas.shape[-1] != self.num_betas:
            raise ValueError(f"betas have shape {tuple(betas.shape)}, expected (..., {self.num_betas})")
        return replace(self, betas=betas)

    def with_named_shape(self, **values: float) -> Body:
        """Return the body with some shape parameters set by name, the others kept.

        Args:
            values: ``height=1.0, weight=-0.5, ...``, names from :attr:`shape_names`.

        Raises:
            ValueError: a name is not one of :attr:`shape_names`.
        """
        betas = self.betas.clone()
        for name, value in values.items():
            if name not in self.shape_names:
                hint = suggest(name, self.shape_names) or ";"
                raise ValueError(f"unknown shape parameter {name!r}{hint} valid ones: {', '.join(self.shape_names)}")
            betas[..., self.shape_names.index(name)] = value
        return replace(self, betas=betas)

    def sample_shapes(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw shapes of a plausible adult population, each parameter normal about zero and independent.

        Args:
            count: how many, N.
            generator: source of randomness.

        Returns:
            betas ``(N, num_betas)`` for :meth:`with_shape`.

        Raises:
            ValueError: the count is negative, or there is no generator.
        """
        if count < 0:
            raise ValueError(f"count is {count}, expected how many shapes to draw, 0 or more")
        if generator is None:
            raise ValueError(
                "generator is None, expected a source of randomness; pass torch.Generator().manual_seed(0)"
            )
        spread = self.model.shape_spread.to(self.betas)
        drawn = torch.randn(count, self.num_betas, generator=generator, dtype=spread.dtype, device=generator.device)
        return spread * drawn.to(spread.device)

    def to(self, *, dtype: torch.dtype | None = None, device: torch.device | str | None = None) -> Body:
        """Return the body on another device or with another floating-point type."""
        return Body(self.model.to(dtype=dtype, device=device), self.betas.to(device=device, dtype=dtype))

    @full_precision()
    def forward_kinematics(self, motion: Motion) -> tuple[Tensor, Tensor]:
        """Return joints ``(..., T, 22, 3)`` [m] and rotations from joint to world ``(..., T, 22, 3, 3)``."""
        rest = self._rest_joints(self.betas.to(motion.rotations))
        return forward_kinematics(rest, motion.rotations, motion.translation)

    def joints(self, motion: Motion) -> Tensor:
        """Return world positions of the joints ``(..., T, 22, 3)`` [m]."""
        return self.forward_kinematics(motion)[0]

    @full_precision()
    def vertices(self, motion: Motion) -> Tensor:
        """Return the skin ``(..., T, V, 3)`` [m]; that of a licensed file through smplx's own layer.

        Raises:
            ModuleNotFoundError: the body is a licensed file's, and smplx is not installed.
        """
        if self.model.pose_directions is None:
            return self.skin(motion, torch.arange(len(self.model.template)))
        betas = self.betas.to(motion.rotations)
        model = self.model.to(dtype=betas.dtype, device=betas.device)
        lead = torch.broadcast_shapes(betas.shape[:-1], motion.rotations.shape[:-4])
        frames = (*lead, motion.num_frames)
        rotations = motion.rotations.expand(*frames, NUM_JOINTS, 3, 3).reshape(math.prod(frames), NUM_JOINTS, 3, 3)
        flat_betas = betas.unsqueeze(-2).expand(*frames, self.num_betas).reshape(math.prod(frames), self.num_betas)
        root = self._rest_joints(betas)[..., :1, :]
        skin = skin_mesh(model, flat_betas, rotations).reshape(*frames, len(model.template), 3)
        return skin + (motion.translation - root).unsqueeze(-2)

    @full_precision()
    def skin(self, motion: Motion, vertex_ids: Tensor) -> Tensor:
        """Return only some vertices, equal to those of :meth:`vertices` at a fraction of the work.

        Args:
            motion: the movement.
            vertex_ids: ``(K,)`` int64.

        Returns:
            World positions ``(..., T, K, 3)`` [m].
        """
        joints, rotations = self.relative_kinematics(motion)
        maps = self.skin_maps(vertex_ids, like=motion.rotations).to(motion.rotations.dtype)
        points = carry(maps, joints, rotations)
        shift = self.pose_shift(motion, vertex_ids, rotations)
        points = points if shift is None else points + shift
        return points.movedim(-1, -3) + motion.translation.unsqueeze(-2)

    @full_precision()
    def relative_kinematics(self, motion: Motion) -> tuple[Tensor, Tensor]:
        """Return joints relative to joint 0 along the world's axes, and rotations from joint to world.

        Relative, so that small triangles far from the world's origin keep their orientation in float32. Shapes as in
        :meth:`forward_kinematics`.
        """
        rest = self._rest_joints(self.betas.to(motion.rotations))
        return forward_kinematics(rest, motion.rotations, torch.zeros_like(motion.translation))

    def skin_maps(self, vertex_ids: Tensor, *, like: Tensor) -> Tensor:
        """Return the maps by which :func:`sim.body.skinning.carry` carries vertices ``(K,)``, pose blend shapes left
        out.

        Returns:
            ``(..., K, 88)``, float64 on the device of ``like``: differences of neighbouring vertices stay exact.
        """
        model, betas = self.model, self.betas.to(device=like.device, dtype=torch.float64)
        ids = vertex_ids.to(model.template.device)
        points = shape_points(model.template[ids].to(betas), model.shape_directions[ids].to(betas), betas)
        return point_maps(points, model.weights[ids].to(betas), self._rest_joints(betas))

    @full_precision()
    def pose_shift(self, motion: Motion, vertex_ids: Tensor, joint_rotations: Tensor) -> Tensor | None:
        """Return how far the pose blend shapes displace vertices in the world ``(..., K, 3, T)`` [m], or None."""
        if self.model.pose_directions is None:
            return None
        ids, like = vertex_ids.to(self.model.template.device), motion.rotations
        offsets = pose_offsets(self.model.pose_directions[ids].to(like), like)
        blended = (self.model.weights[ids].to(like) @ joint_rotations.flatten(-2)).unflatten(-1, (3, 3))
        return (blended @ offsets.unsqueeze(-1)).squeeze(-1).movedim(-3, -1)

    def _rest_joints(self, betas: Tensor) -> Tensor:
        return shape_points(self.model.joint_template.to(betas), self.model.joint_directions.to(betas), betas)


def _mean_shape(model: BodyModel) -> Tensor:
    # Made while validating (inference mode), it must serve a training step as well.
    with torch.inference_mode(False):
        return model.template.new_zeros(len(model.shape_names))
