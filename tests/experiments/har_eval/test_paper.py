"""experiments/paper.yaml from end to end on tiny files in the published layouts, and what it says is missing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.har_eval.checks import load_config
from experiments.har_eval.command import main
from experiments.har_eval.plan import make_plan
from lightning_modules import MotionDiffusion
from lightning_modules.checkpoints import save_mdm
from sim.body import Body

PAPER = Path(__file__).resolve().parents[3] / "experiments" / "paper.yaml"
ARMS = ("original", "continued", "acc", "motion_diffuse", "latent_diffusion")
Write = Callable[..., Path]


def write_mdm(folder: Path) -> Path:
    """MDM's .pt and args.json, untrained, with HumanML3D's statistics beside them."""
    torch.manual_seed(0)
    path = folder / "mdm" / "model000000010.pt"
    model = MotionDiffusion(
        width=16, num_layers=1, num_heads=4, feedforward=16, num_steps=5, text_dim=384, mask_frames=True
    )
    save_mdm(model, path)
    args = json.loads(path.with_name("args.json").read_text(encoding="utf-8"))
    path.with_name("args.json").write_text(json.dumps(args | {"text_encoder_type": "minilm"}), encoding="utf-8")
    return path


def write_smpl(path: Path) -> Path:
    """The built-in body in the arrays of SMPL's file."""
    model = Body.default().model
    count = len(model.template)
    parents = [2**32 - 1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21]
    np.savez(
        path,
        v_template=model.template.numpy(),
        shapedirs=np.concatenate([model.shape_directions.numpy(), np.zeros((count, 3, 4))], axis=-1),
        posedirs=np.zeros((count, 3, 207), dtype=np.float32),
        J_regressor=np.concatenate([model.joint_regressor.numpy(), np.zeros((2, count))]),
        weights=np.concatenate([model.weights.numpy(), np.zeros((count, 2))], axis=1),
        f=model.faces.numpy().astype(np.uint32),
        kintree_table=np.stack([np.array(parents), np.arange(24)]).astype(np.uint32),
    )
    return path


def write_pamap2(root: Path) -> Path:
    """Three people of six seconds of each of six activities, the more lively the higher the activity's number."""
    (root / "Protocol").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for person in (101, 102, 103):
        rows = []
        for activity in (1, 2, 3, 4, 5, 24):
            part = np.zeros((600, 54))
            part[:, 1] = activity
            for unit in (3, 20, 37):
                part[:, unit + 1 : unit + 4] = [9.81, 0, 0] + activity * rng.standard_normal((600, 3)) / 5
                part[:, unit + 4 : unit + 7] = part[:, unit + 1 : unit + 4]
                part[:, unit + 7 : unit + 10] = activity * rng.standard_normal((600, 3)) / 20
            rows.append(part)
        table = np.concatenate(rows)
        table[:, 0] = 5 + np.arange(len(table)) / 100
        np.savetxt(root / "Protocol" / f"subject{person}.dat", table, fmt="%.6g")
    return root


