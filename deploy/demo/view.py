"""What the demo shows while it runs: bars on a terminal, a few lines elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.local.screen import SUPERVISOR


class DemoView:
    """Shows how far the demo is; a context manager, whose end removes the bars.

    Args:
        console: Where to; bars only if it is a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description:<16}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._sent = self._bars.add_task("readings sent", total=None, visible=False)
        self._verdicts = self._bars.add_task("verdicts stored", total=None, visible=False)

    def __enter__(self) -> Self:
        """Begin to show."""
        self._bars.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the bars."""
        self._bars.stop()

    def say(self, name: str, sentence: str) -> None:
        """Print what the supervisor has to say about a process."""
        about = sentence if name == SUPERVISOR else f"{name}: {sentence}"
        self._console.print(about, style="dim", markup=False)

    def progress(self, sent: int, total: int | None, verdicts: int) -> None:
        """Move the bars."""
        self._bars.update(self._sent, completed=sent, total=total, visible=True)
        self._bars.update(self._verdicts, completed=verdicts, total=total, visible=True)
