"""Whose body sensors are worn on, and what their device adds: said in the same words to synth, dataset and har_eval.

body: FILE                # an SMPL, SMPL-H or SMPL-X model; null: the built-in body
sensor_errors: smartphone # a preset, or {preset: smartphone, accel: {noise_density: 0.004}}, all in SI
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from experiments.pipeline.typed_config import Values, read_typed
from sim.body import Body
from sim.sensor_errors import SensorErrors, make_errors

BODY, SENSOR_ERRORS = "body", "sensor_errors"


@dataclass(frozen=True)
class ErrorsConfig:
    """Errors of the simulated device; in YAML also the name of a preset alone.

    Figures take the place of the preset's; their names, units and meaning: :func:`sim.sensor_errors.make_errors`.

    Attributes:
        preset: one of :data:`sim.sensor_errors.SENSOR_NAMES`; ``none`` is an ideal device.
        accel: figures of the accelerometer, in m/s^2.
        gyro: figures of the gyroscope, in rad/s.
        g_sensitivity_std: of the gyroscope [rad/s per m/s^2]; null takes the preset's.
        timing: jitter and drop-outs, in seconds.
    """

    preset: str = "smartphone"
    accel: dict[str, float] = field(default_factory=dict)
    gyro: dict[str, float] = field(default_factory=dict)
    g_sensitivity_std: float | None = None
    timing: dict[str, int | float | str] = field(default_factory=dict)

    def make(self) -> SensorErrors:
        """Return the device; raises as :func:`sim.sensor_errors.make_errors`."""
        return make_errors(
            self.preset,
            accel=self.accel,
            gyro=self.gyro,
            g_sensitivity_std=self.g_sensitivity_std,
            timing=self.timing,
        )


def read_errors(said: str) -> ErrorsConfig:
    """Return the device that a command line names: a preset, or a YAML file of :class:`ErrorsConfig`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file holds something else.
    """
    if not said.endswith((".yaml", ".yml")):
        return ErrorsConfig(said)
    return read_typed(ErrorsConfig, Path(said))


def spell_out_errors(entry: object) -> object:
    """Return the errors of a YAML in the form of :class:`ErrorsConfig`: a name alone is a preset."""
    return {"preset": entry} if isinstance(entry, str) else entry


def rename(values: Values, word: str, to: str) -> None:
    """Put what is said under one of the shared words where a configuration keeps it; the shared word counts.

    Args:
        values: a part of a YAML, which is changed.
        word: :data:`BODY` or :data:`SENSOR_ERRORS`.
        to: what the part calls it.
    """
    if word in values:
        values[to] = values.pop(word)


def move_into(values: Values, word: str, part: str, to: str) -> None:
    """Put what is said at the top under a shared word into the part that keeps it."""
    if word not in values:
        return
    inner = values.get(part)
    values[part] = {**(inner if isinstance(inner, Mapping) else {}), to: values.pop(word)}


@lru_cache(maxsize=2)
def read_body(model: str | None) -> Body:
    """Return the built-in body, or that of a model; raises as :meth:`sim.body.Body.from_smpl`."""
    return Body.default() if model is None else Body.from_smpl(Path(model).expanduser())
