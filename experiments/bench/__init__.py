"""Benchmarks of the simulator: ``python -m experiments.bench`` (make bench) runs all and writes docs/benchmarks.md."""
