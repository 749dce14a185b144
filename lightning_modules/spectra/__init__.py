"""What losses compare in place of differences in time: power spectra of sensors, frequencies of an error."""
