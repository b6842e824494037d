"""``python -m deploy.dashboards``: writes the dashboards and the page of metrics."""

from __future__ import annotations

from pathlib import Path

from deploy.dashboards.writing import write

if __name__ == "__main__":
    write(Path.cwd())
