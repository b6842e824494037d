"""``python -m api``: serves the api until SIGTERM or Ctrl-C."""

from __future__ import annotations

from api.serve import app

if __name__ == "__main__":
    app()
