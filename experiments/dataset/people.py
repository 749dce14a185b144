"""Virtual people: the body of each, how they wear every sensor, and their device."""

from __future__ import annotations

from typing import NamedTuple, TypedDict

import torch

from experiments.arms.wearing import ErrorsConfig, read_body
from experiments.dataset.config import DatasetConfig, SiteConfig
from experiments.dataset.plan import Person, seed_of
from sim.body import Body
from sim.placements import Placement


class PersonFacts(TypedDict):
    """A virtual person: body shape and how each sensor is worn (:meth:`sim.placements.Placement.describe`)."""

    subject: str
    split: str
    shape: list[float]
    device: str
    placements: list[dict[str, object]]


class Worn(NamedTuple):
    """A person's body and sensors."""

    facts: PersonFacts
    body: Body
    placements: list[Placement]


def wear(config: DatasetConfig, person: Person, side: str) -> Worn:
    """Draw a person's body, and how each sensor sits on it; the same whatever they do.

    Args:
        config: of the data set.
        person: who.
        side: of the split.
    """
    people = config.people
    draws = torch.Generator().manual_seed(seed_of(config.seed, "person", person.number))
    body = read_body(people.smpl)
    shape = body.sample_shapes(1, draws) * float(people.shapes)
    placements = [
        placement_of(site, int(torch.randint(max(1, len(site.mountings)), (1,), generator=draws))).jitter(
            along_mm=people.along_mm,
            around_deg=people.around_deg,
            rotation_deg=people.rotation_deg,
            generator=draws,
        )
        for site in config.sites
    ]
    facts: PersonFacts = {
        "subject": person.name,
        "split": side,
        "shape": [round(float(value), 6) for value in shape[0]],
        "device": device_of(config, person).preset,
        "placements": [placement.describe() for placement in placements],
    }
    return Worn(facts, body.with_shape(shape), placements)


def placement_of(site: SiteConfig, mounting: int = 0) -> Placement:
    """Return a site as it is worn by the book, with one of its mountings.

    Raises:
        ValueError: the preset, the point or the mounting is none.
    """
    if site.preset is not None:
        placement = Placement.preset(site.preset)
    else:
        corner = site.triangle[0] if len(site.triangle) == 1 else site.triangle
        placement = Placement.at(str(site.name), corner, site.barycentric, stand_off_m=site.stand_off_m)
    return placement.mounted(site.mountings[mounting]) if site.mountings else placement


def device_of(config: DatasetConfig, person: Person) -> ErrorsConfig:
    """Return the device of a person; people have them in turn."""
    return config.devices[person.number % len(config.devices)]
