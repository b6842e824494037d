"""Plots from InfluxDB: the statements, and how their answers are read, some points at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from common.records.verdicts import Level, Verdict
from common.scorestore.influx.lines import FINAL_FIELD
from common.scorestore.influx.queries import (
    Series,
    identity,
    ms_of,
    select,
    tellable,
    time_range,
    ts_us_of,
    within,
)
from common.scorestore.paging import Bounds
from common.scorestore.plotting import NO_LEVEL, Row
from common.scorestore.port import PlotQuery
from common.topics import SCORE_MEASUREMENT

PLOT_ROWS: Final = 10_000
"""Points read at a time, about 1 MB of JSON."""

RANKS: Final = {level.value: level.rank for level in Level}


class PlotRows(NamedTuple):
    """A part of a run's points.

    Attributes:
        rows: Those of whole milliseconds, in the order of (time, cycle).
        finals: The same with their final scores.
        next_us: The millisecond from which to go on; none at the end.
    """

    rows: Sequence[Row]
    finals: Sequence[Row]
    next_us: int | None


def select_edges(query: PlotQuery, bounds: Bounds) -> list[str]:
    """Return the statements for the first and the last point."""
    terms = _terms(query, bounds, None)
    return [
        f"{select(_COLUMNS, SCORE_MEASUREMENT, terms)} ORDER BY time {direction} LIMIT 1"
        for direction in ("ASC", "DESC")
    ]


def time_of_edge(series: Sequence[Series]) -> int | None:
    """Return the millisecond of the point in an answer, UTC epoch microseconds; none without."""
    for one in series:
        for row in one["values"]:
            return ms_of(int(row[0]) // 1000)
    return None


def select_plot(query: PlotQuery, bounds: Bounds, from_us: int, most: int) -> str:
    """Return the statement for some points from a millisecond on."""
    rows = select(_COLUMNS, SCORE_MEASUREMENT, _terms(query, bounds, from_us))
    return f"{rows} ORDER BY time ASC LIMIT {most}"


def plot_rows(series: Sequence[Series], bounds: Bounds, most: int) -> PlotRows:
    """Return the rows in the answer to :func:`select_plot`; of several models', the last by name.

    The limit may have cut the last millisecond apart, so that is left for the next part.
    """
    found: dict[tuple[int, int], tuple[str, Row, Row]] = {}
    points = [values for one in series for values in one["values"]]
    next_us = ms_of(points[-1][0] // 1000) if len(points) == most else None
    for time_ns, cycle, severity, level, status, ts_us, model, final in points:
        if next_us is not None and ms_of(time_ns // 1000) >= next_us:
            break
        if status is None:  # a final score whose verdict is gone
            continue
        exact_us = ts_us_of(time_ns, ts_us)
        if not within(exact_us, bounds):
            continue
        scored = severity is not None and status == Verdict.SCORED.value
        row = (exact_us, cycle, float(severity) if scored else None, RANKS[level])
        place = (exact_us, cycle)
        if place not in found or model > found[place][0]:
            found[place] = (model, row, (exact_us, cycle, _number(final), NO_LEVEL))
    places = sorted(found)
    rows, finals = [found[place][1] for place in places], [found[place][2] for place in places]
    return PlotRows(rows, finals, next_us)


def select_last_verdicts(asset_id: str, run_id: str, most: int) -> str:
    """Return the statement for the last verdicts of a run."""
    rows = select('"status"', SCORE_MEASUREMENT, identity(asset_id, run_id))
    return f"{rows} ORDER BY time DESC LIMIT {most}"


def verdicts_of(series: Sequence[Series]) -> Iterator[Verdict]:
    """Yield the verdicts in the answer to :func:`select_last_verdicts`."""
    for one in series:
        for row in one["values"]:
            yield Verdict(row[1])


_COLUMNS: Final = f'"cycle", "severity", "level", "status", "ts_us", "model", "{FINAL_FIELD}"'


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def _terms(query: PlotQuery, bounds: Bounds, from_us: int | None) -> list[str]:
    lower, upper = time_range(bounds)
    if from_us is not None:
        lower = max(lower, from_us)
    return [
        *identity(query.asset_id, query.run_id),
        f"time >= {tellable(lower) * 1000}",
        f"time < {tellable(upper) * 1000}",
    ]
