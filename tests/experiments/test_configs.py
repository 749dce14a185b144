"""Every YAML of experiments/ through the very command, on little data; the checkpoint of one is what the next use."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from lightning_modules import MotionDiffusion
from lightning_modules.checkpoints import load_prior, save_prior
from lightning_modules.cli import main
from lightning_modules.training.flat_names import MOTION_DIFFUSION
from lightning_modules.weights import find_weights, read_weights
from sim import Motion
from sim.conventions import NUM_FEATURES
from sim.options import flatten

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
SMALL = {"width": 16, "num_layers": 1, "num_heads": 2, "feedforward": 16, "num_steps": 5}
SMALL_MODEL = [f"--model.{name}={value}" for name, value in SMALL.items()]
QUICK = ["--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false"]
SMALL_DATA = ["--data.batch_size=8", "--data.samples_per_epoch=16", "--data.eval_windows_per_activity=1"]
ARMS = ("finetune_acc", "finetune_continued")


def config(name: str) -> str:
    return str(EXPERIMENTS / f"{name}.yaml")


def read(name: str) -> dict[str, dict[str, dict[str, object]]]:
    return yaml.safe_load((EXPERIMENTS / f"{name}.yaml").read_text(encoding="utf-8"))


def read_flat(name: str) -> dict[str, object]:
    """The arguments of a YAML's MotionDiffusion, under their flat names."""
    return flatten(read(name)["model"]["init_args"], MOTION_DIFFUSION)


@pytest.mark.parametrize("name", ARMS)
def test_finetune_then_test_then_generate(name: str, runs: Path, caches: list[str], tiny_prior: Path) -> None:
    start = [*SMALL_MODEL, f"--model.init_from={tiny_prior}", *QUICK, *SMALL_DATA, *caches]
    figure = ["--trainer.callbacks.every_n_epochs=1"] if name == "finetune_acc" else []
    main(["fit", "-c", config(name), *start, "--trainer.max_steps=4", "--trainer.check_val_every_n_epoch=1", *figure])
    last = runs / name / "checkpoints" / "last.ckpt"
    trained, before = read_weights(last), read_weights(tiny_prior)
    assert any(not torch.equal(trained.parameters[key], value) for key, value in before.parameters.items())
    assert (last.parent / "best.ckpt").is_file()
    assert list((runs / name).glob("events.out.tfevents*"))

    main(["fit", "-c", config(name), *start, "--trainer.max_steps=6", "--ckpt_path=last"])
    assert torch.load(last, weights_only=True)["global_step"] == 6

    main(["test", "-c", config(name), *start, "--ckpt_path=last"])

    prompts = ["--data.motions_per_activity=1", "--data.seconds=1.5", "--data.activities=[walking,lying]"]
    generate = [*SMALL_MODEL, *QUICK, f"--model.init_from={last}", caches[1], "--model.sampling_steps=2"]
    main(["predict", "-c", config("generate"), *generate, *prompts])
    (manifest,) = (runs / "generate").glob("*/manifest-0.json")
    motions = json.loads(manifest.read_text(encoding="utf-8"))["motions"]
    assert [entry["activity"] for entry in motions] == ["walking", "lying"]
    assert all(Motion.load(manifest.parent / entry["file"]).num_frames == 30 for entry in motions)


def test_a_run_that_takes_its_network_from_weights_goes_on_from_its_own_checkpoint(
    runs: Path, caches: list[str], tmp_path: Path
) -> None:
    """What its checkpoint says is the network it has, so that it opens without the weights that it came from."""
    sizes = {"arch": "conformer", "width": 24, "num_layers": 1, "num_heads": 2, "feedforward": 16, "num_steps": 5}
    prior = MotionDiffusion(**sizes, activities=["walking", "running"])
    prior.statistics.set(torch.zeros(NUM_FEATURES), torch.ones(NUM_FEATURES))
    save_prior(prior, tmp_path / "told.safetensors", {})
    start = [f"--model.init_from={tmp_path / 'told.safetensors'}", *QUICK, *SMALL_DATA, *caches]
    main(["fit", "-c", config("finetune_continued"), *start, "--trainer.max_steps=2"])
    last = runs / "finetune_continued" / "checkpoints" / "last.ckpt"
    for steps, place in ((3, "last"), (4, str(last))):
        options = [f"--trainer.max_steps={steps}", f"--ckpt_path={place}"]
        main(["fit", "-c", config("finetune_continued"), *start, *options])
        assert torch.load(last, weights_only=True)["global_step"] == steps
    (tmp_path / "told.safetensors").unlink()
    assert sizes.items() <= load_prior(last).arguments.items()
    assert load_prior(last).texts.activities == ("walking", "running")


