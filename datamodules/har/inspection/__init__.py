"""What looks wrong in a real set: units, axes, rates, sensors that stood still."""
