"""The command from weights to a page: whole with little, goes on where it was, tells what the data lack."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.pipeline.typed_config import read_typed
from experiments.prior.quality import generated
from experiments.prior.quality.__main__ import main
from experiments.prior.quality.config import QUALITY_CONFIG, QualityConfig
from experiments.prior.quality.generated import make_prompts
from experiments.prior.quality.speed import main as time_prior

SMALL = [
    "motions_per_activity=1", "lying_motions=1", "distribution_motions=2", "retrieval_motions=3", "speed_motions=1",
    "long_prompts=[a person walks.]", "long_seconds=9", "long_motions=1", "sampling.steps=2", "sources=[embedded]",
]  # fmt: skip


def test_a_page_is_written_and_the_second_time_nothing_is_generated(
    tmp_path: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["prior", *SMALL, f"cache_dir={tmp_path / 'cache'}", "--out", str(tmp_path)]
    assert main([*arguments, "--samples", str(tmp_path / "samples.html")]) == 0
    assert "of motions named right" in capsys.readouterr().out
    page = (tmp_path / "quality-prior.md").read_text(encoding="utf-8")
    for heading in ("Can one tell", "Which side", "What sensors read", "Sets of motions", "Long motions", "Speed"):
        assert f"## {heading}" in page
    assert "No recorded training clip shows: " in page
    assert "running" in page
    for picture in ("motions", "confusion"):
        assert f"quality-prior-{picture}.png" in page
        assert (tmp_path / f"quality-prior-{picture}.png").is_file()
    assert (tmp_path / "samples.html").is_file()

    def refuse(*_: object) -> None:
        raise AssertionError("generated again")

    monkeypatch.setattr(generated, "generate_prompts", refuse)
    assert main([*arguments, "long_prompts=[]", "speed_motions=0", "--name", "again"]) == 0
    again = (tmp_path / "quality-again.md").read_text(encoding="utf-8")
    assert "## Speed" not in again
    assert again.split("## Long")[0].split("## Can")[1].replace("again", "prior").split("## Looked")[0] in page


def test_prompts_are_the_same_whatever_else_is_asked_for() -> None:
    prompts = make_prompts("walking", ["a", "b"], 3, seconds=2.5, seed=1)
    assert [prompt.text for prompt in prompts] == ["a", "b", "a"]
    assert {prompt.frames for prompt in prompts} == {50}
    assert prompts[:2] == make_prompts("walking", ["a", "b"], 2, seconds=2.5, seed=1)
    other = make_prompts("running", ["a", "b"], 3, seconds=2.5, seed=1)
    assert not {prompt.seed for prompt in prompts} & {prompt.seed for prompt in other}


def test_the_packaged_configuration_holds() -> None:
    config = read_typed(QualityConfig, QUALITY_CONFIG)
    assert len(config.placements) == 6
    assert set(config.distribution) == {"walking", "running", "jumping", "standing"}
    assert set(config.lying) < set(config.deciding)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none"], "weights none not found"),
        (["prior", "motions=1"], "unknown key 'motions'"),
        (["prior", "window_s=0.5"], "window_s is 0.5, expected 1 to 60"),
        (["prior", "motions_per_activity=0"], "motions_per_activity is 0, expected at least 1"),
        (["prior", "-c", "none.yaml"], "none.yaml"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_speed_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert time_prior(["prior", "--motions", "1", "--seconds", "1", "--steps", "2"]) == 0
    assert "1 motions of 1 s: sampling" in capsys.readouterr().out
