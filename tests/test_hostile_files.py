"""Broken and hostile files end in one kind of error, which names them, and in no more memory than they are worth."""

from __future__ import annotations

import io
import lzma
import re
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from datamodules.formats.bvh import read_bvh
from sim import ImuRecording
from tests.hostile_samples import PARSERS, Parser

hypothesis = pytest.importorskip("hypothesis", reason="fuzzing needs pip install 'imuforge[dev]'")
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

TOKENS = (
    *(
        b"\x00",
        b"\xff\xff\xff\xff",
        b"\n",
        b"\t",
        b",",
        b" ",
        b"{",
        b"}",
        b"[",
        b"[" * 3000,
        b"{a: " * 500,
        b"<a>" * 500,
    ),
    *(
        b"nan",
        b"-1",
        b"0",
        b"1e999",
        b"999999999",
        b"1" * 5000,
        b"2001-99-99",
        b"!!python/name:os.system",
        b"&a *a",
        b"\xe9",
    ),
)
"""What breaks readers of text and of bytes."""

EDITS = st.lists(
    st.tuples(
        st.sampled_from(("replace", "insert", "delete", "cut", "repeat")),
        st.floats(0, 1),
        st.integers(0, 40),
        st.one_of(st.sampled_from(TOKENS), st.binary(max_size=8)),
    ),
    min_size=1,
    max_size=4,
)


def apply_edits(data: bytes, edits: list[tuple[str, float, int, bytes]]) -> bytes:
    for kind, where, length, token in edits:
        place = int(where * len(data))
        if kind == "cut":
            data = data[:place]
        elif kind == "repeat":
            data = data[:place] + data[place : place + length] * 3 + data[place + length :]
        else:
            kept = place if kind == "insert" else place + (length if kind == "delete" else len(token))
            data = data[:place] + (b"" if kind == "delete" else token) + data[kept:]
    return data


def complain(parser: Parser, path: Path) -> str | None:
    try:
        parser.read(path)
    except (ValueError, FileNotFoundError) as error:
        return str(error)
    return None


def fuzz(name: str, folder: Path, examples: int, *, repeatable: bool) -> None:
    parser = PARSERS[name]
    path = parser.write(folder)
    whole = path.read_bytes()
    parser.read(path)

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=repeatable,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(EDITS)
    def check(edits: list[tuple[str, float, int, bytes]]) -> None:
        path.write_bytes(apply_edits(whole, edits))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            complaint = complain(parser, path)
        # It may be another file of the folder that does not fit this one any more.
        assert complaint is None or str(folder) in complaint

    check()


def npy_that_declares(*shape: int) -> bytes:
    header = io.BytesIO()
    about = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, about)
    return header.getvalue() + bytes(9_000)


def npz_that_declares(**shapes: tuple[int, ...]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name, shape in shapes.items():
            file.writestr(f"{name}.npy", npy_that_declares(*shape))
    return archive.getvalue()


MANY = 10**9
BOMB = lzma.compress(bytes(200_000_000))


def c3d_that_declares(whole: bytes) -> bytes:
    """The header's first and last frame, and dimensions of the first parameter that has some."""
    return whole[:6] + b"\x01\x00\xff\xff" + whole[10:]


DECLARED = {
    "bvh": lambda whole: whole.replace(b"Frames: 2", b"Frames: 1000000000"),
    "amc": lambda whole: whole.replace(b"\n2\n", b"\n1000000000\n") + b"3\n" * 1500,
    "trc": lambda whole: whole.replace(b"100\t2\t2", b"100\t1000000000\t2") + b"3",
    "c3d": c3d_that_declares,
    "amass": lambda whole: npz_that_declares(poses=(MANY, 156), trans=(MANY, 3), mocap_framerate=()),
    "motion": lambda whole: npz_that_declares(rotations=(MANY, 22, 3, 3), translation=(MANY, 3), fps=(), text=()),
    "joints": lambda whole: npz_that_declares(joints=(MANY, 22, 3)),
    "shown joints": lambda whole: npy_that_declares(MANY, 22, 3),
    "humanml3d": lambda whole: npy_that_declares(MANY, 263),
    "smpl.npz": lambda whole: npz_that_declares(v_template=(MANY, 3)),
    "recording.csv": lambda whole: re.sub(rb'"num_samples": \d+', b'"num_samples": 1000000000', whole),
}
"""What makes of a valid file one of less than 10 kB or so that declares a thousand million frames."""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of memory")
@pytest.mark.parametrize("name", DECLARED)
def test_a_small_file_that_declares_a_thousand_million_frames_is_refused(tmp_path: Path, name: str) -> None:
    import resource

    if name == "c3d":
        pytest.importorskip("ezc3d", reason="C3D needs pip install 'imuforge[c3d]'")
    path = PARSERS[name].write(tmp_path)
    path.write_bytes(DECLARED[name](path.read_bytes()))
    assert path.stat().st_size < 60_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=re.escape(str(tmp_path))):
        PARSERS[name].read(path)
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kb < 500_000


def test_text_that_unpacks_without_bound_is_refused(tmp_path: Path) -> None:
    assert len(BOMB) < 60_000
    path = tmp_path / "a.bvh.xz"
    path.write_bytes(BOMB)
    with pytest.raises(ValueError, match=r"a\.bvh\.xz unpacks to more than 16777216 bytes"):
        read_bvh(path, unit_m=0.01)


def test_bones_that_hang_on_themselves_end(tmp_path: Path) -> None:
    path = PARSERS["asf"].write(tmp_path)
    path.write_text(path.read_text().replace("root thigh", "root thigh\n    thigh root"))
    with pytest.raises(ValueError, match="hangs on itself"):
        PARSERS["asf"].read(path)


def test_archives_in_archives_are_bounded_together(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(4):
            archive.writestr(f"{number}.csv", bytes(100_000_000))
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.zip", inner.getvalue())
    with pytest.raises(ValueError, match=r"a\.zip.* unpacks to more than"):
        for _ in PARSERS["zip"].read(path):
            pass


def test_a_parquet_of_endless_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table(dict.fromkeys("abc", pa.array(np.zeros(10**7))))
    parquet.write_table(table, path, compression="zstd", row_group_size=10**7, data_page_size=1 << 30)
    assert path.stat().st_size < 150_000
    with pytest.raises(ValueError, match=r"a\.parquet declares 10000000 rows"):
        ImuRecording.load(path)


@pytest.mark.parametrize("name", PARSERS)
def test_a_file_that_was_tampered_with_is_read_or_refused_by_name(tmp_path: Path, name: str) -> None:
    if name == "c3d":
        pytest.importorskip("ezc3d", reason="C3D needs pip install 'imuforge[c3d]'")
    fuzz(name, tmp_path, 10 if name == "c3d" else 40, repeatable=True)  # C3D is read by a process of its own


@pytest.mark.fuzz
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", PARSERS)
def test_the_same_for_minutes(tmp_path: Path, name: str) -> None:
    fuzz(name, tmp_path, 200 if name == "c3d" else 3_000, repeatable=False)
