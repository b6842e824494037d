"""``python -m detector``: one worker."""

from __future__ import annotations

from detector.cli import app

if __name__ == "__main__":
    app()
