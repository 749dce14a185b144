"""torchrun.sh as it stands, and FSDP's layer as far as a CPU goes: two processes on gloo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy

from lightning_modules.cli import main
from tests.experiments.cluster.test_global_batch import EXPERIMENTS, TINY, TINY_CACHES, start

SCRIPT = EXPERIMENTS / "cluster" / "torchrun.sh"
TORCHRUN = f"{sys.executable} -m torch.distributed.run"


def test_torchrun_trains_with_two_processes_and_goes_on(tmp_path: Path, cache_dir: Path) -> None:
    options = [*TINY, *(cache.format(cache_dir) for cache in TINY_CACHES)]
    command = [str(SCRIPT), "--nnodes=1", "--nproc-per-node=2", "experiments/prior.yaml", *options]
    assert "MEMBER: 2/2" in start([*command, "--trainer.max_steps=2"], tmp_path, IMUFORGE_TORCHRUN=TORCHRUN)
    last = tmp_path / "prior" / "checkpoints" / "last.ckpt"
    assert torch.load(last, weights_only=True)["global_step"] == 2
    said = start([*command, "--trainer.max_steps=4"], tmp_path, IMUFORGE_TORCHRUN=TORCHRUN)
    assert f"Restored all states from the checkpoint at {last}" in said
    assert torch.load(last, weights_only=True)["global_step"] == 4


def test_torchrun_is_told_of_nodes_and_processes(tmp_path: Path) -> None:
    environment = {**os.environ, "IMUFORGE_TORCHRUN": "echo"}
    nodes = ["--nnodes=4", "--nproc-per-node=8", "--rdzv-endpoint=node1:29500", "--max-restarts=0"]
    told = subprocess.run(
        ["bash", SCRIPT, *nodes, "experiments/har.yaml", "--seed_everything=3"],
        env=environment, capture_output=True, text=True, check=True, cwd=EXPERIMENTS.parent,
    )  # fmt: skip
    torchrun = "--nnodes=4 --nproc-per-node=8 --max-restarts=0 --rdzv-endpoint=node1:29500 --rdzv-backend=c10d"
    fit = "-m lightning_modules fit -c experiments/har.yaml -c experiments/cluster/multinode.yaml"
    last = "--trainer.devices=8 --trainer.num_nodes=4 --ckpt_path=last --seed_everything=3"
    assert told.stdout == f"{torchrun} {fit} {last}\n"
    for wrong in (["nowhere.yaml"], ["--nnodes=1:4", "experiments/har.yaml"], []):
        refused = subprocess.run(["bash", SCRIPT, *wrong], env=environment, capture_output=True, text=True)
        assert refused.returncode == 2
        assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(("layer", "kind"), [("multinode", DDPStrategy), ("fsdp", FSDPStrategy)])
def test_layers_parse_and_build_their_strategy(
    layer: str, kind: type, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLURM_NNODES", "3")
    layers = ["-c", str(EXPERIMENTS / "prior.yaml"), "-c", str(EXPERIMENTS / "cluster" / f"{layer}.yaml")]
    with pytest.raises(SystemExit) as exit_info:
        main(["fit", *layers, "--print_config"])
    assert not exit_info.value.code
    trainer = yaml.safe_load(capsys.readouterr().out)["trainer"]
    assert trainer["num_nodes"] == 3
    assert trainer["strategy"]["class_path"].rpartition(".")[2] == kind.__name__


def test_fsdp_on_a_cpu_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layers = ["-c", str(EXPERIMENTS / "prior.yaml"), "-c", str(EXPERIMENTS / "cluster" / "fsdp.yaml")]
    with pytest.raises(SystemExit) as exit_info:
        main(["fit", *layers, *TINY, "--trainer.devices=1", f"--trainer.default_root_dir={tmp_path}"])
    assert exit_info.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "FSDP" in line or "fsdp" in line


CPU_FSDP = '''
"""Lightning and torch ask for an accelerator before they cut a network up; told that it is the CPU, they do it there.

Only their way of gathering for a checkpoint is left out: on the CPU it hands out memory that is freed.
"""

import sys

import torch
import torch.distributed.fsdp as fsdp
from lightning.pytorch.strategies import FSDPStrategy

from lightning_modules.cli import main


class OnCpu(fsdp.FullyShardedDataParallel):
    def __init__(self, module, *arguments, device_id=None, **options):
        super().__init__(module, *arguments, device_id=torch.device("cpu"), **options)


class CpuFSDP(FSDPStrategy):
    def _setup_model(self, model):
        whole, fsdp.FullyShardedDataParallel = fsdp.FullyShardedDataParallel, OnCpu
        try:
            return super()._setup_model(model)
        finally:
            fsdp.FullyShardedDataParallel = whole

    def lightning_module_state_dict(self):
        pieces = sum(value.numel() for value in self.model.module.denoiser.parameters())
        with fsdp.FullyShardedDataParallel.summon_full_params(self.model, writeback=False):
            found = dict([*self.lightning_module.named_parameters(), *self.lightning_module.named_buffers()])
            network = sum(value.numel() for name, value in found.items() if name.startswith("denoiser."))
            assert pieces < 0.6 * network, (pieces, network)
            return {name.replace("_fsdp_wrapped_module.", ""): value.detach().clone() for name, value in found.items()}

    def optimizer_state(self, optimizer):
        return {}


if __name__ == "__main__":
    sys.modules["cpu_fsdp"] = sys.modules["__main__"]
    main(sys.argv[1:])
'''


def test_two_processes_train_a_prior_that_is_cut_up(tmp_path: Path, cache_dir: Path) -> None:
    """The layer's own options, the average of the weights included, end where DDP ends."""
    (tmp_path / "cpu_fsdp.py").write_text(CPU_FSDP, encoding="utf-8")
    options = [*TINY, "--trainer.max_steps=4", "--trainer.devices=2", "--trainer.gradient_clip_val=null"]
    options += [cache.format(cache_dir) for cache in TINY_CACHES]
    torchrun = [*TORCHRUN.split(), "--standalone", "--nproc-per-node=2"]
    path = f"{tmp_path}{os.pathsep}{EXPERIMENTS.parent}"
    prior, layers = str(EXPERIMENTS / "prior.yaml"), EXPERIMENTS / "cluster"
    fsdp = ["fit", "-c", prior, "-c", str(layers / "fsdp.yaml"), "--trainer.strategy.class_path=cpu_fsdp.CpuFSDP"]
    start([*torchrun, str(tmp_path / "cpu_fsdp.py"), *fsdp, *options], tmp_path / "fsdp", PYTHONPATH=path)
    ddp = ["-m", "lightning_modules", "fit", "-c", prior, "-c", str(layers / "ddp.yaml")]
    start([*torchrun, *ddp, *options], tmp_path / "ddp")
    stored = [
        torch.load(tmp_path / name / "prior" / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for name in ("fsdp", "ddp")
    ]
    for name in {name for name in stored[1] if name.startswith(("denoiser.", "average."))}:
        torch.testing.assert_close(stored[0][name], stored[1][name], rtol=1e-4, atol=1e-5, msg=name)
