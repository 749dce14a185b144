"""A skip that knows how much the network leaves out: what is left of the noisy motion, through a Wiener filter.

Code name to symbol: ``coarse`` F, the network's own prediction of the clean motion x_0; ``innovation`` x_t - a F with
a = sqrt(alpha-bar_t) and noise of standard deviation s = sqrt(1 - alpha-bar_t), what the noisy motion says beyond it.
If x_0 - F has variance e^2 in some window, band and feature, the best linear estimate of x_0 is

    F + g / a (x_t - a F),    g = a^2 e^2 / (a^2 e^2 + s^2)

(Wiener 1949; the update of Kalman 1960, doi:10.1115/1.3662552). Where nothing is left out (a person who stands still)
g closes, where much is it tends to 1, whatever the noise level: one number says it for all. A small network tells
log e^2 from the caption, the noise level and how much F itself moves, and is trained on the likelihood of what was left
out, which weighs the small movements of a still person as much as a jump. The energy of the innovation itself, less
that of the noise, then corrects e^2 (empirical Bayes, after Efron and Morris 1973, doi:10.2307/2284155): evidence
counts by how surely such an e^2 would stand out of the noise, (a^2 e^2 / (a^2 e^2 + s^2))^2 of each number, against a
learned weight of what was told. Without a prior of that kind, believing in whatever stands out, samples drift away from
what stands still (docs/decisions/033).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.diffusion import Schedule
from lightning_modules.networks.skip.windows import LappedWindows, acts_at
from sim.conventions import NUM_FEATURES
from sim.features import FEATURE_SLICES

_HIDDEN = 192
_LOG_RANGE = (-14.0, 3.0)  # of e^2; the lower end is far below what 32-bit features resolve
_BELIEF = 0.3  # what is told starts as worth so many observations of each number
_OPENING = 10.0  # stored gains count so much, and so move so much faster than the network's weights
_LEAST_SHARE = 0.05  # windows of which hardly anything lies in the clip say nothing
_WAVES = (0.25, 0.5, 1.0, 2.0)


class DetailSkip(nn.Module):
    """Adds to a prediction what the noisy motion says beyond it, as far as that is no noise.

    A gain ``opening[t, f]`` for each time step and feature, zero at the start, opens it: until it is trained the
    network computes what it did without it.

    Args:
        schedule: the process that the network is trained on.
        window: frames of the windows in which variances are told.
        text_dim: width of a caption's embedding.
        until: share of the schedule, from its clean end, in which it acts.

    Raises:
        ValueError: ``window`` is odd or below 8.
    """

    signal: Tensor
    noise: Tensor
    groups: Tensor
    counts: Tensor
    acts: Tensor

    def __init__(self, schedule: Schedule, *, window: int, text_dim: int, until: float = 1.0) -> None:
        super().__init__()
        self.windows = LappedWindows(window)
        level = torch.ones(schedule.num_train_steps, dtype=torch.float64)
        level[schedule.timestep_map] = schedule.alphas_cumprod
        self.register_buffer("signal", level.sqrt().float(), persistent=False)
        self.register_buffer("noise", (1 - level).sqrt().float(), persistent=False)
        self.register_buffer("groups", _feature_groups(), persistent=False)
        blocks = len(self.groups) * self.windows.num_bands
        self.tell_windows = nn.Conv1d(blocks + 1, _HIDDEN, 3, padding=1)
        self.tell_condition = nn.Linear(1 + 2 * len(_WAVES) + text_dim, _HIDDEN)
        self.tell_further = nn.Linear(_HIDDEN, _HIDDEN)
        self.tell_variance = nn.Linear(_HIDDEN, blocks)
        nn.init.zeros_(self.tell_variance.weight)
        nn.init.constant_(self.tell_variance.bias, -3.0)
        self.feature_variance = nn.Parameter(torch.zeros(self.windows.num_bands, NUM_FEATURES))
        counts = torch.bincount(self.windows.band_of)[:, None] * self.groups.sum(dim=1)
        self.register_buffer("counts", counts, persistent=False)
        self.belief = nn.Parameter((_BELIEF * counts).log())
        self.register_buffer("acts", acts_at(schedule.num_train_steps, until)[:, None], persistent=False)
        self.opening = nn.Parameter(torch.zeros(schedule.num_train_steps, NUM_FEATURES))

    def tell(self, coarse: Tensor, timesteps: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """Return log e^2 ``(B, N, bands, F)`` of windows, from what is known before x_t is looked at.

        Args:
            coarse: the network's own prediction, normalised ``(B, T, F)``; nothing flows back into it.
            timesteps: of the trained process ``(B,)``, int64.
            text: the captions' embeddings ``(B, D)``.
            mask: frames inside each clip ``(B, T)``, bool.
        """
        with torch.autocast(coarse.device.type, enabled=False):
            inside = torch.where(mask[..., None], coarse.detach().float(), 0.0)
            moves = (self._energy(self.windows.cut(inside), mask) + 1e-6).log()
            share = self.windows.share(mask)[..., None]
            # Windows beyond a clip are nothing, as if the batch ended with it.
            seen = torch.where(share > 0, torch.cat([moves.flatten(2) / 4, 2 * share], dim=-1), 0.0)
            ratio = 2 * (self.signal / self.noise).log()[timesteps][:, None]
            waves = [wave(ratio * pace) for pace in _WAVES for wave in (torch.sin, torch.cos)]
            condition = self.tell_condition(torch.cat([ratio / 3, *waves, text.float()], dim=1))
            hidden = functional.silu(self.tell_windows(seen.transpose(1, 2)).transpose(1, 2) + condition[:, None])
            hidden = hidden + functional.silu(self.tell_further(hidden))
            told = self.tell_variance(hidden).unflatten(-1, self.counts.shape)
            return (told @ self.groups + self.feature_variance).clamp(*_LOG_RANGE)

    def forward(self, coarse: Tensor, noisy: Tensor, timesteps: Tensor, mask: Tensor, told: Tensor | None) -> Tensor:
        """Return the prediction with its detail added.

        Args:
            coarse: the network's own prediction, normalised ``(B, T, F)``.
            noisy: what it was given, x_t ``(B, T, F)``.
            timesteps: of the trained process ``(B,)``, int64.
            mask: frames inside each clip ``(B, T)``, bool.
            told: what :meth:`tell` said.
        """
        assert told is not None
        with torch.autocast(coarse.device.type, enabled=False):
            coarse = coarse.float()
            signal, noise = (table[timesteps][:, None, None] for table in (self.signal, self.noise))
            pieces = self.windows.cut(torch.where(mask[..., None], noisy.float() - signal * coarse, 0.0))
            ratio = (noise / signal)[..., None].square()
            seen = self._energy(pieces.detach(), mask) / signal[..., None].square()
            variance = told + self._correct(told, (seen - ratio).clamp_min(0.0), ratio)
            gain = torch.sigmoid(variance - ratio.log()).index_select(2, self.windows.band_of)
            detail = self.windows.join(pieces * gain, coarse.shape[1])
            return coarse + _OPENING * (self.opening * self.acts)[timesteps][:, None] * detail / signal

    def negative_log_likelihood(
        self, coarse: Tensor, clean: Tensor, mask: Tensor, told: Tensor | None
    ) -> Tensor | None:
        """Return minus the log likelihood of what the prediction left out, per number, of each clip ``(B,)``.

        That of a Gaussian of the variances told; only they are trained by it.

        Args:
            coarse: the network's own prediction, normalised ``(B, T, F)``.
            clean: the truth, normalised ``(B, T, F)``.
            mask: frames inside each clip ``(B, T)``, bool.
            told: what :meth:`tell` said.
        """
        assert told is not None
        with torch.autocast(coarse.device.type, enabled=False):
            left_out = self.windows.cut(torch.where(mask[..., None], clean.float() - coarse.detach().float(), 0.0))
            share = self.windows.share(mask)
            scale = told.index_select(2, self.windows.band_of) + share.clamp_min(_LEAST_SHARE).log()[..., None, None]
            each = 0.5 * (scale + left_out.square() * torch.exp(-scale)).mean(dim=(2, 3))
            seen = share > _LEAST_SHARE
            return torch.where(seen, each, 0.0).sum(dim=1) / seen.sum(dim=1).clamp_min(1)

    def _energy(self, pieces: Tensor, mask: Tensor) -> Tensor:
        """Return the mean square ``(B, N, bands, G)`` of windows, as if all of each lay inside the clip."""
        grouped = pieces.square() @ self.groups.T
        energy = grouped.new_zeros(*grouped.shape[:2], *self.counts.shape).index_add(2, self.windows.band_of, grouped)
        return energy / self.counts / self.windows.share(mask).clamp_min(1e-3)[..., None, None]

    def _correct(self, told: Tensor, seen: Tensor, ratio: Tensor) -> Tensor:
        """Return by how much evidence changes log e^2 ``(B, N, bands, F)``.

        Args:
            told: log e^2 ``(B, N, bands, F)``.
            seen: e^2 as the innovation shows it ``(B, N, bands, G)``.
            ratio: s^2 / a^2 ``(B, 1, 1, 1)``.
        """
        variance = ((told @ self.groups.T) / self.groups.sum(dim=1)).exp()
        weight = (variance / (variance + ratio)).square() * self.counts
        belief = self.belief.exp()
        change = ((belief + weight * seen / variance) / (belief + weight)).log()
        return change @ self.groups


def _feature_groups() -> Tensor:
    """Return which features are told of together ``(G, F)``, 0 or 1: the root's three, and the four kinds."""
    root = FEATURE_SLICES.root_rotation_velocity, FEATURE_SLICES.root_linear_velocity, FEATURE_SLICES.root_height
    kinds = (
        FEATURE_SLICES.positions, FEATURE_SLICES.rotations, FEATURE_SLICES.velocities, FEATURE_SLICES.foot_contacts,
    )  # fmt: skip
    groups = torch.zeros(len(root) + len(kinds), NUM_FEATURES)
    for row, part in zip(groups, (*root, *kinds), strict=True):
        row[part] = 1.0
    return groups
