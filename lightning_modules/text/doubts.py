"""What of a prompt may not come out as it is meant, told before anything is generated from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lightning_modules.text.lookup import TextLookup
from lightning_modules.text.vocabulary import load_vocabulary, unknown_words


def doubts_about_words(texts: Sequence[str], lookup: TextLookup) -> Iterator[str]:
    """Say of prompts which words their text encoder does not know, a line each.

    Args:
        texts: prompts.
        lookup: embeddings of the weights that they are for.
    """
    vocabulary = load_vocabulary(lookup.encoder_name)
    for text in dict.fromkeys(texts):
        strange = unknown_words(text, vocabulary) if vocabulary else []
        if strange is None:
            yield f"not one word of the prompt {text!r} is known to the text encoder; write English"
        elif strange:
            yield f"the prompt {text!r} has words that the text encoder does not know: {', '.join(strange)}"


def doubts_about_activities(texts: Sequence[str], lookup: TextLookup) -> Iterator[str]:
    """Say of prompts that no activity is told beside which speak of none that the weights were trained on.

    Args:
        texts: prompts.
        lookup: embeddings of the weights that they are for, and the activities that these are told.
    """
    if not texts or not lookup.activities:
        return
    for text, spoken in zip(texts, lookup.find_activities(texts), strict=True):
        if spoken is None:
            yield f"the prompt {text!r} speaks of no activity that the weights were trained on"
