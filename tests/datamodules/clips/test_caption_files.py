"""Captions beside motion files: tables, texts and CMU's own index, each against what a person wrote into it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datamodules.clips.caption_files import caption_from_name, open_captions, read_caption_table, read_text_captions
from datamodules.clips.captions import load_paraphrases


def test_file_names_speak_through_templates() -> None:
    assert caption_from_name("dataset-1_walk-left_tired_001")[0] == "a person walks to the left as if tired."
    assert "someone is running." in caption_from_name("35_17_jog_30fps")
    assert caption_from_name("dataset-1_walk_not-confident_003")[0] == "a person walks without confidence."
    assert caption_from_name("markers_StairUp3")[0] == "a person walks up stairs."
    # Templates times ways to say it, each sentence once.
    captions = caption_from_name("sprint")
    assert len(captions) == len(set(captions)) == 6
    assert caption_from_name("001_02") == ()
    # A word within another one says nothing.
    assert caption_from_name("trunkate") == ()


def test_paraphrases_of_every_activity_are_text_only() -> None:
    for activity, sentences in load_paraphrases().items():
        assert len(set(sentences)) == len(sentences) >= 2, activity


def test_table_text_and_cmus_description_are_found(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "captions.csv").write_text(
        'file,caption\nsub/a.bvh,"she walks, slowly"\nsub/a,again\nb,by its name\n', encoding="utf-8"
    )
    (tmp_path / "cmu_captions.json").write_text(
        json.dumps({"02_01": {"description": "walk", "kitml": {"texts": ["not taken"]}}})
    )
    (tmp_path / "sub" / "c.txt").write_text("a plain sentence\n\nanother one\n")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "000001.txt").write_text("a man runs.#a/DET#0.0#0.0\na part#x#1.0#2.0\n")
    files = open_captions(tmp_path)
    assert files.find(tmp_path / "sub" / "a.bvh") == ("she walks, slowly", "again")
    assert files.find(tmp_path / "sub" / "b.bvh") == ("by its name",)
    assert files.find(tmp_path / "sub" / "c.bvh") == ("a plain sentence", "another one")
    assert files.find(tmp_path / "new_joint_vecs" / "000001.npy") == ("a man runs.",)
    for name in ("02_01.amc", "002_01.bvh", "02_01_poses.npz"):
        assert files.find(tmp_path / name) == ("walk",)
    assert files.find(tmp_path / "run7.bvh")[0] == "a person runs."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,caption\na,b\n", r"columns \['name', 'caption'\], expected file,caption"),
        ("file,caption\na,b\nc,\n", r"captions\.csv, line 3"),
        ("", "columns None"),
    ],
)
def test_broken_tables_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "captions.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_caption_table(tmp_path / "captions.csv")


def test_broken_texts_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n")
    with pytest.raises(ValueError, match="holds no caption"):
        read_text_captions(tmp_path / "a.txt")
    (tmp_path / "a.txt").write_text("caption#tokens#x#0\n")
    with pytest.raises(ValueError, match=r"line 1 of .*a\.txt"):
        read_text_captions(tmp_path / "a.txt")


def test_cmus_index_of_the_collection(shared: Path) -> None:
    files = open_captions(shared / "data" / "mocap")
    assert files.find(shared / "data" / "mocap" / "cmu_asfamc" / "02_03.amc.xz") == ("run/jog",)


MARK = b"\xef\xbb\xbf"


def test_a_byte_order_mark_is_no_part_of_a_caption(tmp_path: Path) -> None:
    (tmp_path / "captions.csv").write_bytes(MARK + b"file,caption\none,she strolls\n")
    assert read_caption_table(tmp_path / "captions.csv") == {"one": ("she strolls",)}
    (tmp_path / "plain.txt").write_bytes(MARK + b"she strolls\n")
    assert read_text_captions(tmp_path / "plain.txt") == ["she strolls"]
    (tmp_path / "hml.txt").write_bytes(MARK + b"a person walks.#a/DET#0.0#0.0\n")
    assert read_text_captions(tmp_path / "hml.txt") == ["a person walks."]


def test_another_encoding_is_one_line_with_the_file(tmp_path: Path) -> None:
    for name, read in (("captions.csv", read_caption_table), ("a.txt", read_text_captions)):
        (tmp_path / name).write_bytes("file,caption\none,naïve#a#0#0\n".encode("cp1252"))
        with pytest.raises(ValueError, match=rf"{name}, line 2 .*save it as UTF-8") as caught:
            read(tmp_path / name)
        assert not isinstance(caught.value, UnicodeError)
