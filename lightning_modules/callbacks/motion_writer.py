"""Writes generated motions to disk while they are being generated, each process its own."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from lightning.pytorch.utilities import rank_zero_info

from datamodules.batches import PromptBatch
from lightning_modules.sampling.normalised import GeneratedMotions
from lightning_modules.training.feature_statistics import find_std
from sim.features import DECODERS, Decoder, features_to_motion
from sim.files import clear_left_overs, require_space, whole_file
from sim.names import check_name


class MotionWriter(BasePredictionWriter):
    """Writes each generated motion as a Motion ``.npz`` as soon as it exists, whole, and a manifest per process.

    Files lie in ``<output_dir>/<hash>/``; the hash is that of weights, hyper-parameters, prompts and decoder, so that
    motions of two configurations never mix and a repeated run overwrites only what is equal. Each process writes its
    own motions, named by their running number, and at the end ``manifest-<rank>.json``; both say the decoder.

    Args:
        output_dir: where to write.
        decoder: how features become joints, ``consistent`` (weighed by the model's own statistics) or ``positions``,
            see :func:`sim.features.features_to_joints`.

    Raises:
        ValueError: the decoder is unknown.
    """

    def __init__(self, output_dir: str = "runs/generate", decoder: Decoder = "consistent") -> None:
        super().__init__(write_interval="batch")
        check_name(decoder, DECODERS, "decoder")
        self.output_dir = Path(output_dir)
        self.decoder: Decoder = decoder
        self.config_hash = ""
        self._entries: list[dict[str, str | int]] = []

    @property
    def folder(self) -> Path:
        """Where the motions of this run lie; known once prediction has started."""
        return self.output_dir / self.config_hash

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Name the folder after what decides the motions."""
        data = getattr(trainer, "datamodule", None)
        self.config_hash = hash_configuration(
            pl_module, {} if data is None else dict(data.hparams), decoder=self.decoder
        )
        self._entries = []
        self.folder.mkdir(parents=True, exist_ok=True)
        clear_left_overs(self.folder)

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
        """Fit poses to the batch's features and write one file a motion."""
        features, lengths = prediction.features.cpu(), prediction.lengths.tolist()
        std = find_std(pl_module)
        std = None if std is None else std.cpu()
        written = 0
        for row, (index, length) in enumerate(zip(prediction.index.tolist(), lengths, strict=True)):
            name = f"{index:06d}_{re.sub(r'[^A-Za-z0-9]+', '_', batch.activities[row])}.npz"
            motion = features_to_motion(features[row, :length], text=batch.texts[row], decoder=self.decoder, std=std)
            motion.save(self.folder / name)
            written += (self.folder / name).stat().st_size
            self._entries.append(
                {
                    "index": index,
                    "file": name,
                    "text": batch.texts[row],
                    "activity": batch.activities[row],
                    "seed": batch.seeds[row],
                    "num_frames": length,
                }
            )
        if batch_idx == 0 and isinstance(count := trainer.num_predict_batches[dataloader_idx], int):
            require_space(self.folder, written * (count - 1), f"{count} batches of motions")

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the manifest of this process and say where the motions are."""
        manifest = {
            "config_hash": self.config_hash,
            "rank": trainer.global_rank,
            "decoder": self.decoder,
            "motions": self._entries,
        }
        path = self.folder / f"manifest-{trainer.global_rank}.json"
        with whole_file(path) as part:
            part.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        rank_zero_info(f"{len(self._entries)} motions written to {self.folder}")


def hash_configuration(
    module: LightningModule, data_hparams: dict[str, object], *, decoder: Decoder = "consistent"
) -> str:
    """Return 16 hex digits for a module's weights, its hyper-parameters, the data module's, and the decoder."""
    hparams = {key: value for key, value in module.hparams.items() if not str(key).startswith("_")}
    digest = hashlib.sha256(json.dumps([hparams, data_hparams, decoder], sort_keys=True, default=str).encode())
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
