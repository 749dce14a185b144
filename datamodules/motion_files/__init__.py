"""Any motion file to a :class:`sim.Motion`: formats by suffix, folder rules, joint arrays."""

from datamodules.motion_files.formats import FORMATS, known_suffixes, read_motion

__all__ = ["FORMATS", "known_suffixes", "read_motion"]
