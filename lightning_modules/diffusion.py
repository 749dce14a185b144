"""Gaussian diffusion: noise schedules and their formulas, tables in float64.

Ho et al. 2020, arXiv:2006.11239; Nichol and Dhariwal 2021, arXiv:2102.09672.

Code name to symbol: ``betas`` beta_t; ``alphas_cumprod`` alpha-bar_t = prod(1 - beta); ``posterior_mean_clean`` and
``posterior_mean_noisy`` the factors of x_0 and x_t in the mean of q(x_{t-1} | x_t, x_0) (Ho et al. eq. 7);
``timestep_map`` the time step of the unspaced process that the network is told for each step of this one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

_MAX_BETA = 0.999  # Nichol and Dhariwal 2021, section 3.2: keeps the last step of the cosine schedule regular.
_TAIL_FROM, _TAIL_END = 0.755, 4e-6  # share of the steps, and signal to noise


@dataclass(frozen=True)
class ProcessOptions:
    """The process that a network learns to undo.

    Attributes:
        num_steps: steps of the noise schedule.
        noise_schedule: ``cosine``, ``cosine_tail``, ``linear`` or ``scaled_linear``.
        predicts: what the network computes, the ``clean`` signal or the ``noise``, see
            :mod:`lightning_modules.networks.parameterisation`; train the latter on the loss ``noise``.
        cond_drop_prob: share of clips trained without their caption, for classifier-free guidance.
        part_drop_prob: share of clips trained without their activity, and another without their caption.
        noisier: a training step's time step is drawn in proportion to about its number to this power; 0: all alike.
        usual_guidance: guidance scale of whoever asks for none in particular; weights keep it.

    Raises:
        ValueError: ``cond_drop_prob`` is no fraction, ``part_drop_prob`` none up to a half, or ``noisier`` below 0.
    """

    num_steps: int = 50
    noise_schedule: str = "cosine"
    predicts: str = "clean"
    cond_drop_prob: float = 0.1
    part_drop_prob: float = 0.15
    noisier: float = 0.0
    usual_guidance: float = 2.5

    def __post_init__(self) -> None:
        if not 0.0 <= self.noisier < math.inf:
            raise ValueError(f"noisier is {self.noisier}, expected 0 (all time steps alike) or more")
        if not 0.0 <= self.cond_drop_prob <= 1.0:
            raise ValueError(f"cond_drop_prob is {self.cond_drop_prob}, expected a number between 0 and 1")
        if not 0.0 <= self.part_drop_prob <= 0.5:
            raise ValueError(f"part_drop_prob is {self.part_drop_prob}, expected a number between 0 and 0.5")


@dataclass(frozen=True)
class Schedule:
    """Noise levels of a forward process of N steps, index 0 the least noisy.

    Attributes:
        betas: variance that each step adds ``(N,)``, float64, on the CPU.
        timestep_map: what the network is told at each step ``(N,)``, int64; 0..N-1 unless respaced.
        num_train_steps: steps of the process that the network was trained on.
        guided_from: time step of the network from which on guidance changes a motion (docs/decisions/047).
    """

    betas: Tensor
    timestep_map: Tensor
    num_train_steps: int
    guided_from: int = 0

    @classmethod
    def cosine(cls, num_steps: int) -> Schedule:
        """Return the cosine schedule of N steps (Nichol and Dhariwal 2021, eq. 17, offset 0.008).

        Raises:
            ValueError: ``num_steps`` is below 1.
        """
        _check_count(num_steps)

        def signal(time: float) -> float:
            return math.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2

        betas = [min(1 - signal((i + 1) / num_steps) / signal(i / num_steps), _MAX_BETA) for i in range(num_steps)]
        return cls(torch.tensor(betas, dtype=torch.float64), torch.arange(num_steps), num_steps)

    @classmethod
    def cosine_tail(cls, num_steps: int) -> Schedule:
        """Return :meth:`cosine` with a last quarter even in the logarithm of signal to noise (docs/decisions/047).

        Raises:
            ValueError: ``num_steps`` is below 1.
        """
        levels = cls.cosine(num_steps).alphas_cumprod
        first = round(_TAIL_FROM * (num_steps - 1))
        start = float((levels[first] / (1 - levels[first])).log())
        tail = torch.linspace(start, math.log(_TAIL_END), num_steps - first, dtype=levels.dtype).sigmoid()
        levels = torch.cat([levels[:first], tail])
        betas = 1 - levels / torch.cat([levels.new_ones(1), levels[:-1]])
        return cls(betas, torch.arange(num_steps), num_steps, guided_from=first + 1)

    @classmethod
    def linear(cls, num_steps: int) -> Schedule:
        """Return the linear schedule of N steps, from beta 1e-4 to 0.02 at 1000 (Ho et al. 2020, section 4).

        Fewer steps take betas larger in proportion, up to 0.999, so that the last step is as noisy.

        Raises:
            ValueError: ``num_steps`` is below 1.
        """
        return cls._from_betas(num_steps, lambda steps: torch.linspace(1e-4, 0.02, steps, dtype=torch.float64))

    @classmethod
    def scaled_linear(cls, num_steps: int) -> Schedule:
        """Return the schedule of latent diffusion: betas linear in their root, 8.5e-4 to 0.012 at 1000 steps.

        Rombach et al. 2022 (arXiv:2112.10752); their published configurations. Fewer steps as in :meth:`linear`.

        Raises:
            ValueError: ``num_steps`` is below 1.
        """
        return cls._from_betas(
            num_steps, lambda steps: torch.linspace(8.5e-4**0.5, 0.012**0.5, steps, dtype=torch.float64).square()
        )

    @classmethod
    def _from_betas(cls, num_steps: int, betas_of: Callable[[int], Tensor]) -> Schedule:
        _check_count(num_steps)
        betas = (betas_of(num_steps) * (1000 / num_steps)).clamp_max(_MAX_BETA)
        return cls(betas, torch.arange(num_steps), num_steps)

    @classmethod
    def named(cls, name: str, num_steps: int) -> Schedule:
        """Return the schedule of that name, such as ``cosine``.

        Raises:
            ValueError: the name is unknown, or ``num_steps`` is below 1.
        """
        by_name = {maker.__name__: maker for maker in (cls.cosine, cls.cosine_tail, cls.linear, cls.scaled_linear)}
        if name not in by_name:
            raise ValueError(f"noise schedule {name!r} is unknown, must be one of {list(by_name)}")
        return by_name[name](num_steps)

    @property
    def num_steps(self) -> int:
        """N, the number of steps."""
        return len(self.betas)

    @cached_property
    def alphas_cumprod(self) -> Tensor:
        """Share of signal variance left after each step ``(N,)``."""
        return torch.cumprod(1 - self.betas, dim=0)

    @cached_property
    def alphas_cumprod_prev(self) -> Tensor:
        """:attr:`alphas_cumprod` of the step before, 1 at step 0 ``(N,)``."""
        return torch.cat([self.betas.new_ones(1), self.alphas_cumprod[:-1]])

    @cached_property
    def posterior_variance(self) -> Tensor:
        """Variance of q(x_{t-1} | x_t, x_0) ``(N,)``, 0 at step 0 (Ho et al. eq. 7)."""
        return self.betas * (1 - self.alphas_cumprod_prev) / (1 - self.alphas_cumprod)

    @cached_property
    def posterior_log_variance(self) -> Tensor:
        """Logarithm of :attr:`posterior_variance`, step 1's value standing in for the -inf of step 0 ``(N,)``."""
        first = self.posterior_variance[1:2] if self.num_steps > 1 else self.betas
        return torch.log(torch.cat([first, self.posterior_variance[1:]]))

    @cached_property
    def posterior_mean_clean(self) -> Tensor:
        """Factor of x_0 in the mean of q(x_{t-1} | x_t, x_0) ``(N,)``."""
        return self.betas * self.alphas_cumprod_prev.sqrt() / (1 - self.alphas_cumprod)

    @cached_property
    def posterior_mean_noisy(self) -> Tensor:
        """Factor of x_t in the mean of q(x_{t-1} | x_t, x_0) ``(N,)``."""
        return (1 - self.alphas_cumprod_prev) * (1 - self.betas).sqrt() / (1 - self.alphas_cumprod)

    @cached_property
    def signal_to_noise(self) -> Tensor:
        """alpha-bar / (1 - alpha-bar) ``(N,)``."""
        return self.alphas_cumprod / (1 - self.alphas_cumprod)

    def respaced(self, steps: int) -> Schedule:
        """Return a process of ``steps`` steps spread evenly from the first to the last, both kept.

        Its alpha-bar are this process's at the kept steps (Nichol and Dhariwal 2021, eq. 19).

        Raises:
            ValueError: ``steps`` is below 1 or above the number of steps there are.
        """
        self._check_steps(steps)
        stride = (self.num_steps - 1) / (steps - 1) if steps > 1 else 1.0
        kept, position = [], 0.0
        for _ in range(steps):
            kept.append(round(position))
            position += stride
        return self._keep(kept)

    def strided(self, steps: int) -> Schedule:
        """Return a process of ``steps`` steps one whole stride apart from step 0 on (DDIM, arXiv:2010.02502).

        Where no whole stride gives that number of steps, the spacing is :meth:`respaced`'s.

        Raises:
            ValueError: ``steps`` is below 1 or above the number of steps there are.
        """
        self._check_steps(steps)
        for stride in range(1, self.num_steps + 1):
            kept = list(range(0, self.num_steps, stride))
            if len(kept) == steps:
                return self._keep(kept)
        return self.respaced(steps)

    def spaced_by_noise(self, steps: int) -> Schedule:
        """Return a process of ``steps`` steps spread evenly in the logarithm of the signal-to-noise ratio, ends kept.

        Where the schedule's own steps lie further apart than that, each is taken at most once (Lu et al. 2022,
        arXiv:2206.00927, section 4.3, for why solvers of higher order want this spacing).

        Raises:
            ValueError: ``steps`` is below 1 or above the number of steps there are.
        """
        return self._keep(self._by_noise(steps))

    def spaced_midway(self, steps: int) -> Schedule:
        """Return a process of ``steps`` steps, each half-way between :meth:`respaced`'s and :meth:`spaced_by_noise`'s.

        Raises:
            ValueError: ``steps`` is below 1 or above the number of steps there are.
        """
        by_noise = self._by_noise(steps)
        even = torch.linspace(self.num_steps - 1, 0, steps, dtype=torch.float64).flip(0).tolist()
        # Both rise by at least 1 a step; halves are rounded upwards, so that their mean does too.
        return self._keep([int((first + second + 1) / 2) for first, second in zip(even, by_noise, strict=True)])

    def _by_noise(self, steps: int) -> list[int]:
        self._check_steps(steps)
        log_snr = self.signal_to_noise.log()
        wanted = torch.linspace(float(log_snr[-1]), float(log_snr[0]), steps, dtype=torch.float64)
        kept: list[int] = []
        for left, value in zip(reversed(range(steps)), wanted, strict=True):
            nearest = int((log_snr - value).abs().argmin())
            highest = kept[-1] - 1 if kept else self.num_steps - 1
            kept.append(max(left, min(nearest, highest)))
        return kept[::-1]

    def _check_steps(self, steps: int) -> None:
        if not 1 <= steps <= self.num_steps:
            raise ValueError(
                f"{steps} sampling steps were asked of a schedule of {self.num_steps}, expected 1 to {self.num_steps}"
            )

    def _keep(self, kept: list[int]) -> Schedule:
        kept_cumprod = self.alphas_cumprod[kept]
        previous = torch.cat([kept_cumprod.new_ones(1), kept_cumprod[:-1]])
        return replace(self, betas=1 - kept_cumprod / previous, timestep_map=self.timestep_map[kept])

    def add_noise(self, clean: Tensor, steps: Tensor, noise: Tensor) -> Tensor:
        """Sample q(x_t | x_0): the clean signal at a noise level (Ho et al. eq. 4).

        Args:
            clean: x_0 ``(B, ...)``.
            steps: step index of each element ``(B,)``, int64; on the CPU it costs no device synchronisation.
            noise: standard normal, the shape of ``clean``.

        Returns:
            x_t ``(B, ...)``, dtype of ``clean``.
        """
        level = self.alphas_cumprod[steps.cpu()]
        return expand(level.sqrt(), clean) * clean + expand((1 - level).sqrt(), clean) * noise

    def posterior(self, clean: Tensor, noisy: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean ``(B, ...)`` and log variance ``(B,)`` of q(x_{t-1} | x_t, x_0) (Ho et al. eq. 6 and 7).

        Args:
            clean: x_0, or the network's prediction of it ``(B, ...)``.
            noisy: x_t ``(B, ...)``.
            steps: step index of each element ``(B,)``, int64.
        """
        steps = steps.cpu()
        mean = (
            expand(self.posterior_mean_clean[steps], clean) * clean
            + expand(self.posterior_mean_noisy[steps], clean) * noisy
        )
        return mean, self.posterior_log_variance[steps].to(clean)


def _check_count(num_steps: int) -> None:
    if num_steps < 1:
        raise ValueError(f"the diffusion schedule has {num_steps} steps, expected at least 1")


def expand(values: Tensor, like: Tensor) -> Tensor:
    """Return ``values (B,)`` on the device and in the dtype of ``like (B, ...)``, ready to broadcast with it."""
    return values.to(device=like.device, dtype=like.dtype).reshape(-1, *(1,) * (like.ndim - 1))
