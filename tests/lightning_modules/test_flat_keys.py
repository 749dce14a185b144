"""Flat keys of before: every shipped YAML written with them, options on the command line, and old checkpoints.

The truth is the nested form: what is parsed from either has to be the same.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import yaml

from datamodules import RealIMUDataModule, VirtualIMUDataModule
from lightning_modules import LatentMotionDiffusion, MotionDiffusion, MotionVAE
from lightning_modules.cli import SHORT_NAMES, main
from lightning_modules.contrastive_evaluator import ContrastiveEvaluator
from sim.options import flat_names_of, flatten

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
NAMES = {owner.__name__: flat_names_of(owner) for owner in SHORT_NAMES}
LAYERS = {"recipes": "finetune_acc.yaml", "sets": "har.yaml"}
"""Folders of YAML that is laid over another one, which says the classes."""
SMALL = ["--model.width=16", "--model.num_layers=1", "--model.num_heads=2", "--model.feedforward=16"]


def list_shipped() -> list[str]:
    """All YAML of ``lightning``: whatever sets a model, data or a trainer; evaluators of folders need no options."""
    paths = [path.relative_to(EXPERIMENTS).as_posix() for path in sorted(EXPERIMENTS.rglob("*.yaml"))]
    # What else stands in prior/ is read by commands of its own.
    paths = [path for path in paths if not path.startswith("prior/")]
    return [path for path in paths if {"model", "data"} & set(yaml.safe_load((EXPERIMENTS / path).read_text()))]


def flatten_file(path: Path, owners: dict[str, str]) -> tuple[str, int]:
    """The YAML with every group written flat, and how many keys that moved."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    moved = 0

    def go(section: dict[str, object], owner: str) -> None:
        nonlocal moved
        arguments = section.get("init_args")
        if not isinstance(arguments, dict):
            return
        for value in arguments.values():
            if isinstance(value, dict) and "init_args" in value:
                go(value, str(value["class_path"]))
        flat = flatten(arguments, NAMES.get(str(section.get("class_path", owner)), {}))
        moved += len(set(flat) - set(arguments))
        section["init_args"] = flat

    for name, owner in owners.items():
        if isinstance(content.get(name), dict):
            go(content[name], owner)
    return yaml.safe_dump(content, sort_keys=False), moved


WITHOUT_FLAT = ("evaluate.yaml", "generate.yaml", "recipes/humanml3d.yaml", "recipes/rollout.yaml")


