"""Dead letters, for a person."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from common.records.letters import DeadLetter
from common.terminal.printable import one_line
from detector.tools.deadletter.letters import Letter, count_reasons, decoded_original


def show_letters(letters: Sequence[Letter], latest: int, console: Console) -> None:
    """Print the counts by reason, and the latest letters."""
    reasons = Table(box=None, padding=(0, 2, 0, 0))
    reasons.add_column("reason")
    reasons.add_column("letters", justify="right")
    for reason, count in count_reasons(letters).items():
        reasons.add_row(Text(one_line(reason)), f"{count:,}")
    console.print(reasons)
    table = Table(box=None, padding=(0, 2, 0, 0))
    # what names a letter stays whole, however long a key somebody sent
    for heading in ("position", "received", "reason"):
        table.add_column(heading, no_wrap=True)
    for heading in ("asset", "message"):
        table.add_column(heading, overflow="fold")
    for item in letters[-latest:]:
        table.add_row(
            Text(one_line(item.position)),
            _received(item.letter, "%Y-%m-%d %H:%M:%S"),
            Text(one_line(item.letter.reason)),
            Text(one_line(item.asset_id)),
            Text(one_line(item.letter.message)),
        )
    console.print()
    console.print(table)
    if len(letters) > latest:
        console.print(f"The latest {latest} of {len(letters):,}; see --latest.", style="dim")


def show_letter(item: Letter, max_bytes: int, refused: str | None, console: Console) -> None:
    """Print one letter and its original."""
    letter, identity = item.letter, item.identity
    facts = {
        "position": item.position,
        "received": _received(letter, "%Y-%m-%d %H:%M:%S.%f"),
        "reason": letter.reason,
        "message": letter.message,
        "key": "none" if item.key is None else repr(item.key)[1:],
        "reading": "not intelligible"
        if identity is None
        else f"{identity.asset_id}, run {identity.run_id}, cycle {identity.cycle}",
        "size": f"{letter.original_size:,} bytes",
        "sha256": letter.original_sha256,
        "retry": "possible" if refused is None else f"not possible: {refused}",
    }
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in facts.items():
        table.add_row(Text(name, style="bold"), Text(one_line(value)))
    console.print(table)
    console.print()
    shown = item.value[:max_bytes] if max_bytes else item.value
    console.print(Text(decoded_original(shown)), soft_wrap=True)
    if len(shown) < letter.original_size:
        console.print(
            f"... {letter.original_size - len(shown):,} more bytes; see --max-bytes.", style="dim"
        )


def _received(letter: DeadLetter, layout: str) -> str:
    return "unknown" if letter.received_at is None else f"{letter.received_at:{layout}}Z"
