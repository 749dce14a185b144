"""What a training run shares: optimiser, averages, randomness by step, feature statistics, recipes."""
