"""A run as a file: ``bench/results/latest.json``, and what changed since the one before."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.suite.failures import MeasurementError
from bench.suite.figures import PLUMBING, RATIOS, Figure, Findings
from bench.suite.machine import ROOT
from common.files.atomic import write_report

LATEST: Final = ROOT / "bench/results/latest.json"
FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Record:
    """What a run measured.

    Attributes:
        whole: Whether every section ran, at full size.
        machine: On what.
        findings: By section.
        seconds: How long each section took.
    """

    whole: bool
    machine: Mapping[str, object]
    findings: Mapping[str, Findings]
    seconds: Mapping[str, float]

    @property
    def ratios(self) -> dict[str, Figure]:
        """The project's ratios that were measured, in their order."""
        found = {
            name: figure for each in self.findings.values() for name, figure in each.ratios.items()
        }
        return {name: found[name] for name in RATIOS if name in found}

    @property
    def plumbing(self) -> Figure | None:
        """What a reading takes beside the network, if it was measured."""
        for each in self.findings.values():
            if each.plumbing_us:
                return Figure("µs", each.plumbing_us)
        return None

    def as_json(self) -> dict[str, Any]:
        """Return the run as it is written.

        Raises:
            MeasurementError: If a whole run lacks one of the ratios.
        """
        ratios, plumbing = self.ratios, self.plumbing
        missing = [name for name in RATIOS if name not in ratios]
        if self.whole and (missing or plumbing is None):
            raise MeasurementError(
                f"not measured: {', '.join(missing or [PLUMBING])}. A whole run has every ratio."
            )
        return {
            "format": FORMAT,
            "whole": self.whole,
            "machine": dict(self.machine),
            "ratios": {name: round(figure.median, 4) for name, figure in ratios.items()},
            PLUMBING: None if plumbing is None else round(plumbing.median, 2),
            "spread": {name: round(figure.spread, 4) for name, figure in ratios.items()}
            | ({} if plumbing is None else {PLUMBING: round(plumbing.spread, 4)}),
            "figures": {
                section: {name: _figure(figure) for name, figure in found.figures.items()}
                for section, found in self.findings.items()
            },
            "not_measured": {
                f"{section}: {what}": why
                for section, found in self.findings.items()
                for what, why in found.not_measured.items()
            },
            "notes": {s: found.notes for s, found in self.findings.items() if found.notes},
            "seconds": {name: round(value, 1) for name, value in self.seconds.items()},
        }


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "unit": figure.unit,
        "median": _rounded(figure.median),
        "spread": round(figure.spread, 4),
        "values": [_rounded(value) for value in figure.values],
    }


def _rounded(value: float) -> float:
    """Return four digits that count."""
    return float(f"{value:.4g}") if abs(value) < 1000 else float(round(value))


def write(record: Record, path: Path) -> None:
    """Write a run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_report(path, record.as_json())


def committed(path: Path = LATEST) -> dict[str, Any] | None:
    """Return the last run that was committed, else the one on disk; none if there is neither."""
    try:
        name = path.relative_to(ROOT).as_posix()
        said = subprocess.run(
            ["git", "show", f"HEAD:{name}"],  # noqa: S607 - git as it is found
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        text = said.stdout
    except (OSError, ValueError, subprocess.CalledProcessError):
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if not text:
        return None
    found: dict[str, Any] = json.loads(text)
    return found if found.get("format") == FORMAT else None


def median_of(run: Mapping[str, Any] | None, section: str, name: str) -> float | None:
    """Return what an earlier run says of a figure; none if it does not."""
    if run is None:
        return None
    found = run.get("figures", {}).get(section, {}).get(name)
    return None if found is None else float(found["median"])
