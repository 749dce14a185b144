"""Samplers that walk from noise to a motion, all on a network that predicts the clean signal x_0.

DDPM (Ho et al. 2020, arXiv:2006.11239), DDIM (Song et al. 2021, arXiv:2010.02502), DPM-Solver++(2M) (Lu et al. 2022,
arXiv:2211.01095, algorithm 2) and the same paper's SDE-DPM-Solver++(2M), with classifier-free guidance (Ho and Salimans
2022, arXiv:2207.12598).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol, runtime_checkable

import torch
from torch import Tensor

from lightning_modules.diffusion import Schedule
from sim.names import suggest

PredictClean = Callable[[Tensor, int], Tensor]
"""``(x_t (B, T, F), time step of the trained process) -> x_0 (B, T, F)``."""


class NoiseSource(Protocol):
    """Where a sampler takes its noise from."""

    def __call__(self, step: int) -> Tensor:
        """Return the standard normal noise ``(B, T, F)`` added when leaving step index ``step`` downwards."""
        ...


class SampleNoise:
    """Noise of each sample from a generator of its own: the same seed gives the same noise whatever the batch.

    Draws happen on the CPU, so that a seed means the same on every device, and only for a sample's valid frames.

    Args:
        seeds: one seed per sample.
        lengths: valid frames of each sample.
        num_features: F, width of a frame.
        device: where the noise is wanted.
    """

    def __init__(
        self, seeds: Sequence[int], lengths: Sequence[int], num_features: int, device: torch.device | str = "cpu"
    ) -> None:
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._lengths = list(lengths)
        self._num_features = num_features
        self._device = device

    def __call__(self, step: int) -> Tensor:
        """Return the next noise ``(B, T, F)``, zero beyond each length; steps are visited in one fixed order."""
        noise = torch.zeros(len(self._generators), max(self._lengths), self._num_features)
        for row, length, generator in zip(noise, self._lengths, self._generators, strict=True):
            row[:length] = torch.randn(length, self._num_features, generator=generator)
        return noise.to(self._device)


@runtime_checkable
class SharingDenoiser(Protocol):
    """A network that does for several conditions once what does not depend on them."""

    def predict_conditions(
        self, x: Tensor, timesteps: Tensor, text_embedding: Tensor, lengths: Tensor, *, text_mask: Tensor | None = None
    ) -> Tensor:
        """Return the clean motion ``(K, B, T, F)`` under K conditions ``(K, B, D)`` or ``(K, B, L, D)``."""
        ...


def sample_ddpm(predict: PredictClean, start: Tensor, schedule: Schedule, noise: NoiseSource) -> Tensor:
    """Walk the ancestral chain of ``schedule`` with the posterior's small variance (Ho et al., algorithm 2)."""
    x = start
    for step in reversed(range(schedule.num_steps)):
        x = step_ddpm(x, predict(x, int(schedule.timestep_map[step])), schedule, step, noise)
    return x


def step_ddpm(x: Tensor, clean: Tensor, schedule: Schedule, step: int, noise: NoiseSource) -> Tensor:
    """Leave ``step`` downwards by the posterior's mean and small variance; ``clean`` is the prediction there."""
    mean, log_variance = schedule.posterior(clean, x, torch.full((len(x),), step))
    return mean if step == 0 else mean + (0.5 * log_variance[0]).exp() * noise(step)


def sample_ddim(
    predict: PredictClean, start: Tensor, schedule: Schedule, noise: NoiseSource | None = None, *, eta: float = 0.0
) -> Tensor:
    """Walk the DDIM chain of ``schedule`` (Song et al., eq. 12 and 16); deterministic at ``eta`` 0.

    Raises:
        ValueError: ``eta`` is above 0 without a noise source.
    """
    if eta > 0 and noise is None:
        raise ValueError(f"eta is {eta} without a noise source; pass one or use eta=0")
    x = start
    for step in reversed(range(schedule.num_steps)):
        x = step_ddim(x, predict(x, int(schedule.timestep_map[step])), schedule, step, noise, eta=eta)
    return x


def step_ddim(
    x: Tensor, clean: Tensor, schedule: Schedule, step: int, noise: NoiseSource | None = None, *, eta: float = 0.0
) -> Tensor:
    """Leave ``step`` downwards by DDIM; ``clean`` is the prediction there."""
    level, level_prev = float(schedule.alphas_cumprod[step]), float(schedule.alphas_cumprod_prev[step])
    direction = (x - level**0.5 * clean) / (1 - level) ** 0.5
    sigma = eta * ((1 - level_prev) / (1 - level) * (1 - level / level_prev)) ** 0.5
    x = level_prev**0.5 * clean + (1 - level_prev - sigma**2) ** 0.5 * direction
    if sigma > 0 and step > 0 and noise is not None:
        x = x + sigma * noise(step)
    return x


