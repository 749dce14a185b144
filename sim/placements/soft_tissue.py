"""SoftTissue: how a sensor swings on skin and strap, a damped second-order response in translation and rotation.

The box (mass m, inertia I) hangs on the site by a spring and a damper, the Kelvin-Voigt model of a skin-mounted sensor
(Forner-Cordero et al. 2008, doi:10.1088/0967-3334/29/4/N01). With u the shift from the site along the world's axes and
theta the small turn in the site's frame,

    u'' + 2 zeta w u' + w^2 u = -(a_site - g)            theta'' + 2 zeta w theta' + w^2 theta = -d(omega_site)/dt

with ``w^2 = stiffness / mass`` and ``2 zeta w = damping / mass`` (and likewise for the rotation). The sensor then feels
no more than spring and damper: its specific force is ``-(2 zeta w u' + w^2 u)``. Left out: that the damper turns with
the site, that skin is stiffer in one direction than in another, and what the box does to the skin.

Sizes: skin on the leg has a tangential stiffness of 330 N/m (front of the upper thigh) to 1900 N/m (knee), and markers
on it resonate at 23 to 51 Hz (Karlsson and Tranberg 1999, doi:10.1016/S0167-9457(99)00025-1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
import torch
from torch import Tensor

from sim.conventions import GRAVITY
from sim.recording import ImuRecording
from sim.rotations import axis_angle_to_matrix, hat

SAMPLES_PER_PERIOD: Final[int] = 32
"""Samples of the site's motion for each period of the fastest resonance; between them it is taken to be linear."""

_FADED: Final[float] = 1e-9
"""Part of the response that may be cut off."""

_MIN_HZ: Final[float] = 0.1
_MAX_HZ: Final[float] = 1000.0
"""Resonances outside of these are refused: a box held so loosely would fall off, one so stiffly is rigid."""

_MIN_RATIO: Final[float] = 1e-3
_MAX_RATIO: Final[float] = 100.0
"""Damping ratios outside of these are refused: a response would go on for minutes, or creep."""


@dataclass(frozen=True)
class SoftTissue:
    """Spring and damper between the skin and a sensor's box.

    Attributes:
        stiffness_n_m: of the translation [N/m]. 330 to 1900 on a leg (module docstring).
        damping_n_s_m: of the translation [N s/m].
        mass_kg: of box and strap [kg].
        stiffness_nm_rad: of the rotation [N m/rad].
        damping_nms_rad: of the rotation [N m s/rad].
        inertia_kg_m2: of box and strap about their middle [kg m^2].

    Raises:
        ValueError: a value is not positive, or resonance or damping ratio are beyond what a strapped-on box does.
    """

    stiffness_n_m: float
    damping_n_s_m: float
    mass_kg: float
    stiffness_nm_rad: float
    damping_nms_rad: float
    inertia_kg_m2: float

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = float(getattr(self, entry.name))
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{entry.name} is {value}, expected a positive number; leave SoftTissue out for none")
        for frequency, ratio in (self.translation, self.rotation):
            hz = frequency / (2 * math.pi)
            if not _MIN_HZ <= hz <= _MAX_HZ:
                raise ValueError(
                    f"the sensor resonates at {hz:.3g} Hz, expected {_MIN_HZ:g} to {_MAX_HZ:g} Hz; check stiffness and "
                    "mass, and leave SoftTissue out for a box that is held rigidly"
                )
            if not _MIN_RATIO <= ratio <= _MAX_RATIO:
                raise ValueError(
                    f"the damping is {ratio:.3g} of the critical one, expected {_MIN_RATIO:g} to {_MAX_RATIO:g}"
                )

    @classmethod
    def resonating(
        cls,
        translation_hz: float,
        rotation_hz: float | None = None,
        *,
        damping_ratio: float = 0.3,
        mass_kg: float = 0.03,
        size_m: float = 0.04,
    ) -> SoftTissue:
        """Return the attachment of a box by its resonances, as they are read off a tap test.

        Args:
            translation_hz: undamped natural frequency of the translation [Hz].
            rotation_hz: that of the rotation [Hz]; as for the translation if None.
            damping_ratio: part of the critical damping, for both; the default is an assumption, no source gives one.
            mass_kg: of box and strap [kg].
            size_m: edge of a cube of that mass, for the inertia ``m s^2 / 6`` [m].
        """
        for name, value in (("mass_kg", mass_kg), ("size_m", size_m), ("damping_ratio", damping_ratio)):
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} is {value}, expected a positive number; see SoftTissue.resonating")
        inertia = mass_kg * size_m**2 / 6
        w, v = (2 * math.pi * hz for hz in (translation_hz, translation_hz if rotation_hz is None else rotation_hz))
        return cls(
            stiffness_n_m=mass_kg * w**2,
            damping_n_s_m=2 * damping_ratio * w * mass_kg,
            mass_kg=mass_kg,
            stiffness_nm_rad=inertia * v**2,
            damping_nms_rad=2 * damping_ratio * v * inertia,
            inertia_kg_m2=inertia,
        )

    @property
    def translation(self) -> tuple[float, float]:
        """Undamped angular frequency [rad/s] and damping ratio of the translation."""
        return _resonance(self.stiffness_n_m, self.damping_n_s_m, self.mass_kg)

    @property
    def rotation(self) -> tuple[float, float]:
        """Undamped angular frequency [rad/s] and damping ratio of the rotation."""
        return _resonance(self.stiffness_nm_rad, self.damping_nms_rad, self.inertia_kg_m2)

    def oversampling(self, rate_hz: float) -> int:
        """Return how many samples of the site's motion are needed for each one at ``rate_hz``."""
        fastest_hz = max(self.translation[0], self.rotation[0]) / (2 * math.pi)
        return max(1, math.ceil(SAMPLES_PER_PERIOD * fastest_hz / rate_hz))

    def swing(self, site: ImuRecording) -> ImuRecording:
        """Return what the sensors read when they hang on their sites by spring and damper.

        Before the recording the site is taken to have gone on as at its first sample, with the box at rest on it.

        Args:
            site: ideal readings of rigidly held sensors, at a rate that resolves the resonances.

        Returns:
            Readings at the same times, position and orientation included, differentiable in those of ``site``.
        """
        specific = (site.orientation @ site.accel[..., None])[..., 0]
        response, slope = _respond(specific, site.rate_hz, *self.translation)
        w, zeta = self.translation
        felt = w**2 * response + 2 * zeta * w * slope
        turned, turning = _respond(site.gyro, site.rate_hz, *self.rotation)
        v, eta = self.rotation
        theta, rate = -turning, v**2 * turned + 2 * eta * v * turning - site.gyro
        turn = axis_angle_to_matrix(theta)
        orientation = site.orientation @ turn
        gravity = site.accel.new_tensor(GRAVITY)
        return replace(
            site,
            accel=(orientation.mT @ felt[..., None])[..., 0],
            gyro=(turn.mT @ site.gyro[..., None])[..., 0] + _right_jacobian(theta, rate),
            linear_accel=(orientation.mT @ (felt + gravity)[..., None])[..., 0],
            orientation=orientation,
            position=site.position - response,
        )


