"""The specification of a data set: short forms, all mistakes at once, and what sounds wrong about prompts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from datamodules.clips.embedded import load_embedded
from datamodules.clips.static_postures import build_postures
from experiments.cli import main
from experiments.dataset.checks import load_spec
from experiments.dataset.command import make_dataset
from experiments.dataset.config import DatasetConfig, spell_out
from experiments.dataset.judge import RULES, check_motion, is_twin, print_of
from experiments.dataset.plan import motion_number, plan_parts, pool_of, sides_of
from experiments.dataset.wording import doubts_about, sayings_of
from lightning_modules.text.encoders import text_encoder
from lightning_modules.text.lookup import TextLookup
from sim import Body, Motion
from sim.conventions import FEATURE_FPS
from sim.trajectory import resample_motion

from .conftest import SPEC


def write(folder: Path, text: str) -> Path:
    path = folder / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_short_forms_say_the_same_as_long_ones() -> None:
    short = {"activities": ["walking"], "sites": "chest", "devices": ["none"]}
    long = {"activities": {"walking": {}}, "sites": [{"preset": "chest"}], "devices": [{"preset": "none"}]}
    assert spell_out(short) == spell_out(long) == long
    assert spell_out({"activities": {"sitting": "a person sits."}})["activities"] == {
        "sitting": {"prompts": ["a person sits."]}
    }


def test_every_mistake_is_told_at_once_with_the_nearest_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(
        tmp_path,
        """
