"""Denoisers compared on equal compute (``python -m experiments.acceleration.denoisers``)."""
