"""The skin as a page draws it: a few thousand of the body's own vertices, so that a browser keeps up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.body import Body

CELL_M = 0.018
"""Edge of the cells in which vertices are merged [m]: 4,000 vertices are left of the built-in body's 13,700."""


@dataclass(frozen=True, eq=False)
class DrawnSkin:
    """A coarse skin whose V' vertices are vertices of the body, so that they are skinned exactly.

    Attributes:
        vertex_ids: which vertices of the body ``(V',)`` int64.
        faces: triangles ``(F', 3)`` int64 into ``vertex_ids``, counter-clockwise seen from outside.
        rest_vertices: rest positions ``(V', 3)`` [m].
        bones: joints that carry each vertex ``(V', K)`` uint8, padded with joint 0.
        weights: their shares ``(V', K)`` float32, padded with zero.
    """

    vertex_ids: NDArray[np.int64]
    faces: NDArray[np.int64]
    rest_vertices: NDArray[np.float32]
    bones: NDArray[np.uint8]
    weights: NDArray[np.float32]


def coarsen_skin(body: Body) -> DrawnSkin:
    """Merge the vertices of a body of one shape that lie in one cell and hang on one joint.

    Each cluster is drawn at its vertex nearest to the cluster's mean. By joint, because cells alone would sew the
    fingers of one hand to the thigh, or one thigh to the other.

    Args:
        body: its ``betas`` are ``(num_betas,)``.
    """
    rest = body.rest_vertices.detach().cpu().numpy()
    weights = body.model.weights.detach().cpu().numpy()
    cells = np.column_stack([np.floor(rest / CELL_M).astype(np.int64), weights.argmax(axis=1)])
    _, cluster = np.unique(cells, axis=0, return_inverse=True)
    cluster = cluster.reshape(-1)
    sums = np.zeros((cluster.max() + 1, 3))
    np.add.at(sums, cluster, rest)
    means = sums / np.bincount(cluster)[:, None]
    by_cluster_then_distance = np.lexsort((np.linalg.norm(rest - means[cluster], axis=1), cluster))
    _, first = np.unique(cluster[by_cluster_then_distance], return_index=True)
    vertex_ids = by_cluster_then_distance[first]
    faces = _faces_between(cluster[body.faces.cpu().numpy()])
    bones, shares = _strongest(weights[vertex_ids])
    return DrawnSkin(vertex_ids, faces, rest[vertex_ids].astype(np.float32), bones, shares)


def _faces_between(corners: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the triangles ``(F, 3)`` whose corners lie in three different clusters, each once."""
    a, b, c = corners.T
    corners = corners[(a != b) & (b != c) & (a != c)]
    # Turned so that the smallest id comes first, equal triangles are equal rows and keep their sense.
    turn = (corners.argmin(axis=1)[:, None] + np.arange(3)) % 3
    return np.unique(np.take_along_axis(corners, turn, axis=1), axis=0)


def _strongest(weights: NDArray[np.floating]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Turn dense weights ``(V, 22)`` into the joints of each vertex and their shares, no joint left out."""
    most = int((weights > 0).sum(axis=1).max())
    bones = np.argsort(-weights, axis=1, kind="stable")[:, :most]
    shares = np.take_along_axis(weights, bones, axis=1)
    return np.where(shares > 0, bones, 0).astype(np.uint8), shares.astype(np.float32)
