"""Bytes to arrays: number tables, MAT files, pickles, archives, units, and checks of a YAML."""
