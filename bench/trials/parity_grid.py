"""Live equals batch on all test engines, through real servers, however records are cut and spread.

    python -m bench.trials.parity_grid [--dataset FD001] [--batch 7] [--partitions 3]

For each data set, batch size and number of partitions: a real broker, Valkey, SQLite file and
detector process take in every reading, and `surgeline parity` compares what they left behind with
the batch path. Options may be given several times; without any, the whole grid. Exit code 1 if
anything differs anywhere.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console

from bench.support.messages import fleet_messages
from bench.support.stage import stage
from common.cmapss.reader import Dataset, load_dataset
from common.settings import load_settings
from detector.tools.parity.report import ParityReport, parity_report

RUN = "grid"
LINE = "{:8}{:>6}{:>11}{:>10}{:>9}{:>12}{:>15}{:>13}{:>12}{:>7}"
HEADINGS = (
    "engines", "batch", "partitions", "readings", "scores", "difference", "missing/extra",
    "same alerts", "readings/s", "equal",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination.

    Attributes:
        dataset: Which engines.
        batch_rows: Most readings in one micro-batch.
        partitions: Of the readings topic.
    """

    dataset: Dataset
    batch_rows: int
    partitions: int


async def run_cell(cell: Cell) -> tuple[ParityReport, float]:
    """Return what was found, and how many readings a second the worker took in."""
    extra = {
        "SURGELINE_DETECTOR__ARTIFACT": cell.dataset.name.lower(),
        "SURGELINE_DETECTOR__MAX_BATCH_ROWS": str(cell.batch_rows),
        "SURGELINE_LOG__LEVEL": "ERROR",
    }
    messages = fleet_messages(cell.dataset, RUN)
    with stage(cell.partitions) as bench:
        await bench.send(messages)
        with bench.running(**extra):
            began = time.perf_counter()
            await bench.wait_for_verdicts(len(messages), timeout_s=1800)
            speed = len(messages) / (time.perf_counter() - began)
            await bench.settled()
        return await parity_report(RUN, load_settings(bench.environment(**extra))), speed


def line_of(cell: Cell, report: ParityReport, speed: float) -> str:
    """Return a line of the table."""
    largest = report.largest.relative if report.largest else float("nan")
    alerts = report.alerts
    assert alerts is not None
    same = alerts.live - len(alerts.extra) - len(alerts.different)
    return LINE.format(
        cell.dataset.name,
        cell.batch_rows,
        cell.partitions,
        f"{report.readings:,}",
        f"{report.compared:,}",
        f"{largest:.1e}",
        f"{len(report.missing)}/{len(report.extra)}",
        f"{same}/{alerts.expected}",
        f"{speed:,.0f}",
        "yes" if report.equal else "NO",
    )


def main(
    dataset: Annotated[list[str] | None, typer.Option(help="FD001 and FD002 if left out.")] = None,
    batch: Annotated[list[int] | None, typer.Option(help="1, 7 and 500 if left out.")] = None,
    partitions: Annotated[list[int] | None, typer.Option(help="1, 3 and 8 if left out.")] = None,
) -> None:
    """Prove that live equals batch, however records are cut into batches and spread."""
    console = Console(highlight=False, soft_wrap=True)
    folder = load_settings().data_dir
    cells = [
        Cell(loaded, rows, number)
        for name in dataset or ["FD001", "FD002"]
        for loaded in [load_dataset(folder, name, "test")]
        for rows in batch or [1, 7, 500]
        for number in partitions or [1, 3, 8]
    ]
    console.print(LINE.format(*HEADINGS))
    equal = True
    for done, cell in enumerate(cells, start=1):
        with console.status(f"{done} of {len(cells)}: {cell.dataset.name}"):
            report, speed = asyncio.run(run_cell(cell))
        equal &= report.equal
        console.print(line_of(cell, report, speed))
    sys.exit(0 if equal else 1)


if __name__ == "__main__":
    typer.run(main)
