"""Motion: local joint rotations, root translation and a frame rate, as one frozen value."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sim.conventions import MIRROR, NUM_JOINTS
from sim.files import named_damage, refuse_declared, whole_file


@dataclass(frozen=True)
class Motion:
    """A moving skeleton of 22 joints (SMPL's order, world Y up, a person at rest faces +Z).

    Attributes:
        rotations: local rotation matrices ``(..., T, 22, 3, 3)``; the root's (joint 0) is global.
        translation: world position of joint 0 ``(..., T, 3)`` [m]. AMASS ``trans`` differs from it by the rest pelvis.
        fps: frames per second [Hz], above zero.
        text: a caption, one per batch element, or None.
        decoder: how joints were decoded from HumanML3D features, one of ``sim.features.DECODERS``; None where they
            were not.
        licence: what is known of the terms that it comes under, in words; None where nothing is.

    Raises:
        ValueError: shapes do not fit together, or ``fps`` is not a positive number.

    Examples:
        >>> import torch
        >>> still = Motion(torch.eye(3).expand(61, 22, 3, 3), torch.tensor([0.0, 0.9, 0.0]).expand(61, 3), fps=20.0)
        >>> still.duration_s, still.frames(0, 20).num_frames
        (3.0, 20)
    """

    rotations: Tensor
    translation: Tensor
    fps: float
    text: str | Sequence[str] | None = None
    decoder: str | None = None
    licence: str | None = None

    def __post_init__(self) -> None:
        for name, value in (("rotations", self.rotations), ("translation", self.translation)):
            if not isinstance(value, torch.Tensor) or not value.is_floating_point():
                found = value.dtype if isinstance(value, torch.Tensor) else type(value).__name__
                raise ValueError(f"{name} is {found}, expected a torch.Tensor of floating point; use torch.from_numpy")
        if self.rotations.dtype != self.translation.dtype:
            raise ValueError(
                f"rotations are {self.rotations.dtype} and translation {self.translation.dtype}, expected one dtype; "
                "convert with .to(torch.float32)"
            )
        if self.rotations.ndim < 4 or tuple(self.rotations.shape[-3:]) != (NUM_JOINTS, 3, 3):
            raise ValueError(
                f"rotations have shape {tuple(self.rotations.shape)}, expected (..., T, {NUM_JOINTS}, 3, 3); "
                "give local rotation matrices of SMPL's first 22 joints"
            )
        if self.translation.shape != (*self.rotations.shape[:-3], 3):
            raise ValueError(
                f"translation has shape {tuple(self.translation.shape)}, expected "
                f"{(*self.rotations.shape[:-3], 3)} to go with rotations {tuple(self.rotations.shape)}"
            )
        if not (self.fps > 0 and np.isfinite(self.fps)):
            raise ValueError(f"fps is {self.fps}, expected a positive number of frames per second")

    @property
    def num_frames(self) -> int:
        """T, the number of frames."""
        return self.rotations.shape[-4]

    @property
    def duration_s(self) -> float:
        """Time from the first to the last frame [s]."""
        return (self.num_frames - 1) / self.fps

    def frames(self, start: int, stop: int | None = None) -> Motion:
        """Return frames ``start`` to ``stop`` (exclusive) as a new Motion."""
        return replace(
            self, rotations=self.rotations[..., start:stop, :, :, :], translation=self.translation[..., start:stop, :]
        )

    def to(self, *args: Any, **kwargs: Any) -> Motion:  # noqa: ANN401 - the signature of torch.Tensor.to
        """Return a copy on another device or of another dtype; arguments as for ``torch.Tensor.to``."""
        return replace(
            self, rotations=self.rotations.to(*args, **kwargs), translation=self.translation.to(*args, **kwargs)
        )

    def mirrored(self) -> Motion:
        """Return the motion reflected through the sagittal plane (x -> -x, left and right joints exchanged)."""
        sign = torch.tensor([-1.0, 1.0, 1.0], dtype=self.rotations.dtype, device=self.rotations.device)
        # A reflection S turns a rotation R into S R S.
        rotations = sign[:, None] * self.rotations[..., list(MIRROR), :, :] * sign
        return replace(self, rotations=rotations, translation=self.translation * sign)

    def save(self, path: str | Path) -> None:
        """Write the motion to an ``.npz`` file (rotations, translation [m], fps [Hz], text, decoder, licence)."""
        text = self.text if self.text is None or isinstance(self.text, str) else list(self.text)
        with whole_file(Path(path)) as part, part.open("wb") as file:
            np.savez_compressed(
                file,
                rotations=self.rotations.detach().cpu().numpy(),
                translation=self.translation.detach().cpu().numpy(),
                fps=np.float64(self.fps),
                text=np.array(json.dumps(text)),
                decoder=np.array(json.dumps(self.decoder)),
                licence=np.array(json.dumps(self.licence)),
            )

    @classmethod
    def load(cls, path: str | Path) -> Motion:
        """Read a motion written by :meth:`save`.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is damaged, or lacks one of the arrays that :meth:`save` writes.
        """
        refuse_declared(path)
        with named_damage(path, "expected a file written by Motion.save"), np.load(path, allow_pickle=False) as data:
            missing = {"rotations", "translation", "fps", "text"} - set(data.files)
            if missing:
                raise ValueError(
                    f"{path} lacks {sorted(missing)}, expected a file written by Motion.save; "
                    "read other formats with datamodules.formats"
                )
            return cls(
                rotations=torch.from_numpy(data["rotations"]),
                translation=torch.from_numpy(data["translation"]),
                fps=float(data["fps"]),
                text=json.loads(str(data["text"])),
                # Files of before there was a choice do not say.
                decoder=json.loads(str(data["decoder"])) if "decoder" in data.files else None,
                licence=json.loads(str(data["licence"])) if "licence" in data.files else None,
            )
