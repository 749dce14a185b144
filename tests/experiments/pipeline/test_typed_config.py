"""YAML in layers: what is merged, what is replaced, what a file is based on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from experiments.dataset.config import DatasetConfig
from experiments.pipeline.typed_config import read_layers, read_typed


@dataclass(frozen=True)
class Cake:
    layers: int = 1
    flour: dict[str, int] = field(default_factory=dict)
    on_top: list[str] = field(default_factory=list)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sponge.yaml").write_text("layers: 2\nflour: {wheat: 300, rye: 50}\non_top: [sugar]\n")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "torte.yaml").write_text("based_on: ../sponge.yaml\nflour: {rye: 10}\non_top: [cream, nuts]\n")
    (tmp_path / "cherries.yaml").write_text("on_top: [cherries]\n")
    return tmp_path


def test_mappings_are_merged_and_all_else_is_replaced(folder: Path) -> None:
    torte = read_typed(Cake, folder / "deep" / "torte.yaml")
    assert torte == Cake(2, {"wheat": 300, "rye": 10}, ["cream", "nuts"])
    both = [folder / "deep" / "torte.yaml", folder / "cherries.yaml"]
    assert read_typed(Cake, both, ["layers=4"]) == Cake(4, {"wheat": 300, "rye": 10}, ["cherries"])
    assert read_typed(Cake, both[::-1]).on_top == ["cream", "nuts"]


def test_short_forms_are_spelt_out_after_every_layer(folder: Path) -> None:
    def without_rye(values: dict[str, object]) -> dict[str, object]:
        flour = values.get("flour")
        assert isinstance(flour, dict)
        return values | {"flour": {kind: grams for kind, grams in flour.items() if grams is not None}}

    (folder / "no_rye.yaml").write_text("flour: {rye: null}\n")
    layers = [folder / "sponge.yaml", folder / "no_rye.yaml"]
    assert read_layers(layers, spell_out=without_rye)["flour"] == {"wheat": 300}
    assert read_typed(Cake, layers, ["flour.oats=20"], spell_out=without_rye).flour == {"wheat": 300, "oats": 20}


def test_files_in_a_circle_are_refused(folder: Path) -> None:
    (folder / "sponge.yaml").write_text("based_on: deep/torte.yaml\n")
    with pytest.raises(ValueError, match=r"torte\.yaml <- sponge\.yaml <- torte\.yaml: based on one another in a"):
        read_typed(Cake, folder / "deep" / "torte.yaml")


def test_what_a_file_is_based_on_may_be_a_packaged_one_and_must_be_there(folder: Path) -> None:
    (folder / "mine.yaml").write_text("based_on: experiments/har_eval.yaml\nseeds: [7]\n")
    values = read_layers([folder / "mine.yaml"])
    assert values["seeds"] == [7]
    assert "arms" in values
    (folder / "mine.yaml").write_text("based_on: spunge.yaml\n")
    with pytest.raises(FileNotFoundError, match=r"configuration spunge\.yaml not found"):
        read_layers([folder / "mine.yaml"])


def test_a_list_is_no_layer(folder: Path) -> None:
    (folder / "cherries.yaml").write_text("- cherries\n")
    with pytest.raises(ValueError, match=r"cherries\.yaml holds a list, expected keys and values"):
        read_typed(Cake, [folder / "sponge.yaml", folder / "cherries.yaml"])


@pytest.mark.parametrize(
    "text", [b"layers: [1, 2", b"layers:\n\t- 1", b"layers: 1\nlayers: 2", b"\x00\xff\xfe\x80junk", b"3"], ids=range(5)
)
def test_a_file_that_is_no_yaml_is_named_in_one_line(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "cake.yaml"
    path.write_bytes(text)
    with pytest.raises(ValueError, match=r"cake\.yaml") as refused:
        read_typed(Cake, path)
    assert "\n" not in str(refused.value)
    with pytest.raises(ValueError, match="is a folder"):
        read_typed(Cake, tmp_path)


@pytest.mark.parametrize("override", ["flour={", "on_top=[cream", "layers=: :"])
def test_an_override_that_is_no_yaml_is_named_in_one_line(folder: Path, override: str) -> None:
    with pytest.raises(ValueError, match=r"override .* cannot be read") as refused:
        read_typed(Cake, folder / "sponge.yaml", [override])
    assert "\n" not in str(refused.value)


def test_all_mistakes_of_keys_and_types_are_told_at_once(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(
        "people: {cuont: 3, val: much}\nsites: [{presett: left_wrist}, {preset: chest}]\nrate: 50\nseed: null\n"
    )
    with pytest.raises(ValueError, match=r"spec.yaml has 5 mistakes: \(1\) ") as caught:
        read_typed(DatasetConfig, path)
    for said in ("'people.count'", "people.val: ", "'presett'", "'rate_hz'", "seed: "):
        assert said in str(caught.value)
    assert "\n" not in str(caught.value)
