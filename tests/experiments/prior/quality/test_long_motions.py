"""Stretches and seams are measured as they are, and the command prints them for any weights."""

from __future__ import annotations

import pytest
import torch

from experiments.prior.quality.long_motions import (
    METHODS,
    Request,
    main,
    make_in_turn,
    measure_seams,
    measure_stretches,
)
from lightning_modules.checkpoints import load_prior
from lightning_modules.sampling.normalised import SamplingOptions
from sim.features import features_to_joints


def test_a_motion_that_stops_shows_in_its_stretches() -> None:
    model = load_prior("prior_mdm")
    walk = Request("a person walks forward.", motions=2).draw(model, 80)
    joints = features_to_joints(walk, "consistent", std=model.statistics.std)
    still = joints[:, -1:].expand(-1, 120, -1, -1)
    stretches = measure_stretches(torch.cat([joints, still], dim=1), joints)
    assert len(stretches) == 3
    assert stretches[0] == pytest.approx(1.0, abs=0.3)
    assert stretches[1] < 0.5
    assert stretches[2] < 0.05


def test_a_jump_shows_at_its_seam() -> None:
    path = torch.linspace(0, 1, 60)[None, :, None, None].expand(1, 60, 22, 3).sin()
    smooth = measure_seams(path, [30])
    broken = torch.cat([path[:, :30], path[:, 30:] + 0.1], dim=1)
    assert smooth[0] == pytest.approx(1.0, abs=0.2)
    assert all(now > 3 * max(before, 1.0) for before, now in zip(smooth, measure_seams(broken, [30]), strict=True))
    assert all(torch.tensor(measure_seams(path, [])).isnan())


def test_windows_in_turn_begin_with_the_end_of_the_one_before() -> None:
    model = load_prior("prior")
    request = Request("a person walks forward.", 9.0, 1, SamplingOptions(sampler="ddim", steps=2))
    motions, seams = make_in_turn(model, request)
    assert motions.shape == (1, 180, 263)
    assert seams == [80, 140]
    assert torch.equal(motions[:, :80], request.draw(model, 80))


def test_the_command_prints_each_way(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prior", "--seconds", "9", "--motions", "1", "--steps", "2", "--methods", *METHODS]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in METHODS)
    assert "of 3" in printed
    for seconds, message in (("5", "expected at least 8"), ("61", "expected 1 to 60")):
        with pytest.raises(SystemExit, match="2"):
            main(["prior", "--seconds", seconds])
        assert message in capsys.readouterr().err
