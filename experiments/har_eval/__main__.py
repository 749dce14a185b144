"""``python -m experiments.har_eval``."""

import sys

from experiments.har_eval.command import main

if __name__ == "__main__":
    sys.exit(main())
