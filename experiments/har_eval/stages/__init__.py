"""Stages of the main experiment, each a cached task."""
