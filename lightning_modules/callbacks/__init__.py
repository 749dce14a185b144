"""Callbacks of the Trainer: figures, written motions, checkpoints as files, resuming, signals, health."""
