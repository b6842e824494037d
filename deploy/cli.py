"""``surgeline``: hands over to ``commands.py``, and has Ctrl-C in hand while that is imported."""

from __future__ import annotations

import sys
from collections.abc import Callable


def main() -> None:
    """Run the command line."""
    try:
        from common.terminal.entry import run_program
    except KeyboardInterrupt:  # not even that was imported
        sys.stderr.write("stopped.\n")
        sys.exit(130)
    run_program(_load)


def _load() -> Callable[[], object]:
    from deploy.commands import run

    return run


if __name__ == "__main__":
    main()
