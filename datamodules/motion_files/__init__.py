"""Any motion file to a :class:`sim.Motion`: formats by suffix, folder rules, joint arrays."""

from datamodules.motion_files.formats import (
    FORMATS,
    find_format,
    known_suffixes,
    read_motion,
    terms_of,
    terms_of_folder,
)

__all__ = ["FORMATS", "find_format", "known_suffixes", "read_motion", "terms_of", "terms_of_folder"]
