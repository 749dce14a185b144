"""Words that a text encoder has never seen whole: a prompt of nothing else is most likely no English."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from lightning_modules.text.encoders import find_packaged_model


@cache
def load_vocabulary(encoder: str) -> frozenset[str]:
    """Return the whole words that an encoder knows, in lower case; none where its list is not at hand.

    Args:
        encoder: its name, such as ``minilm``.
    """
    if encoder != "minilm":
        return frozenset()
    try:
        path = find_packaged_model() / "vocab.txt"
    except ValueError:  # not installed: whoever encodes says so
        return frozenset()
    if not path.is_file():
        return frozenset()
    words = path.read_text(encoding="utf-8").splitlines()
    return frozenset(word for word in words if len(word) > 1 and word.isalpha())


def unknown_words(text: str, vocabulary: frozenset[str]) -> list[str] | None:
    """Return the words of a sentence that are not in the vocabulary; None where not one is, or there is no word.

    Examples:
        >>> unknown_words("a person glorps", frozenset({"person", "walks"}))
        ['glorps']
        >>> unknown_words("xqz wvv", frozenset({"person"})) is None
        True
    """
    words: Sequence[str] = [word for word in re.findall(r"[a-z]+", text.lower()) if len(word) > 1]
    strange = [word for word in words if word not in vocabulary]
    return None if len(strange) == len(words) else strange
