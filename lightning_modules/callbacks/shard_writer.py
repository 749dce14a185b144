"""Writes generated motions, and what sensors would read of them, as shards: for sets that no process could hold."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from lightning.pytorch.utilities import rank_zero_info
from numpy.typing import NDArray

from datamodules.batches import PromptBatch, SkipsPrompts
from lightning_modules.callbacks.motion_writer import hash_configuration
from lightning_modules.callbacks.shard_files import Header, find_done, say_numbers, write_shard
from lightning_modules.sampling.normalised import GeneratedMotions
from lightning_modules.training.feature_statistics import find_std
from sim import Body, Motion, Placement, simulate
from sim.conventions import FEATURE_FPS
from sim.features import DECODERS, Decoder, features_to_motion
from sim.files import clear_left_overs, require_space
from sim.names import check_name


class ShardWriter(BasePredictionWriter):
    """Writes a file for each batch of ``lightning predict``, in each process its own; what is there is not made again.

    Files lie in ``<output_dir>/<hash>/shard-*.npz``; the hash is that of weights, hyper-parameters, prompts, decoder
    and sensors. A run that was killed, or whose shards were lost, makes what is missing when it is started again, by
    any number of processes. ``imuforge merge`` makes arrays of them (:mod:`lightning_modules.callbacks.shard_files`).

    Args:
        output_dir: where to write.
        decoder: how features become joints, see :func:`sim.features.features_to_joints`.
        placements: presets at which sensors are simulated, without errors, on the built-in body; null for none.
        rate_hz: samples per second of these sensors [Hz].
        window_s: length of a window [s].
        overlap: share of a window that the next one repeats.

    Raises:
        ValueError: a name is unknown or a number out of range.
    """

    def __init__(
        self,
        output_dir: str = "runs/shards",
        decoder: Decoder = "consistent",
        *,
        placements: list[str] | None = None,
        rate_hz: float = 50.0,
        window_s: float = 2.56,
        overlap: float = 0.5,
    ) -> None:
        super().__init__(write_interval="batch")
        check_name(decoder, DECODERS, "decoder")
        if not (rate_hz > 0 and window_s * rate_hz >= 1 and 0 <= overlap < 1):
            raise ValueError(
                f"rate_hz is {rate_hz}, window_s {window_s} and overlap {overlap}, expected windows of at least one "
                "sample and an overlap in [0, 1)"
            )
        self.output_dir, self.decoder = Path(output_dir), decoder
        self.placements = [Placement.preset(name) for name in placements or ()]
        self._names = list(placements or ())
        self._rate_hz, self._window, self._overlap = rate_hz, round(window_s * rate_hz), overlap
        self._header = Header("", 0, decoder, FEATURE_FPS)

    @property
    def folder(self) -> Path:
        """Where the shards of this run lie; known once prediction has started."""
        return self.output_dir / self._header.config_hash

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Have the data module leave out what is there, once the weights are those of the checkpoint."""
        data = getattr(trainer, "datamodule", None)
        if stage == "predict" and isinstance(data, SkipsPrompts):
            data.find_done = lambda: self._begin(trainer, pl_module)

    def _begin(self, trainer: Trainer, pl_module: LightningModule) -> list[int]:
        """Name the folder after what decides its content; return what is there, the same to every process."""
        data = trainer.datamodule  # type: ignore[attr-defined]  # set by Trainer.predict
        of_motions = hash_configuration(pl_module, dict(data.hparams), decoder=self.decoder)
        sensors = [self._names, self._rate_hz, self._window, self._overlap] if self._names else []
        channels = [f"{name} {kind} {axis}" for name in self._names for kind in ("accel", "gyro") for axis in "xyz"]
        self._header = Header(
            hashlib.sha256(f"{of_motions} {sensors}".encode()).hexdigest()[:16],
            len(data.prompts),
            self.decoder,
            FEATURE_FPS,
            tuple(channels),
            self._rate_hz if channels else 0.0,
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        clear_left_overs(self.folder)
        found = find_done(self.folder, self._header.config_hash) if trainer.is_global_zero else []
        done: list[int] = trainer.strategy.broadcast(found)
        left = len(data.prompts) - len(done)
        rank_zero_info(f"{self.folder}: {len(done)} of {len(data.prompts)} motions are there, {left} are made")
        return done

    def write_on_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: GeneratedMotions,
        batch_indices: Sequence[int] | None,
        batch: PromptBatch,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Fit poses, simulate, and write the batch."""
        numbers = prediction.index.tolist()
        std = find_std(pl_module)
        motions = [
            features_to_motion(features[:length], decoder=self.decoder, std=None if std is None else std.cpu())
            for features, length in zip(prediction.features.cpu(), prediction.lengths.tolist(), strict=True)
        ]
        arrays: dict[str, NDArray[np.generic]] = {
            "index": np.array(numbers, dtype=np.int64),
            "rotations": _pad([motion.rotations for motion in motions]),
            "translation": _pad([motion.translation for motion in motions]),
            "lengths": np.array(prediction.lengths.tolist(), dtype=np.int32),
            "seed": np.array(batch.seeds, dtype=np.int64),
            "activity": np.array(batch.activities, dtype=np.str_),
            "text": np.array(batch.texts, dtype=np.str_),
            **self._simulate(motions, numbers),
        }
        name = hashlib.sha256(str(numbers).encode()).hexdigest()[:8]
        path = self.folder / f"shard-{min(numbers):08d}-{name}.npz"
        write_shard(path, self._header, arrays)
        if batch_idx == 0 and isinstance(count := trainer.num_predict_batches[dataloader_idx], int):
            require_space(self.folder, path.stat().st_size * (count - 1) * trainer.world_size, f"{count} shards")

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say what is there now; other processes may still write."""
        trainer.strategy.barrier()
        if trainer.is_global_zero:
            missing = set(range(self._header.total)) - set(find_done(self.folder, self._header.config_hash))
            lacks = f"lacks the motions {say_numbers(missing)}" if missing else "is whole"
            rank_zero_info(f"{self.folder} {lacks}; imuforge merge {self.folder} makes arrays of it")

    def _simulate(self, motions: Sequence[Motion], numbers: Sequence[int]) -> Mapping[str, NDArray[np.generic]]:
        """Return windows ``(W, T', C)`` in SI units and the motion that each is of ``(W,)``."""
        if not self.placements:
            return {}
        body, windows, owners = Body.default(), [np.zeros((0, self._window, 6 * len(self.placements)), np.float32)], []
        step = max(1, round(self._window * (1 - self._overlap)))
        for motion, number in zip(motions, numbers, strict=True):
            with torch.no_grad():
                readings = simulate(motion, body, self.placements, rate_hz=self._rate_hz)
            signals = torch.cat([readings.accel, readings.gyro], dim=-1).flatten(-2).float().numpy()
            for begin in range(0, len(signals) - self._window + 1, step):
                windows.append(signals[None, begin : begin + self._window])
                owners.append(number)
        return {"windows": np.concatenate(windows), "windows_of": np.array(owners, dtype=np.int64)}


def _pad(values: Sequence[torch.Tensor]) -> NDArray[np.float32]:
    """Stack ``(T_i, ...)`` to ``(B, T, ...)``, zero beyond each length."""
    return torch.nn.utils.rnn.pad_sequence([value.float() for value in values], batch_first=True).numpy()
