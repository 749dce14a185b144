"""The cluster layer as a cluster runs it: two processes with ddp, and SLURM's signal, re-queue and restart (faked)."""

from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from datamodules.har.streams.manifest import add_to_manifest
from sim import simulate_rigid
from tests.processes import clean_environment, run_whole

EXPERIMENTS = Path(__file__).resolve().parents[3] / "experiments"
COMMAND = [sys.executable, "-m", "lightning_modules", "fit"]
PRIOR, HAR = (str(EXPERIMENTS / f"{name}.yaml") for name in ("prior", "har"))
CLUSTER = ["-c", str(EXPERIMENTS / "cluster" / "ddp.yaml")]
TINY_PRIOR = [
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
    "--trainer.max_steps=4",
    "--data.batch_size=4",
    "--data.samples_per_epoch=16",
    "--data.eval_windows_per_activity=1",
    "--model.width=16",
    "--model.num_layers=1",
    "--model.num_heads=2",
    "--model.feedforward=16",
    "--model.num_steps=5",
]
TINY_HAR = [
    "-c",
    HAR,
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
    "--data.name=basic_motions",
    "--data.classes=[walking,running,standing]",
    "--data.channels=[linear_accel,gyro]",
    "--data.rate_hz=10",
    "--data.window_s=4",
    "--data.batch_size=4",
    "--model.network=cnn",
    "--model.filters=8",
]


def run(arguments: list[str], runs: Path, **more: str) -> str:
    """Run the real command to its end and return what it said."""
    return run_whole([*COMMAND, *arguments], clean_environment(runs, **more))


def test_two_processes_fit_and_resume_exactly(tmp_path: Path, cache_dir: Path) -> None:
    """A run cut after its first epoch and resumed from last.ckpt ends where the uncut one does: weights and their
    average, optimiser, schedule and order of the data."""
    layer = tmp_path / "every_epoch.yaml"
    # The mode means nothing without a monitor, but two checkpoint callbacks must differ in something.
    keep = "filename: '{step}', save_top_k: -1, save_on_train_epoch_end: true, mode: max"
    callback = f"{{class_path: ModelCheckpoint, init_args: {{{keep}}}}}"
    layer.write_text(f"trainer: {{callbacks+: [{callback}]}}\n", encoding="utf-8")
    arguments = [*CLUSTER, "-c", str(layer), *TINY_PRIOR, "--trainer.devices=2"]
    arguments += [f"--data.cache_dir={cache_dir / 'motion'}", f"--model.cache_dir={cache_dir / 'text'}"]
    whole, cut = (tmp_path / name / "prior" / "checkpoints" for name in ("whole", "cut"))
    assert "MEMBER: 2/2" in run(["-c", PRIOR, *arguments], tmp_path / "whole")

    cut.mkdir(parents=True)
    shutil.copy(whole / "step=2.ckpt", cut / "last.ckpt")
    said = run(["-c", PRIOR, *arguments, "--ckpt_path=last"], tmp_path / "cut")
    assert f"Restored all states from the checkpoint at {cut / 'last.ckpt'}" in said

    expected = torch.load(whole / "last.ckpt", weights_only=True)
    resumed = torch.load(max(cut.glob("last*.ckpt"), key=lambda path: path.stat().st_mtime), weights_only=True)
    assert expected["global_step"] == resumed["global_step"] == 4
    assert expected["state_dict"].keys() == resumed["state_dict"].keys()
    for name, value in expected["state_dict"].items():
        assert torch.equal(value, resumed["state_dict"][name]), name
    moments = [content["optimizer_states"][0]["state"][0]["exp_avg"] for content in (expected, resumed)]
    assert torch.equal(*moments)
    assert expected["lr_schedulers"] == resumed["lr_schedulers"]


def test_two_processes_train_every_kind_of_prior(tmp_path: Path, cache_dir: Path) -> None:
    """Networks, losses and gradient norms that one process knows, under ddp: unused parameters would stop it."""
    caches = [f"--data.cache_dir={cache_dir / 'motion'}", f"--model.cache_dir={cache_dir / 'text'}"]
    size = ["--model.width=16", "--model.num_heads=2", "--model.feedforward=16"]
    common = [option for option in TINY_PRIOR if not option.startswith("--model")]
    common += ["--trainer.devices=2", "--trainer.max_steps=2", "--trainer.log_every_n_steps=1", *size]
    latent = ["--model.num_layers=3", "--model.latent_tokens=2"]
    sensors = ["--model.loss_weights={noise: 1.0, acc_sensors: 1e-5}", "--model.log_gradient_norms_every=1"]
    runs = {
        "motiondiffuse": [*caches, "--model.num_layers=1", "--model.num_steps=5", *sensors],
        "motion_vae": [caches[0], *latent],
        "latent_diffusion": [*caches, *latent, "--model.vae_layers=3", "--model.vae_feedforward=16"],
    }
    for name, options in runs.items():
        config = str(EXPERIMENTS / "baselines" / f"{name}.yaml")
        assert "MEMBER: 2/2" in run(["-c", config, *CLUSTER, *common, *options], tmp_path)
        stored = torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True)
        assert stored["global_step"] == 2
        assert all(value.isfinite().all() for value in stored["state_dict"].values())