def sample_dpm_solver(
    predict: PredictClean, start: Tensor, schedule: Schedule, noise: NoiseSource | None = None, *, eta: float = 0.0
) -> Tensor:
    """Walk the steps of ``schedule`` with DPM-Solver++(2M), or with SDE-DPM-Solver++(2M) at ``eta`` 1.

    Symbols of Lu et al.: alpha = sqrt(alpha-bar), sigma = sqrt(1 - alpha-bar), lambda = log(alpha / sigma), h the step
    in lambda, r the ratio of the last two of them. The step to sigma = 0, where lambda is infinite, is of first order
    and gives the prediction itself. At ``eta`` 0, where no noise is drawn, it is their solver of the probability flow;
    at 1 that of the reverse stochastic equation, whose steps of first order are DDPM's.

    Raises:
        ValueError: ``eta`` is above 0 without a noise source.
    """
    if eta > 0 and noise is None:
        raise ValueError(f"eta is {eta} without a noise source; pass one or use eta=0")
    alpha = schedule.alphas_cumprod.sqrt()
    sigma = (1 - schedule.alphas_cumprod).sqrt()
    log_snr = alpha.log() - sigma.log()
    x, clean_before = start, None
    for step in reversed(range(schedule.num_steps)):
        clean = predict(x, int(schedule.timestep_map[step]))
        if step == 0:
            return clean
        h = log_snr[step - 1] - log_snr[step]
        estimate = clean
        if clean_before is not None:
            ratio = float((log_snr[step] - log_snr[step + 1]) / h)
            estimate = clean + (clean - clean_before) / (2 * ratio)
        kept = float(sigma[step - 1] / sigma[step] * torch.exp(-eta * h))
        x = kept * x - float(alpha[step - 1] * torch.expm1(-(1 + eta) * h)) * estimate
        if eta > 0 and noise is not None:
            x = x + float(sigma[step - 1] * (-torch.expm1(-2 * eta * h)).sqrt()) * noise(step)
        clean_before = clean
    return x


_Sampler = Callable[[PredictClean, Tensor, Schedule, NoiseSource], Tensor]
_SAMPLERS: Final[dict[str, tuple[_Sampler, Callable[[Schedule, int], Schedule]]]] = {
    "ddpm": (sample_ddpm, Schedule.respaced),
    # From the noisiest step on: what starts lower takes its noise for a motion (docs/decisions/043).
    "ddim": (sample_ddim, Schedule.respaced),
    # Even in time, and not in the log of the signal-to-noise ratio, which would spend half of 10 calls on a 50-step
    # cosine schedule where nothing is seen through the noise: motions came out twice as jerky (docs/decisions/015).
    "dpm++": (sample_dpm_solver, Schedule.respaced),
    # With noise put back, jerks heal, and half-way to that spacing it moves as the whole chain does (decisions/022).
    "sde-dpm++": (partial(sample_dpm_solver, eta=1.0), Schedule.spaced_midway),
}

_CPU_FRAMES: Final = 2048
"""Frames that a CPU denoises at once: many more fall out of its cache, many less leave it waiting between layers."""

SAMPLER_NAMES: Final = tuple(_SAMPLERS)


def sample(
    name: str,
    predict: PredictClean,
    start: Tensor,
    schedule: Schedule,
    noise: NoiseSource,
    *,
    steps: int | None = None,
) -> Tensor:
    """Sample with the named sampler.

    Args:
        name: one of :data:`SAMPLER_NAMES`.
        predict: the (guided) network.
        start: standard normal noise ``(B, T, F)``.
        schedule: the process that the network was trained on.
        noise: noise of the steps; deterministic samplers leave it alone.
        steps: number of network calls; None takes every step of the schedule.

    Returns:
        Normalised features ``(B, T, F)``.

    Raises:
        ValueError: the sampler is unknown, or it has more steps than the schedule.

    Examples:
        >>> start = torch.randn(1, 40, 263, generator=torch.Generator().manual_seed(0))
        >>> noise = SampleNoise(seeds=[0], lengths=[40], num_features=263)
        >>> def predict(x, timestep):  # a network that knows the answer
        ...     return torch.full_like(x, 0.5)
        >>> sample("dpm++", predict, start, Schedule.cosine(50), noise, steps=10).unique()
        tensor([0.5000])
    """
    spaced = space(name, schedule, steps)
    return _SAMPLERS[name][0](predict, start, spaced, noise)


