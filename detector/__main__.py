"""``python -m detector``: one worker."""

from __future__ import annotations

from collections.abc import Callable

from common.terminal.entry import run_program


def load() -> Callable[[], object]:
    """Import the program."""
    from detector.cli import app

    return app


if __name__ == "__main__":
    run_program(load)
