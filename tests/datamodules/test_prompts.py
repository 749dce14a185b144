"""Prompts: as many as asked for, with seeds of their own, and captions against those of the joined table."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from datamodules.batches import PromptBatch
from datamodules.clips import ACTIVITIES
from datamodules.clips.captions import caption_clip, load_paraphrases, paraphrase, read_cmu_descriptions
from datamodules.prompts import PromptDataModule

PROMPTS = {"walking": ["a person walks.", "walking"], "lying": ["lying"]}


def batches(data: PromptDataModule) -> list[PromptBatch]:
    return list(data.predict_dataloader())


def test_as_many_of_each_as_asked_for() -> None:
    data = PromptDataModule(PROMPTS, motions_per_activity=3, seconds=4.5, batch_size=4)
    found = batches(data)
    assert [len(batch.texts) for batch in found] == [4, 2]
    assert [text for batch in found for text in batch.texts] == ["a person walks.", "walking", "a person walks."] + [
        "lying"
    ] * 3
    assert [name for batch in found for name in batch.activities] == ["walking"] * 3 + ["lying"] * 3
    assert torch.cat([batch.lengths for batch in found]).tolist() == [90] * 6
    assert torch.cat([batch.index for batch in found]).tolist() == list(range(6))
    assert len({seed for batch in found for seed in batch.seeds}) == 6


def test_seeds_belong_to_the_motion_and_not_to_the_batch() -> None:
    def seeds(**options: object) -> dict[tuple[str, int], int]:
        data = PromptDataModule(PROMPTS, motions_per_activity=3, **options)
        return {(prompt.activity, prompt.number % 3): prompt.seed for prompt in data.prompts}

    assert seeds() == seeds(batch_size=1)
    assert seeds(activities=["lying"]).items() <= seeds().items()
    assert not set(seeds().values()) & set(seeds(seed=1).values())


def test_packaged_prompts_cover_the_vocabulary() -> None:
    data = PromptDataModule(motions_per_activity=1)
    assert {prompt.activity for prompt in data.prompts} == set(ACTIVITIES) == set(load_paraphrases())
    assert all(len(sentences) >= 3 for sentences in load_paraphrases().values())
    assert len(data.captions()) == len(ACTIVITIES)


def test_prompts_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "prompts.yaml"
    path.write_text("walking: [a slow walk]\n")
    assert PromptDataModule(str(path)).captions() == ["a slow walk"]
    with pytest.raises(FileNotFoundError, match=r"absent\.yaml"):
        PromptDataModule(str(tmp_path / "absent.yaml"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompts": {}}, "holds no prompts"),
        ({"prompts": {"walking": []}}, "no sentence for 'walking'"),
        ({"prompts": {"walking": [" "]}}, "no sentence for 'walking'"),
        ({"prompts": PROMPTS, "activities": ["flying"]}, r"no prompts for the activities \['flying'\].*walking, lying"),
        ({"motions_per_activity": 0}, "motions_per_activity 0"),
        ({"seconds": 0.1}, "seconds is 0.1"),
    ],
)
def test_unusable_prompts_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PromptDataModule(**options)


def test_captions_of_a_clip() -> None:
    captions = caption_clip("walking", description="walk", extra=["walk", "a slow walk"])
    assert captions[-2:] == ("walk", "a slow walk")
    assert len(captions) == len(set(captions))
    assert paraphrase("rope_skipping") == ("a person is rope skipping.",)


def test_only_descriptions_are_taken_from_the_joined_table(shared: Path) -> None:
    table = read_cmu_descriptions(shared / "data/mocap/captions/cmu_captions.json")
    assert table["35_17"] == "run/jog"
    # 131_02 has a KIT-ML sentence too, which has no stated licence.
    assert table["131_02"] == "Start Walk Stop"
    assert read_cmu_descriptions(shared / "absent.json") == {}
