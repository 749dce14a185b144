"""``python -m experiments.acceleration``."""

import sys

from experiments.acceleration.command import main

if __name__ == "__main__":
    sys.exit(main())