STEPS: Final[dict[str, Callable[[Tensor, Tensor, Schedule, int, NoiseSource], Tensor]]] = {
    "ddpm": step_ddpm,
    "ddim": step_ddim,
}
"""One step ``(x_t, x_0, schedule, step, noise) -> x_{t-1}`` of each sampler that remembers nothing but x_t."""


def space(name: str, schedule: Schedule, steps: int | None) -> Schedule:
    """Return the process that the named sampler walks in so many steps, None for all of ``schedule``'s.

    Raises:
        ValueError: the sampler is unknown, or it has more steps than the schedule.
    """
    check_sampler(name)
    return schedule if steps is None else _SAMPLERS[name][1](schedule, steps)


def check_sampler(name: str) -> None:
    """Refuse a sampler that does not exist.

    Raises:
        ValueError: it names the valid ones and the nearest.
    """
    if name not in _SAMPLERS:
        hint = suggest(name, SAMPLER_NAMES)
        raise ValueError(f"sampler {name!r} is unknown, must be one of {list(SAMPLER_NAMES)}{hint}")


def guide(
    denoiser: Callable[..., Tensor],
    text_embedding: Tensor,
    lengths: Tensor,
    *,
    guidance: float,
    guided_from: int = 0,
    text_mask: Tensor | None = None,
) -> PredictClean:
    """Return the classifier-free guided network, conditional and unconditional prediction in one batched pass.

    On a CPU a large batch goes through in slices, which changes the result by rounding.

    Args:
        denoiser: ``(x, timesteps (B,), text_embedding, lengths (B,), *, text_mask (B, L)) -> x_0``; the mask is passed
            only if there is one. A :class:`SharingDenoiser` is asked for all conditions of a motion at once.
        text_embedding: ``(B, D)``, or of words ``(B, L, D)``.
        lengths: valid frames ``(B,)``.
        guidance: s in ``x_0 = unconditional + s (conditional - unconditional)``; 1 and 0 need half the work.
        guided_from: time steps below it are not guided (:attr:`lightning_modules.diffusion.Schedule.guided_from`).
        text_mask: which words are no padding ``(B, L)``; None is all.
    """
    dropped = torch.zeros_like(text_embedding)
    strong = torch.stack({1.0: [text_embedding], 0.0: [dropped]}.get(guidance, [text_embedding, dropped]))

    def predict(x: Tensor, timestep: int) -> Tensor:
        conditions = strong if timestep >= guided_from or guidance == 0.0 else strong[:1]
        timesteps = torch.full((len(x),), timestep, dtype=torch.int64, device=x.device)
        guided: list[Tensor] = []
        for part in _slice_rows(x, len(conditions)):
            mask = None if text_mask is None else text_mask[part]
            clean = _predict_each(denoiser, x[part], timesteps[part], conditions[:, part], lengths[part], mask)
            # In place on the difference, which is nobody else's.
            guided.append(clean[0] if len(clean) == 1 else (clean[0] - clean[1]).mul_(guidance).add_(clean[1]))
        return guided[0] if len(guided) == 1 else torch.cat(guided)

    return predict


def _slice_rows(x: Tensor, num_conditions: int) -> list[slice]:
    """Return the motions that go through the network together: all of them, or on a CPU equal parts."""
    parts = -(-num_conditions * x.shape[0] * x.shape[1] // _CPU_FRAMES) if x.device.type == "cpu" else 1
    rows = -(-len(x) // parts)
    return [slice(start, start + rows) for start in range(0, len(x), rows)]


def _predict_each(
    denoiser: Callable[..., Tensor],
    x: Tensor,
    timesteps: Tensor,
    conditions: Tensor,
    lengths: Tensor,
    text_mask: Tensor | None,
) -> Tensor:
    """Return the prediction ``(K, B, T, F)`` under each of the conditions ``(K, B, ...)``, in one pass."""
    shared: object = denoiser
    if isinstance(shared, SharingDenoiser):
        return shared.predict_conditions(x, timesteps, conditions, lengths, text_mask=text_mask)
    count = len(conditions)
    words = {} if text_mask is None else {"text_mask": text_mask.repeat(count, 1)}
    out = denoiser(
        x.repeat(count, 1, 1), timesteps.repeat(count), conditions.flatten(0, 1), lengths.repeat(count), **words
    )
    return out.unflatten(0, (count, len(x)))
