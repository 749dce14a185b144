"""ImuRecording: simulated sensor streams as one frozen value; :mod:`sim.recording_files` writes and reads it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from torch import Tensor

from sim.files import named_damage
from sim.recording_files import (
    AXES,
    DTYPES,
    FORMAT,
    FRAME,
    UNITS,
    Metadata,
    check_suffix,
    read_recording,
    write_recording,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class ImuRecording:
    """Streams of S sensors at a uniform rate, T' samples, any leading batch dims.

    Attributes:
        accel: specific force in the sensor frame ``(..., T', S, 3)`` [m/s^2]; a sensor at rest reads +9.80665 along up.
        gyro: angular rate relative to the world in the sensor frame ``(..., T', S, 3)`` [rad/s].
        linear_accel: acceleration in the sensor frame, gravity removed ``(..., T', S, 3)`` [m/s^2].
        orientation: true orientation ``R_ws`` ``(..., T', S, 3, 3)``, sensor to world.
        position: true position in the world, Y up ``(..., T', S, 3)`` [m].
        rate_hz: samples per second [Hz].
        names: the S sensors' names.
        placements: for each sensor what :meth:`sim.placements.Placement.describe` says of it, or nothing at all.
        decoder: of the motion that was simulated, see :class:`sim.motion.Motion`; None where there was none.
        licence: of the motion that was simulated, likewise.

    Raises:
        ValueError: shapes do not go together, the rate is not positive, or placements are not one for each sensor.

    Examples:
        >>> one, turn = torch.zeros(3, 1, 3), torch.eye(3).expand(3, 1, 3, 3)
        >>> read = ImuRecording(one + 1, one, one, turn, one, rate_hz=50.0, names=("chest",))
        >>> read.to_dataframe().filter(regex="time|accel_x")
           time_s  chest_accel_x  chest_linear_accel_x
        0    0.00            1.0                   0.0
        1    0.02            1.0                   0.0
        2    0.04            1.0                   0.0
    """

    accel: Tensor
    gyro: Tensor
    linear_accel: Tensor
    orientation: Tensor
    position: Tensor
    rate_hz: float
    names: tuple[str, ...]
    placements: tuple[Mapping[str, object], ...] = ()
    decoder: str | None = None
    licence: str | None = None

    def __post_init__(self) -> None:
        shape = tuple(self.accel.shape)
        if len(shape) < 3 or shape[-2:] != (len(self.names), 3):
            raise ValueError(f"accel has shape {shape}, expected (..., T, {len(self.names)}, 3) for {list(self.names)}")
        for name, axes in AXES.items():
            expected = (*shape[:-1], 3, 3) if len(axes) == 9 else shape
            if self._quantity(name).shape != expected:
                raise ValueError(
                    f"{name} has shape {tuple(self._quantity(name).shape)}, expected {expected} like accel"
                )
            if self._quantity(name).dtype != self.accel.dtype:
                raise ValueError(f"{name} is {self._quantity(name).dtype}, expected {self.accel.dtype} like accel")
        _check_names(self.names)
        if not (math.isfinite(self.rate_hz) and self.rate_hz > 0):
            raise ValueError(f"rate_hz is {self.rate_hz}, expected a positive number of Hz")
        if len(self.placements) not in (0, len(self.names)):
            raise ValueError(f"{len(self.placements)} placements, expected none or one for each of {list(self.names)}")

    @property
    def time_s(self) -> Tensor:
        """Time of each sample from the first on, float64 ``(T',)`` [s]."""
        return torch.arange(self.accel.shape[-3], dtype=torch.float64) / self.rate_hz

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Leading dims; empty for a single recording."""
        return tuple(self.accel.shape[:-3])

    def every(self, step: int) -> ImuRecording:
        """Return every ``step``-th sample, from the first on, as a recording of that lower rate.

        Raises:
            ValueError: the step is not a whole number above 0.
        """
        if not (isinstance(step, int) and step >= 1):
            raise ValueError(f"step is {step}, expected a whole number of samples, 1 or more")
        kept = torch.arange(0, self.accel.shape[-3], step, device=self.accel.device)
        thinned = [self._quantity(name).index_select(_sensor_axis(name) - 1, kept) for name in AXES]
        return replace(self._of(*thinned), rate_hz=self.rate_hz / step)

    def with_sensors(self, indices: Sequence[int], other: ImuRecording) -> ImuRecording:
        """Return this recording with the streams of some of its sensors taken from another one of as many samples."""
        chosen = torch.tensor(list(indices), device=self.accel.device)
        return self._of(
            *(self._quantity(name).index_copy(_sensor_axis(name), chosen, other._quantity(name)) for name in AXES)
        )

    def _of(self, accel: Tensor, gyro: Tensor, linear_accel: Tensor, orientation: Tensor, position: Tensor) -> Self:
        return replace(
            self, accel=accel, gyro=gyro, linear_accel=linear_accel, orientation=orientation, position=position
        )

    def _quantity(self, name: str) -> Tensor:
        values = {
            "accel": self.accel,
            "gyro": self.gyro,
            "linear_accel": self.linear_accel,
            "orientation": self.orientation,
            "position": self.position,
        }
        return values[name]

    def to_dataframe(self) -> pd.DataFrame:
        """One row per sample: ``time_s``, then ``left_wrist_accel_x`` [m/s^2] and so on, sensor by sensor.

        Quantities are accel, gyro, linear_accel, orientation (``_xx`` to ``_zz``, row then column of R_ws) and
        position. A batch is laid end to end, with a first column ``clip`` that counts its members.
        """
        import pandas as pd

        clips, count = math.prod(self.batch_shape), self.accel.shape[-3]
        columns: dict[str, np.typing.NDArray[np.generic]] = {}
        if self.batch_shape:
            columns["clip"] = np.repeat(np.arange(clips), count)
        columns["time_s"] = np.tile(self.time_s.numpy(), clips)
        for sensor, name in enumerate(self.names):
            for quantity, axes in AXES.items():
                values = self._quantity(quantity).detach().cpu().reshape(clips * count, len(self.names), len(axes))
                for index, axis in enumerate(axes):
                    columns[f"{name}_{quantity}_{axis}"] = values[:, sensor, index].numpy()
        return pd.DataFrame(columns)

    def save(self, path: str | Path) -> None:
        """Write the recording as ``.parquet`` or ``.csv``; values, rate and names read back exactly.

        Units, frame, rate and names are in the Parquet schema's metadata under ``imuforge`` (and each column's unit
        with the column), or in the CSV's first line as a comment: ``pandas.read_csv(path, comment="#")`` reads it.
        The file appears whole or not at all.

        Raises:
            OSError: the file cannot be written.
            ValueError: the path ends in neither, or the recording is neither float32 nor float64.
        """
        target = Path(path)
        check_suffix(target)
        metadata: Metadata = {
            "format": FORMAT,
            "rate_hz": self.rate_hz,
            "names": list(self.names),
            "placements": [dict(placement) for placement in self.placements],
            "batch_shape": list(self.batch_shape),
            "num_samples": self.accel.shape[-3],
            "dtype": str(self.accel.dtype).removeprefix("torch."),
            "units": dict(UNITS),
            "frame": FRAME,
            "decoder": self.decoder,
            "licence": self.licence,
        }
        if metadata["dtype"] not in DTYPES:
            raise ValueError(f"the recording is {metadata['dtype']}, expected float32 or float64; convert it first")
        write_recording(target, metadata, self.to_dataframe())

    @classmethod
    def load(cls, path: str | Path) -> ImuRecording:
        """Read a recording written by :meth:`save`.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file was not written by :meth:`save`.
        """
        source = Path(path)
        check_suffix(source)
        if not source.is_file():
            raise FileNotFoundError(f"{source} does not exist, expected a recording written by ImuRecording.save")
        with named_damage(source, "save the recording anew"):
            return cls._read(source)

    @classmethod
    def _read(cls, source: Path) -> ImuRecording:
        metadata, frame = read_recording(source)
        names, batch_shape = tuple(metadata["names"]), metadata["batch_shape"]
        dtype = np.dtype(metadata["dtype"])
        count = metadata.get("num_samples", len(frame) // max(1, math.prod(batch_shape)))
        if len(frame) != count * math.prod(batch_shape):
            raise ValueError(
                f"{source} holds {len(frame)} rows, expected {count * math.prod(batch_shape)}; the file was cut off or "
                "changed, so save the recording anew"
            )

        def collect(quantity: str) -> Tensor:
            axes = AXES[quantity]
            wanted = [f"{name}_{quantity}_{axis}" for name in names for axis in axes]
            missing = [column for column in wanted if column not in frame.columns]
            if missing:
                raise ValueError(f"{source} lacks the column {missing[0]}, expected what ImuRecording.save wrote")
            try:
                values = frame[wanted].to_numpy(dtype=dtype, copy=True)
            except ValueError as error:
                raise ValueError(f"{source}: {quantity} holds something else than numbers ({error})") from error
            component = (3, 3) if len(axes) == 9 else (3,)
            return torch.from_numpy(values).reshape(*batch_shape, count, len(names), *component)

        return cls(
            **{quantity: collect(quantity) for quantity in AXES},
            rate_hz=metadata["rate_hz"],
            names=names,
            # Files of before placements were written have none.
            placements=tuple(metadata.get("placements") or ()),
            decoder=metadata.get("decoder"),
            licence=metadata.get("licence"),
        )


def _check_names(names: tuple[str, ...]) -> None:
    """Refuse names that could not be told apart in a table's columns, or not be read back from a CSV."""
    columns = [f"{name}_{quantity}" for name in names for quantity in AXES]
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice or any("\r" in name for name in names):
        raise ValueError(
            f"sensors are named {list(names)}, expected names whose columns differ ({twice[:1]} would stand twice) and "
            "without carriage returns; rename one"
        )


def _sensor_axis(quantity: str) -> int:
    return -3 if len(AXES[quantity]) == 9 else -2
