"""``precision: auto``: bfloat16 only with units for it and where it is faster, one choice for a whole run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from lightning.pytorch.callbacks import ModelCheckpoint

from lightning_modules.callbacks import precision as callback
from lightning_modules.callbacks.precision import AutoTrainer, ChoosePrecision
from lightning_modules.cli import main
from lightning_modules.training import precision
from lightning_modules.training.precision import MIXED, SINGLE, choose_precision, has_bfloat16, usual_width

EXPERIMENTS = Path(__file__).resolve().parents[3] / "experiments"
CPU = torch.device("cpu")
AVX2 = {"avx2": True, "fma3": True, "avx512_f": False, "avx512_bf16": False, "amx_bf16": False}
TINY = ["--trainer.max_steps=1", "--data.batch_size=2", "--data.samples_per_epoch=2", "--data.sources=[embedded]"]
TINY += ["--trainer.limit_val_batches=0", "--trainer.enable_progress_bar=false", "--trainer.accelerator=cpu"]
TINY += ["--model.width=16", "--model.num_layers=1", "--model.num_heads=2", "--model.feedforward=16"]


@pytest.fixture
def processor(monkeypatch):
    """Pretend that the CPU has some units, and that a layer takes so many seconds in float32 and in bfloat16."""

    def pretend(flags, seconds=(1.0, 0.8)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags, raising=False)
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
        monkeypatch.setattr(precision, "time_layer", lambda device, width: seconds)

    return pretend


@pytest.mark.parametrize(
    ("flags", "units"),
    [
        (AVX2, False),
        (AVX2 | {"avx512_bf16": True}, True),
        (AVX2 | {"amx_bf16": True}, True),
        ({"neon": True, "bf16": True}, True),
        ({"sve_max_length": 1, "bf16": False}, False),
        ({}, False),
    ],
)
def test_units_are_read_off_the_processor(processor, flags, units):
    processor(flags)
    assert has_bfloat16(CPU) is units


def test_units_without_a_library_that_uses_them_are_none(processor, monkeypatch):
    processor({"avx512_bf16": True})
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not has_bfloat16(CPU)


@pytest.mark.parametrize(("capability", "units"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_units_of_a_gpu_are_told_by_its_capability(monkeypatch, capability, units):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert has_bfloat16(torch.device("cuda", 0)) is units


def test_nothing_is_timed_without_units(processor, monkeypatch):
    processor(AVX2)
    monkeypatch.setattr(precision, "time_layer", lambda *_, **__: pytest.fail("a step could take 25 s"))
    assert choose_precision(CPU) == (SINGLE, "this CPU has no bfloat16 units")


@pytest.mark.parametrize(("seconds", "chosen"), [((1.0, 0.8), MIXED), ((1.0, 0.97), SINGLE), ((1.0, 3.0), SINGLE)])
def test_bfloat16_has_to_be_faster(processor, seconds, chosen):
    processor({"avx512_bf16": True}, seconds)
    found, reason = choose_precision(CPU, width=64)
    assert found == chosen
    assert reason == f"a layer 64 wide takes {1e3 * seconds[1]:.3g} ms in bfloat16, 1e+03 ms in float32"


def test_timing_leaves_the_draws_of_a_run_as_they_are():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    single, mixed = precision.time_layer(CPU, width=16)
    assert single > 0
    assert mixed > 0
    assert torch.equal(torch.rand(4), expected)


def test_the_width_timed_is_that_of_most_of_the_matrices():
    assert usual_width(torch.nn.TransformerEncoderLayer(128, 2, 256)) == 128
    assert usual_width(torch.nn.Conv1d(3, 5, 7)) == 192
    assert usual_width(torch.nn.Linear(4096, 8)) == 1024


@pytest.fixture
def fit(make_prior, make_clips, tmp_path):
    def run(*, ckpt_path=None, steps=1, **options):
        saved = ModelCheckpoint(tmp_path, filename="last", enable_version_counter=False, save_on_train_epoch_end=True)
        trainer = AutoTrainer(
            accelerator="cpu",
            devices=1,
            max_steps=steps,
            callbacks=[saved],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=tmp_path,
            **options,
        )
        trainer.fit(make_prior().train(), make_clips(), ckpt_path=ckpt_path)
        return trainer.precision

    return run


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("flags", "chosen"), [(AVX2, SINGLE), ({"avx512_bf16": True}, MIXED)])
def test_a_run_trains_in_what_was_chosen_and_says_so(processor, fit, capsys, flags, chosen):
    processor(flags)
    assert fit(precision="auto") == chosen
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("precision:")]
    assert len(lines) == 1
    assert lines[0].startswith(f"precision: {chosen}, ")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("given", ["bf16-mixed", "32-true", 32])
def test_a_precision_that_was_given_is_left_alone(processor, fit, capsys, given):
    processor({"avx512_bf16": True})
    assert fit(precision=given) == {32: "32-true"}.get(given, given)
    assert "precision:" not in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore")
def test_a_resumed_run_keeps_its_precision_where_the_units_are(processor, fit, capsys, tmp_path):
    last = tmp_path / "last.ckpt"
    processor({"avx512_bf16": True}, (1.0, 0.5))
    assert fit(precision="auto") == MIXED
    processor({"avx512_bf16": True}, (1.0, 2.0))  # busy with something else this time
    assert fit(precision="auto", steps=2, ckpt_path=last) == MIXED
    assert "precision: bf16-mixed, as in the run that is resumed" in capsys.readouterr().err
    processor(AVX2)
    assert fit(precision="auto", steps=3, ckpt_path=last) == SINGLE
    processor({"avx512_bf16": True}, (1.0, 0.5))
    assert fit(precision="auto", steps=4, ckpt_path=last) == SINGLE
    assert torch.load(last, weights_only=True)["callbacks"]["ChoosePrecision"] == {"precision": SINGLE}


def test_all_processes_take_the_choice_of_the_first(processor, make_prior, monkeypatch):
    """What the second of two processes does, whose own processor has no units."""
    processor(AVX2)
    trainer = AutoTrainer(accelerator="cpu", devices=1, precision="auto", logger=False, enable_checkpointing=False)
    monkeypatch.setattr(AutoTrainer, "is_global_zero", False)
    monkeypatch.setattr(trainer.strategy, "broadcast", lambda value, src=0: (MIXED, "of the first"))
    chooser = next(item for item in trainer.callbacks if isinstance(item, ChoosePrecision))
    chooser.on_fit_start(trainer, make_prior())
    assert trainer.precision == MIXED


def test_a_strategy_with_a_precision_of_its_own_is_left_alone(processor, make_prior, monkeypatch):
    processor({"avx512_bf16": True})
    trainer = AutoTrainer(accelerator="cpu", devices=1, precision="auto", logger=False, enable_checkpointing=False)
    monkeypatch.setattr(callback, "SingleDeviceStrategy", type("Other", (), {}))
    chooser = next(item for item in trainer.callbacks if isinstance(item, ChoosePrecision))
    chooser.on_fit_start(trainer, make_prior())
    assert trainer.precision == SINGLE


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layers", [["prior.yaml"], ["finetune_acc.yaml", "recipes/gpu.yaml"]])
def test_packaged_yamls_leave_the_choice_to_the_processor(processor, capsys, tmp_path, cache_dir, monkeypatch, layers):
    processor(AVX2)
    monkeypatch.setenv("IMUFORGE_RUNS", str(tmp_path))
    options = [f"--data.cache_dir={cache_dir / 'motion'}", f"--model.cache_dir={cache_dir / 'text'}"]
    options += ["--model.init_from=null", "--model.compile_denoiser=false", *TINY]
    given = [argument for layer in layers for argument in ("-c", str(EXPERIMENTS / layer))]
    main(["fit", *given, *options])
    assert "precision: 32-true, this CPU has no bfloat16 units" in capsys.readouterr().err
    (config,) = tmp_path.glob("*/config.yaml")
    assert yaml.safe_load(config.read_text())["trainer"]["precision"] == "auto"


def test_an_unknown_precision_is_one_line(capsys):
    with pytest.raises(SystemExit) as left:
        main(["fit", "-c", str(EXPERIMENTS / "prior.yaml"), "--trainer.precision", "bf8"])
    assert left.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "trainer.precision" in line
    assert "'auto'" in line
