"""Staged tasks with a cache, and what every experiment writes beside its results."""
