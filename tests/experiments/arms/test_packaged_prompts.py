"""Sentences that a YAML need not repeat."""

from __future__ import annotations

import pytest

from datamodules.clips.captions import load_paraphrases
from experiments.arms.prompts import spell_out_prompts

TABLE = load_paraphrases()


def test_packaged_stands_for_the_packaged_sentences_where_it_stands() -> None:
    own = "a person walks like a king."
    said = spell_out_prompts({"walking": [own, "packaged", TABLE["walking"][0]], "lying": ["packaged/lying_on_back"]})
    assert said["walking"] == [own, *TABLE["walking"]]
    assert said["lying"] == list(TABLE["lying_on_back"])


def test_an_activity_without_prompts_gets_those_that_there_are() -> None:
    said = spell_out_prompts({"walking": ["walk!"]}, ["walking", "running", "flying"])
    assert said == {"walking": ["walk!"], "running": list(TABLE["running"])}


def test_what_is_not_packaged_is_named_beside_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"packaged sentences in prompts\.mine 'runing'.*did you mean running"):
        spell_out_prompts({"mine": ["packaged/runing"]})
    with pytest.raises(ValueError, match=r"packaged sentences in prompts\.flying 'flying'"):
        spell_out_prompts({"flying": ["packaged"]})
