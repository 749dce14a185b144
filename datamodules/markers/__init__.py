"""Optical markers -> a body's shape, and its motion."""
