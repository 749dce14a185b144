"""Callbacks of the Trainer: figures, written motions, a guard against resuming another run."""
