"""The body: its skin, its shapes, and the SMPL files that describe one."""

from sim.body.body import Body

__all__ = ["Body"]
