"""Figures of real devices for :meth:`sim.SensorErrors.preset`, each with its source.

Typical values. A figure that a sheet calls typical, or an offset "over life time" as Bosch defines it, is one standard
deviation; a tolerance is three. What a sheet does not state is left ideal: none of them states jitter or drop-outs, and
only Xsens states bias instability. Figures marked * are quoted from the named document from memory and were not read
again when this was written (docs/decisions/010-sensor-errors-written-here.md).

``none``
    An ideal device.
``bmi270``
    Wearables. Bosch BST-BMI270-DS000-07, accelerometer and gyroscope specifications: noise 160 ug/sqrt(Hz) and 0.007
    dps/sqrt(Hz) (performance mode), offsets 20 mg* and 0.5 dps, 16 bit at 16 g (2048 LSB/g) and 2000 dps (16.384
    LSB/dps). Scale, alignment and g-sensitivity are left ideal.
``bmi160``
    Phones and watches of about 2015. Bosch BST-BMI160-DS000-07*: noise 180 ug/sqrt(Hz) and 0.007 dps/sqrt(Hz), offsets
    40 mg and 3 dps, 16 bit at 16 g and 2000 dps. Random walks 8.6e-4 m/s^3/sqrt(Hz) and 2.2e-5 rad/s^2/sqrt(Hz): the
    calibration published with the TUM VI data set (Schubert et al. 2018, arXiv:1804.06120)*, whose device it is. Scale,
    alignment and g-sensitivity are left ideal.
``smartphone``
    The same part as a phone delivers it: white noise as in the TUM VI calibration*, 2.8e-3 m/s^2/sqrt(Hz) and 1.6e-4
    rad/s/sqrt(Hz), the gyroscope's constant bias taken off by the system (Android's definition of ``TYPE_GYROSCOPE``),
    16 bit at 8 g and 2000 dps. The calibration's densities are read as one-sided here; if they are two-sided, as its
    tool (Kalibr) has them, the white noise is too small by the square root of two.
``lsm6dso``
    Phones and watches. STMicroelectronics DS12140 rev. 2, table 2 (high-performance mode): noise 110 ug/sqrt(Hz) at
    16 g* and 3.8 mdps/sqrt(Hz)*, offsets 20 mg* and 1 dps* (typical), sensitivity tolerance 1 %*, counts of 0.488 mg
    at 16 g and 70 mdps at 2000 dps. Alignment and g-sensitivity are left ideal.
``mpu6050``
    Older research devices. InvenSense PS-MPU-6000A-00 rev. 3.4, tables 6.1 and 6.2: noise 400 ug/sqrt(Hz) and 0.005
    dps/sqrt(Hz), offset tolerances 50 mg (x and y) and 20 dps, scale tolerance 3 %, cross-axis sensitivity 2 %, linear
    acceleration sensitivity of the gyroscope 0.1 dps/g (typical), 16 bit at 16 g and 2000 dps.
``icm20948``
    Research and hobby devices. TDK InvenSense DS-000189 rev. 1.3. Table 2: noise 230 ug/sqrt(Hz), offset tolerance 50
    mg (on a board), scale tolerance 0.5 %, cross-axis sensitivity 2 %, 16 bit at 16 g. Table 1*: noise 0.015
    dps/sqrt(Hz), offset tolerance 5 dps, scale tolerance 1.5 %, cross-axis sensitivity 2 %, 16 bit at 2000 dps.
    g-sensitivity is left ideal.
``xsens_mtw``
    Motion laboratories. Xsens MTw Awinda user manual MW0502P rev. L, table of sensor specifications*: noise 200
    ug/sqrt(Hz) and 0.01 dps/sqrt(Hz), bias stability 0.1 mg and 10 deg/h, alignment 0.1 deg, full scale 160 m/s^2 and
    2000 dps, bandwidth 180 Hz. The maker calibrates bias, gain, misalignment and g-sensitivity of each device (the same
    manual): offset, scale and g-sensitivity are left ideal. So is the converter's resolution, which it does not state.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from sim.conventions import STANDARD_GRAVITY
from sim.names import suggest
from sim.sensor_errors.triad import TriadErrors

_MILLI_G: Final[float] = 1e-3 * STANDARD_GRAVITY
_MICRO_G: Final[float] = 1e-6 * STANDARD_GRAVITY
_DEGREE: Final[float] = math.pi / 180.0


class DataSheet(NamedTuple):
    """What a data sheet says of a device: two triads, and the gyroscope's g-sensitivity [rad/s per m/s^2]."""

    accel: TriadErrors
    gyro: TriadErrors
    g_sensitivity_std: float = 0.0


