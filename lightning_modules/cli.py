"""What ``lightning`` does: fit, validate, test and predict from YAML (``lightning fit -c experiments/har.yaml``).

LightningCLI with both sub-class modes on. Importing the packages here is what lets a YAML name a class shortly
(``class_path: MotionDiffusion``).
"""

from __future__ import annotations

import contextlib
import signal
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NoReturn

from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.utilities.cloud_io import get_filesystem
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.exceptions import SIGTERMException

from datamodules import (
    GeneratedMotionDataModule,
    HumanML3DDataModule,
    MixedIMUDataModule,
    MotionDataModule,
    PromptDataModule,
    RealIMUDataModule,
    VirtualIMUDataModule,
)
from lightning_modules import HARClassifier, LatentMotionDiffusion, MotionDiffusion, MotionVAE
from lightning_modules.callbacks.acceleration_figure import AccelerationFigure
from lightning_modules.callbacks.activity_writer import ActivityWriter
from lightning_modules.callbacks.distribution_metrics import DistributionMetrics
from lightning_modules.callbacks.motion_writer import MotionWriter
from lightning_modules.callbacks.precision import AutoTrainer
from lightning_modules.callbacks.resume_guard import ResumeGuard, describe_changes, leave_open
from lightning_modules.callbacks.run_folder import (
    choose_requeued,
    choose_resumable,
    find_last,
    list_checkpoint_folders,
    refuse_foreign_checkpoint,
)
from lightning_modules.callbacks.shard_writer import ShardWriter
from lightning_modules.callbacks.stop_signals import StopSignals
from lightning_modules.callbacks.training_health import TrainingHealth
from lightning_modules.config_errors import explain_parser_error, print_error, readable_errors
from lightning_modules.contrastive_evaluator import ContrastiveEvaluator
from lightning_modules.evaluation.callback import MotionEvaluation
from lightning_modules.flat_keys import PARSER_MODE, flat_names_of_path, install, nest_arguments
from lightning_modules.generated_motion_evaluator import GeneratedMotionEvaluator
from lightning_modules.own_packages import STRICT, only_admitted_classes
from sim.options import FlatNames, groups_of

SHORT_NAMES: Final = (
    AccelerationFigure,
    ActivityWriter,
    ContrastiveEvaluator,
    DistributionMetrics,
    GeneratedMotionDataModule,
    GeneratedMotionEvaluator,
    HARClassifier,
    HumanML3DDataModule,
    LatentMotionDiffusion,
    MixedIMUDataModule,
    MotionDataModule,
    MotionDiffusion,
    MotionEvaluation,
    MotionVAE,
    MotionWriter,
    PromptDataModule,
    RealIMUDataModule,
    ShardWriter,
    TrainingHealth,
    VirtualIMUDataModule,
)
"""Classes that a YAML may name without their module: importing them is all it takes."""

DEFAULT_SEED: Final = 0
_LINKED: Final = ("classes", "num_channels")
"""What a model takes from its data."""


class OneLineParser(LightningArgumentParser):
    """The argument parser, with errors of one line in place of a page of usage."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print one line that names the offending key and leave with exit code 2."""
        if not self.exit_on_error:  # a nested parser: the outer one still has to hear of it
            super().error(message, ex)
        raise SystemExit(print_error(explain_parser_error(message)))