@pytest.fixture
def brought(tmp_path: Path, write_humanml3d: Write, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Path]:
    """All that a user brings, where the variables say."""
    monkeypatch.setenv("IMUFORGE_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("IMUFORGE_DSADS", raising=False)
    rng = np.random.default_rng(0)
    names = [f"{number:06}" for number in range(12)]
    motions = {name: 0.1 * rng.uniform(size=(48, 263)).astype(np.float32) for name in names}
    lines = {name: ["a person walks.#a/DET person/NOUN walk/VERB#0.0#0.0"] for name in names}
    splits = {"train": names[:8], "val": names[8:10], "test": names[10:]}
    found = {
        "IMUFORGE_HUMANML3D": write_humanml3d(tmp_path / "HumanML3D", motions, lines, splits),
        "IMUFORGE_MDM": write_mdm(tmp_path),
        "IMUFORGE_SMPL": write_smpl(tmp_path / "SMPL_NEUTRAL.npz"),
        "IMUFORGE_PAMAP2": write_pamap2(tmp_path / "PAMAP2_Dataset"),
    }
    for name in ("Mean.npy", "Std.npy"):
        (found["IMUFORGE_MDM"].parent / name).write_bytes((found["IMUFORGE_HUMANML3D"] / name).read_bytes())
    for variable, path in found.items():
        monkeypatch.setenv(variable, str(path))
    monkeypatch.setenv("IMUFORGE_TEXT", "minilm")
    return found


def cut_down(folder: Path) -> list[str]:
    """Further options: the same experiment, in what can be done in seconds."""
    quick = ["--trainer.accelerator=cpu", "--trainer.max_steps=2", "--trainer.enable_model_summary=false"]
    quick += ["--data.init_args.batch_size=4"]
    network = "--model.init_args.network"
    sizes = [f"{network}.width=16", f"{network}.num_heads=2", f"{network}.feedforward=16"]
    text = [f"{network}.text_dim=384"]
    shallow, deep = [f"{network}.num_layers=1"], [f"{network}.num_layers=3"]
    vae = ["--model.init_args.vae.layers=3", "--model.init_args.vae.feedforward=16"]
    smaller = {
        "continued.options": quick,
        "acc.options": quick,
        "motion_diffuse.options": [*quick, *sizes, *text, *shallow],
        "latent_diffusion.first_stage_options": [*quick, *sizes, *deep],
        "latent_diffusion.options": [*quick, *sizes, *text, *deep, *vae],
    }
    config = load_config(PAPER)
    changed: list[str] = []
    for name, options in smaller.items():
        arm, key = name.split(".")
        changed.append(f"arms.{name}={json.dumps([*getattr(config.arms[arm], key), *options])}")
    return [
        *changed,
        *(f"sets.{name}=null" for name in config.sets if name != "pamap2"),
        *(f"arms.{arm}.steps=2" for arm in ARMS),
        "seeds=[0]",
        "generation.motions_per_activity=2",
        "generation.seconds=3",
        "simulation.repeats=1",
        "simulation.mountings=2",
        "sets.pamap2.train_windows_per_class=10",
        "sets.pamap2.turned_copies=1",
        "fine_tuning.steps=2",
        "resamples=100",
        "processes=1",
        f"cache={folder / 'cache'}",
        f"output={folder / 'out'}",
    ]


def test_the_whole_table_from_one_command(brought: Mapping[str, Path], tmp_path: Path) -> None:
    arguments = ["-c", str(PAPER), *cut_down(tmp_path)]
    assert main(arguments) == 0
    (found,) = (tmp_path / "out").glob("*/results.json")
    results = json.loads(found.read_text(encoding="utf-8"))
    assert {entry["arm"] for entry in results["summaries"]} == {*ARMS, "mocap", "real"}
    assert found.with_name("report.html").is_file()
    stages = {path.parents[1].name for path in (tmp_path / "cache").glob("*/*/stage.json")}
    trained = sorted((tmp_path / "cache" / "fine_tune").glob("*/weights.safetensors"))
    assert len(trained) == 5  # continued, acc, motion_diffuse, and the two stages of latent_diffusion
    assert {"fine_tune", "generate", "simulate", "classify"} <= stages


@pytest.mark.usefixtures("brought")
def test_a_licensed_body_wears_the_sensors_and_files_count_by_what_is_in_them(tmp_path: Path) -> None:
    config = load_config(PAPER, cut_down(tmp_path))
    plan = make_plan(config)
    assert {task.model for task in plan.windows.values()} == {tmp_path / "SMPL_NEUTRAL.npz"}
    assert config.fine_tuning.steps == 2
    own = f"arms.motion_diffuse.weights={tmp_path / 'mdm' / 'model000000010.pt'}"
    assert not load_config(PAPER, [*cut_down(tmp_path), own]).trains("motion_diffuse")
    assert config.primary is not None
    assert (config.primary.arm, config.primary.against) == ("acc", "continued")


def test_what_is_missing_is_said_at_once_a_line_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable in ("HUMANML3D", "SMPL", "PAMAP2"):
        monkeypatch.delenv(f"IMUFORGE_{variable}", raising=False)
    monkeypatch.setenv("IMUFORGE_MDM", str(tmp_path / "model.pt"))
    monkeypatch.setenv("IMUFORGE_TEXT", f"clip:{tmp_path / 'nowhere'}")
    with pytest.raises(SystemExit) as exit_info:
        main(["-c", str(PAPER), "--dry-run"])
    assert exit_info.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 5
    told = "\n".join(lines)
    for variable in ("IMUFORGE_HUMANML3D", "IMUFORGE_SMPL", "IMUFORGE_PAMAP2"):
        assert f"export {variable}=PATH" in told
    assert "model.pt" in told
    assert "nowhere" in told


@pytest.mark.usefixtures("brought")
def test_a_real_set_that_is_left_out_need_not_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMUFORGE_PAMAP2")
    with pytest.raises(ValueError, match="IMUFORGE_PAMAP2"):
        load_config(PAPER)
    assert "pamap2" not in load_config(PAPER, ["sets.pamap2=null"]).sets


def test_statistics_missing_beside_mdm_are_missed_before_anything_runs(
    brought: Mapping[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    brought["IMUFORGE_MDM"].with_name("Mean.npy").unlink()
    with pytest.raises(SystemExit):
        main(["-c", str(PAPER), "--dry-run"])
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "needs.mdm" in line
    assert "Mean.npy" in line
