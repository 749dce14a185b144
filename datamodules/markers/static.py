"""Shape and marker places out of a calibration recording: a person stands still, with markers that come off later."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import torch

from datamodules.formats.marker_recording import MarkerRecording
from datamodules.markers.calibration import calibrate
from datamodules.markers.degrees import choose_freedom
from datamodules.markers.marker_sets import MarkerSet
from datamodules.markers.model import MarkerModel, build_model
from datamodules.markers.soles import level_soles
from sim.body import Body

STATIC_LOOSE_M: Final[float] = 0.01
STATIC_SHAPE: Final[float] = 0.3
"""How far markers [m] and shape (share of the population's spread) may be from those of a calibration recording."""


def calibrate_on(static: MarkerRecording, chosen: MarkerSet, known: list[str], model: MarkerModel) -> MarkerModel:
    """Return the model with the shape and the marker places of another recording, from which it strays little.

    Args:
        static: the other recording, Y up, of the same person with the same markers.
        chosen: the marker set.
        known: labels of the model's markers; those that the other recording lacks stay as loose as they are.
        model: the markers on the mean body.
    """
    names, fitted = _calibrate(static, chosen, model.body)
    offsets, loose = model.offsets.clone(), model.loose_m.clone()
    for index, name in enumerate(known):
        if name in names:
            offsets[index], loose[index] = fitted.offsets[names.index(name)], STATIC_LOOSE_M
    return replace(
        model,
        betas=fitted.betas,
        offsets=offsets,
        home_betas=fitted.betas,
        home_offsets=offsets,
        loose_m=loose,
        shape_loose=STATIC_SHAPE,
    )


def _calibrate(static: MarkerRecording, chosen: MarkerSet, body: Body) -> tuple[list[str], MarkerModel]:
    names = chosen.split(static.names)[0]
    observed = torch.from_numpy(static.positions[:, [static.names.index(name) for name in names]])
    keys = torch.linspace(0, len(observed) - 1, min(len(observed), 20)).long()
    seen = observed[keys].isfinite().all(dim=-1).double()
    freedom, _ = choose_freedom(chosen.sites[name].point.bone for name in names)
    model = build_model([chosen.sites[name] for name in names], body)
    fitted, pose = calibrate(model, observed[keys].nan_to_num(), seen, freedom)
    spacing = max(1.0, (len(observed) - 1) / max(1, len(keys) - 1))
    return names, level_soles(fitted, pose, fps=static.fps / spacing)[0]
