"""What ``surgeline ingest --dry-run`` shows: a few messages, before and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from rich.console import Console
from rich.text import Text

from common.machines.machine import MachineType
from common.records.readings import IncomingReading
from common.records.times import EARLIEST, utc_text
from common.terminal.printable import one_line
from producer.ingest.ports import SourceMessage
from producer.ingest.tally import Tally
from producer.ingest.translate import Outcome, Refusal, Translator

MICROSECOND: Final = timedelta(microseconds=1)
MAX_BEFORE_CHARS: Final = 1500
MAX_RECORDS_SHOWN: Final = 3
"""Of one message."""


def show(
    messages: Sequence[SourceMessage],
    translator: Translator,
    machine: MachineType | None,
    console: Console,
) -> Tally:
    """Print each message, what becomes of it, and the totals.

    Returns:
        The counts; ``readings`` are those that would be sent.
    """
    tally = Tally()
    blanks: Counter[str] = Counter()
    for message in messages:
        tally.messages += 1
        outcomes = [
            _checked(outcome, tally, blanks) for outcome in translator.translate(message.value)
        ]
        console.print(f"partition {message.partition}, offset {message.offset}", style="bold")
        console.print(_before(message.value), soft_wrap=True)
        for outcome in outcomes[:MAX_RECORDS_SHOWN]:
            console.print(_after(outcome, machine), soft_wrap=True)
        if len(outcomes) > MAX_RECORDS_SHOWN:
            console.print(f"  and {len(outcomes) - MAX_RECORDS_SHOWN:,} more of this message")
        console.print()
    _totals(tally, blanks, console)
    return tally


def _checked(outcome: Outcome, tally: Tally, blanks: Counter[str]) -> Outcome:
    checked = tally.checked(outcome)
    if isinstance(checked, Refusal):
        tally.refuse(checked, lambda told, times: None)
    else:
        tally.readings += 1
        sensors = checked.reading.sensors
        blanks.update(name for name, value in sensors.items() if value is None)
    return checked


def _before(value: bytes | None) -> Text:
    if value is None:
        return Text("  before  (no value)")
    text = one_line(value[: 4 * MAX_BEFORE_CHARS].decode("utf-8", errors="backslashreplace"))
    cut = f"... ({len(value):,} bytes)" if len(text) > MAX_BEFORE_CHARS else ""
    return Text(f"  before  {text[:MAX_BEFORE_CHARS]}{cut}")


def _after(outcome: Outcome, machine: MachineType | None) -> Text:
    if isinstance(outcome, Refusal):
        return Text.assemble("  after   ", ("refused", "red"), f": {one_line(outcome.message)}")
    reading = outcome.reading
    lines = [f"  after   {_position(reading, machine)}"]
    for group, named in (("condition", reading.settings), ("channel", reading.sensors)):
        lines += [
            f"          {group} {name} = {'null' if value is None else format(value, '.9g')}"
            for name, value in named.items()
        ]
    return Text("\n".join(lines))


def _position(reading: IncomingReading, machine: MachineType | None) -> str:
    if machine is not None and machine.step.clock == "time":
        tick, away_us = machine.step.tick((reading.ts - EARLIEST) // MICROSECOND)
        off = f", {away_us / 1e6:g} s off it" if away_us else ""
        cycle = f"{machine.step.word} {tick}{off}"
    else:
        cycle = "cycle from its time" if reading.cycle is None else f"cycle {reading.cycle}"
    return (
        f"asset {reading.asset_id}, fleet {reading.fleet}, run {reading.run_id}, "
        f"{utc_text(reading.ts)}, {cycle}"
    )


def _totals(tally: Tally, blanks: Counter[str], console: Console) -> None:
    console.print(f"{tally.in_words().replace(' sent', ' would be sent')}.", soft_wrap=True)
    always = [name for name, times in blanks.items() if times == tally.readings]
    if always and tally.readings:
        console.print(
            f"Never a value of {', '.join(always)}: are the paths right?",
            style="yellow",
            soft_wrap=True,
        )
