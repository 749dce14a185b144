"""One thread where more are slower, by times that are put in here; nothing is measured where somebody decided."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.training import threads
from lightning_modules.training.threads import choose_threads


@pytest.mark.parametrize(("one", "many", "count"), [(0.02, 0.2, 1), (0.2, 0.1, 3), (0.1, 0.1, 3)])
def test_the_quicker_number_is_taken(one: float, many: float, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = [many, one]
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    set_to: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", set_to.append)
    monkeypatch.setattr(threads, "time_layer", lambda device, *, width: (taken.pop(0), 0.0))
    found = choose_threads(width=64)
    assert found.number == count
    assert f"{1e3 * one:.3g} ms with one, {1e3 * many:.3g} ms with 3" in found.reason
    assert set_to == [1, 3]  # left as it was


def test_nothing_is_measured_where_somebody_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "time_layer", lambda device, *, width: pytest.fail("measured"))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert choose_threads(width=64) == (3, "")
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert choose_threads(width=64) == (1, "")
