"""Marker sets against CMU's own drawing, the markers of every file at hand, and the side of the skin they stick to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datamodules.formats.trc import read_trc
from datamodules.markers.marker_sets import choose_marker_set, load_marker_sets, read_marker_set
from datamodules.markers.model import build_model
from sim import Body

# As CMU's own drawing names them.
CMU_41 = [
    *("LFHD", "RFHD", "LBHD", "RBHD", "C7", "T10", "CLAV", "STRN", "RBAC"),
    *("LSHO", "LUPA", "LELB", "LFRM", "LWRA", "LWRB", "LFIN", "RSHO", "RUPA", "RELB", "RFRM", "RWRA", "RWRB", "RFIN"),
    *("LFWT", "RFWT", "LBWT", "RBWT", "LTHI", "LKNE", "LSHN", "LANK", "LHEL", "LMT5", "LTOE"),
    *("RTHI", "RKNE", "RSHN", "RANK", "RHEL", "RMT5", "RTOE"),
]


def test_cmus_41_markers_are_known_whole() -> None:
    chosen = choose_marker_set(CMU_41, "x.c3d")
    assert chosen.name == "plug_in_gait"
    assert chosen.split(CMU_41) == (CMU_41, [])


@pytest.mark.parametrize("name", [one.name for one in load_marker_sets()])
def test_every_landmark_is_on_the_skin_of_its_side(name: str) -> None:
    chosen = next(one for one in load_marker_sets() if one.name == name)
    model = build_model(list(chosen.sites.values()), Body.default())
    for (label, site), point in zip(chosen.sites.items(), model.points.numpy(), strict=True):
        for side, sign in (("left", 1.0), ("right", -1.0)):
            if site.name.startswith(side) and site.name != "right_back":
                assert sign * point[0] > 0.01, label
    # A marker and its mirror image lie alike.
    mirrored = {site.name: point for site, point in zip(chosen.sites.values(), model.points.numpy(), strict=True)}
    for site_name, point in mirrored.items():
        other = mirrored.get(site_name.replace("left_", "right_"))
        if site_name.startswith("left_") and other is not None:
            assert np.abs(point * [-1, 1, 1] - other).max() < 0.02, site_name


def test_every_file_at_hand_has_its_set_and_no_marker_is_unknown(shared: Path) -> None:
    found = set()
    for path in sorted((shared / "data" / "mocap" / "markers").glob("*/*.trc.xz")):
        if path.name.startswith(("subj4_walking1", "markers_walk", "hamner", "sprinter_static", "subject02_s", "DLS")):
            names = read_trc(path).names
            chosen = choose_marker_set(names, path)
            assert chosen.split(names)[1] == [], path
            found.add(chosen.name)
    assert found == {"opencap", "plug_in_gait", "rajagopal", "sprinter", "gait2354"}


def test_unknown_markers_are_named() -> None:
    with pytest.raises(ValueError, match=r"x\.trc fits no marker set .* does not know m1, m2.*--markers FILE"):
        choose_marker_set(["m1", "m2", "C7"], "x.trc")


OWN = """
landmarks:
  spot: {bone: elbow, fraction: 0.5, angle_deg: 0, loose: 0.02}
sets:
  mine:
    ignore: [JUNK]
    markers: {"{L}_spot": spot, hip1: left_asis}
"""


def test_a_set_of_ones_own_may_use_and_add_landmarks(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(OWN)
    own = read_marker_set(tmp_path / "a.yaml")
    assert set(own.sites) == {"L_spot", "R_spot", "hip1"}
    assert own.sites["R_spot"].point.bone == "right_elbow"
    assert own.split(["L_spot", "JUNK", "other"]) == (["L_spot"], ["other"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("left_asis", "left_asiss"), "puts hip1 on 'left_asiss', which is no landmark"),
        (("bone: elbow", "bone: wing"), "on the bone 'wing'"),
        (("fraction: 0.5", "fraction: half"), "landmark spot: could not convert"),
        (("loose: 0.02", "lose: 0.02"), "expected angle_deg, bone, fraction, loose"),
        (("markers:", "marker:"), "set mine has no table 'markers'"),
        (("sets:", "set:"), "has no table 'sets'"),
        (("sets:", "sets: ["), "is no YAML"),
    ],
)
def test_broken_sets_are_named(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    (tmp_path / "a.yaml").write_text(OWN.replace(*change))
    with pytest.raises(ValueError, match=message):
        read_marker_set(tmp_path / "a.yaml")
