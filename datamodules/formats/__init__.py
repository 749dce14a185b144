"""Readers of motion formats: one module per format, each returns a SkeletonMotion in metres."""
