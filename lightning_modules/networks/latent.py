"""The networks of latent motion diffusion (MLD, Chen et al. 2022, arXiv:2212.04048): an autoencoder and a denoiser.

Code name to symbol: ``latent`` z, ``latent_tokens`` and ``width`` its shape n x d (the paper's best is 1 x 256),
``mean`` and ``log_variance`` mu and log sigma^2 of the encoder's Gaussian.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lightning_modules.networks.packing import mask_frames_of
from lightning_modules.networks.parameterisation import Parameterisation
from lightning_modules.networks.positions import MAX_POSITIONS, PositionalEncoding, TimestepEmbedder
from lightning_modules.networks.skip_transformer import SkipDecoder, SkipEncoder
from sim.conventions import NUM_FEATURES


@dataclass(frozen=True)
class AutoencoderOptions:
    """Sizes of a motion autoencoder.

    Attributes:
        width: width of the latent and of the layers.
        latent_tokens: tokens of the latent.
        num_layers: of the encoder and of the decoder; odd.
        num_heads: attention heads; divides ``width``.
        feedforward: hidden width of the layers.
        dropout: of the sequence, the residual branches and the hidden parts.
    """

    width: int = 128
    latent_tokens: int = 4
    num_layers: int = 5
    num_heads: int = 4
    feedforward: int = 256
    dropout: float = 0.1

    def build(self) -> MotionAutoencoder:
        """Return the autoencoder, its weights drawn from torch's global generator."""
        return MotionAutoencoder(**asdict(self))


@dataclass(frozen=True)
class LatentDenoiserOptions:
    """Sizes of a denoiser of latents.

    Attributes:
        width: of the latent, and of the denoiser's layers.
        latent_tokens: tokens of the latent.
        num_layers: of the denoiser; odd.
        num_heads: attention heads, of denoiser and autoencoder; divides ``width``.
        feedforward: hidden width of the denoiser's layers.
        dropout: of the denoiser.
        text_dim: width of the text encoder's embeddings.
        activities: as of :class:`lightning_modules.networks.NetworkOptions`.
    """

    width: int = 128
    latent_tokens: int = 4
    num_layers: int = 5
    num_heads: int = 4
    feedforward: int = 256
    dropout: float = 0.1
    text_dim: int = 384
    activities: list[str] | None = None

    @property
    def condition_dim(self) -> int:
        """Width of what the network is told of a motion."""
        return self.text_dim + len(self.activities or [])


class Posterior(NamedTuple):
    """The Gaussian over latents that a motion is encoded to; both ``(B, latent_tokens, width)``."""

    mean: Tensor
    log_variance: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """Return a latent, differentiable in both (Kingma and Welling 2013, arXiv:1312.6114, section 2.4)."""
        return self.mean + (0.5 * self.log_variance).exp() * noise

    def divergence(self) -> Tensor:
        """Return the Kullback-Leibler divergence from N(0, 1), mean over the latent's numbers ``(B,)``."""
        terms = 0.5 * (self.mean.square() + self.log_variance.exp() - 1.0 - self.log_variance)
        return terms.flatten(1).mean(dim=1)


