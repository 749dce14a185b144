"""A page that plays a clip with its sensors' axes beside their curves (``python -m sim.show``)."""

from typing import TYPE_CHECKING

from sim.lazy_names import import_lazily

if TYPE_CHECKING:
    from sim.show.command import main, show, write_page
    from sim.show.options import DEFAULT_PLACEMENTS, add_arguments
else:
    __getattr__, __dir__ = import_lazily(
        __name__,
        {
            "sim.show.command": ["main", "show", "write_page"],
            "sim.show.options": ["DEFAULT_PLACEMENTS", "add_arguments"],
        },
    )

__all__ = ["DEFAULT_PLACEMENTS", "add_arguments", "main", "show", "write_page"]
