"""Writes the dashboards, and says which files differ from what the code says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deploy.dashboards.alarms import ALARMS_BOARD
from deploy.dashboards.engine import ENGINE
from deploy.dashboards.fleet import FLEET
from deploy.dashboards.metrics_page import METRICS_PAGE, metrics_page
from deploy.dashboards.pipeline import PIPELINE

DASHBOARDS: Final = (FLEET, ENGINE, ALARMS_BOARD, PIPELINE)
FOLDER: Final = Path("deploy/grafana/dashboards")


def texts() -> Mapping[Path, str]:
    """Return what each file should hold, by its path in the repository."""
    written = {
        FOLDER / f"{dashboard.name}.json": json.dumps(dashboard.json(), indent=2) + "\n"
        for dashboard in DASHBOARDS
    }
    return written | {METRICS_PAGE: metrics_page()}


def stale_files(root: Path) -> list[Path]:
    """Return which files are missing or differ.

    Args:
        root: The repository.
    """
    return [
        path
        for path, text in texts().items()
        if not (root / path).is_file() or (root / path).read_text(encoding="utf-8") != text
    ]


def write(root: Path) -> list[Path]:
    """Write the files and return those that changed."""
    changed = stale_files(root)
    for path in changed:
        (root / path).write_text(texts()[path], encoding="utf-8")
    return changed
