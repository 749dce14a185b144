"""ContrastiveEvaluator: a joint space of texts and motions, trained on the set at hand where no published one fits.

After TMR (Petrovich et al. 2023, arXiv:2305.00976): InfoNCE (van den Oord et al. 2018, arXiv:1807.03748) in both
directions, where pairs whose texts say much the same are no negatives of each other (their section 3.2). Unlike there,
the embeddings are no distributions and nothing is decoded. Its numbers compare models of one set under one evaluator;
they are called ``contrastive/...`` and never compare with published ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn import functional

from datamodules.batches import MotionBatch
from lightning_modules.metrics.embedding_scores import EmbeddingOptions, EmbeddingScores
from lightning_modules.metrics.motion_quality import REAL
from lightning_modules.networks.packing import mask_frames_of
from lightning_modules.networks.positions import compute_sinusoids
from lightning_modules.text.lookup import TextLookup
from lightning_modules.training.feature_statistics import FeatureStatistics, MotionData
from lightning_modules.training.flat_names import CONTRASTIVE_EVALUATOR
from lightning_modules.training.hyper_parameters import PlainHyperParameters
from lightning_modules.training.optimisation import OptimiserOptions, check_fractions, make_optimisers
from lightning_modules.weights import load_plainly
from sim.features import FEATURE_SLICES
from sim.options import takes_flat_names

NUM_INPUTS: Final = FEATURE_SLICES.foot_contacts.start
"""Features of a frame that are read: all but the foot contacts, which generators seldom keep consistent."""


class MotionTower(nn.Module):
    """A small transformer over frames, averaged over time: ``(B, T, 259)`` to ``(B, D)``."""

    positions: Tensor

    def __init__(self, *, width: int, num_layers: int, num_heads: int, dropout: float, dim: int) -> None:
        super().__init__()
        self.project = nn.Linear(NUM_INPUTS, width)
        layer = nn.TransformerEncoderLayer(width, num_heads, 2 * width, dropout, activation="gelu", batch_first=True)
        self.layers = nn.TransformerEncoder(layer, num_layers, enable_nested_tensor=False)
        self.out = nn.Linear(width, dim)
        self.register_buffer("positions", compute_sinusoids(1000, width), persistent=False)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Return embeddings; frames where ``mask (B, T)`` is False are not seen."""
        hidden = self.project(features) + self.positions[: features.shape[1]]
        hidden = self.layers(hidden, src_key_padding_mask=~mask)
        hidden = torch.where(mask[..., None], hidden, 0.0).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        embedding: Tensor = self.out(hidden)
        return embedding