def parse(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    with pytest.raises(SystemExit) as exit_info:
        main([*arguments, "--print_config"])
    printed = capsys.readouterr()
    assert exit_info.value.code in (0, None), printed.err
    return yaml.safe_load(printed.out)


@pytest.mark.parametrize("name", list_shipped())
def test_a_shipped_yaml_with_flat_keys_is_parsed_as_it_stands(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMUFORGE_RUNS", str(tmp_path))
    base = LAYERS.get(name.split("/")[0])
    below = [] if base is None else ["-c", str(EXPERIMENTS / base)]
    owners = {"model": "MotionDiffusion", "data": "RealIMUDataModule"}
    text, moved = flatten_file(EXPERIMENTS / name, owners)
    flat = tmp_path / "flat.yaml"
    flat.write_text(text, encoding="utf-8")
    command = "predict" if name == "generate.yaml" else "test" if name.startswith("evaluate") else "fit"
    nested = parse(capsys, command, *below, "-c", str(EXPERIMENTS / name))
    assert parse(capsys, command, *below, "-c", str(flat)) == nested
    groups = {group.partition(".")[0] for names in NAMES.values() for group in names.values()}
    written = {key for section in owners for key in (nested.get(section) or {}).get("init_args", {})}
    # What these set has no flat names.
    assert moved > 0 or not groups & written or name in WITHOUT_FLAT


@pytest.mark.parametrize(
    ("config", "option", "place", "value"),
    [
        ("finetune_acc", "--model.lr=0.5", "model.optimiser.lr", 0.5),
        ("finetune_acc", "--model.init_args.loss_weights.acc_joints=0.5", "model.losses.weights.acc_joints", 0.5),
        ("finetune_acc", "--model.optimiser.lr=0.5", "model.optimiser.lr", 0.5),
        ("finetune_acc", "--model.sampling_steps=7", "model.sampling.steps", 7),
        ("har", "--data.window_s=3", "data.cut.window_s", 3.0),
        ("har_mixed", "--data.real.init_args.window_s=3", "data.real.cut.window_s", 3.0),
        ("har_mixed", "--data.virtual.rate_hz=20", "data.virtual.cut.rate_hz", 20.0),
        ("har", "--model.lr=0.5", "model.lr", 0.5),  # HARClassifier has no groups
    ],
)
def test_options_of_the_command_line_override_the_file_by_either_name(
    config: str, option: str, place: str, value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    found: object = parse(capsys, "fit", "-c", str(EXPERIMENTS / f"{config}.yaml"), option)
    first, *rest = place.split(".")
    parts = [first, "init_args", *rest]
    if rest[0] in ("real", "virtual"):
        parts.insert(3, "init_args")
    for part in parts:
        assert isinstance(found, dict)
        found = found[part]
    assert found == value


def test_a_class_on_the_command_line_decides_whose_names_are_flat(capsys: pytest.CaptureFixture[str]) -> None:
    finetune = str(EXPERIMENTS / "finetune_acc.yaml")
    vae = parse(capsys, "fit", "-c", finetune, "--model", "MotionVAE", "--model.latent_tokens", "3")
    assert vae["model"]["init_args"]["network"]["latent_tokens"] == 3
    other = parse(capsys, "fit", "-c", finetune, "--model=HARClassifier", "--model.lr=0.5", "--model.classes=[a,b]",
                  "--model.num_channels=6")  # fmt: skip
    assert other["model"]["init_args"]["lr"] == 0.5


VAE = "{class_path: MotionVAE, init_args: {lr: 3}}"
DATA = "{class_path: MotionDataModule}"


@pytest.mark.parametrize(
    "arguments",
    [
        ["fit", "--model", VAE, f"--data={DATA}"],
        ["fit", f"--model={VAE}", f"--data={DATA}"],
        ["fit", "-c", f"{{model: {VAE}, data: {DATA}}}"],
        ["-c", f"{{fit: {{model: {VAE}, data: {DATA}}}}}", "fit"],
    ],
)
def test_flat_names_are_those_of_a_class_named_anywhere(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = parse(capsys, *arguments, "--model.weight_decay=2")["model"]["init_args"]["optimiser"]
    assert (found["lr"], found["weight_decay"]) == (3.0, 2.0)


def test_a_flat_list_is_appended_to_by_a_later_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layer = tmp_path / "layer.yaml"
    layer.write_text("model: {init_args: {snr_weighted+: [velocity]}}", encoding="utf-8")
    found = parse(capsys, "fit", "-c", str(EXPERIMENTS / "finetune_acc.yaml"), "-c", str(layer))
    assert found["model"]["init_args"]["losses"]["snr_weighted"] == ["acc_joints", "velocity"]


@pytest.mark.parametrize(
    ("config", "option", "found"),
    [
        ("finetune_acc", "--model.optimiser=null", "model.optimiser is None, expected a mapping"),
        ("har", "--data.cut=[1]", r"data.cut is \[1\], expected a mapping"),
    ],
)
def test_a_group_that_is_no_mapping_is_named_in_one_line(
    config: str, option: str, found: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["fit", "-c", str(EXPERIMENTS / f"{config}.yaml"), option])
    assert exit_info.value.code == 2
    assert re.search(f"error: {found}", capsys.readouterr().err)


@pytest.mark.parametrize("name", ["snr_weighted", "losses.snr_weighted", "init_args.loss_weights", "losses.weights"])
def test_null_takes_an_option_of_the_file_back(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = parse(capsys, "fit", "-c", str(EXPERIMENTS / "finetune_acc.yaml"), f"--model.{name}", "null")
    field = "snr_weighted" if "snr" in name else "weights"
    assert found["model"]["init_args"]["losses"][field] is None


@pytest.mark.parametrize("owner", [MotionDiffusion, MotionVAE, LatentMotionDiffusion, ContrastiveEvaluator])
def test_flat_names_lead_to_fields_that_exist(owner: type) -> None:
    flat = {name: value for name, value in owner().arguments.items() if name != "denoiser"}
    assert flat_names_of(owner).keys() <= flat.keys()
    again = owner(**flat).arguments
    assert {name: again[name] for name in flat} == flat


@pytest.mark.parametrize("owner", [RealIMUDataModule, VirtualIMUDataModule])
def test_data_modules_keep_plain_values(owner: type, tmp_path: Path) -> None:
    source = "hapt" if owner is RealIMUDataModule else str(tmp_path)
    data = owner(source, classes=["walking"], window_s=1.5, rate_hz=20.0)
    assert data.hparams["cut"]["window_s"] == 1.5
    assert data.hparams["cut"]["purity"] == 0.9


@pytest.fixture
def old_checkpoint(tmp_path: Path, cache_dir: Path) -> tuple[Path, list[str]]:
    """A checkpoint as version 0.1 wrote it, its hyper-parameters flat, and the options of its run."""
    options = [
        "-c", str(EXPERIMENTS / "finetune_acc.yaml"), "--model.init_from=null", *SMALL, "--model.num_steps=5",
        "--trainer.max_steps=1", f"--trainer.default_root_dir={tmp_path / 'run'}", "--trainer.accelerator=cpu",
        "--trainer.check_val_every_n_epoch=100", "--trainer.enable_progress_bar=false",
        "--trainer.enable_model_summary=false", "--data.batch_size=8", "--data.samples_per_epoch=8",
        f"--data.cache_dir={cache_dir / 'motion'}", f"--model.cache_dir={cache_dir / 'text'}",
    ]  # fmt: skip
    main(["fit", *options])
    path = tmp_path / "run" / "checkpoints" / "last.ckpt"
    content = torch.load(path, weights_only=True)
    stored = content["hyper_parameters"]
    stored.pop("denoiser")
    content["hyper_parameters"] = flatten(stored, NAMES["MotionDiffusion"])
    assert content["hyper_parameters"]["lr"] == 1e-4
    torch.save(content, path)
    return path, options


def test_an_old_checkpoint_is_loaded_resumed_and_started_from(
    old_checkpoint: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    path, options = old_checkpoint
    model = MotionDiffusion.load_from_checkpoint(path)
    assert (model.arguments["width"], model.optimiser.lr) == (16, 1e-4)
    assert MotionDiffusion(**SMALL_ARGUMENTS, init_from=str(path)).statistics.known
    main(["fit", *options, "--ckpt_path", str(path), "--trainer.max_steps=2"])
    resumed = torch.load(path, weights_only=True)
    assert resumed["global_step"] == 2
    assert resumed["hyper_parameters"]["optimiser"]["lr"] == 1e-4  # and from here on they are nested


@pytest.mark.parametrize("ckpt_path", ["last", None])
def test_an_old_run_is_not_resumed_with_other_options(
    old_checkpoint: tuple[Path, list[str]], ckpt_path: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path, options = old_checkpoint
    with pytest.raises(SystemExit) as exit_info:
        main(["fit", *options, "--ckpt_path", ckpt_path or str(path), "--trainer.max_steps=2", "--model.lr=0.3"])
    assert exit_info.value.code == 2
    assert "optimiser.lr is 0.3 here, 0.0001 in the checkpoint" in capsys.readouterr().err


SMALL_ARGUMENTS = {"width": 16, "num_layers": 1, "num_heads": 2, "feedforward": 16, "num_steps": 5}