def find_data_sheet(name: str) -> DataSheet:
    """Return a device by name; case, spaces, ``-`` and ``_`` do not matter.

    Raises:
        ValueError: there is no such device.
    """
    plain = {_plain(known): known for known in SENSOR_NAMES}
    if _plain(name) not in plain:
        hint = suggest(_plain(name), plain, shown_as=plain) or ";"
        raise ValueError(f"unknown sensor preset {name!r}{hint} valid names: {', '.join(SENSOR_NAMES)}")
    return _SHEETS[plain[_plain(name)]]


def _plain(name: str) -> str:
    return name.casefold().replace("-", "").replace("_", "").replace(" ", "")


def _sixteen_bit(full_scale: float) -> dict[str, float]:
    return {"full_scale": full_scale, "resolution": full_scale / 2**15}


_ACCEL_16G: Final = _sixteen_bit(16 * STANDARD_GRAVITY)
_ACCEL_8G: Final = _sixteen_bit(8 * STANDARD_GRAVITY)
_GYRO_2000: Final = _sixteen_bit(2000 * _DEGREE)
_TUM_VI_ACCEL_WALK: Final[float] = 8.6e-4
_TUM_VI_GYRO_WALK: Final[float] = 2.2e-5

_SHEETS: Final[dict[str, DataSheet]] = {
    "none": DataSheet(TriadErrors(), TriadErrors()),
    "bmi270": DataSheet(
        accel=TriadErrors(noise_density=160 * _MICRO_G, bias_std=20 * _MILLI_G, **_ACCEL_16G),
        gyro=TriadErrors(noise_density=0.007 * _DEGREE, bias_std=0.5 * _DEGREE, **_GYRO_2000),
    ),
    "bmi160": DataSheet(
        accel=TriadErrors(
            noise_density=180 * _MICRO_G, bias_std=40 * _MILLI_G, bias_random_walk=_TUM_VI_ACCEL_WALK, **_ACCEL_16G
        ),
        gyro=TriadErrors(
            noise_density=0.007 * _DEGREE, bias_std=3 * _DEGREE, bias_random_walk=_TUM_VI_GYRO_WALK, **_GYRO_2000
        ),
    ),
    "smartphone": DataSheet(
        accel=TriadErrors(
            noise_density=2.8e-3, bias_std=40 * _MILLI_G, bias_random_walk=_TUM_VI_ACCEL_WALK, **_ACCEL_8G
        ),
        gyro=TriadErrors(noise_density=1.6e-4, bias_random_walk=_TUM_VI_GYRO_WALK, **_GYRO_2000),
    ),
    "lsm6dso": DataSheet(
        accel=TriadErrors(noise_density=110 * _MICRO_G, bias_std=20 * _MILLI_G, scale_std=0.01 / 3, **_ACCEL_16G),
        gyro=TriadErrors(
            noise_density=0.0038 * _DEGREE,
            bias_std=1 * _DEGREE,
            scale_std=0.01 / 3,
            full_scale=2000 * _DEGREE,
            # Not the range over 2^15, as ST leaves room beyond the stated range.
            resolution=0.07 * _DEGREE,
        ),
    ),
    "mpu6050": DataSheet(
        accel=TriadErrors(
            noise_density=400 * _MICRO_G,
            bias_std=50 / 3 * _MILLI_G,
            scale_std=0.01,
            misalignment_std=0.02 / 3,
            **_ACCEL_16G,
        ),
        gyro=TriadErrors(
            noise_density=0.005 * _DEGREE,
            bias_std=20 / 3 * _DEGREE,
            scale_std=0.01,
            misalignment_std=0.02 / 3,
            **_GYRO_2000,
        ),
        g_sensitivity_std=0.1 * _DEGREE / STANDARD_GRAVITY,
    ),
    "icm20948": DataSheet(
        accel=TriadErrors(
            noise_density=230 * _MICRO_G,
            bias_std=50 / 3 * _MILLI_G,
            scale_std=0.005 / 3,
            misalignment_std=0.02 / 3,
            **_ACCEL_16G,
        ),
        gyro=TriadErrors(
            noise_density=0.015 * _DEGREE,
            bias_std=5 / 3 * _DEGREE,
            scale_std=0.015 / 3,
            misalignment_std=0.02 / 3,
            **_GYRO_2000,
        ),
    ),
    "xsens_mtw": DataSheet(
        accel=TriadErrors(
            noise_density=200 * _MICRO_G,
            bias_instability=0.1 * _MILLI_G,
            misalignment_std=0.1 * _DEGREE,
            full_scale=160.0,
            low_pass_hz=180.0,
        ),
        gyro=TriadErrors(
            noise_density=0.01 * _DEGREE,
            bias_instability=10 / 3600 * _DEGREE,
            misalignment_std=0.1 * _DEGREE,
            full_scale=2000 * _DEGREE,
            low_pass_hz=180.0,
        ),
    ),
}

SENSOR_NAMES: Final[tuple[str, ...]] = tuple(_SHEETS)
"""Devices with a preset."""
