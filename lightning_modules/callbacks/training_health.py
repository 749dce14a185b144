"""What goes wrong in a long training: no numbers, spikes, waiting for data, full disks, standstill."""

from __future__ import annotations

import faulthandler
import math
import statistics
import sys
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Final

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer

from lightning_modules.weights.torch_files import save_torch
from sim.files import require_space

BAD_BATCHES: Final = "bad_batches"
"""Folder below ``default_root_dir`` for batches whose loss or gradients were no numbers."""

_USUAL_AFTER: Final = 20
"""Steps before a loss or a gradient can be called unusual."""

_CHECKPOINTS: Final = 4
"""Checkpoints that there has to be room for: the last, the one before, the best, one that is being written."""

_COPIES: Final = 4
"""Times the parameters in a checkpoint: themselves, their average, two moments of Adam."""


class TrainingHealth(Callback):
    """Watches a training.

    * Loss or gradients that are NaN or infinite: the batch is saved as ``bad_batches/step-N-rank-R.pt`` (read it with
      ``torch.load(path, weights_only=True)``) and left out, at most ``skip`` times in a run; then the training stops
      before the weights take harm. All processes decide alike. Half precision with a scaler skips by itself.
    * A loss or a norm of the gradients above ``spike`` times the median of the last ``window`` steps: one line, and
      ``health/spikes`` counts them.
    * ``health/steps_per_s`` and ``health/data_wait``, the share of time in which the training waited for its data, over
      the steps since they were logged last; validation and what lies between epochs do not count.
    * No room for checkpoints where the run writes: refused before it starts.
    * No batch done within ``stalled_s``: every thread's stack on stderr, and the process ends with exit code 1.

    Args:
        skip: bad batches left out before the training stops; 0 stops at the first.
        spike: times the median that raises the alarm.
        window: steps of the median.
        stalled_s: seconds without a batch after which the process ends; None waits for ever.

    Raises:
        ValueError: an option is negative; from the hooks, a batch too many is bad, or the disk has no room.
    """

    def __init__(self, skip: int = 0, spike: float = 10.0, window: int = 100, stalled_s: float | None = None) -> None:
        if skip < 0 or spike <= 1 or window < _USUAL_AFTER or (stalled_s is not None and stalled_s <= 0):
            raise ValueError(
                f"skip={skip}, spike={spike}, window={window}, stalled_s={stalled_s}; expected skip >= 0, spike > 1, "
                f"window >= {_USUAL_AFTER} and stalled_s > 0 or null"
            )
        self.skip, self.spike, self.window, self.stalled_s = skip, spike, window, stalled_s
        self.skipped, self.spikes = 0, 0
        self._loss = 0.0
        self._batch: object = None
        self._usual = {name: deque[float](maxlen=window) for name in ("loss", "gradient norm")}
        self._told_until = 0
        self._clock = _Clock()

    def state_dict(self) -> dict[str, int]:
        """Return what has been counted."""
        return {"skipped": self.skipped, "spikes": self.spikes}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Count on."""
        self.skipped, self.spikes = state_dict["skipped"], state_dict["spikes"]

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse to start where there is no room for checkpoints."""
        folder = Path(trainer.log_dir or trainer.default_root_dir)  # the ranks agree on it, so all of them ask
        if trainer.is_global_zero and trainer.checkpoint_callbacks and not getattr(trainer, "fast_dev_run", False):
            size = sum(value.numel() * value.element_size() for value in pl_module.parameters())
            require_space(folder, _CHECKPOINTS * _COPIES * size, "checkpoints")

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to wait for a batch."""
        self._clock.resume()

    on_validation_end = on_train_epoch_start

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int) -> None:
        """Note that the batch is there."""
        self._clock.begin_step()
        self._batch = batch
        self._watch()

    def on_validation_batch_start(self, *_: object, **__: object) -> None:
        """Note that the process is alive."""
        self._watch()

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        """Note the loss."""
        self._loss = float(loss.detach())

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Leave the step out or stop, if the loss or a gradient is no number; else tell spikes."""
        gradients = [one.grad for group in optimizer.param_groups for one in group["params"] if one.grad is not None]
        norm = float(torch.nn.utils.get_total_norm(gradients)) if gradients else 0.0
        bad = not math.isfinite(self._loss)
        if getattr(trainer.precision_plugin, "scaler", None) is None:
            bad = bad or not math.isfinite(norm)
        if trainer.world_size > 1:
            any_bad = trainer.strategy.reduce(torch.tensor(float(bad), device=pl_module.device), reduce_op="max")
            bad = bool(any_bad)
        if bad:
            self._leave_out(trainer, optimizer, norm)
        else:
            self._tell_spikes(trainer, {"loss": self._loss, "gradient norm": norm})

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Log throughput, the share of waiting, and the counts."""
        self._clock.end_step()
        self._batch = None
        if trainer._logger_connector.should_update_logs:
            values = {f"health/{name}": value for name, value in self._clock.read().items()}
            values |= {"health/skipped": float(self.skipped), "health/spikes": float(self.spikes)}
            pl_module.log_dict(values, on_step=True, on_epoch=False, batch_size=1)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Watch no longer."""
        faulthandler.cancel_dump_traceback_later()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Watch no longer."""
        faulthandler.cancel_dump_traceback_later()

    def _watch(self) -> None:
        if self.stalled_s is not None:
            faulthandler.dump_traceback_later(self.stalled_s, exit=True, file=sys.__stderr__ or sys.stderr)

    def _leave_out(self, trainer: Trainer, optimizer: Optimizer, norm: float) -> None:
        step = trainer.global_step
        path = Path(trainer.default_root_dir) / BAD_BATCHES / f"step-{step}-rank-{trainer.global_rank}.pt"
        content = {"step": step, "loss": self._loss, "gradient_norm": norm, "batch": _plainly(self._batch)}
        save_torch(content, path)
        said = f"loss {self._loss:g}, gradient norm {norm:g} at step {step}; the batch is in {path}"
        if self.skipped >= self.skip:
            raise ValueError(
                f"{said}; expected numbers, after {self.skipped} batches left out; look at the batch, lower the "
                "learning rate, or let TrainingHealth skip more"
            )
        self.skipped += 1
        if trainer.is_global_zero:
            sys.stderr.write(f"warning: {said}; left out, {self.skipped} of {self.skip}\n")
        optimizer.zero_grad(set_to_none=True)

    def _tell_spikes(self, trainer: Trainer, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            usual = self._usual[name]
            known = len(usual)
            median = statistics.median(usual) if known >= _USUAL_AFTER else math.inf
            usual.append(value)
            if value <= self.spike * median or median <= 0:
                continue
            self.spikes += 1
            if trainer.is_global_zero and trainer.global_step >= self._told_until:
                self._told_until = trainer.global_step + self.window
                sys.stderr.write(
                    f"warning: {name} {value:g} at step {trainer.global_step} is {value / median:.0f} times its "
                    f"median of the last {known} steps; no other warning for {self.window} steps\n"
                )


class _Clock:
    """Time of steps, and time in which they waited for their batch [s]."""

    def __init__(self) -> None:
        self._since = self._began = time.perf_counter()
        self._waited = self._worked = 0.0
        self._steps = 0

    def resume(self) -> None:
        self._since = time.perf_counter()

    def begin_step(self) -> None:
        self._began = time.perf_counter()
        self._waited += self._began - self._since

    def end_step(self) -> None:
        self._since = time.perf_counter()
        self._worked += self._since - self._began
        self._steps += 1

    def read(self) -> dict[str, float]:
        """Return steps a second and the share of waiting since the last call."""
        spent = max(self._waited + self._worked, 1e-9)
        found = {"steps_per_s": self._steps / spent, "data_wait": self._waited / spent}
        self._waited = self._worked = 0.0
        self._steps = 0
        return found


def _plainly(value: object) -> object:
    """Return a batch as tensors, text and numbers in dictionaries and lists, which load without running code."""
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plainly(getattr(value, one.name)) for one in fields(value)}
    if hasattr(value, "_asdict"):
        return {name: _plainly(entry) for name, entry in value._asdict().items()}
    if isinstance(value, Mapping):
        return {str(name): _plainly(entry) for name, entry in value.items()}
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return [_plainly(entry) for entry in value] if isinstance(value, Iterable) else repr(value)
