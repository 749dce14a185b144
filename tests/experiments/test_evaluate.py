"""The evaluation's YAMLs through the very command on little data, and two processes against one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from lightning_modules.cli import main
from lightning_modules.contrastive_evaluator import ContrastiveEvaluator
from sim.body import Body
from tests.processes import clean_environment, run_whole

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
QUICK = ["--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false"]
TINY = [f"--model.{name}={value}" for name, value in {"width": 16, "num_layers": 1, "num_heads": 2}.items()]
TINY += ["--model.feedforward=16", "--model.num_steps=5", "--model.init_from=null"]
FEW = ["replications=2", "sampling.steps=2", "embedding.multimodality_texts=3", "embedding.multimodality_samples=3"]
FEW = [f"--trainer.callbacks.{option}" for option in [*FEW, "embedding.pool_size=8"]]


def config(name: str) -> str:
    return str(EXPERIMENTS / f"{name}.yaml")


def read(runs: Path, name: str) -> dict[str, dict[str, object]]:
    return json.loads((runs / name / "evaluation.json").read_text(encoding="utf-8"))


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMUFORGE_RUNS", str(tmp_path))
    for name in ("IMUFORGE_MOCAP", "IMUFORGE_EVALUATOR", "IMUFORGE_GENERATED"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def caches(cache_dir: Path) -> list[str]:
    return [
        f"--data.cache_dir={cache_dir / 'motion'}",
        f"--model.cache_dir={cache_dir / 'text'}",
        f"--trainer.callbacks.cache_dir={cache_dir / 'text'}",
    ]


def test_evaluator_is_trained_then_evaluates(
    runs: Path, caches: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["--model.width=16", "--model.num_layers=1", "--model.dim=4", "--data.samples_per_epoch=16"]
    small += ["--data.batch_size=8", "--data.eval_windows_per_activity=1", "--trainer.check_val_every_n_epoch=1"]
    main(["fit", "-c", config("evaluator"), *QUICK, *small, *caches[:2], "--trainer.max_steps=2"])
    monkeypatch.setenv("IMUFORGE_EVALUATOR", str(runs / "evaluator" / "checkpoints" / "last.ckpt"))
    less = ["--data.eval_windows_per_activity=1", "--data.batch_size=8"]
    main(["test", "-c", config("evaluate"), *QUICK, *TINY, *FEW, *less, *caches])
    written = read(runs, "evaluate")
    assert len(written["scores"]["contrastive/frechet"]["values"]) == 2
    assert written["facts"]["high_dynamics_m_s2"] == 12.0
    assert written["paired"]["paired_acc/rmse/high_dynamics"] > 0
    printed = capsys.readouterr().out
    assert "contrastive/r_precision_top1" in printed
    assert "generated/foot_skating" in printed


def test_without_an_evaluator_the_rest_is_there(runs: Path, caches: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    less = ["--data.eval_windows_per_activity=1", "--data.batch_size=8", "--data.activities=[walking,running]"]
    with pytest.warns(UserWarning, match="no evaluator"):
        main(["test", "-c", config("evaluate"), *QUICK, *TINY, *FEW, *less, *caches])
    written = read(runs, "evaluate")
    assert written["notes"] == ["no evaluator was given, so what rests on embeddings is left out"]
    assert not [name for name in written["scores"] if not name.startswith("generated/")]


def test_the_layer_evaluates_with_any_generators_own_yaml(runs: Path, caches: list[str]) -> None:
    less = ["--data.eval_windows_per_activity=1", "--data.batch_size=8", "--data.activities=[walking,turning]"]
    layer = ["-c", config("recipes/evaluate"), *FEW]
    arguments = [*QUICK, *TINY[:-1], *less, *caches]
    main(["test", "-c", config("prior"), *layer, *arguments])
    written = read(runs, "prior")
    assert written["scores"]["generated/clips"]["mean"] == 2
    assert written["paired"]["paired_features/rmse/low_dynamics"] > 0


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--trainer.callbacks.evaluator=none.ckpt", "evaluator none.ckpt not found; train one with"),
        ("--trainer.callbacks.evaluator={runs}", "finest.tar not found below"),
        ("--trainer.callbacks.replications=0", "replications is 0"),
        ("--trainer.callbacks.sampling.sampler=dmp", "sampler 'dmp' is unknown"),
    ],
)
def test_what_is_wrong_is_one_line(
    option: str, message: str, runs: Path, caches: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    less = ["--data.eval_windows_per_activity=1", "--data.activities=[walking,running]"]
    with pytest.raises(SystemExit) as exit_info:
        main(["test", "-c", config("evaluate"), *QUICK, *TINY, *less, *caches, option.format(runs=runs)])
    assert exit_info.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert message in line


def test_a_folder_of_joints(runs: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = runs / "made"
    folder.mkdir()
    rest = Body.default().rest_joints[None, :22].numpy()
    for number in range(3):
        joints = np.repeat(rest, 60, axis=0)
        joints[..., 2] += 0.05 * np.arange(60)[:, None]  # a statue that slides at 1 m/s
        np.save(folder / f"{number}.npy", joints)
        (folder / f"{number}.txt").write_text("a person walks.\n", encoding="utf-8")
    monkeypatch.setenv("IMUFORGE_GENERATED", str(folder))
    reference = [f"--data.reference.init_args.cache_dir={cache_dir / 'motion'}"]
    reference += ["--data.reference.init_args.eval_windows_per_activity=1"]
    main(["test", "-c", config("evaluate_folder"), *QUICK, *reference])
    scores = read(runs, "evaluate_folder")["scores"]
    assert scores["generated/foot_skating"]["mean"] > 0.9
    assert scores["generated/foot_skating"]["real"] < 0.3
    assert scores["generated/clips"]["mean"] == 3
    assert scores["generated/acceleration_m_s2"]["mean"] < 0.1


def test_yaml_leaves_the_network_to_the_weights() -> None:
    model = yaml.safe_load(Path(config("evaluate")).read_text(encoding="utf-8"))["model"]["init_args"]
    assert model["init_from"] == "prior"
    assert "network" not in model


def launch_test(arguments: list[str], runs: Path) -> None:
    environment = {key: value for key, value in clean_environment(runs).items() if not _is_ours(key)}
    command = [sys.executable, "-m", "lightning_modules", "test", "-c", config("evaluate"), *arguments]
    run_whole(command, {**environment, "IMUFORGE_RUNS": str(runs)})


def _is_ours(key: str) -> bool:
    return key.startswith("IMUFORGE_")


def test_two_processes_give_the_numbers_of_one(
    tmp_path: Path, cache_dir: Path, caches: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An odd number of clips, so that the distributed sampler gives one of them to both."""
    torch.manual_seed(0)
    judge = ContrastiveEvaluator(width=16, num_layers=1, num_heads=2, dim=4, cache_dir=str(cache_dir / "text"))
    judge.statistics.set(torch.zeros(263), torch.ones(263))
    path = tmp_path / "evaluator.ckpt"
    torch.save({"state_dict": judge.state_dict(), "hyper_parameters": dict(judge.hparams_initial)}, path)
    arguments = [*QUICK, *TINY, *FEW, *caches, f"--trainer.callbacks.evaluator={path}", "--data.batch_size=2"]
    arguments += ["--data.eval_windows_per_activity=1", "--trainer.callbacks.embedding.multimodality_texts=2"]
    arguments += ["--data.activities=[walking,turning,dancing,kicking,running]"]
    monkeypatch.setenv("IMUFORGE_RUNS", str(tmp_path / "one"))
    main(["test", "-c", config("evaluate"), *arguments])
    launch_test([*arguments, "-c", config("cluster/ddp"), "--trainer.devices=2"], tmp_path / "two")
    one, two = (read(tmp_path / name, "evaluate") for name in ("one", "two"))
    assert one["scores"]["generated/clips"]["real"] == 5
    assert one["facts"] == two["facts"]
    assert one["scores"].keys() == two["scores"].keys()
    assert "contrastive/multimodality" in one["scores"]
    for name, entry in one["scores"].items():
        numbers = (np.array([e["real"], *e["values"]], dtype=float) for e in (two["scores"][name], entry))
        # A share of contact steps is nan (null in the file) where no foot ever is down.
        np.testing.assert_allclose(*numbers, rtol=1e-3, atol=1e-4, err_msg=name)
    assert one["paired"].keys() == two["paired"].keys()
    assert len(one["paired"]) > 50
    paired = (np.array([side["paired"][name] for name in one["paired"]], dtype=float) for side in (two, one))
    np.testing.assert_allclose(*paired, rtol=1e-4)