def test_slurm_signal_requeues_and_the_next_start_goes_on(tmp_path: Path) -> None:
    """What sbatch --signal=SIGUSR1@90 does, with SLURM's variables and a scontrol that only notes its arguments."""
    tools = tmp_path / "bin"
    tools.mkdir()
    scontrol = tools / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/scontrol.log\n', encoding="utf-8")
    scontrol.chmod(0o755)
    slurm = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_NAME": "imuforge",
        "SLURM_NTASKS": "1",
        "SLURM_NTASKS_PER_NODE": "1",
        "SLURM_NNODES": "1",
        "SLURM_PROCID": "0",
        "SLURM_LOCALID": "0",
        "SLURM_NODEID": "0",
        "SLURM_NODELIST": "localhost",
    }
    one = [*TINY_HAR, *CLUSTER, "--trainer.devices=1"]
    last = tmp_path / "har" / "checkpoints" / "last.ckpt"
    hpc = tmp_path / "har" / "hpc_ckpt_1.ckpt"
    process = subprocess.Popen(
        [*COMMAND, *one, "--trainer.max_epochs=100000"],
        env=clean_environment(tmp_path, **slurm),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(last, process)
        process.send_signal(signal.SIGUSR1)
        _wait_for(tmp_path / "scontrol.log", process)
    finally:
        process.kill()
        process.wait()
    assert (tmp_path / "scontrol.log").read_text(encoding="utf-8") == "requeue 4711\n"
    epoch = torch.load(hpc, weights_only=True)["epoch"]

    said = run([*one, f"--trainer.max_epochs={epoch + 2}"], tmp_path, **slurm)
    assert f"Restored all states from the checkpoint at {hpc}" in said
    assert torch.load(last, weights_only=True)["epoch"] == epoch + 1


def _wait_for(path: Path, process: subprocess.Popen[bytes], *, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not path.is_file():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"{path.name} was not written (exit code {process.returncode})")
        time.sleep(0.05)


def test_batch_script_asks_for_what_lightning_needs(tmp_path: Path) -> None:
    script = EXPERIMENTS / "cluster" / "slurm.sbatch"
    text = script.read_text(encoding="utf-8")
    assert "#SBATCH --signal=SIGUSR1@90" in text
    assert "#SBATCH --requeue" in text
    refused = subprocess.run(["bash", str(script), "nowhere.yaml"], capture_output=True, text=True)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1

    srun = tmp_path / "srun"
    srun.write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    srun.chmod(0o755)
    path = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_NTASKS_PER_NODE": "8"}
    done = subprocess.run(
        ["bash", str(script), "experiments/har.yaml", "--trainer.max_epochs", "3"],
        cwd=EXPERIMENTS.parent,
        env=path,
        capture_output=True,
        text=True,
        check=True,
    )
    expected = ".venv/bin/lightning fit -c experiments/har.yaml -c experiments/cluster/ddp.yaml"
    assert done.stdout == f"{expected} --trainer.devices=8 --trainer.max_epochs 3\n"


def test_two_processes_draw_a_mixture_between_them(tmp_path: Path) -> None:
    """Real and simulated windows under ddp: both processes read the sets at once, and a step takes windows of both."""
    mixed = write_mixture(tmp_path)
    options = ["--trainer.accelerator=cpu", "--trainer.devices=2", "--trainer.max_epochs=1", "--data.batch_size=8"]
    said = run(["-c", mixed, *CLUSTER, *options, "--model.network=cnn", "--model.filters=8"], tmp_path)
    assert "MEMBER: 2/2" in said
    # 2 people of 2 labels and 3 windows each, as many simulated ones, in two processes of 8 windows a step.
    checkpoint = torch.load(tmp_path / "har_mixed" / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == math.ceil(2 * 12 / (2 * 8))


def write_mixture(folder: Path) -> str:
    """A real set of four people and simulated recordings, and har_mixed.yaml for them."""
    rng = np.random.default_rng(0)
    description = {
        "files": r"(?P<subject>s\d+)_(?P<activity>[a-z]+)\.csv",
        "rate_hz": 50,
        "units": {"accel": "m/s^2", "gyro": "rad/s"},
        "gravity": "included",
        "sensors": {"waist": {"accel": ["ax", "ay", "az"], "gyro": ["gx", "gy", "gz"]}},
    }
    (folder / "imuforge.yaml").write_text(yaml.safe_dump(description), encoding="utf-8")
    for label in ("walking", "standing"):
        for person in range(4):
            table = rng.standard_normal((384, 6))
            path = folder / f"s{person}_{label}.csv"
            np.savetxt(path, table, delimiter=",", header="ax,ay,az,gx,gy,gz", comments="")
        path = folder / "virtual" / f"{label}.parquet"
        path.parent.mkdir(exist_ok=True)
        recording = simulate_rigid(torch.zeros(201, 3), torch.eye(3).expand(201, 3, 3), fps=50, rate_hz=50)
        recording.save(path)
        add_to_manifest(path, label=label)
    config = yaml.safe_load((EXPERIMENTS / "har_mixed.yaml").read_text(encoding="utf-8"))
    data = config["data"]["init_args"]
    real = {"name": "csv_folder", "root": str(folder), "placements": ["waist"], "split": "kfold", "num_folds": 2}
    for part, options in (("real", real), ("virtual", {"root": str(folder / "virtual"), "placements": None})):
        data[part]["init_args"] |= {"classes": ["walking", "standing"], "overlap": 0.0, **options}
    data |= {"real_subjects": 2, "val_fraction": 0.0}
    path = folder / "mixed.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return str(path)
