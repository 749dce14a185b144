"""The main experiment: train on virtual sensors, test on real people (``python -m experiments.har_eval``)."""
