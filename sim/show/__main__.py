"""``python -m sim.show``."""

import sys

from sim.show.options import parse_options

if __name__ == "__main__":
    options = parse_options()
    # Only now: the rest brings torch along, and help need not wait for it.
    from sim.show.command import run

    sys.exit(run(options))
