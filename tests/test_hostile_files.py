"""Broken and hostile files end in one kind of error, which names them, and in no more memory than they are worth."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

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
