"""The MDM transformers that predict a clean motion from a noisy one (Tevet et al. 2022, arXiv:2209.14916).

Parameters carry MDM's names and shapes, so that its published state dicts load as they are. Features are ``(B, T, F)``
here; MDM's own ``(B, F, 1, T)`` exists only in its files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor, nn

from lightning_modules.networks.packing import mask_frames_of, pack_worthwhile
from lightning_modules.networks.parameterisation import Coarse, Condition, Parameterisation
from lightning_modules.networks.positions import MAX_POSITIONS, PositionalEncoding, TimestepEmbedder
from lightning_modules.networks.transformer import Decoder, DecoderLayer, Encoder, EncoderLayer
from sim.conventions import NUM_FEATURES

WORD_ARCHITECTURES: Final = ("trans_dec", "trans_dec_emb")
"""Those that take an embedding of each word as well as one of the text."""

TEXT_ARCHITECTURES: Final = ("trans_enc", "trans_dec_emb_text")
"""Those that take one embedding of each text alone."""

ARCHITECTURES: Final = ("trans_enc", *WORD_ARCHITECTURES, "trans_dec_emb_text")

_STACKS: Final = ("seqTransEncoder", "seqTransDecoder", "motionDecoder")

DENOISER_ARGUMENTS: Final = (
    "arch", "width", "num_layers", "num_heads", "feedforward", "text_dim", "dropout", "attention_dropout",
    "mask_frames",
)  # fmt: skip
"""Constructor arguments of :class:`Denoiser` that MotionDiffusion passes on."""


class Denoiser(nn.Module):
    """The three architectures of MDM and its follow-up, behind one door.

    ``trans_enc``: [time + text token; frames] through an encoder. ``trans_dec``: frames through a decoder whose memory
    is time + text, one entry a word or one a text. ``trans_dec_emb``: the same with a token in front of the frames that
    holds the time; MDM's ``emb_trans_dec``. ``trans_dec_emb_text``: with a token of time + text, as the first release
    of MDM trained its ``emb_trans_dec`` on CLIP. Tokens are dropped at the end.

    Args:
        arch: one of :data:`ARCHITECTURES`.
        width: D, width of the transformer.
        num_layers: layers.
        num_heads: attention heads; divides ``width``.
        feedforward: width of the layers' hidden part.
        text_dim: width of a text embedding.
        dropout: of the sequence, the residual branches and the hidden parts.
        attention_dropout: of the attention weights; None takes ``dropout``, as MDM does. 0 allows fused kernels.
        mask_frames: hide frames beyond each length from the attention (MDM's 50-step models do, its 1000-step one not).
        num_features: F, width of a frame.
        parameterisation: what the output head computes; None is the clean motion.

    Raises:
        ValueError: ``arch`` is unknown, or ``width`` is odd or not a multiple of ``num_heads``.
    """

    def __init__(
        self,
        *,
        arch: str = "trans_enc",
        width: int,
        num_layers: int,
        num_heads: int,
        feedforward: int,
        text_dim: int,
        dropout: float = 0.1,
        attention_dropout: float | None = None,
        mask_frames: bool = True,
        num_features: int = NUM_FEATURES,
        parameterisation: Parameterisation | None = None,
    ) -> None:
        super().__init__()
        if arch not in ARCHITECTURES:
            raise ValueError(f"arch is {arch!r}, must be one of {list(ARCHITECTURES)}")
        if width % num_heads or width % 2:
            raise ValueError(f"width is {width}, expected an even multiple of num_heads={num_heads}")
        self.arch = arch
        self.text_dim = text_dim
        self.num_features = num_features
        self.mask_frames = mask_frames
        shape = (width, num_heads, feedforward, dropout, dropout if attention_dropout is None else attention_dropout)
        self.input_process = nn.ModuleDict({"poseEmbedding": nn.Linear(num_features, width)})
        self.sequence_pos_encoder = PositionalEncoding(width, dropout)
        if arch == "trans_enc":
            self.seqTransEncoder = Encoder([EncoderLayer(*shape) for _ in range(num_layers)])
        else:
            self.seqTransDecoder = Decoder([DecoderLayer(*shape) for _ in range(num_layers)])
        self.embed_timestep = TimestepEmbedder(width, self.sequence_pos_encoder)
        self.embed_text = nn.Linear(text_dim, width)
        self.output_process = nn.ModuleDict({"poseFinal": nn.Linear(width, num_features)})
        self.parameterisation = parameterisation or Parameterisation()

    def forward(
        self,
        x: Tensor,
        timesteps: Tensor,
        text_embedding: Tensor,
        lengths: Tensor,
        *,
        text_mask: Tensor | None = None,
        skip_padding: bool = False,
        coarse: list[Coarse] | None = None,
    ) -> Tensor:
        """Predict the clean motion.

        Args:
            x: noisy normalised features ``(B, T, F)``.
            timesteps: time step of the trained process, per sample ``(B,)``, int64.
            text_embedding: one a text ``(B, text_dim)`` or, for decoders, one a word ``(B, L, text_dim)``; all zeros is
                MDM's dropped condition.
            lengths: valid frames of each clip ``(B,)``, int64.
            text_mask: which words are no padding ``(B, L)``, bool, at least one a text; None is all.
            skip_padding: spend no work on frames beyond a length, where the network and the device allow that.
            coarse: given a list, what a skip starts from is appended to it.

        Returns:
            Normalised features ``(B, T, F)``. With ``mask_frames`` valid frames depend on valid frames alone; what
            comes out beyond a length means nothing.

        Raises:
            ValueError: shapes do not fit, or the embedding is of words ``(B, L, D)`` and the architecture takes none.
        """
        self._check(x, text_embedding, text_mask)
        return self._predict(x, timesteps, text_embedding, lengths, text_mask, skip_padding, coarse)

    def predict_conditions(
        self, x: Tensor, timesteps: Tensor, text_embedding: Tensor, lengths: Tensor, *, text_mask: Tensor | None = None
    ) -> Tensor:
        """Predict the clean motion under each of K conditions in one pass, padding skipped.

        What does not depend on a condition is worked out once.

        Args:
            x: noisy normalised features ``(B, T, F)``.
            timesteps: as for :meth:`forward`.
            text_embedding: ``(K, B, text_dim)`` or, for decoders, ``(K, B, L, text_dim)``.
            lengths: as for :meth:`forward`.
            text_mask: ``(B, L)``, the same for all conditions.

        Returns:
            ``(K, B, T, F)``.

        Raises:
            ValueError: as for :meth:`forward`.
        """
        self._check(x, text_embedding[0], text_mask)
        count = len(text_embedding)
        mask = None if text_mask is None else text_mask.repeat(count, 1)
        predicted = self._predict(x, timesteps, text_embedding.flatten(0, 1), lengths, mask, skip_padding=True)
        return predicted.unflatten(0, (count, len(x)))

    def _predict(
        self,
        x: Tensor,
        timesteps: Tensor,
        text_embedding: Tensor,
        lengths: Tensor,
        text_mask: Tensor | None,
        skip_padding: bool,
        coarse: list[Coarse] | None = None,
    ) -> Tensor:
        """Predict ``(K B, T, F)``; texts have K times as many rows as everything else, condition by condition."""
        count = len(text_embedding) // len(x)
        time = self.embed_timestep(timesteps).repeat(count, 1)
        text = self.embed_text(text_embedding)
        condition = time[:, None] + text if text.ndim == 3 else (time + text)[:, None]
        token = {"trans_dec": None, "trans_dec_emb": time[:, None]}.get(self.arch, condition)
        frames = self.input_process["poseEmbedding"](x).expand(count, -1, -1, -1)
        if token is not None:
            frames = torch.cat([token.unflatten(0, (count, len(x))), frames], dim=2)
        sequence = self.sequence_pos_encoder(frames.flatten(0, 1))
        # A token sits in front of the frames, so a clip of n frames has n + 1 valid positions.
        num_tokens = sequence.shape[1] - x.shape[1]
        lengths = lengths.repeat(count)
        condition_of = Condition(text_embedding, text_mask, lengths)
        if self.arch != "trans_enc":
            attend = self._attend_to(lengths + num_tokens, sequence.shape[1])
            words = None if text_mask is None else text_mask[:, None, None]
            hidden = self.seqTransDecoder(sequence, condition, attend, words)
        elif (
            skip_padding and self.mask_frames and (packing := pack_worthwhile(lengths + num_tokens, sequence.shape[1]))
        ):
            hidden = packing.unpack(self.seqTransEncoder(packing.pack(sequence), packing), sequence.shape[1])
        else:
            hidden = self.seqTransEncoder(sequence, self._attend_to(lengths + num_tokens, sequence.shape[1]))
        output = self.output_process["poseFinal"](hidden[:, num_tokens:])
        predicted: Tensor = self.parameterisation(
            output, x.repeat(count, 1, 1), timesteps.repeat(count), condition_of, coarse=coarse
        )
        return predicted

    def _attend_to(self, lengths: Tensor, num_places: int) -> Tensor | None:
        return mask_frames_of(lengths, num_places)[:, None, None] if self.mask_frames else None

    def _check(self, x: Tensor, text_embedding: Tensor, text_mask: Tensor | None) -> None:
        check_denoiser_inputs(
            x, text_embedding, text_mask, num_features=self.num_features, text_dim=self.text_dim, arch=self.arch
        )


def check_denoiser_inputs(
    x: Tensor, text_embedding: Tensor, text_mask: Tensor | None, *, num_features: int, text_dim: int, arch: str
) -> None:
    """Refuse inputs of :meth:`Denoiser.forward` whose shapes do not fit.

    Raises:
        ValueError: it names the shape found and the one expected.
    """
    takes_words = arch not in TEXT_ARCHITECTURES
    if x.ndim != 3 or x.shape[-1] != num_features:
        raise ValueError(f"x has shape {tuple(x.shape)}, expected (B, T, {num_features})")
    if x.shape[1] >= MAX_POSITIONS:
        raise ValueError(f"x has {x.shape[1]} frames, expected below {MAX_POSITIONS}")
    shape = tuple(text_embedding.shape)
    if (text_embedding.ndim == 3 or text_mask is not None) and not takes_words:
        raise ValueError(
            f"text_embedding has shape {shape}, but arch={arch!r} takes one per text, (B, {text_dim}); "
            f"embeddings of single words (B, L, D) and text_mask need a decoder, {list(WORD_ARCHITECTURES)}"
        )
    if text_embedding.ndim not in (2, 3) or (shape[0], shape[-1]) != (len(x), text_dim):
        raise ValueError(
            f"text_embedding has shape {shape}, expected {(len(x), text_dim)}"
            f"{f' or ({len(x)}, L, {text_dim})' if takes_words else ''}; "
            "use the text encoder that the model was trained with"
        )
    if text_mask is not None and (text_mask.shape != shape[:-1] or text_mask.dtype != torch.bool):
        raise ValueError(
            f"text_mask is {text_mask.dtype} of shape {tuple(text_mask.shape)}, expected bool of shape {shape[:-1]}"
            ", True where there is a word"
        )


def read_dimensions(state: Mapping[str, Tensor]) -> dict[str, int]:
    """Return width, num_layers, feedforward, text_dim and num_features of a state dict of a network of ours.

    Raises:
        ValueError: a parameter that every such state dict has is missing, or is no matrix.
    """
    stack = next((name for name in _STACKS if any(key.startswith(f"{name}.") for key in state)), _STACKS[0])
    try:
        width, num_features = state["input_process.poseEmbedding.weight"].shape
        return {
            "width": width,
            "num_layers": len({key.split(".")[2] for key in state if key.startswith(f"{stack}.layers.")}),
            "feedforward": state[f"{stack}.layers.0.linear1.weight"].shape[0],
            "text_dim": state["embed_text.weight"].shape[1],
            "num_features": num_features,
        }
    except KeyError as error:
        raise ValueError(
            f"the state dict lacks {error}, expected the parameters of an MDM text-to-motion transformer "
            "(trans_enc or trans_dec)"
        ) from None
    except (ValueError, IndexError):
        raise ValueError(
            "the state dict's poseEmbedding, linear1 or embed_text is no matrix, expected the parameters of an MDM "
            "text-to-motion transformer"
        ) from None


def is_decoder(state: Mapping[str, Tensor]) -> bool:
    """Return whether a state dict has the layers of a transformer decoder."""
    return any(key.startswith("seqTransDecoder.") for key in state)
