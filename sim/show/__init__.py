"""A page that plays a clip with its sensors' axes beside their curves (``python -m sim.show``)."""

from sim.show.command import DEFAULT_PLACEMENTS, add_arguments, main, show, write_page

__all__ = ["DEFAULT_PLACEMENTS", "add_arguments", "main", "show", "write_page"]
