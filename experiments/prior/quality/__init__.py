"""What a prior is worth: pages in docs/models/, made by ``python -m experiments.prior.quality``."""
