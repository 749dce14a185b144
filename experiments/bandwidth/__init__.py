"""How much of a movement each stage between features and windows lets through, and what a motion has lost before."""