def _resonance(stiffness: float, damping: float, inertia: float) -> tuple[float, float]:
    frequency = math.sqrt(stiffness / inertia)
    return frequency, damping / (2 * inertia * frequency)


def _right_jacobian(theta: Tensor, rate: Tensor) -> Tensor:
    """Angular rate in the turned frame of ``exp([theta]x)`` while the vector ``theta`` changes at ``rate``."""
    square = (theta * theta).sum(dim=-1)[..., None, None]
    small = square < 1e-4
    safe = torch.where(small, torch.ones_like(square), square)
    angle = safe.sqrt()
    first = torch.where(small, 0.5 - square / 24, (1 - angle.cos()) / safe)
    second = torch.where(small, 1 / 6 - square / 120, (angle - angle.sin()) / (safe * angle))
    cross = hat(theta)
    jacobian = torch.eye(3, dtype=theta.dtype, device=theta.device) - first * cross + second * (cross @ cross)
    return (jacobian @ rate[..., None])[..., 0]


def _respond(drive: Tensor, rate_hz: float, frequency: float, damping_ratio: float) -> tuple[Tensor, Tensor]:
    """Return y and its slope, where ``y'' + 2 zeta w y' + w^2 y`` is the drive ``(..., T, S, 3)``.

    Exact for a drive that is linear between its samples.
    """
    first = drive[..., :1, :, :]
    change = (drive - first).movedim(-3, -1)
    count = change.shape[-1]
    taps = _response_taps(rate_hz, frequency, damping_ratio, most=count)
    values, slopes = (torch.from_numpy(values).to(drive) for values in taps)
    length = 2 ** math.ceil(math.log2(count + len(values)))
    spectrum = torch.fft.rfft(change, n=length)
    y, slope = (
        torch.fft.irfft(spectrum * torch.fft.rfft(taps, n=length), n=length)[..., :count].movedim(-1, -3)
        for taps in (values, slopes)
    )
    return y + first / frequency**2, slope


def _response_taps(
    rate_hz: float, frequency: float, damping_ratio: float, *, most: int
) -> tuple[np.typing.NDArray[np.float64], np.typing.NDArray[np.float64]]:
    """Response of y and of its slope to a drive that is 1 at one sample, 0 at the others and linear between."""
    # Here, as above it would add a tenth to what ``import sim`` takes, and soft tissue is off by default.
    from scipy.linalg import expm

    step = 1 / rate_hz
    # The state, the drive and the drive's change over one step, so that one exponential gives the exact step.
    system = np.zeros((4, 4))
    system[0, 1] = step
    system[1] = [-(frequency**2) * step, -2 * damping_ratio * frequency * step, step, 0]
    system[2, 3] = 1
    exact = expm(system)
    advance, held, ramp = exact[:2, :2], exact[:2, 2], exact[:2, 3]
    # The slowest root of s^2 + 2 zeta w s + w^2 tells how long the response lasts.
    if damping_ratio > 1:
        # Beyond the critical damping, written so that it does not cancel.
        decay = frequency / (damping_ratio + math.sqrt(damping_ratio**2 - 1))
    else:
        decay = frequency * damping_ratio
    count = max(2, min(math.ceil(-math.log(_FADED) / (decay * step)) + 2, most))
    states = np.zeros((count, 2))
    states[0] = ramp
    states[1] = advance @ states[0] + held - ramp
    for k in range(2, count):
        states[k] = advance @ states[k - 1]
    return states[:, 0], states[:, 1]
