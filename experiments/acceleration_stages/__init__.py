"""The parts of the acceleration experiment, in the order of the data: measure, choose, summarise, draw, page."""
