"""Declared rules of the sets in a collection of motion capture: where files lie, units, rates, known defects, terms.

A collection is a folder whose sub-folders carry the names below and that holds a ``clips.tsv``. What a set needs
beyond its format stands here and nowhere else; readers guess nothing.
"""

from __future__ import annotations

from typing import Final

from datamodules.clips.mocap_sets.cmu import CMU_SETS
from datamodules.clips.mocap_sets.earlier import EARLIER_SETS
from datamodules.clips.mocap_sets.rules import CMU, MocapFile, MocapSet, name_file
from datamodules.clips.mocap_sets.snu import SNU_SETS

__all__ = ["CMU", "MOCAP_SETS", "MocapFile", "MocapSet", "name_file"]

MOCAP_SETS: Final[tuple[MocapSet, ...]] = (*EARLIER_SETS, *CMU_SETS, *SNU_SETS)
"""The sets that are trained on; all of them allow weights trained on them to be shipped."""
