"""The stages of har_eval, in the order of the data: arms, paired, generate, simulate, real, classify, distances."""
