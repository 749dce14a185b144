"""``python -m experiments.acceleration.denoisers``."""

import sys

from experiments.acceleration.options import parse_options
from experiments.pipeline.own_packages import require_own_packages

if __name__ == "__main__":
    options = parse_options(denoisers=True)
    require_own_packages()
    # Only now: the rest brings torch along, and help need not wait for it.
    from experiments.acceleration.denoisers.command import run_command

    sys.exit(run_command(options))