def info_nce(motions: Tensor, texts: Tensor, alike: Tensor, *, temperature: float) -> Tensor:
    """Return the mean InfoNCE of B pairs in both directions.

    Args:
        motions: unit embeddings ``(B, D)``.
        texts: unit embeddings ``(B, D)``.
        alike: pairs that are no negatives of each other ``(B, B)``, bool; the diagonal does not matter.
        temperature: of the softmax.
    """
    logits = motions @ texts.T / temperature
    others = alike & ~torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    logits = logits.masked_fill(others, -torch.inf)
    target = torch.arange(len(logits), device=logits.device)
    return (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2


class ContrastiveEvaluator(PlainHyperParameters):
    """Embeds texts and motions on one unit sphere; see the module.

    Args:
        width: width of the motion encoder.
        num_layers: its layers.
        num_heads: its attention heads; divides ``width``.
        dropout: of both encoders while training.
        dim: width of an embedding.
        text_encoder: ``minilm`` or ``clip`` (``clip:FOLDER``), one embedding a text; its embeddings are projected.
        text_dim: width of the text encoder's embeddings.
        cache_dir: where text embeddings are kept.
        temperature: of InfoNCE.
        same_text: cosine of two texts' encoder embeddings from which on they are no negatives of each other.
        optimiser: how it is trained; its fields may be given flat, too (``lr``).
        pool_size: pairs among which the validation's R-precision looks for the right one.

    Attributes:
        name: what numbers that rest on it are called.
        notes: what a reader of its numbers has to know.

    Raises:
        ValueError: a number is out of range or a name unknown.
    """

    name: Final = "contrastive"

    @takes_flat_names(CONTRASTIVE_EVALUATOR)
    def __init__(
        self,
        *,
        width: int = 128,
        num_layers: int = 2,
        num_heads: int = 4,
        dropout: float = 0.1,
        dim: int = 64,
        text_encoder: str = "minilm",
        text_dim: int = 384,
        cache_dir: str = "runs/cache/text",
        temperature: float = 0.1,
        same_text: float = 0.8,
        optimiser: OptimiserOptions = OptimiserOptions(lr=5e-4, weight_decay=1e-2, warmup_steps=50),
        pool_size: int = 32,
    ) -> None:
        super().__init__()
        self.save_plainly(ignore=["cache_dir"])
        check_fractions(dropout=dropout, same_text=same_text)
        self.optimiser = optimiser
        if temperature <= 0:
            raise ValueError(f"temperature is {temperature}, expected above 0; 0.1 is usual")
        if width % num_heads:
            raise ValueError(f"width is {width}, expected a multiple of num_heads, which is {num_heads}")
        self.temperature, self.same_text = temperature, same_text
        self.motion_tower = MotionTower(
            width=width, num_layers=num_layers, num_heads=num_heads, dropout=dropout, dim=dim
        )
        self.text_tower = nn.Sequential(
            nn.Linear(text_dim, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, dim)
        )
        self.statistics = FeatureStatistics()
        self.texts = TextLookup(text_encoder, dim=text_dim, cache_dir=cache_dir)
        self.scores = EmbeddingScores(EmbeddingOptions(pool_size=pool_size), seed=0)

    @classmethod
    def load(cls, path: str | Path, *, cache_dir: str = "runs/cache/text") -> ContrastiveEvaluator:
        """Load a checkpoint of `lightning fit -c experiments/evaluator.yaml`, ready to embed.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is damaged, would execute code, or is of another module.
        """
        file = Path(path)
        if not file.is_file():
            raise FileNotFoundError(
                f"evaluator {file} not found; train one with `lightning fit -c experiments/evaluator.yaml`, "
                "give the folder of the published evaluators, or leave it out"
            )
        content = load_plainly(file)
        state, hyper_parameters = content.get("state_dict"), content.get("hyper_parameters")
        if not isinstance(state, dict) or not isinstance(hyper_parameters, dict) or "same_text" not in hyper_parameters:
            raise ValueError(f"{file} is no checkpoint of ContrastiveEvaluator; give one of experiments/evaluator.yaml")
        arguments = {key: value for key, value in hyper_parameters.items() if not key.startswith("_")}
        evaluator = cls(**arguments, cache_dir=cache_dir)
        evaluator.load_state_dict(state)
        evaluator.statistics.require()
        return evaluator.requires_grad_(False).eval()

    @property
    def notes(self) -> list[str]:
        """What a reader of its numbers has to know."""
        return ["contrastive/... rests on an evaluator trained on this project's data and compares with itself alone"]

    def embed_motions(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Return unit embeddings ``(B, D)`` of de-normalised features ``(B, T, 263)`` at 20 fps."""
        mask = mask_frames_of(lengths.to(features.device), features.shape[1])
        normal = self.statistics.normalise(features.float(), mask)[..., :NUM_INPUTS]
        return functional.normalize(self.motion_tower(normal, mask).float(), dim=-1)

    def embed_texts(self, captions: Sequence[str]) -> Tensor:
        """Return unit embeddings ``(B, D)`` of captions."""
        return self._project_texts(self._encode(captions))

    def setup(self, stage: str) -> None:
        """Take statistics and captions from the data module."""
        data = getattr(self.trainer, "datamodule", None)
        if isinstance(data, MotionData):
            if not self.statistics.known:
                self.statistics.set(*data.feature_statistics())
            self.texts(data.captions())
        self.statistics.require()

    def training_step(self, batch: MotionBatch, batch_idx: int) -> Tensor:
        """Return InfoNCE of the batch's pairs."""
        loss = self._loss(batch)
        self.log("train/loss", loss.detach(), batch_size=len(batch.lengths))
        return loss

    def validation_step(self, batch: MotionBatch, batch_idx: int) -> None:
        """Log the loss and keep embeddings of the batch."""
        self.log("val/loss", self._loss(batch), batch_size=len(batch.lengths), sync_dist=True)
        self.scores.texts.update(self.embed_texts(batch.captions), sample_id=batch.sample_id)
        motions = self.embed_motions(batch.features, batch.lengths)
        self.scores.motions.update(motions, sample_id=batch.sample_id, slot=REAL)

    def on_validation_epoch_end(self) -> None:
        """Log how well texts find their motions."""
        for name, value in self.scores.compute().get(REAL, {}).items():
            self.log(f"val/{name}", value, sync_dist=True)
        self.scores.reset()

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return AdamW with warm-up and the chosen schedule, moved every step."""
        return make_optimisers(self.parameters(), self.optimiser, total_steps=self.trainer.estimated_stepping_batches)

    def _loss(self, batch: MotionBatch) -> Tensor:
        encoded = self._encode(batch.captions)
        unit = functional.normalize(encoded, dim=-1)
        motions = self.embed_motions(batch.features, batch.lengths)
        alike = unit @ unit.T > self.same_text
        return info_nce(motions, self._project_texts(encoded), alike, temperature=self.temperature)

    def _encode(self, captions: Sequence[str]) -> Tensor:
        embedding = self.texts(captions).embedding
        if embedding.ndim != 2:
            raise ValueError("text_encoder gives an embedding a word, expected one a text; use minilm or clip")
        return embedding.to(self.statistics.mean.device)

    def _project_texts(self, encoded: Tensor) -> Tensor:
        return functional.normalize(self.text_tower(encoded).float(), dim=-1)