class MotionAutoencoder(nn.Module):
    """A variational autoencoder of motions of any length to a latent of one size.

    Args:
        width: d, width of the latent and of the layers.
        latent_tokens: n, tokens of the latent.
        num_layers: of the encoder and of the decoder; odd.
        num_heads: attention heads; divides ``width``.
        feedforward: hidden width of the layers.
        dropout: of the sequence, the residual branches and the hidden parts.
        num_features: F, width of a frame.

    Raises:
        ValueError: ``num_layers`` is even, ``width`` no even multiple of ``num_heads``, or there is no token.
    """

    def __init__(
        self,
        *,
        width: int,
        latent_tokens: int,
        num_layers: int,
        num_heads: int,
        feedforward: int,
        dropout: float,
        num_features: int = NUM_FEATURES,
    ) -> None:
        super().__init__()
        if width % num_heads or width % 2:
            raise ValueError(f"width is {width}, expected an even multiple of num_heads={num_heads}")
        if latent_tokens < 1:
            raise ValueError(f"latent_tokens is {latent_tokens}, expected at least 1")
        self.latent_tokens = latent_tokens
        self.width = width
        self.embed_frames = nn.Linear(num_features, width)
        self.distribution_tokens = nn.Parameter(torch.randn(2 * latent_tokens, width))
        self.positions = PositionalEncoding(width, dropout)
        self.encoder = SkipEncoder(width, num_layers, num_heads, feedforward, dropout)
        self.decoder = SkipDecoder(width, num_layers, num_heads, feedforward, dropout)
        self.output = nn.Linear(width, num_features)

    def encode(self, motion: Tensor, lengths: Tensor) -> Posterior:
        """Encode motions.

        Args:
            motion: normalised features ``(B, T, F)``; what lies beyond each length has no influence.
            lengths: valid frames of each ``(B,)``.

        Raises:
            ValueError: the motion has more frames than there are positions.
        """
        _check_length(motion.shape[1] + 2 * self.latent_tokens)
        tokens = self.distribution_tokens.expand(len(motion), -1, -1)
        sequence = self.positions(torch.cat([tokens, self.embed_frames(motion)], dim=1))
        attend = mask_frames_of(lengths + tokens.shape[1], sequence.shape[1])[:, None, None]
        encoded = self.encoder(sequence, attend)[:, : tokens.shape[1]]
        return Posterior(*encoded.chunk(2, dim=1))

    def decode(self, latent: Tensor, lengths: Tensor, num_frames: int) -> Tensor:
        """Decode latents.

        Args:
            latent: ``(B, latent_tokens, width)``.
            lengths: valid frames of each motion ``(B,)``.
            num_frames: T, frames to give back; those beyond a length mean nothing.

        Returns:
            Normalised features ``(B, T, F)``.

        Raises:
            ValueError: more frames are asked for than there are positions.
        """
        _check_length(num_frames)
        queries = self.positions(latent.new_zeros(len(latent), num_frames, self.width))
        attend = mask_frames_of(lengths, num_frames)[:, None, None]
        motion: Tensor = self.output(self.decoder(queries, latent, attend))
        return motion

    def forward(self, motion: Tensor, lengths: Tensor, noise: Tensor) -> tuple[Tensor, Posterior]:
        """Return what a motion's sampled latent decodes to ``(B, T, F)``, and the posterior that it was drawn from."""
        posterior = self.encode(motion, lengths)
        return self.decode(posterior.sample(noise), lengths, motion.shape[1]), posterior


def _check_length(count: int) -> None:
    if count > MAX_POSITIONS:
        raise ValueError(
            f"a motion takes {count} positions of the autoencoder, expected at most {MAX_POSITIONS}; "
            "ask for fewer frames"
        )


class LatentDenoiser(nn.Module):
    """A transformer over [latent; time; text] that denoises the latent, with the door of the motion denoisers.

    Args:
        width: d, width of the latent and of the layers.
        num_layers: odd.
        num_heads: attention heads; divides ``width``.
        feedforward: hidden width of the layers.
        text_dim: width of a text embedding.
        dropout: of the sequence, the residual branches and the hidden parts.
        parameterisation: what the output head computes; None is the clean latent.
    """

    mask_frames = True

    def __init__(
        self,
        *,
        width: int,
        num_layers: int,
        num_heads: int,
        feedforward: int,
        text_dim: int,
        dropout: float,
        parameterisation: Parameterisation | None = None,
    ) -> None:
        super().__init__()
        self.num_features = width
        self.positions = PositionalEncoding(width, dropout)
        self.embed_timestep = TimestepEmbedder(width, self.positions)
        self.embed_text = nn.Sequential(nn.ReLU(), nn.Linear(text_dim, width))
        self.encoder = SkipEncoder(width, num_layers, num_heads, feedforward, dropout)
        self.output = nn.Linear(width, width)
        self.parameterisation = parameterisation or Parameterisation()

    def forward(
        self, x: Tensor, timesteps: Tensor, text_embedding: Tensor, lengths: Tensor, *, text_mask: Tensor | None = None
    ) -> Tensor:
        """Predict the clean latent.

        Args:
            x: noisy latents ``(B, latent_tokens, width)``.
            timesteps: time step of the trained process, per sample ``(B,)``, int64.
            text_embedding: ``(B, text_dim)``, or of words ``(B, L, text_dim)``; all zeros is the dropped condition.
            lengths: not looked at, a latent is of no length; the door of the motion denoisers has it.
            text_mask: which words are no padding ``(B, L)``; None is all.
        """
        words = self.embed_text(text_embedding if text_embedding.ndim == 3 else text_embedding[:, None])
        sequence = self.positions(torch.cat([x, self.embed_timestep(timesteps)[:, None], words], dim=1))
        attend = None
        if text_mask is not None:
            seen = text_mask.new_ones(len(x), x.shape[1] + 1)
            attend = torch.cat([seen, text_mask], dim=1)[:, None, None]
        output = self.output(self.encoder(sequence, attend)[:, : x.shape[1]])
        predicted: Tensor = self.parameterisation(output, x, timesteps)
        return predicted
