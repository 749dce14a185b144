"""The packaged prior: what it is trained on, and what it is worth."""
