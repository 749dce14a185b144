"""The experiment on acceleration losses (``python -m experiments.acceleration``)."""
