"""The outer skin of a mesh: which faces can be reached from outside, and the point of it nearest to a given one.

Nearest point of a triangle: Ericson, "Real-Time Collision Detection" (2005), section 5.1.5.
"""

from __future__ import annotations

import math
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from sim.body.skinning import BodyModel

_NUM_VIEWS, _LEAST_VIEWS = 32, 3
_PIXEL_M = 0.005
_DEPTH_TOLERANCE_M = 0.004
"""Depth maps: from how many directions, and in how many a face must be seen; the size of a cell, and how far behind the
front-most skin in its cell a point still counts as seen. One view may look through a hole of its sampled map, but not
three; lips closed to within a cell hide the mouth."""

_OUTER: WeakKeyDictionary[BodyModel, Tensor] = WeakKeyDictionary()


def outer_faces(model: BodyModel) -> Tensor:
    """Return which faces a sensor can be put on, remembered for each mesh.

    They belong to the largest connected part of the mesh (eyeballs and teeth are parts of their own) and are seen from
    several directions around the body in the rest pose: not the inside of the mouth or nose, nor skin behind an eye.

    Returns:
        ``(F,)`` bool.
    """
    if model not in _OUTER:
        corners = model.template.double().cpu()[model.faces.cpu()]
        _OUTER[model] = _seen_from_outside(corners) & _largest_part(model.faces.cpu(), len(model.template))
    return _OUTER[model]


def closest_on_triangles(point: Tensor, corners: Tensor) -> Tensor:
    """Return the barycentric coordinates of the point of each triangle that is nearest to a given point.

    Args:
        point: ``(3,)``.
        corners: ``(F, 3, 3)``, corners before axes.

    Returns:
        Weights of the corners ``(F, 3)``, in [0, 1], summing to one.
    """
    a, b, c = corners.unbind(dim=1)
    ab, ac = b - a, c - a
    # Names of Ericson's regions: projections on two edges as seen from a, b and c.
    d1, d2 = _dots(ab, ac, point - a)
    d3, d4 = _dots(ab, ac, point - b)
    d5, d6 = _dots(ab, ac, point - c)
    va, vb, vc = d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2
    zero, one = torch.zeros_like(d1), torch.ones_like(d1)
    # The inside first, edges over it, corners over edges: the order in which Ericson's tests return, reversed.
    total = (va + vb + vc).clamp_min(1e-300)
    v, w = vb / total, vc / total
    along = (d4 - d3) / ((d4 - d3) + (d5 - d6))
    on_bc = (va <= 0) & (d4 - d3 >= 0) & (d5 - d6 >= 0)
    v, w = torch.where(on_bc, 1 - along, v), torch.where(on_bc, along, w)
    on_ac = (vb <= 0) & (d2 >= 0) & (d6 <= 0)
    v, w = torch.where(on_ac, zero, v), torch.where(on_ac, d2 / (d2 - d6), w)
    at_c = (d6 >= 0) & (d5 <= d6)
    v, w = torch.where(at_c, zero, v), torch.where(at_c, one, w)
    on_ab = (vc <= 0) & (d1 >= 0) & (d3 <= 0)
    v, w = torch.where(on_ab, d1 / (d1 - d3), v), torch.where(on_ab, zero, w)
    at_b = (d3 >= 0) & (d4 <= d3)
    v, w = torch.where(at_b, one, v), torch.where(at_b, zero, w)
    at_a = (d1 <= 0) & (d2 <= 0)
    v, w = torch.where(at_a, zero, v), torch.where(at_a, zero, w)
    weights = torch.stack([1 - v - w, v, w], dim=-1).clamp(0.0, 1.0)
    return weights / weights.sum(dim=-1, keepdim=True)


def nearest_on_skin(model: BodyModel, point: Tensor) -> tuple[tuple[int, int, int], tuple[float, float, float], float]:
    """Return the point of the outer skin nearest to ``(3,)`` [m]: vertex ids, their weights and the distance [m]."""
    faces = model.faces.cpu()[outer_faces(model)]
    corners = model.template.double().cpu()[faces]
    weights = closest_on_triangles(point, corners)
    distance = ((weights[..., None] * corners).sum(dim=1) - point).norm(dim=-1)
    distance = distance.nan_to_num(nan=math.inf)  # a triangle without area has no weights
    best = int(distance.argmin())
    ids, found = faces[best].tolist(), weights[best].tolist()
    return (ids[0], ids[1], ids[2]), (found[0], found[1], found[2]), float(distance[best])


