"""Sensors as a page tells of them: presets, or points of the skin, the last of which were touched there."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Final, TypedDict

import torch
from pydantic import BaseModel, ConfigDict, Field

from experiments.dataset.config import SiteConfig
from experiments.dataset.people import placement_of
from sim.body import Body
from sim.conventions import JOINT_NAMES
from sim.placements import Placement
from sim.placements.mountings import DEVICE_NAMES
from sim.sensor_errors import SensorErrors

MOST_SENSORS: Final = 12
MOST_RATE_HZ: Final = 1000.0
STAND_OFF_M: Final = 0.005
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")

MOUNTINGS: Final = (
    *DEVICE_NAMES,
    *(
        f"{first}_{second}"
        for second in ("z_out", "z_in")
        for first in ("x_up", "x_down", "y_up", "y_down", "x_distal", "x_proximal", "x_forward", "x_left")
    ),
)
"""Ways to turn a box that a page offers; beside them along the bone, which has no name."""


class Told(BaseModel):
    """What a page sends; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Touch(Told):
    """A point of the drawn skin: three vertices of the body and their weights."""

    vertices: tuple[int, int, int] = Field(strict=False)
    weights: tuple[float, float, float] = Field(strict=False)


class Site(Told):
    """A sensor: a preset, a named point of the skin, or a name and where the skin was touched."""

    preset: str | None = None
    name: str | None = None
    triangle: list[int] = []
    barycentric: list[float] = []
    stand_off_m: float = STAND_OFF_M
    mounting: str | None = None
    touch: Touch | None = None


class Wearing(Told):
    """All sensors on one motion, their rate [Hz] and their device."""

    motion: str
    sites: list[Site]
    rate_hz: float = 50.0
    device: str = "none"


class SettledSite(TypedDict):
    """A sensor as a page remembers it: what :class:`Site` takes, and the bone that carries it."""

    preset: str | None
    name: str | None
    triangle: list[int]
    barycentric: list[float]
    stand_off_m: float
    mounting: str | None
    bone: str


def settle(wearing: Wearing, body: Body) -> tuple[list[SiteConfig], list[Placement]]:
    """Find every sensor's place.

    Args:
        wearing: what a page told.
        body: whose skin.

    Returns:
        The sites as ``imuforge dataset`` takes them, and as the simulator does.

    Raises:
        ValueError: a sensor, rate or device is none, or there are too many.
    """
    if not 1 <= len(wearing.sites) <= MOST_SENSORS:
        raise ValueError(f"{len(wearing.sites)} sensors are asked for, expected 1 to {MOST_SENSORS}")
    if not 1 <= wearing.rate_hz <= MOST_RATE_HZ:
        raise ValueError(f"the rate is {wearing.rate_hz:g} Hz, expected 1 to {MOST_RATE_HZ:g}")
    SensorErrors.preset(wearing.device)
    sites = [_settle_site(site, body) for site in wearing.sites]
    placements = [placement_of(site) for site in sites]
    names = [placement.name for placement in placements]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two sensors are called {name}, expected each name once; rename one of them")
    for placement in placements:
        placement.on(body)
    return sites, placements


def remember(sites: list[SiteConfig], placements: list[Placement], body: Body) -> list[SettledSite]:
    """Return what a page remembers of settled sensors."""
    return [
        SettledSite(
            preset=site.preset,
            name=site.name,
            triangle=site.triangle,
            barycentric=site.barycentric,
            stand_off_m=site.stand_off_m,
            mounting=site.mountings[0] if site.mountings else None,
            bone=JOINT_NAMES[placement.on(body).joint],
        )
        for site, placement in zip(sites, placements, strict=True)
    ]


def as_yaml(site: SiteConfig) -> dict[str, object] | str:
    """Return a site as an entry of a specification: a preset's name alone where that says it all."""
    if site.preset is not None:
        return {"preset": site.preset, "mountings": site.mountings} if site.mountings else site.preset
    entry = asdict(site)
    del entry["preset"]
    return {key: value for key, value in entry.items() if value != []}


def _settle_site(site: Site, body: Body) -> SiteConfig:
    mountings = [site.mounting] if site.mounting else []
    if site.preset is not None:
        return SiteConfig(preset=Placement.preset(site.preset).name, mountings=mountings)
    name = site.name or ""
    if NAME.fullmatch(name) is None:
        raise ValueError(
            f"a sensor is called {name[:60]!r}, expected small letters, digits and underscores, such as my_sensor"
        )
    if site.touch is None:
        return SiteConfig(None, name, site.triangle, site.barycentric, site.stand_off_m, mountings)
    found = Placement.nearest(name, _touched(site.touch, name, body), body, max_distance_m=0.05).on(body)
    return SiteConfig(None, name, found.triangle.tolist(), found.barycentric.tolist(), site.stand_off_m, mountings)


def _touched(touch: Touch, name: str, body: Body) -> torch.Tensor:
    """Return the touched point in the rest pose ``(3,)`` [m]."""
    vertices, weights = body.rest_vertices.double(), torch.tensor(touch.weights, dtype=torch.float64)
    if not all(0 <= index < len(vertices) for index in touch.vertices):
        raise ValueError(f"{name} was put on vertices {touch.vertices}, expected 0 to {len(vertices) - 1}")
    if not (bool(weights.isfinite().all()) and bool((weights > -1e-6).all()) and abs(float(weights.sum()) - 1) < 1e-4):
        raise ValueError(f"{name} was put at weights {touch.weights}, expected three from 0 to 1 that sum to one")
    return weights @ vertices[list(touch.vertices)]