activities: {walking: {check: wlking}, sitting: [" "], lying: {tell: lying_on_bak}}
people: {count: 2, val: 0.5, test: 0.5}
motion: {seconds: 90, sampler: dim, decoder: consistant}
sites: [left_wirst, {preset: chest, mountings: [x_upp_z_out]}]
devices: [smartfone]
windows: {channels: [accell]}
""",
    )
    with pytest.raises(SystemExit) as left:
        main(["dataset", str(path), "--out", str(tmp_path / "out")])
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    for name in ("walking", "ddim", "consistent", "left_wrist", "smartphone", "lying_on_back"):
        assert f"did you mean {name}?" in error or f"did you mean '{name}'?" in error, name
    for words in ("blank", "motion.seconds is 90", "nobody to train on", "sites[1]", "accell"):
        assert words in error, words
    assert not (tmp_path / "out").exists()


def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown key 'people.cuont'.*people.count"):
        load_spec(write(tmp_path, "people: {cuont: 3}"))


def test_nobody_and_no_motion_is_on_two_sides() -> None:
    config = load_spec(SPEC, ["people.count=20", "recordings_each=5", "motion.of_each=40"])
    sides = sides_of(config)
    assert sorted(number for numbers in sides.values() for number in numbers) == list(range(20))
    assert {side: len(numbers) for side, numbers in sides.items()} == {"train": 14, "val": 3, "test": 3}
    assert sum(pool_of(config, len(numbers)) for numbers in sides.values()) == 40
    parts = plan_parts(config)
    assert [part.number for part in parts] == list(range(len(parts)))
    for part in parts:
        pool = pool_of(config, len(sides[part.side]))
        held = {number for chunk in part.chunks for number in range(chunk.first, chunk.first + chunk.count)}
        assert {motion_number(config, pool, person, turn) for person in part.people for turn in range(5)} <= held
        assert max(held) < pool


def test_lying_is_asked_for_in_all_four_ways() -> None:
    known = ("walking", "sitting", "lying_on_back", "lying_on_left_side", "lying_on_right_side", "lying_face_down")
    sayings = sayings_of(load_spec(SPEC), known)["lying"]
    assert [saying.told for saying in sayings[:5]] == [*known[2:], "lying_on_back"]
    assert len({saying.text for saying in sayings}) >= 40


def test_gibberish_and_unknown_activities_are_told(tmp_path: Path, cache_dir: Path) -> None:
    pytest.importorskip("transformers")
    spec = "{jogging: [someone is jogging.], glorp: [xqzv wvvk], walking: [the gross national product rose.]}"
    config = load_spec(write(tmp_path, f"activities: {spec}\nsites: [chest]\n"))
    known = ("walking", "running")
    texts = TextLookup("minilm", dim=384, cache_dir=str(cache_dir / "text"), activities=known)
    texts.attach(text_encoder("minilm", cache_dir / "text"))
    said = "\n".join(doubts_about(config, sayings_of(config, known), texts, window_s=3.0))
    assert "jogging: the weights know no activity of that name" in said
    assert "not one word of the prompt 'xqzv wvvk'" in said
    assert "glorp: the prompt 'xqzv wvvk' speaks of no activity" in said
    assert "glorp: there is no rule" in said
    assert "longer than the 3 s" in said
    assert "someone is jogging" not in said


@pytest.mark.parametrize("activity", ["standing", "sitting", "lying"])
def test_constructed_postures_keep_their_own_rule_and_no_other(activity: str) -> None:
    mine = [posture.motion for posture in build_postures() if posture.activity.startswith(activity)][:4]
    assert len(mine) == 4
    for motion in mine:
        crop = motion.frames(0, 120)
        assert check_motion(crop, RULES[activity]) == []
        for other in {"standing", "sitting", "lying", "walking", "jumping"} - {activity}:
            assert check_motion(crop, RULES[other]) != []


def test_recorded_walking_is_walking() -> None:
    clips = [clip for clip in load_embedded() if clip.activity == "walking"]
    assert clips
    for clip in clips:
        motion = resample_motion(clip.motion, fps=FEATURE_FPS).frames(0, 80)
        assert check_motion(motion, RULES["walking"]) == []
        assert "speed" in check_motion(motion, RULES["standing"])


def test_what_no_body_does_is_left_out_and_so_is_what_was_seen_before() -> None:
    still = torch.eye(3).expand(80, 22, 3, 3).clone()
    start = torch.tensor([0.0, 0.9, 0.0]).expand(80, 3).clone()
    flying = start + torch.linspace(0, 100, 80)[:, None] * torch.tensor([0.0, 0.0, 1.0])
    assert check_motion(Motion(still, flying, 20.0), None) == ["faster than anybody"]
    assert check_motion(Motion(still, start * torch.nan, 20.0), None) == ["not finite"]
    turn = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    turned = still.clone()
    turned[:, 0] = turn
    place = Body.default().rest_joints[0]  # the pelvis turns about itself, off the origin
    elsewhere = start + torch.tensor([3.0, 0.0, -2.0]) + 0 * place
    seen = print_of(Motion(still, start, 20.0))
    assert is_twin(print_of(Motion(turned, elsewhere, 20.0)), [seen])
    assert not is_twin(print_of(Motion(still, flying, 20.0)), [seen])
    assert not is_twin(seen, [])


def test_motion_files_take_the_place_of_generated_motions(tmp_path: Path) -> None:
    """Joint files with a table of prompts, as another generator writes them, through all of it without weights."""
    folder, rows = tmp_path / "generated", ["file,text,activity"]
    folder.mkdir()
    for number, posture in enumerate([one for one in build_postures() if one.activity in ("standing", "sitting")]):
        joints = Body.default().joints(resample_motion(posture.motion, fps=FEATURE_FPS))
        if number % 5 == 0:
            np.save(folder / f"{number:03d}.npy", joints.float().numpy())
            rows.append(f"{number:03d}.npy,{posture.captions[0].replace(',', '')},{posture.activity}")
    (folder / "prompts.csv").write_text("\n".join(rows), encoding="utf-8")
    spec = write(
        tmp_path,
        f"activities: [standing, sitting]\nrecordings_each: 1\npeople: {{count: 4, val: 0.25, test: 0.25}}\n"
        f"motion: {{weights: null, folder: {folder}}}\nsites: [chest]\ndevices: none\nwindows: {{seconds: 2}}\n",
    )
    lines = make_dataset(spec, tmp_path / "out", processes=1, device="cpu", console=Console(quiet=True))
    assert "8 recordings of 8 motions" in lines[0]
    assert "weights none" in lines[-2]


def test_a_point_of_the_skin_is_a_site(tmp_path: Path) -> None:
    config: DatasetConfig = load_spec(
        write(
            tmp_path,
            "activities: [walking]\nsites: [{name: mine, triangle: 100, barycentric: [0.2, 0.3, 0.5]}]\n",
        )
    )
    assert config.sites[0].triangle == [100]
    with pytest.raises(ValueError, match="expects a preset, or name"):
        load_spec(write(tmp_path, "activities: [walking]\nsites: [{triangle: 100}]\n"))
