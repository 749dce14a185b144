"""``python -m sim.show``."""

import sys

from sim.show.command import main

if __name__ == "__main__":
    sys.exit(main())
