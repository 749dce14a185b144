"""Nearest place on the skin: against dense sampling, against a second solver, and outside the body only."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from sim.body import Body
from sim.placements import PLACEMENT_NAMES, Placement
from sim.placements.surface import closest_on_triangles, outer_faces, spread_points

DOUBLE = torch.float64


@pytest.fixture(scope="module")
def body() -> Body:
    return Body.default()


def place(body: Body, placement: Placement) -> torch.Tensor:
    site = placement.on(body)
    return site.barycentric @ body.rest_vertices.double()[site.triangle]


def test_closest_point_of_a_triangle_by_a_second_solver() -> None:
    generator = torch.Generator().manual_seed(0)
    corners = torch.randn(40, 3, 3, generator=generator, dtype=DOUBLE)
    for point in torch.randn(6, 3, generator=generator, dtype=DOUBLE) * 2:
        weights = closest_on_triangles(point, corners)
        distance = ((weights[..., None] * corners).sum(dim=1) - point).norm(dim=-1)
        assert float(weights.min()) >= 0.0
        torch.testing.assert_close(weights.sum(dim=1), torch.ones(40, dtype=DOUBLE))
        for triangle, found in zip(corners.numpy(), distance.tolist(), strict=True):
            edges, offset = triangle[1:] - triangle[0], triangle[0] - point.numpy()
            best = minimize(
                lambda w, edges=edges, offset=offset: float(np.sum((w @ edges + offset) ** 2)),
                [0.3, 0.3],
                bounds=[(0, 1), (0, 1)],
                constraints={"type": "ineq", "fun": lambda w: 1 - w.sum()},
                method="SLSQP",
                options={"ftol": 1e-14},
            )
            assert found == pytest.approx(math.sqrt(best.fun), abs=1e-6)


def test_every_region_of_a_triangle() -> None:
    corners = torch.tensor([[[0.0, 0, 0], [2, 0, 0], [0, 2, 0]]], dtype=DOUBLE)
    for point, expected in (
        ((-1.0, -1.0, 1.0), (1.0, 0.0, 0.0)),
        ((4.0, -1.0, 1.0), (0.0, 1.0, 0.0)),
        ((-1.0, 5.0, -2.0), (0.0, 0.0, 1.0)),
        ((1.0, -3.0, 0.0), (0.5, 0.5, 0.0)),
        ((-3.0, 0.5, 1.0), (0.75, 0.0, 0.25)),
        ((3.0, 3.0, 0.0), (0.0, 0.5, 0.5)),
        ((0.5, 0.5, 9.0), (0.5, 0.25, 0.25)),
    ):
        weights = closest_on_triangles(torch.tensor(point, dtype=DOUBLE), corners)
        torch.testing.assert_close(weights[0], torch.tensor(expected, dtype=DOUBLE))


def test_nothing_on_the_skin_is_nearer(body: Body) -> None:
    faces = body.faces[outer_faces(body.model)]
    corners = body.rest_vertices.double()[faces]
    triangle, weights = spread_points(corners, 400_000)
    dense = (weights[..., None] * corners[triangle]).sum(dim=1)
    generator = torch.Generator().manual_seed(1)
    for index in torch.randint(len(dense), (12,), generator=generator):
        point = dense[index] + 0.05 * torch.randn(3, generator=generator, dtype=DOUBLE)
        found = float((place(body, Placement.nearest("spot", point, body, max_distance_m=0.5)) - point).norm())
        sampled = float((dense - point).norm(dim=1).min())
        assert sampled - 0.004 < found <= sampled + 1e-12  # the samples lie about 2 mm apart


def test_a_point_of_the_skin_is_itself(body: Body) -> None:
    for name in PLACEMENT_NAMES:
        there = place(body, Placement.preset(name))
        again = Placement.nearest("spot", there, body, stand_off_m=0.003, mounting="x_distal_z_out")
        torch.testing.assert_close(place(body, again), there, atol=1e-9, rtol=0)
        assert again.on(body).stand_off_m == 0.003


def test_the_inside_of_the_head_is_no_place(body: Body) -> None:
    outer, faces = outer_faces(body.model), body.faces
    corners = faces.numpy()[:, [0, 1, 2]], faces.numpy()[:, [1, 2, 0]]
    links = coo_matrix((np.ones(corners[0].size), (corners[0].ravel(), corners[1].ravel())))
    part = torch.from_numpy(connected_components(links, directed=False)[1])
    assert bool((part[faces[outer]] == part.mode().values).all())  # no eyeballs, no teeth
    middle = body.rest_vertices.double()[faces].mean(dim=1)
    low, high = torch.tensor([-0.03, 0.615, 0.05], dtype=DOUBLE), torch.tensor([0.03, 0.66, 0.12], dtype=DOUBLE)
    mouth = ((middle > low) & (middle < high)).all(dim=1)
    lining = mouth & (part[faces[:, 0]] == part.mode().values)
    assert int(mouth.sum()) > 200
    assert int(lining.sum()) > 40  # skin that leads through the lips into the mouth
    assert not bool(outer[mouth].any())
    for name in PLACEMENT_NAMES:
        triangle = Placement.preset(name).on(body).triangle
        assert bool(outer[(faces == triangle).all(dim=1)].all()), name
    on_limbs = torch.isin(body.model.weights.argmax(dim=1), torch.tensor([1, 2, 4, 5, 16, 17, 18, 19]))[faces]
    assert bool(outer[on_limbs.all(dim=1)].all())


def test_bad_points_are_named(body: Body) -> None:
    with pytest.raises(ValueError, match=r"point of far lies 1\.\d+ m from the skin, expected at most 0\.1 m; give it"):
        Placement.nearest("far", [0.0, 0.0, 2.0], body)
    with pytest.raises(ValueError, match="expected three finite numbers"):
        Placement.nearest("nan", [0.0, math.nan, 0.0], body)
    with pytest.raises(ValueError, match="expected three finite numbers"):
        Placement.nearest("two", [0.0, 1.0], body)
    with pytest.raises(ValueError, match="from the skin, expected at most nan"):
        Placement.nearest("spot", [0.0, 0.4, 0.12], body, max_distance_m=math.nan)
