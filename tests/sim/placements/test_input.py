"""What a user may give for a placement: synonyms, faces or vertices, and what is refused with which words."""

from __future__ import annotations

import math

import pytest
import torch

from sim.body import Body
from sim.motion import Motion
from sim.placements import Placement, resolve_all
from sim.placements.raycast import BonePoint, cast_to_skin
from sim.rotations import axis_angle_to_matrix

DOUBLE = torch.float64


@pytest.fixture(scope="module")
def body() -> Body:
    return Body.default()


def rest(body: Body) -> Motion:
    return Motion(torch.eye(3, dtype=DOUBLE).expand(1, 22, 3, 3), body.rest_joints[0].double()[None], fps=20.0)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("belt", "waist"),
        ("L5", "lower_back"),
        ("lumbar", "lower_back"),
        ("Wrist-Left", "left_wrist"),
        ("l_shin", "left_shank"),
        ("right lower arm", "right_forearm"),
        ("left_trouser_pocket", "left_pocket"),
        ("forehead", "head"),
    ],
)
def test_synonyms_resolve_to_the_preset(typed: str, name: str) -> None:
    placement = Placement.preset(typed)
    assert placement.name == name
    assert placement.point == Placement.preset(name).point


def test_at_takes_a_face_or_its_vertices(body: Body) -> None:
    barycentric, mounting = [0.2, 0.3, 0.5], axis_angle_to_matrix(torch.tensor([0.1, 0.2, 0.3]))
    face = Placement.at("spot", 5000, barycentric, stand_off_m=0.02, mounting=mounting).on(body)
    ids = Placement.at("spot", body.faces[5000].tolist(), torch.tensor(barycentric), stand_off_m=0.02).on(body)
    assert torch.equal(face.triangle, body.faces[5000])
    assert torch.equal(face.triangle, ids.triangle)
    assert face.joint == ids.joint == int(body.model.weights[body.faces[5000]].mean(dim=0).argmax())
    torch.testing.assert_close(face.mounting, mounting)
    position = face.site_pose(body, rest(body))[0][0]
    on_skin = torch.tensor(barycentric, dtype=DOUBLE) @ body.rest_vertices.double()[body.faces[5000]]
    assert float((position - on_skin).norm()) == pytest.approx(0.02, rel=1e-6)


def test_bad_input_is_named(body: Body) -> None:
    with pytest.raises(ValueError, match=r"unknown placement 'left_wirst'; did you mean 'left_wrist'\? valid names: "):
        Placement.preset("left_wirst")
    with pytest.raises(ValueError, match="no placements given"):
        resolve_all([], body)
    with pytest.raises(ValueError, match="expected the index of a face or three vertex ids"):
        Placement.at("spot", [1, 2], [1, 0, 0])
    with pytest.raises(ValueError, match="expected three weights that sum to 1"):
        Placement.at("spot", 1, [1, 1, 0])
    with pytest.raises(ValueError, match="but the body has 27420 faces; was it another mesh's"):
        Placement.at("spot", 99999, [1, 0, 0]).on(body)
    with pytest.raises(ValueError, match=r"expected weights in \[0, 1\]: the point lies outside"):
        Placement.at("spot", 1, [1.5, -0.5, 0])
    with pytest.raises(ValueError, match="expected three weights that sum to 1"):
        Placement.at("spot", 1, [math.nan, 0.5, 0.5])
    with pytest.raises(ValueError, match="stand_off_m of spot is inf, expected a finite number"):
        Placement.at("spot", 1, [1, 0, 0], stand_off_m=math.inf)
    first, second, third = body.faces[7].tolist()
    with pytest.raises(ValueError, match="no face of this body: a placement not on the mesh"):
        Placement.at("spot", [first, second, 13000], [1, 0, 0]).on(body)
    with pytest.raises(ValueError, match="face 7 of the body seen from inside; expected the order"):
        Placement.at("spot", [second, first, third], [1, 0, 0]).on(body)
    assert Placement.at("spot", [second, third, first], [1, 0, 0]).on(body).joint >= 0
    with pytest.raises(ValueError, match="unknown placement 'ankle'; give the side: 'left_ankle' or 'right_ankle'"):
        Placement.preset("ankle")
    with pytest.raises(ValueError, match="unknown placement 'left_right_wrist'"):
        Placement.preset("left_right_wrist")
    with pytest.raises(ValueError, match=r"mounting has shape \(3,\)"):
        Placement.preset("head").mounted(torch.zeros(3))
    with pytest.raises(ValueError, match=r"no skin at fraction 9\.00 of the bone at left_elbow"):
        cast_to_skin(body.model, BonePoint("left_elbow", 9.0, 0.0))
