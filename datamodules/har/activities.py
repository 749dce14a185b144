"""One vocabulary of activities for all sets: canonical names, the broader name of finer ones, and common synonyms.

Readers return canonical names; what a set calls them in its files is declared with each reader as ``ACTIVITIES`` and
found in :data:`datamodules.har.registry.READERS`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sim.names import suggest

_BROADER: Mapping[str, tuple[str, ...]] = {
    # broader name: finer ones; a name that is only a key or in the last row stands for itself
    "walking": (
        *("walking_left", "walking_right", "nordic_walking", "walking_in_place"),
        *("walking_on_treadmill_flat", "walking_on_treadmill_inclined"),
    ),
    "climbing_stairs": ("walking_upstairs", "walking_downstairs"),
    "running": ("jogging", "jogging_in_place"),
    "lying": ("lying_on_back", "lying_on_right_side", "sleeping"),
    "standing": ("standing_in_elevator", "elevator_up", "elevator_down"),
    "sitting": ("watching_tv", "computer_work", "car_driving", "typing", "writing"),
    "cycling": ("cycling_horizontal", "cycling_vertical"),
    "jumping": ("rope_jumping", "jumping_front_and_back", "hopping"),
    "transition": (
        *("stand_to_sit", "sit_to_stand", "sit_to_lie", "lie_to_sit", "stand_to_lie", "lie_to_stand"),
        *("sitting_down_and_getting_up", "lying_down_and_getting_up"),
    ),
    "fall": ("fall_forward", "fall_backward", "fall_lateral"),
    "eating": ("eating_soup", "eating_chips", "eating_pasta", "eating_sandwich", "drinking"),
    "ball_sport": ("basketball", "basketball_shoot", "dribbling", "catching", "kicking", "playing_soccer"),
    "housework": ("vacuum_cleaning", "ironing", "folding_laundry", "house_cleaning"),
    "bending": ("waist_bends_forward", "knees_bending", "squatting", "forward_lunge"),
    "gesture": (
        *("swipe_left", "swipe_right", "hand_wave", "front_clap", "throwing", "crossing_arms", "draw_x"),
        *("draw_circle_clockwise", "draw_circle_counter_clockwise", "draw_triangle", "boxing", "arm_curl"),
        *("two_hand_push", "knocking", "catching_object", "picking_up_and_throwing", "frontal_elevation_of_arms"),
        *("hands_up", "making_a_call", "opening_door", "clapping", "brushing_teeth"),
    ),
    "sport": (
        *("badminton", "stepper", "cross_trainer", "rowing", "bowling", "baseball_swing"),
        *("tennis_forehand", "tennis_serve"),
    ),
    "turning": (),
    "moving_in_elevator": (),
}

BROADER: Mapping[str, str] = {fine: broad for broad, finer in _BROADER.items() for fine in finer}
"""Finer activity -> broader one."""

ACTIVITIES: tuple[str, ...] = tuple(sorted({*_BROADER, *BROADER}))
"""Every canonical name."""

_SYNONYMS: Mapping[str, str] = {
    **dict.fromkeys(("walk", "walking_forward", "wlk", "gait"), "walking"),
    **dict.fromkeys(
        ("upstairs", "walking_up", "stairs_up", "climbing_up", "climbingup", "ascending_stairs", "ups", "go_upstairs"),
        "walking_upstairs",
    ),
    **dict.fromkeys(
        (
            *("downstairs", "walking_down", "stairs_down", "climbing_down", "climbingdown", "descending_stairs"),
            *("dws", "go_downstairs"),
        ),
        "walking_downstairs",
    ),
    **dict.fromkeys(("stairs", "climbing_stairs"), "climbing_stairs"),
    **dict.fromkeys(("run", "running_forward"), "running"),
    **dict.fromkeys(("jog",), "jogging"),
    **dict.fromkeys(("sit", "seated", "sitting_and_relaxing"), "sitting"),
    **dict.fromkeys(("stand", "std", "standing_still"), "standing"),
    **dict.fromkeys(("lie", "lay", "laying", "lying_down", "laying_down"), "lying"),
    **dict.fromkeys(("jump", "jumping_up"), "jumping"),
    **dict.fromkeys(("sitting_down", "stand_to_sit"), "stand_to_sit"),
    **dict.fromkeys(("standing_up", "getting_up", "sit_to_stand"), "sit_to_stand"),
    **dict.fromkeys(("bike", "biking", "bicycling", "cycle"), "cycling"),
    **dict.fromkeys(("turn",), "turning"),
    **dict.fromkeys(("teeth", "brush_teeth"), "brushing_teeth"),
}
"""What people write for a canonical name, for sets that a user describes; published sets declare their own."""


_BY_LETTERS: Mapping[str, str] = {
    **{synonym.replace("_", ""): name for synonym, name in _SYNONYMS.items()},
    **{name.replace("_", ""): name for name in ACTIVITIES},
}
"""Names and synonyms without underscores -> canonical name."""


def normalise(text: str) -> str:
    """Write a label as names are written here: ``Walking Forward`` -> ``walking_forward``."""
    return "_".join(re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text.strip()).lower()))


def find_activity(text: str) -> str:
    """Canonical name of what a user wrote.

    Args:
        text: a canonical name or a common synonym, in any capitals: ``STAIRS UP``, ``climbingdown``, ``Laying``.

    Raises:
        ValueError: no activity is called that; names the nearest one.
    """
    name = normalise(text)
    found = _BY_LETTERS.get(name.replace("_", ""))
    if found is not None:
        return found
    hint = suggest(name, (*ACTIVITIES, *_SYNONYMS), shown_as=_SYNONYMS, quoted=False)
    raise ValueError(f"{text!r} is no known activity{hint} (see datamodules.har.activities)")


def broaden(activity: str, classes: tuple[str, ...]) -> str:
    """The activity itself where it is among the classes, else its broader name: lying_on_back -> lying.

    Args:
        activity: a canonical name.
        classes: names to tell apart.

    Returns:
        The first of the name and its broader ones that is a class, or the name itself where none is.
    """
    name = activity
    while name not in classes and name in BROADER:
        name = BROADER[name]
    return name if name in classes else activity
