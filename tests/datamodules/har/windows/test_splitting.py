"""Nobody who is tested is fitted on: the check says who is on both sides."""

import numpy as np
import pytest

from datamodules.har.windows.splitting import check_apart
from datamodules.har.windows.window_set import WindowSet


def worn_by(*people):
    count = len(people)
    return WindowSet(
        np.zeros((count, 4, 3), np.float32),
        np.zeros(count, np.int64),
        np.array(people),
        np.arange(count),
        ("walking",),
        ("accel_x", "accel_y", "accel_z"),
        25.0,
    )


def test_people_apart_pass_and_others_are_named():
    check_apart(worn_by("1", "2"), worn_by("3"), what="the forest")
    with pytest.raises(ValueError, match=r"^the forest is fitted on 2, 10, who are tested; expected nobody"):
        check_apart(worn_by("1", "10", "2"), worn_by("2", "3", "10"), what="the forest")


def test_who_cannot_be_told_is_not_passed_over():
    for sides in ((worn_by("1"), worn_by("")), (worn_by(""), worn_by("1"))):
        with pytest.raises(ValueError, match="do not say who wore the sensors"):
            check_apart(*sides, what="calibration")