def spread_points(corners: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return points spread evenly by area over triangles, the same ones every time.

    Triangles are laid end to end by area and sampled at equal steps; where in a triangle follows the R2 sequence
    (Roberts 2018, extremelearning.com.au/unreasonable-effectiveness-of-quasirandom-sequences), folded into it.

    Args:
        corners: ``(F, 3, 3)``, corners before axes.
        count: number of points P.

    Returns:
        Index of the triangle ``(P,)`` and weights of its corners ``(P, 3)``.
    """
    a, b, c = corners.unbind(dim=1)
    ends = torch.linalg.cross(b - a, c - a, dim=-1).norm(dim=-1).cumsum(dim=0)
    step = torch.arange(count, dtype=torch.float64)
    triangle = torch.searchsorted(ends, (step + 0.5) / count * ends[-1]).clamp_max(len(corners) - 1)
    u, v = (0.5 + step * 0.7548776662466927) % 1.0, (0.5 + step * 0.5698402909980532) % 1.0
    beyond = u + v > 1.0
    u, v = torch.where(beyond, 1.0 - u, u), torch.where(beyond, 1.0 - v, v)
    return triangle, torch.stack([1.0 - u - v, u, v], dim=-1)


def _dots(ab: Tensor, ac: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
    return (ab * offset).sum(dim=-1), (ac * offset).sum(dim=-1)


def _seen_from_outside(corners: Tensor) -> Tensor:
    """Return which triangles ``(F, 3, 3)`` are front-most in depth maps from several of many directions."""
    a, b, c = corners.unbind(dim=1)
    normal = torch.linalg.cross(b - a, c - a, dim=-1)
    area = float(normal.norm(dim=-1).sum()) / 2
    # Three points to a cell, so that the depth map has no holes; and each face's centre, however small the face.
    triangle, weights = spread_points(corners, int(3 * area / _PIXEL_M**2))
    owner = torch.cat([torch.arange(len(corners)), triangle])
    points = torch.cat([corners.mean(dim=1), (weights[..., None] * corners[triangle]).sum(dim=1)])
    views = torch.zeros(len(corners), dtype=torch.int64)
    for view in range(_NUM_VIEWS):
        height = 1.0 - (2 * view + 1) / _NUM_VIEWS  # a Fibonacci lattice on the sphere
        turn = view * math.pi * (3.0 - math.sqrt(5.0))
        width = math.sqrt(1.0 - height * height)
        towards = torch.tensor([width * math.cos(turn), height, width * math.sin(turn)], dtype=torch.float64)
        right = torch.tensor([-math.sin(turn), 0.0, math.cos(turn)], dtype=torch.float64)
        # Skin that faces away is hidden by skin that faces the viewer.
        facing = (normal @ towards > 0)[owner]
        mine, visible = owner[facing], points[facing]
        screen = visible @ torch.stack([right, torch.linalg.cross(towards, right, dim=-1)], dim=-1)
        cell = ((screen - screen.min(dim=0).values) / _PIXEL_M).long()
        index = cell[:, 0] * (int(cell[:, 1].max()) + 1) + cell[:, 1]
        depth = visible @ towards
        nearest = torch.full((int(index.max()) + 1,), -torch.inf, dtype=torch.float64)
        nearest.scatter_reduce_(0, index, depth, "amax")
        seen = torch.zeros(len(corners), dtype=torch.bool)
        seen[mine[depth >= nearest[index] - _DEPTH_TOLERANCE_M]] = True
        views += seen
    return views >= _LEAST_VIEWS


def _largest_part(faces: Tensor, num_vertices: int) -> Tensor:
    """Return which faces belong to the connected part of a mesh with the most faces."""
    label = torch.arange(num_vertices)
    while True:  # each round spreads the least label over a face's corners, then jumps along the labels
        least = label[faces].min(dim=1).values
        spread = label.scatter_reduce(0, faces.flatten(), least.repeat_interleave(3), "amin")
        spread = spread[spread][spread]
        if torch.equal(spread, label):
            break
        label = spread
    of_face = label[faces[:, 0]]
    return of_face == of_face.mode().values
