"""What a real device adds to ideal readings: noise, bias, scale, saturation, timing."""

from sim.sensor_errors.described import make_errors
from sim.sensor_errors.errors import SensorErrors
from sim.sensor_errors.presets import SENSOR_NAMES
from sim.sensor_errors.timing import TimingErrors
from sim.sensor_errors.triad import TriadErrors

__all__ = ["SENSOR_NAMES", "SensorErrors", "TimingErrors", "TriadErrors", "make_errors"]
