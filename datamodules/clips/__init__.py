"""Clips of motion: from files through the cache into the library that training draws from."""

from datamodules.clips.clip import ACTIVITIES, Clip

__all__ = ["ACTIVITIES", "Clip"]
