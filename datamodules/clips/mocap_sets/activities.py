"""Activities of the files of motion-capture sets, by rules on their names."""

from __future__ import annotations

import re
from typing import Final

_RULES: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "cmu_amc": (
        (r"/09_12|/16_(1[1-9]|2\d|3[0-4]|47|58)|/49_01|/03_", "walking"),
        (r"/09_|/127_(0[3-9]|1\d|2[034]|29|3\d)|/16_(08|3\d|4\d|5\d)", "running"),
        (r"/127_2\d|/14_(06|07|08|09|14|20)|/16_|/49_0[2-5]", "jumping"),
        (r"/49_", "acrobatics"),
        (r"/14_02", "punching"),
        (r"/14_12", "washing"),
        (r"/14_(21|22|23)", "stairs_up"),
        (r"/14_(33|34|35)", "climbing"),
        (r"/14_(2[7-9]|3[0-2]|36)", "sitting"),
        (r"/14_24", "directing_traffic"),
        (r"/14_17", "gesturing"),
        (r"/14_", "everyday"),
        (r"/17_03", "crouching"),
        (r"", "standing"),
    ),
    "cmu_cgspeed_bvh_01_06_07_08": (
        (r"01_01", "jumping"),
        (r"01_", "climbing"),
        (r"06_(0[2-9]|1\d)", "basketball"),
        (r"", "walking"),
    ),
    "cmu_misc": (
        (r"86_09", "sitting"),
        (r"15_07", "reaching"),
        (r"86_01|91_47|13_|118_", "jumping"),
        (r"", "walking"),
    ),
    "snu_ys2010": (
        (r"slope_90_|to_slope", "slope_walking"),
        (r"low_walk", "crouching"),
        (r"kick", "kicking"),
        (r"_run", "running"),
        (r"hop", "hopping"),
        (r"[Jj]ump", "jumping"),
        (r"falling", "falling"),
        (r"Raise", "getting_up"),
        (r"Push", "pushed"),
        (r"Backward", "walking_backwards"),
        (r"WalkForward|spiral|freeWalk|cross_walk|start_|stop_|middle_walking|HandWav", "walking"),
        (r"/Physics2/wd2_Walk", "styled_walking"),
        (r"pick_walk", "picking_up"),
        (r"tt_", "table_tennis"),
        (r"boxing", "punching"),
        (r"idle|lineup|pose_long", "standing"),
        (r"", "walking"),
    ),
    "snu_tiling": (
        (r"2/.*crawl|walk_crawl", "crawling"),
        (r"2/.*(duck|huddle|pobok)|3/duck", "crouching"),
        (r"2/.*hop", "hopping"),
        (r"2/.*rabbit|jump", "jumping"),
        (r"2/.*(wheel|vallet)|spin", "acrobatics"),
        (r"slip", "falling"),
        (r"run", "running"),
        (r"walk", "walking"),
        (r"chair", "sitting_down"),
        (r"flying_kick", "kicking"),
        (r"/box|punch|slap|beat", "punching"),
        (r"pushed|get_hit|get_shot", "pushed"),
        (r"throw|pass_", "throwing"),
        (r"blame|bow|shake_hand|high_five|session2and3|t_pose", "gesturing"),
        (r"", "everyday"),
    ),
    "snu_vsports_basketball": ((r"", "basketball"),),
    "snu_interactive_tennis_walk": (
        (r"tennis/", "tennis"),
        (r"69_(6[89]|7\d)", "picking_up"),
        (r"", "walking"),
    ),
    "snu_timecritical_martial": ((r"", "martial_arts"),),
    "snu_humanfoot": ((r"P_3", "jumping"), (r"", "walking")),
}


def name_activity(folder: str, inside: str) -> str:
    """Return what a file of a set shows.

    Args:
        folder: the set's folder, such as ``"snu_tiling"``.
        inside: the file's path in it without suffixes, such as ``"1/chair_2"``.

    Raises:
        ValueError: the set has no rules.
    """
    if folder not in _RULES:
        raise ValueError(f"no activities are declared for the set {folder!r}, expected one of {sorted(_RULES)}")
    return next(activity for pattern, activity in _RULES[folder] if re.search(pattern, f"/{inside}"))
