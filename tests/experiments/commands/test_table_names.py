"""The names that help reads from source are those of the tables themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from datamodules.har import READERS
from datamodules.motion_files import known_suffixes
from experiments.commands import table_names
from experiments.commands.table_names import motion_suffixes, sampler_names, sensor_names, set_names
from lightning_modules.sampling.samplers import SAMPLER_NAMES
from sim.sensor_errors import SENSOR_NAMES


def check_all() -> None:
    assert tuple(sensor_names()) == SENSOR_NAMES
    assert tuple(sampler_names()) == SAMPLER_NAMES
    assert set_names() == list(READERS)
    assert motion_suffixes() == known_suffixes()


def test_names_are_those_of_the_tables() -> None:
    check_all()


def test_a_table_that_is_no_literal_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_names, "_ROOT", tmp_path)
    check_all()  # no source there at all
    for module, line in (
        ("sim.sensor_errors.presets", "_SHEETS = make()"),
        ("lightning_modules.sampling.samplers", "_SAMPLERS = {**OTHERS, 'ddim': 1}"),
        ("datamodules.har.registry", "OTHER = {'hapt': 1}"),
        ("datamodules.motion_files.formats", "FORMATS = collect()"),
    ):
        path = tmp_path.joinpath(*module.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(line, encoding="utf-8")
    check_all()
