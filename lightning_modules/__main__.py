"""``python -m lightning_modules``: the command ``lightning`` where another package owns that name."""

from lightning_modules.command import main

if __name__ == "__main__":
    main()
