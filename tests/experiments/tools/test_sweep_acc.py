"""The sweep through its own command, on a tiny prior and a few embedded clips."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml

from datamodules import MotionDataModule
from experiments.tools import sweep_acc
from experiments.tools.sweep_acc import main, read_sweep
from lightning_modules import MotionDiffusion
from lightning_modules.checkpoints import save_prior

EXPERIMENTS = Path(__file__).resolve().parents[3] / "experiments"
SMALL = {"width": 16, "num_layers": 1, "num_heads": 2, "feedforward": 16, "num_steps": 5}


@pytest.fixture
def sweep_yaml(tmp_path: Path, cache_dir: Path) -> Path:
    """The shipped YAML with two weights, a tiny prior and four steps."""
    data = MotionDataModule(cache_dir=str(cache_dir / "motion"), samples_per_epoch=16)
    data.prepare_data()
    data.setup()
    torch.manual_seed(0)
    model = MotionDiffusion(**SMALL)
    model.statistics.set(*data.feature_statistics())
    save_prior(model, tmp_path / "tiny.safetensors", {"data": "none, untrained"})
    values = yaml.safe_load((EXPERIMENTS / "sweep_acc.yaml").read_text(encoding="utf-8"))
    values["options"] += [
        *(f"--model.{name}={value}" for name, value in SMALL.items()),
        f"--model.init_from={tmp_path / 'tiny.safetensors'}",
        "--model.log_gradient_norms_every=2",
        "--model.sensor_loss={placements: [right_wrist, waist], gyro_scale: 2}",
        "--trainer.log_every_n_steps=2",
        "--trainer.max_steps=4",
        "--trainer.accelerator=cpu",
        "--trainer.enable_model_summary=false",
        "--data.batch_size=8",
        "--data.samples_per_epoch=16",
        "--data.eval_windows_per_activity=1",
        f"--data.cache_dir={cache_dir / 'motion'}",
        f"--model.cache_dir={cache_dir / 'text'}",
    ]
    values |= {
        "weights": [0.0, 1e-3],
        "config": str(EXPERIMENTS / "finetune_acc.yaml"),
        "folder": str(tmp_path / "sweep"),
        "motions": 1,
        "sampling_steps": 2,
    }
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def test_a_sweep_writes_its_table_and_runs_nothing_twice(
    sweep_yaml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["-c", str(sweep_yaml)])
    folder = tmp_path / "sweep"
    control, swept = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
    assert (control["weight"], swept["weight"]) == (0.0, 1e-3)
    assert set(sweep_acc.SCORES) < set(control)
    assert "grad_norm/acc_sensors" not in control
    assert swept["grad_norm/acc_sensors"] > 0
    assert any(name.startswith("peak ratio walking") for name in swept)
    assert control["paired accel RMSE [m/s^2]"] != swept["paired accel RMSE [m/s^2]"]
    table = (folder / "sweep.md").read_text(encoding="utf-8")
    assert "| 0.001 |" in table
    losses = yaml.safe_load((folder / "acc_sensors_0.001" / "config.yaml").read_text(encoding="utf-8"))["model"]
    assert losses["init_args"]["loss_weights"] == {"reconstruction": 1.0, "acc_sensors": 1e-3}

    calls: list[list[str]] = []
    monkeypatch.setattr(sweep_acc, "lightning", calls.append)
    main(["-c", str(sweep_yaml)])
    assert not calls
    assert (folder / "sweep.md").read_text(encoding="utf-8") == table
    values = yaml.safe_load(sweep_yaml.read_text(encoding="utf-8"))
    sweep_yaml.write_text(yaml.safe_dump(values | {"motions": 2}), encoding="utf-8")
    with pytest.raises(SystemExit) as exit_info:
        main(["-c", str(sweep_yaml)])
    assert exit_info.value.code == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": "acc"}, "'acc' is unknown"),
        ({"weights": [1.0, 1.0]}, "none twice"),
        ({"weight": [1.0]}, "none but"),
        ({"config": "nowhere.yaml"}, "nowhere.yaml not found"),
    ],
)
def test_bad_sweeps_are_refused(change: dict[str, object], message: str, tmp_path: Path) -> None:
    values = yaml.safe_load((EXPERIMENTS / "sweep_acc.yaml").read_text(encoding="utf-8"))
    values |= {"config": str(EXPERIMENTS / "finetune_acc.yaml"), "folder": "runs"} | change
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_sweep(tmp_path / "sweep.yaml")
