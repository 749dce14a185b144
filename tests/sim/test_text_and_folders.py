"""Texts are opened and folders listed in one way each: what other programs write and leave is told or left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.files import CACHE_TAG, list_files, mark_cache, read_text_file, refuse_pointer_file

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_utf8_is_read_with_and_without_a_mark(tmp_path: Path, mark: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(mark + "zwölf\n".encode())
    assert read_text_file(tmp_path / "a.txt") == "zwölf\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("one\nzwölf\n".encode("latin-1"), r"a\.txt, line 2 holds the byte 0xf6.*Latin-1.*save it as UTF-8"),
        ("one\n".encode("utf-16"), r"a\.txt is UTF-16.*save it as UTF-8"),
        ("one\n".encode("utf-16-le"), r"a\.txt is no text, or UTF-16.*save it as UTF-8"),
        (POINTER, r"a\.txt is a pointer of Git LFS.*git lfs pull"),
    ],
)
def test_what_is_no_utf8_is_named_with_its_file(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_text_file(tmp_path / "a.txt")
    assert not isinstance(caught.value, UnicodeError)


def test_pointers_are_told_from_files_of_any_kind(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(POINTER)
    (tmp_path / "b.npz").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"a\.npz is a pointer of Git LFS"):
        refuse_pointer_file(tmp_path / "a.npz")
    refuse_pointer_file(tmp_path / "b.npz")
    refuse_pointer_file(tmp_path / "absent.npz")


def test_hidden_files_and_caches_are_not_listed(tmp_path: Path) -> None:
    for name in ("b/one.bvh", "a.v2/two.1.bvh", "._one.bvh", "__MACOSX/._one.bvh", ".git/config", "b/.DS_Store"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    mark_cache(tmp_path / "runs" / "cache")
    (tmp_path / "runs" / "cache" / "sub").mkdir()
    (tmp_path / "runs" / "cache" / "sub" / "three.npz").write_text("x")
    found = [path.relative_to(tmp_path).as_posix() for path in list_files(tmp_path)]
    assert found == ["a.v2/two.1.bvh", "b/one.bvh"]
    assert (tmp_path / "runs/cache" / CACHE_TAG).read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")


def test_a_hidden_folder_may_be_the_root(tmp_path: Path) -> None:
    root = tmp_path / ".hidden"
    root.mkdir()
    (root / "one.bvh").write_text("x")
    assert list_files(root) == [root / "one.bvh"]