@pytest.fixture
def made_up_humanml3d(tmp_path: Path, write_humanml3d: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in HumanML3D's layout, of noise; IMUFORGE_HUMANML3D is where the YAML looks for it."""
    generator = np.random.default_rng(0)
    motions = {f"{number:06}": generator.uniform(size=(40 + number, 263)).astype(np.float32) for number in range(12)}
    lines = {name: ["a person walks.#a/DET person/NOUN walk/VERB#0.0#0.0"] for name in motions}
    names = sorted(motions)
    splits = {"train": names[:8], "val": names[8:10], "test": names[10:]}
    root = write_humanml3d(tmp_path / "HumanML3D", motions, lines, splits)
    monkeypatch.setenv("IMUFORGE_HUMANML3D", str(root))
    return root


def test_finetune_on_humanml3d(
    runs: Path, made_up_humanml3d: Path, tiny_prior: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMUFORGE_MDM", str(tiny_prior))
    small = [*SMALL_MODEL, "--model.text_encoder=minilm", "--model.text_dim=384", "--model.mask_frames=true"]
    small += [*QUICK, "--data.batch_size=4", f"--model.cache_dir={cache_dir / 'text'}"]
    small += [f"--data.cache_dir={runs / 'cache'}"]
    name = "finetune_acc_mdm"
    figure = ["--trainer.callbacks.every_n_epochs=1", "--trainer.check_val_every_n_epoch=1"]
    main(["fit", "-c", config(name), *small, "--trainer.max_steps=4", *figure])
    last = runs / name / "checkpoints" / "last.ckpt"
    trained, before = read_weights(last), read_weights(tiny_prior)
    assert any(not torch.equal(trained.parameters[key], value) for key, value in before.parameters.items())
    assert (last.parent / "best.ckpt").is_file()
    main(["fit", "-c", config(name), *small, "--trainer.max_steps=6", "--ckpt_path=last"])
    assert torch.load(last, weights_only=True)["global_step"] == 6
    main(["test", "-c", config(name), *small, "--ckpt_path=last"])


def test_statistics_of_humanml3d_reach_a_model_without(runs: Path, made_up_humanml3d: Path, cache_dir: Path) -> None:
    small = [*SMALL_MODEL, "--model.text_encoder=minilm", "--model.text_dim=384", "--model.init_from=null"]
    small += [*QUICK, "--data.batch_size=4", f"--model.cache_dir={cache_dir / 'text'}"]
    small += [f"--data.cache_dir={runs / 'cache'}"]
    main(["fit", "-c", config("finetune_acc_mdm"), *small, "--trainer.max_steps=2"])
    weights = read_weights(runs / "finetune_acc_mdm" / "checkpoints" / "last.ckpt")
    assert torch.equal(weights.mean, torch.from_numpy(np.load(made_up_humanml3d / "Mean.npy")))
    assert torch.equal(weights.std, torch.from_numpy(np.load(made_up_humanml3d / "Std.npy")))


def test_absent_humanml3d_ends_in_one_line(runs: Path, tiny_prior: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = [*SMALL_MODEL, f"--model.init_from={tiny_prior}", "--model.text_dim=384", "--model.mask_frames=true"]
    with pytest.raises(SystemExit) as exit_info:
        main(["fit", "-c", config("finetune_acc_mdm"), *small, *QUICK, f"--data.root={runs / 'nowhere'}"])
    assert exit_info.value.code == 2
    assert "nowhere not found" in capsys.readouterr().err


def test_mdm_arm_differs_in_checkpoint_and_data_alone() -> None:
    small, published = read("finetune_acc"), read("finetune_acc_mdm")
    for arm in (small, published):
        del arm["data"], arm["trainer"]["default_root_dir"]
        for key in (*SMALL, "init_from", "text_encoder", "text_dim", "mask_frames"):
            group, _, field = MOTION_DIFFUSION.get(key, key).rpartition(".")
            arguments = arm["model"]["init_args"]
            (arguments.setdefault(group, {}) if group else arguments).pop(field, None)
    assert small == published
    sizes = {"width": 512, "num_layers": 8, "feedforward": 1024, "num_steps": 50}
    assert sizes.items() <= read_flat("finetune_acc_mdm").items()


def test_the_control_of_the_mdm_arm_differs_in_the_loss_and_the_folder_alone() -> None:
    arm, control = read("finetune_acc_mdm"), read("finetune_continued_mdm")
    assert control["model"]["init_args"]["losses"]["weights"] == {"reconstruction": 1.0}
    for each in (arm, control):
        del each["trainer"]["default_root_dir"], each["model"]["init_args"]["losses"]["weights"]
    assert arm == control


@pytest.mark.parametrize("recipe", ["lora", "last_layers", "gpu"])
def test_recipe_layers_on_a_fine_tuning_run(
    recipe: str, runs: Path, caches: list[str], tiny_prior: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightning_modules.training.recipes.COMPILE_BACKEND", "eager")  # compiling takes half a minute
    layers = ["-c", config("finetune_acc"), "-c", config(f"recipes/{recipe}")]
    small = [*SMALL_MODEL, f"--model.init_from={tiny_prior}", *QUICK, *SMALL_DATA, *caches]
    only = {"lora": ["--model.lora_rank=2"], "last_layers": ["--model.trainable=last:1"], "gpu": []}[recipe]
    steps = ["--trainer.check_val_every_n_epoch=1", "--trainer.callbacks.every_n_epochs=100"]
    main(["fit", *layers, *small, *only, *steps, "--trainer.max_steps=2"])
    (last,) = runs.rglob("last.ckpt")
    main(["fit", *layers, *small, *only, *steps, "--trainer.max_steps=3", "--ckpt_path=last"])
    assert torch.load(last, weights_only=True)["global_step"] == 3
    trained, before = read_weights(last).parameters, read_weights(tiny_prior).parameters
    assert trained.keys() == before.keys()
    changed = {key for key, value in before.items() if not torch.equal(trained[key], value)}
    assert "seqTransEncoder.layers.0.self_attn.in_proj_weight" in changed
    assert ("input_process.poseEmbedding.weight" in changed) == (recipe == "gpu")
    assert ("output_process.poseFinal.weight" in changed) == (recipe != "lora")

    prompts = ["--data.motions_per_activity=1", "--data.seconds=1.5", "--data.activities=[walking]"]
    generate = [*SMALL_MODEL, *QUICK, f"--model.init_from={last}", caches[1], "--model.sampling_steps=2"]
    main(["predict", "-c", config("generate"), *generate, *prompts])


def test_motiondiffuse_is_trained_resumed_tested_fine_tuned_and_sampled(runs: Path, caches: list[str]) -> None:
    small = [*SMALL_MODEL, "--model.num_steps=20", "--model.sampling_steps=3", *QUICK, *SMALL_DATA, *caches]
    name = config("baselines/motiondiffuse")
    main(["fit", "-c", name, *small, "--trainer.max_steps=2"])
    main(["fit", "-c", name, *small, "--trainer.max_steps=4", "--ckpt_path=last"])
    last = runs / "motiondiffuse" / "checkpoints" / "last.ckpt"
    assert torch.load(last, weights_only=True)["global_step"] == 4
    main(["test", "-c", name, *small, "--ckpt_path=last"])
    refined = ["--model.loss_weights={noise: 1.0, acc_joints: 2e-4}", "--model.snr_weighted=[acc_joints]"]
    folder = f"--trainer.default_root_dir={runs / 'refined'}"
    main(["fit", "-c", name, *small, *refined, folder, f"--model.init_from={last}", "--trainer.max_steps=2"])
    prompts = ["--data.motions_per_activity=1", "--data.seconds=1.5", "--data.activities=[walking]"]
    options = [*QUICK, "--model.sampling_steps=3", caches[1]]
    main(["predict", "-c", config("generate"), *options, *prompts, f"--model.init_from={last}"])
    (written,) = (runs / "generate").glob("*/000000_walking.npz")
    assert torch.isfinite(Motion.load(written).translation).all()


def test_motiondiffuse_is_wide_enough_for_the_noise_it_predicts() -> None:
    arguments = read_flat("baselines/motiondiffuse")
    assert arguments["predicts"] == "noise"
    assert int(str(arguments["width"])) >= NUM_FEATURES


def test_both_stages_of_latent_diffusion_follow_each_other(runs: Path, caches: list[str]) -> None:
    quick = [*QUICK, *SMALL_DATA]
    shared = ["--model.width=16", "--model.latent_tokens=2", "--model.num_heads=2", "--model.num_layers=3"]
    first, second = config("baselines/motion_vae"), config("baselines/latent_diffusion")
    vae = [*shared, "--model.feedforward=16", *quick, caches[0]]
    main(["fit", "-c", first, *vae, "--trainer.max_steps=2"])
    main(["test", "-c", first, *vae, "--ckpt_path=last"])
    latent = [*shared, "--model.feedforward=16", "--model.vae_layers=3", "--model.vae_feedforward=16", *quick, *caches]
    main(["fit", "-c", second, *latent, "--trainer.max_steps=2"])
    main(["fit", "-c", second, *latent, "--trainer.max_steps=4", "--ckpt_path=last"])
    last = runs / "latent_diffusion" / "checkpoints" / "last.ckpt"
    assert torch.load(last, weights_only=True)["global_step"] == 4
    main(["test", "-c", second, *latent, "--ckpt_path=last"])
    refined = ["--model.vae_from=null", f"--model.init_from={last}", "--model.loss_weights={acc_joints: 1e-4}"]
    folder = f"--trainer.default_root_dir={runs / 'refined'}"
    main(["fit", "-c", second, *latent, *refined, folder, "--trainer.max_steps=1"])

    prompts = ["--data.motions_per_activity=1", "--data.seconds=1.5", "--data.activities=[walking,lying]"]
    start = ["--model=LatentMotionDiffusion", f"--model.init_from={last}", "--model.sampling_steps=2"]
    main(["predict", "-c", config("generate"), *start, *QUICK, caches[1], *prompts])
    written = sorted((runs / "generate").glob("*/*.npz"))
    assert [path.stem for path in written] == ["000000_walking", "000001_lying"]
    assert all(Motion.load(path).num_frames == 30 for path in written)


def test_baselines_here_are_all_there_are() -> None:
    names = {path.stem for path in (EXPERIMENTS / "baselines").glob("*.yaml")}
    assert names == {"motiondiffuse", "motion_vae", "latent_diffusion"}


def test_recipes_here_are_all_there_are() -> None:
    losses = {"acc_spectrum", "frequency", "rollout"}
    others = {"lora", "last_layers", "gpu", "evaluate", "as_prior", "humanml3d"}
    assert {path.stem for path in (EXPERIMENTS / "recipes").glob("*.yaml")} == losses | others


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model.trainable=lorra"], "trainable 'lorra' is unknown"),
        (["--model.sampling_steps=6"], "6 sampling steps were asked of a schedule of 5, expected 1 to 5"),
        (
            ["--model.cond_drop_prob=0", "--model.sampling.guidance=2.5"],
            "guidance is 2.5, but the model was trained with cond_drop_prob=0",
        ),
    ],
)
def test_sampling_that_cannot_be_is_one_line(
    options: list[str],
    message: str,
    runs: Path,
    caches: list[str],
    tiny_prior: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = tiny_prior
    if "cond_drop_prob" in options[0]:
        plain = MotionDiffusion(**SMALL, cond_drop_prob=0.0)
        plain.load_weights(read_weights(tiny_prior), source="prior")
        source, options = tmp_path / "never_dropped.safetensors", options[1:]
        save_prior(plain, source, {})
    prompts = ["--data.motions_per_activity=1", "--data.seconds=1.5", "--data.activities=[walking]"]
    start = [*SMALL_MODEL, *QUICK, caches[1], f"--model.init_from={source}"]
    with pytest.raises(SystemExit) as exit_info:
        main(["predict", "-c", config("generate"), *start, *prompts, *options])
    assert exit_info.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert message in line


def test_prior_trains_from_scratch(runs: Path, caches: list[str]) -> None:
    main(["fit", "-c", config("prior"), *SMALL_MODEL, *QUICK, *SMALL_DATA, *caches, "--trainer.max_steps=2"])
    assert (runs / "prior" / "checkpoints" / "last.ckpt").is_file()


def test_har_trains_and_tests(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--model.filters=4", "--model.units=4", "--data.batch_size=512", *QUICK]
    main(["fit", "-c", config("har"), *small, "--trainer.max_epochs=1"])
    main(["test", "-c", config("har"), *small, "--ckpt_path=last"])
    assert "test/macro_f1" in capsys.readouterr().out


def test_classes_and_channels_reach_the_classifier_from_the_data(runs: Path) -> None:
    data = ["--data.name=basic_motions", "--data.rate_hz=10", "--data.window_s=4", "--data.channels=[linear_accel]"]
    classes = ["--data.classes=[running,walking]"]
    main(["fit", "-c", config("har"), *QUICK, *data, *classes, "--trainer.max_epochs=1"])
    stored = torch.load(runs / "har" / "checkpoints" / "last.ckpt", weights_only=True)
    assert stored["hyper_parameters"]["classes"] == ["running", "walking"]
    assert stored["hyper_parameters"]["num_channels"] == 3
    assert stored["state_dict"]["class_weight"].shape == (2,)


def test_arms_differ_in_their_losses_alone() -> None:
    acc, continued = (read(name) for name in ARMS)
    assert acc["trainer"].pop("default_root_dir") != continued["trainer"].pop("default_root_dir")
    losses = acc["model"]["init_args"]["losses"].pop("weights")
    assert losses.pop("acc_joints") > 0
    assert losses == continued["model"]["init_args"]["losses"].pop("weights")
    assert acc == continued


def test_whoever_starts_from_the_prior_leaves_its_network_to_the_weights() -> None:
    for name in ("generate", *ARMS):
        assert read_flat(name)["init_from"] == "prior"
        assert not SMALL.keys() & read_flat(name).keys()


@pytest.mark.parametrize(("weights", "name"), [("prior_mdm", "prior_mdm"), ("prior", "prior")])
def test_packaged_weights_fit_the_yaml_that_makes_them(weights: str, name: str) -> None:
    arguments, said = load_prior(find_weights(weights)).arguments, read_flat(name)
    shape = [*SMALL, *({"arch", "activities"} & said.keys())]
    assert {key: arguments[key] for key in shape} == {key: said[key] for key in shape}


@pytest.mark.parametrize("name", ["prior", *ARMS, "finetune_acc_mdm", "har"])
def test_cluster_layer_parses_on_every_experiment(
    name: str, runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLURM_NNODES", "3")
    with pytest.raises(SystemExit) as exit_info:
        main(["fit", "-c", config(name), "-c", config("cluster/ddp"), "--print_config"])
    assert not exit_info.value.code
    printed = yaml.safe_load(capsys.readouterr().out)["trainer"]
    assert (printed["strategy"], printed["num_nodes"], printed["devices"]) == ("ddp", 3, "auto")
    assert printed["default_root_dir"] == f"{runs}/{name}"


def test_prior_takes_the_folder_from_the_environment(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMUFORGE_MOCAP", "some/folder")
    with pytest.raises(SystemExit):
        main(["fit", "-c", config("prior"), "--print_config"])
    assert yaml.safe_load(capsys.readouterr().out)["data"]["init_args"]["sources"] == ["embedded", "some/folder"]
