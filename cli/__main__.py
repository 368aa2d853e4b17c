"""Where the command starts: its version needs no more than this file."""

from __future__ import annotations

import atexit
import gc
import sys

from .. import __version__


def run() -> None:
    """The entry point of the script `policyctl`."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        sys.stdout.write(f"policyctl {__version__}\n")
        return
    # What a short run makes stays until its end: looking for circles in it again and again, and once more
    # when all is over, finds none and takes a sixth of the time.
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
    try:
        from .main import run as run_command

        run_command()
    except KeyboardInterrupt:  # while the rest of the command is still being imported
        sys.exit(130)


if __name__ == "__main__":
    run()
