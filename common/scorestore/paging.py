"""What the adapters share about reading: the order of verdicts, cursors, what a query may ask.

Cursors are keyset cursors: they name the last row of a page, not a count of rows, so rows written
meanwhile neither repeat nor hide any row that was there when the walk began.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from common.records.verdicts import ScoreRecord
from common.scorestore.port import FEWEST_POINTS, PlotQuery, ScorePage, ScoreQuery

MAX_LIMIT: Final = 10_000
"""Largest page, rows: about 5 MB of JSON."""

MAX_CURSOR_CHARS: Final = 1024
"""Two ids of 128 characters and two numbers, in base64, need less than half of this."""

MAX_CYCLE: Final = 2**63 - 1

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MIN_TS_US: Final = -62_135_596_800_000_000
MAX_TS_US: Final = 253_402_300_799_999_999


class Position(NamedTuple):
    """Where a verdict stands: pages are ordered by these, oldest first or newest first.

    Attributes:
        ts_us: Time of the reading, UTC epoch microseconds.
        asset_id: Whose reading.
        run_id: In which run.
        cycle: Its cycle.
    """

    ts_us: int
    asset_id: str
    run_id: str
    cycle: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """A checked query, in the terms adapters use.

    Attributes:
        since_us: First time that may appear, UTC epoch microseconds; none means no bound.
        until_us: First time that may no longer appear.
        after: The position the page continues from; none on the first page.
    """

    since_us: int | None
    until_us: int | None
    after: Position | None


def epoch_us(moment: datetime) -> int:
    """Return UTC epoch microseconds, exactly (a float of seconds would round).

    Raises:
        TypeError: If ``moment`` has no timezone.

    Example:
        >>> epoch_us(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC))
        1000005
    """
    since = moment - EPOCH
    return since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds


def from_epoch_us(ts_us: int) -> datetime:
    """Return the time of UTC epoch microseconds.

    Example:
        >>> from_epoch_us(1000005)
        datetime.datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=datetime.timezone.utc)
    """
    return EPOCH + timedelta(microseconds=ts_us)


def position_of(record: ScoreRecord) -> Position:
    """Return where a verdict stands."""
    return Position(epoch_us(record.ts), record.asset_id, record.run_id, record.cycle)


def encode_cursor(position: Position) -> str:
    """Return the cursor of the page that starts after ``position``; safe in a URL as it is."""
    text = json.dumps(position, separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> Position:
    """Return the position a cursor names.

    Raises:
        ValueError: If this is not, character by character, a cursor that :func:`encode_cursor`
            could have made.
    """
    refusal = "The cursor is not one of ours: pass a page's `next_cursor` back unchanged."
    if len(cursor) > MAX_CURSOR_CHARS:
        raise ValueError(refusal)
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        ts_us, asset_id, run_id, cycle = json.loads(base64.b64decode(padded, b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError, RecursionError) as exc:
        raise ValueError(refusal) from exc
    well_typed = (type(ts_us), type(asset_id), type(run_id), type(cycle)) == (int, str, str, int)
    if not well_typed or not MIN_TS_US <= ts_us <= MAX_TS_US or not 0 <= cycle <= MAX_CYCLE:
        raise ValueError(refusal)
    position = Position(ts_us, asset_id, run_id, cycle)
    try:
        canonical = encode_cursor(position) == cursor
    except UnicodeEncodeError as exc:  # a lone surrogate, which JSON escapes can smuggle in
        raise ValueError(refusal) from exc
    if not canonical:
        raise ValueError(refusal)
    return position


def check_query(query: ScoreQuery) -> Bounds:
    """Return the bounds of a query.

    Raises:
        ValueError: If the limit, a time without zone, or the cursor is not acceptable.
    """
    if not 1 <= query.limit <= MAX_LIMIT:
        raise ValueError(f"limit is {query.limit}; expected 1 to {MAX_LIMIT}.")
    after = None if query.cursor is None else decode_cursor(query.cursor)
    return Bounds(*_range(query.since, query.until), after)


def check_plot(query: PlotQuery) -> Bounds:
    """Return the bounds of a plot.

    Raises:
        ValueError: If a time has no zone, or there are too few points.
    """
    if query.most < FEWEST_POINTS:
        raise ValueError(f"most is {query.most}; expected {FEWEST_POINTS} or more points.")
    return Bounds(*_range(query.since, query.until), None)


def _range(since: datetime | None, until: datetime | None) -> tuple[int | None, int | None]:
    for name, moment in (("since", since), ("until", until)):
        if moment is not None and moment.tzinfo is None:
            raise ValueError(f"{name} is {moment}, without a timezone; give one, such as UTC.")
    return (
        None if since is None else epoch_us(since),
        None if until is None else epoch_us(until),
    )


def page_of(records: Iterable[ScoreRecord], limit: int) -> ScorePage:
    """Return a page of records that are in order already.

    Args:
        records: One more than ``limit``, if there are as many: that is how the page knows
            that another follows.
        limit: Most rows of the page.
    """
    rows = list(records)
    if len(rows) <= limit:
        return ScorePage(rows, None)
    return ScorePage(rows[:limit], encode_cursor(position_of(rows[limit - 1])))
