"""``--strict-classes``: a configuration names no class of anybody else's, and nothing of theirs is imported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lightning_modules.cli import main

YAML = """
trainer:
  accelerator: cpu
  logger: false
  callbacks: [{{class_path: {callback}}}]
  default_root_dir: {folder}
model: {{class_path: {model}}}
data: {{class_path: MotionDataModule}}
"""


def configure(folder: Path, **names: str) -> list[str]:
    config = folder / "a.yaml"
    names = {"callback": "LearningRateMonitor", "model": "MotionDiffusion", **names}
    config.write_text(YAML.format(folder=folder, **names), encoding="utf-8")
    return ["fit", "-c", str(config), "--print_config"]


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module whose import leaves a trace."""
    (tmp_path / "stranger_of_tests.py").write_text(
        "import pathlib\nfrom lightning.pytorch import Callback, LightningModule\n"
        "pathlib.Path(__file__).with_name('trace').touch()\n"
        "class Spy(Callback): pass\nclass Model(LightningModule): pass\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "stranger_of_tests", raising=False)
    return "stranger_of_tests"


@pytest.mark.parametrize(("key", "name"), [("callback", "Spy"), ("model", "Model")])
def test_a_class_of_another_package_is_refused_before_its_import(
    tmp_path: Path, stranger: str, capsys: pytest.CaptureFixture[str], key: str, name: str
) -> None:
    args = configure(tmp_path, **{key: f"{stranger}.{name}"})
    with pytest.raises(SystemExit) as left:
        main([*args, "--strict-classes"])
    assert left.value.code == 2
    assert stranger in capsys.readouterr().err
    assert not (tmp_path / "trace").exists()
    # Without the option the same configuration runs what it names: that is what the option is for.
    with pytest.raises(SystemExit) as left:
        main(args)
    assert left.value.code in (0, None)
    assert (tmp_path / "trace").exists()


def test_own_classes_and_those_of_lightning_and_torch_are_admitted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main([*configure(tmp_path), "--strict-classes"])
    assert left.value.code in (0, None)
    assert "MotionDiffusion" in capsys.readouterr().out
