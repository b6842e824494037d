"""How far a training is, on standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from common.terminal.cli import error_console

if TYPE_CHECKING:
    from models.training.config import EpochReport, OnEpoch


@contextmanager
def epoch_progress(description: str, epochs: int) -> Iterator[OnEpoch]:
    """Show passes done, loss and time left, on standard error; without passes nothing moves."""
    if not epochs:
        with error_console().status(description):
            yield lambda report: None
        return
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} epochs"),
        TextColumn("loss {task.fields[loss]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=error_console(),
    )
    with progress:
        task = progress.add_task(description, total=epochs, loss="-")

        def on_epoch(report: EpochReport) -> None:
            progress.update(task, advance=1, loss=f"{report.train_loss:.4f}")

        yield on_epoch