class ImuforgeCLI(LightningCLI):
    """LightningCLI that never lets a checkpoint override the configuration in silence."""

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse, flat names in groups, and remember the model: LightningCLI next overwrites it by ``ckpt_path``."""
        given = sys.argv[1:] if args is None else args
        super().parse_arguments(parser, nest_arguments(given) if isinstance(given, list) else given)
        self._model_asked_for = self._describe_model()

    def _parse_ckpt_path(self) -> None:
        """Refuse a checkpoint that is cut off or of another class before its arguments replace the configured ones."""
        settings = self.config[self.config.subcommand] if self.config.get("subcommand") else {}
        path = settings.get("ckpt_path")
        if path and Path(path).is_file():
            refuse_foreign_checkpoint(Path(path), settings.get("model"))
        super()._parse_ckpt_path()

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Link what model and data must agree on; a class without such a parameter is left alone."""
        for name in _LINKED:
            parser.link_arguments(f"data.{name}", f"model.init_args.{name}", apply_on="instantiate")

    def before_instantiate_classes(self) -> None:
        """Refuse to resume a run with other hyper-parameters; say so when a checkpoint is merely evaluated."""
        self._check_groups()
        ckpt_path = self.config[self.subcommand].get("ckpt_path")
        words = ("best", "last", "hpc", "registry")
        if ckpt_path and not str(ckpt_path).startswith(words) and not get_filesystem(ckpt_path).exists(ckpt_path):
            raise FileNotFoundError(f"checkpoint {ckpt_path} not found; give a file that `lightning fit` wrote")
        # What the data will say is not known yet; when fitting, ResumeGuard compares that as well.
        asked = {key: value for key, value in self._model_asked_for.items() if key not in _LINKED or value is not None}
        if asked.get("init_from") is not None:
            asked = leave_open(asked, self._model_class_asked_for())
        changes = describe_changes(asked=asked, stored=self._describe_model(), names=self._flat_names())
        if changes and self.subcommand == "fit":
            raise ValueError(
                f"ckpt_path resumes a run, but the configuration differs from the checkpoint's: {'; '.join(changes)}; "
                "restore them, or start a new run from its weights with --model.init_from"
            )
        if changes:
            sys.stderr.write(f"note: hyper-parameters come from the checkpoint: {'; '.join(changes)}\n")
        if self.subcommand != "fit":  # the configuration of the training lies in the same folder, and stays
            self.save_config_kwargs["config_filename"] = f"config-{self.subcommand}.yaml"

    def instantiate_trainer(self, **kwargs: object) -> Trainer:
        """Let TensorBoard write straight into ``default_root_dir``, unless a logger is configured.

        One stable folder per run is where ``ckpt_path: last`` and a re-queued SLURM job find the last checkpoint, and
        one option moves all of it.
        """
        settings = self.config_init[self.subcommand]["trainer"]
        if settings.get("logger") in (None, True):
            folder = settings.get("default_root_dir") or Path.cwd()
            kwargs.setdefault("logger", TensorBoardLogger(folder, name="", version=""))
        return super().instantiate_trainer(**kwargs)

    def before_fit(self) -> None:
        """Refuse a new run in the folder of another one; go on from the checkpoint before one that is cut off."""
        ckpt_path = self.config[self.subcommand].get("ckpt_path")
        if getattr(self.trainer, "fast_dev_run", False):
            return
        requeued = choose_requeued(self.trainer) if ckpt_path is None and SLURMEnvironment.detect() else None
        resumed = choose_resumable(self.trainer) if ckpt_path == "last" else requeued
        if resumed is not None:
            # Named outright: what Lightning would look for itself may be the one that is cut off.
            self.config_init[self.subcommand]["ckpt_path"] = str(resumed.path)
            if resumed.told:
                sys.stderr.write(f"note: {resumed.told}\n")
            return
        last = find_last(self.trainer)
        if ckpt_path is None and last is not None:
            raise FileExistsError(
                f"{last.parent.parent} holds a run, whose {last.name} would be overwritten; go on with it by "
                "--ckpt_path last, or give the new run a folder of its own with --trainer.default_root_dir FOLDER"
            )

    def before_validate(self) -> None:
        """Refuse to evaluate untrained weights in place of a checkpoint that is not there."""
        self._require_last_checkpoint()

    before_test = before_validate
    before_predict = before_validate

    def _require_last_checkpoint(self) -> None:
        if self.config[self.subcommand].get("ckpt_path") != "last":
            return
        folders = list_checkpoint_folders(self.trainer)
        last = find_last(self.trainer)
        if last is not None:
            refuse_foreign_checkpoint(last, self.config[self.subcommand].get("model"))
            self.config_init[self.subcommand]["ckpt_path"] = str(last)
        else:
            places = ", ".join(str(folder) for folder in sorted(folders)) or "any callback's folder"
            raise FileNotFoundError(
                f"no last.ckpt in {places}; run `lightning fit` with the same configuration first, or give its path"
            )

    def _check_groups(self) -> None:
        """Raise a ValueError where a group of options is null or a number; the parser finds out in a page."""
        for section in ("model", "data"):
            given = self.config[self.subcommand].get(section)
            if given is None or given.get("init_args") is None:
                continue
            for group in sorted(groups_of(flat_names_of_path(given.class_path)) & given.init_args.as_dict().keys()):
                value = given.init_args.as_dict()[group]
                if not isinstance(value, Mapping):
                    raise ValueError(
                        f"{section}.{group} is {value!r}, expected a mapping of its fields; or leave it out"
                    )

    def _describe_model(self) -> Mapping[str, object]:
        model = self.config[self.config.subcommand].get("model")
        if model is None or model.get("init_args") is None:
            return {}
        # Arguments of a checkpoint from before there were groups are flat, and stand beside the parsed ones.
        return {**model.init_args.as_dict(), **dict(model.get("dict_kwargs") or {})}

    def _model_class_asked_for(self) -> type:
        name = self.config[self.config.subcommand].model.class_path.rpartition(".")[2]
        return next((owner for owner in SHORT_NAMES if owner.__name__ == name), object)

    def _flat_names(self) -> FlatNames:
        model = self.config[self.config.subcommand].get("model")
        return {} if model is None else flat_names_of_path(model.class_path)


def main(args: ArgsType = None) -> None:
    """Run the command line; ``args`` replaces ``sys.argv[1:]``.

    Raises:
        SystemExit: with code 2 and one line on stderr when the input is at fault.
    """
    given = sys.argv[1:] if args is None else args
    strict = isinstance(given, list) and STRICT in given
    if isinstance(given, list) and strict:
        args = [one for one in given if one != STRICT]
    admitted = only_admitted_classes() if strict else contextlib.nullcontext()
    with _signals_as_exit_codes(), readable_errors(), warnings.catch_warnings(), admitted:
        # Windows in memory need no workers; the next is Lightning's own; the averaged network is in eval mode and args
        # are given on purpose.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*treespec, LeafSpec.*")
        warnings.filterwarnings("ignore", message=r".*module\(s\) in eval mode at the start of training.*")
        warnings.filterwarnings("ignore", message=".*LightningCLI's args parameter is intended.*")
        install(SHORT_NAMES)
        ImuforgeCLI(
            LightningModule,
            LightningDataModule,
            trainer_class=AutoTrainer,
            subclass_mode_model=True,
            subclass_mode_data=True,
            seed_everything_default=DEFAULT_SEED,
            save_config_kwargs={"overwrite": True},
            trainer_defaults={"callbacks": [ResumeGuard(), StopSignals()]},
            parser_class=OneLineParser,
            parser_kwargs={"parser_mode": PARSER_MODE},
            args=args,
        )


@contextlib.contextmanager
def _signals_as_exit_codes() -> Iterator[None]:
    """Leave with 128 + the signal's number; Lightning leaves with 0 after SIGTERM, as if the run were done."""
    try:
        yield
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None
    except SIGTERMException:
        raise SystemExit(128 + signal.SIGTERM) from None
