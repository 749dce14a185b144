"""HumanML3D in the folder layout that it is published in."""

from datamodules.humanml3d.module import HumanML3DDataModule

__all__ = ["HumanML3DDataModule"]
