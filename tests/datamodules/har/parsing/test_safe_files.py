"""Archives and MATLAB files that are damaged or up to no good end in one line, and nothing is written or run."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from scipy.io import savemat
from scipy.io.matlab import MatlabObject
from scipy.sparse import csc_array

from datamodules.har.parsing.archives import read_zip
from datamodules.har.parsing.mat_files import read_mat


def _zip(path, entries):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def test_archives_inside_archives_are_read(tmp_path):
    inner = _zip(tmp_path / "inner.zip", {"acc_1.csv": "a", "readMe": "b"})
    outer = _zip(tmp_path / "outer.zip", {"part.zip": inner.read_bytes(), "x.CSV": "c", "__MACOSX/._x.csv": "junk"})
    assert list(read_zip(outer, suffixes=(".csv",))) == [("part.zip!acc_1.csv", b"a"), ("x.CSV", b"c")]


@pytest.mark.parametrize("name", ["../evil.csv", "/etc/evil.csv", "a/../../evil.csv", "C:\\evil.csv", "..\\evil.csv"])
def test_entries_outside_the_archive_are_refused(tmp_path, name):
    path = _zip(tmp_path / "a.zip", {"good.csv": "a", name: "b"})
    with pytest.raises(ValueError, match=r"a\.zip holds the entry .*evil\.csv.* outside its folder"):
        list(read_zip(path, suffixes=(".csv",)))


def test_half_an_archive_is_named(tmp_path):
    path = _zip(tmp_path / "a.zip", {"good.csv": "a" * 10000})
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"a\.zip is no whole zip archive"):
        list(read_zip(path, suffixes=(".csv",)))


def test_mat_numbers_are_read_and_text_is_left_out(tmp_path):
    path = tmp_path / "a.mat"
    savemat(path, {"d_iner": np.arange(12).reshape(2, 6), "subject": "7", "other": {"a": 1}})
    found = read_mat(path, ["d_iner", "subject"])
    assert list(found) == ["d_iner"]
    np.testing.assert_array_equal(found["d_iner"], np.arange(12).reshape(2, 6))


def test_mat_sparse_is_read_and_complex_refused(tmp_path):
    savemat(tmp_path / "a.mat", {"sparse": csc_array(np.eye(3) * 2), "complex": np.full((2, 6), 1j)})
    np.testing.assert_array_equal(read_mat(tmp_path / "a.mat", ["sparse"])["sparse"], np.eye(3) * 2)
    with pytest.raises(ValueError, match=r"complex in .*a\.mat holds complex numbers"):
        read_mat(tmp_path / "a.mat", ["complex"])


def test_mat_objects_cells_and_damage_are_refused(tmp_path):
    path = tmp_path / "a.mat"
    thing = MatlabObject(np.array([[(1,)]], dtype=[("a", object)]), classname="evil")
    savemat(path, {"d_iner": np.zeros((2, 6)), "thing": thing})
    with pytest.raises(ValueError, match=r"a\.mat holds thing of class object"):
        read_mat(path, ["d_iner"])
    savemat(path, {"d_iner": np.array([1, "a"], dtype=object)})
    with pytest.raises(ValueError, match=r"d_iner in .*a\.mat is of class cell"):
        read_mat(path, ["d_iner"])
    savemat(path, {"d_iner": np.random.default_rng(0).normal(size=(500, 6))}, do_compression=True)
    whole = path.read_bytes()
    for damaged in (b"", whole[:100], whole[: len(whole) // 2], b"not matlab" * 100):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"a\.mat is no whole MATLAB file") as caught:
            read_mat(path, ["d_iner"])
        assert "\n" not in str(caught.value)
