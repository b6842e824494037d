"""``surgeline evaluate --faults``: which faults a model sees in healthy records, and which not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from common.errors import DatasetError
from common.terminal.cli import error_console

if TYPE_CHECKING:
    from models.artifact.store import Artifact
    from models.evaluation.fault_table import FaultTable, Judge, Judged, OnWatched
    from models.report.comparison import Measured
    from models.scoring.scorer import ScorerSpec, WindowScorer

ALL, SCORE_ALONE = "all evidence", "the score alone"

NOTE: Final = (
    "Each fault is put into each channel of each healthy record in turn, in deviations of the "
    "channel's own regime, and watched for 30 readings. After: readings until the alarm, median. "
    "Sensor: the right one is named first. Way: it is said to be above or below as it reads. "
    "Nothing is refused for being implausible here."
)


def show_faults(
    artifact: Artifact, measured: Measured, console: Console, seed: int | None = None
) -> dict[str, Any]:
    """Print what an artifact sees of known faults, and beside it what its score alone would.

    Args:
        artifact: Is measured.
        measured: On which engines.
        console: To print to.
        seed: Of engines that were simulated for this; none of those of a file.

    Returns:
        The numbers, as for a file.

    Raises:
        DatasetError: If no engine has enough healthy readings to put a fault in.
    """
    from models.artifact.opening import open_scorer

    scorer = open_scorer(artifact)
    thresholds = scorer.spec.thresholds
    alone = replace(
        scorer.spec, thresholds=replace(thresholds, channel=None, life=None), frozen_after=()
    )
    found: dict[str, Any] = {
        "measured_on": {
            "artifact": artifact.manifest.name,
            "dataset": measured.dataset.name,
            "split": measured.split,
            "engines": str(measured.engines),
            "data_sha256": measured.dataset.sha256,
            "seed": seed,
        }
    }
    for title, spec in ((ALL, scorer.spec), (SCORE_ALONE, alone)):
        if title == SCORE_ALONE and alone == scorer.spec:
            continue
        with _progress(f"{artifact.manifest.name}, {title}: putting faults in") as on_watched:
            table = _table_of(artifact, scorer, spec, measured, on_watched)
        console.print(_printed(f"{artifact.manifest.name}, {title}", table))
        console.print(_quiet(table), style="dim")
        console.print()
        found[title] = asdict(table)
    console.print(NOTE, style="dim")
    return found


def _table_of(
    artifact: Artifact,
    scorer: WindowScorer,
    spec: ScorerSpec,
    measured: Measured,
    on_watched: OnWatched,
) -> FaultTable:
    from models.evaluation.collection import numbered
    from models.evaluation.engines import recording_of
    from models.evaluation.fault_table import fault_table

    manifest = artifact.manifest
    records = [each for _, each in numbered(recording_of(measured.dataset), measured.engines)]
    try:
        return fault_table(
            manifest.normalisation.normaliser(),
            manifest.machine,
            records,
            _judge(scorer, spec),
            on_watched=on_watched,
        )
    except ValueError as exc:
        raise DatasetError(f"{measured.dataset.name} ({measured.split}): {exc}.") from exc


def _judge(scorer: WindowScorer, spec: ScorerSpec) -> Judge:
    from models.evaluation.fault_table import Judged
    from models.scoring.evidence import judge

    def judged(windows: NDArray[np.float32], unmoved: NDArray[np.int64]) -> Judged:
        found = judge(scorer.score(windows), unmoved, spec)
        named = found.shares.argmax(axis=1)
        return Judged(found.severities, named, found.directions[np.arange(len(named)), named])

    return judged


@contextmanager
def _progress(description: str) -> Iterator[OnWatched]:
    """Show how many records have been watched, on standard error."""
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} records"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=error_console(),
    )
    with progress:
        task = progress.add_task(description, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _printed(title: str, found: FaultTable) -> Table:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    table.add_column("fault", no_wrap=True)
    for heading in ("cases", "alarmed", "after", "sensor", "way"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("least seen", no_wrap=True)
    for row in found.rows:
        table.add_row(
            row.fault,
            f"{row.cases:,}",
            _percent(row.alarmed),
            "-" if row.delay is None else f"{row.delay:.0f}",
            _percent(row.right_sensor),
            _percent(row.as_read),
            f"{row.weakest} {_percent(row.weakest_alarmed)}",
        )
    return table


def _quiet(found: FaultTable) -> str:
    return (
        f"without a fault: {found.quiet_alarmed} of {found.assets} records alarm in the same 30 "
        f"readings, {found.lives_alarmed} of {found.lives} in all their healthy readings"
    )


def _percent(part: float | None) -> str:
    if part is None:
        return "-"
    return "100 %" if part == 1 else f"{100 * part:.1f} %"
