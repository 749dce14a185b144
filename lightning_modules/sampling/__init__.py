"""From noise to motion: samplers, guidance, in-painting."""
