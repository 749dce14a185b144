"""Activities beside texts: told, found from what a text says, and dropped apart from it."""

import torch

from datamodules.clips.captions import load_paraphrases
from lightning_modules.text.activities import ActivityNames
from lightning_modules.text.lookup import TextLookup

NAMES = ["walking", "running", "standing"]


class WordEncoder:
    """One unit vector for each of a few words that a text may hold."""

    name, dim = "words", 4
    words = ("walk", "run", "stand", "apple")

    def __init__(self):
        self.asked = []

    def encode(self, texts):
        self.asked += texts
        rows = [[float(word in text.lower()) + 0.01 for word in self.words] for text in texts]
        return torch.nn.functional.normalize(torch.tensor(rows), dim=1)


def make_lookup(tmp_path, names=tuple(NAMES)):
    lookup = TextLookup("words", dim=4, cache_dir=str(tmp_path), activities=names)
    encoder = WordEncoder()
    lookup.attach(encoder)
    return lookup, encoder


def test_the_activity_that_is_named_stands_behind_the_text(tmp_path):
    lookup, _ = make_lookup(tmp_path)
    batch = lookup(["someone walks", "someone walks"], ["running", "walking"])
    assert batch.num_activities == 3
    assert batch.embedding[:, 4:].tolist() == [[0, 1, 0], [1, 0, 0]]
    torch.testing.assert_close(batch.embedding[0, :4], batch.embedding[1, :4])


def test_a_packaged_sentence_tells_its_activity_without_an_encoder():
    names = ActivityNames(NAMES)

    def encode(texts):
        raise AssertionError(f"asked for {texts}")

    sentences = [load_paraphrases()[name][0] for name in NAMES]
    assert names.find([sentence.upper().rstrip(".") for sentence in sentences], encode) == NAMES


def test_a_text_near_a_packaged_sentence_speaks_of_its_activity_and_another_of_none(tmp_path):
    lookup, _ = make_lookup(tmp_path)
    batch = lookup(["he went for a run in the rain", "an apple"])
    assert batch.embedding[:, 4:].tolist() == [[0, 1, 0], [0, 0, 0]]


def test_an_activity_that_the_model_does_not_know_is_left_to_the_text(tmp_path):
    lookup, _ = make_lookup(tmp_path)
    assert lookup(["he stands about"], ["idling"]).embedding[0, 4:].tolist() == [0, 0, 1]


def test_parts_of_a_condition_are_dropped_apart(tmp_path):
    lookup, _ = make_lookup(tmp_path)
    batch = lookup(["walk"] * 3, ["walking"] * 3)
    first = torch.tensor([True, False, False])
    without, alone = batch.drop_activity(first), batch.drop_words(first)
    assert without.embedding[0, 4:].tolist() == [0, 0, 0]
    assert without.embedding[0, :4].any()
    assert alone.embedding[0].tolist() == [0, 0, 0, 0, 1, 0, 0]
    assert alone.embedding[1].tolist() == without.embedding[1].tolist() == batch.embedding[1].tolist()


def test_a_model_that_is_told_no_activity_sees_texts_as_before(tmp_path):
    lookup, encoder = make_lookup(tmp_path, ())
    batch = lookup(["walk"], ["walking"])
    assert batch.embedding.shape == (1, 4)
    assert encoder.asked == ["walk"]
