r"""Pages of verdicts from InfluxDB: InfluxQL out, records in.

InfluxQL because the ``/query`` address with it is what InfluxDB 1.8, 2.x and 3.x all serve. Values
are quoted here, not bound: only 1.x documents bound parameters there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from msgspec import structs

from common.records.ids import DEFAULT_FLEET
from common.records.verdicts import Evidence, Level, LifeLeft, ScoreRecord, Verdict
from common.scorestore.influx.lines import (
    FINAL_FIELD,
    LIFE_FIELDS,
    MAX_TIME_NS,
    MS_US,
    SHARE_PREFIX,
)
from common.scorestore.paging import Bounds, from_epoch_us
from common.scorestore.port import ScoreQuery
from common.topics import SCORE_MEASUREMENT

Series: TypeAlias = Mapping[str, Any]

MAX_TS_US: Final = MAX_TIME_NS // 1000

_LITERAL_ESCAPES: Final = str.maketrans({"\\": r"\\", "'": r"\'", "\n": r"\n"})


def literal(text: str) -> str:
    r"""Return an InfluxQL string literal.

    Example:
        >>> print(literal("it's"))
        'it\'s'
    """
    return f"'{text.translate(_LITERAL_ESCAPES)}'"


def select_page(query: ScoreQuery, bounds: Bounds, limit: int) -> str:
    """Return the statement for the first rows by millisecond; their order within it is left open.

    Args:
        query: Filters and direction.
        bounds: The query's bounds, read as whole milliseconds (:func:`within` tells exactly); that
            of ``after`` itself is left out.
        limit: Most rows.
    """
    lower, upper = time_range(bounds)
    if bounds.after is not None and query.newest_first:
        upper = min(upper, ms_of(bounds.after.ts_us))
    elif bounds.after is not None:
        lower = max(lower, ms_of(bounds.after.ts_us) + MS_US)
    direction = "DESC" if query.newest_first else "ASC"
    rows = select("*", SCORE_MEASUREMENT, _filters(query, lower, upper))
    return f"{rows} ORDER BY time {direction} LIMIT {limit}"


def select_moment(query: ScoreQuery, bounds: Bounds, ts_us: int) -> str:
    """Return the statement for all rows of the millisecond in which ``ts_us`` is."""
    lower, upper = time_range(bounds)
    begin = ms_of(ts_us)
    terms = _filters(query, max(lower, begin), min(upper, begin + MS_US))
    return select("*", SCORE_MEASUREMENT, terms)


def within(ts_us: int, bounds: Bounds) -> bool:
    """Return whether a reading's time is in the query's range."""
    return (bounds.since_us is None or ts_us >= bounds.since_us) and (
        bounds.until_us is None or ts_us < bounds.until_us
    )


def ts_us_of(time_ns: int, ts_us: int | None) -> int:
    """Return the reading's time of a point: the field where there is one, else the point's own."""
    return time_ns // 1000 if ts_us is None else ts_us


def select_nothing() -> str:
    """Return a statement that finds no row, quickly, but fails where there is no bucket."""
    return select('"cycle"', SCORE_MEASUREMENT, identity("", None))


def records_of(series: Sequence[Series]) -> Iterator[ScoreRecord]:
    """Yield the verdicts in the answer to :func:`select_page` or :func:`select_moment`."""
    for one in series:
        columns: list[str] = one["columns"]
        shares = [
            (column, column.removeprefix(SHARE_PREFIX))
            for column in columns
            if column.startswith(SHARE_PREFIX)
        ]
        for values in one["values"]:
            row = dict(zip(columns, values, strict=True))
            if row["status"] is not None:  # else a final score whose verdict is gone
                yield _record(row, shares)


def _record(row: dict[str, Any], shares: Sequence[tuple[str, str]]) -> ScoreRecord:
    plain = ScoreRecord(
        asset_id=row["asset_id"],
        run_id=row["run_id"],
        cycle=row["cycle"],
        ts=from_epoch_us(ts_us_of(row["time"], row.get("ts_us"))),
        status=Verdict(row["status"]),
        model=row["model"],
        fleet=row.get("fleet") or DEFAULT_FLEET,
        level=Level(row["level"]),
        detail=row["detail"],
        final_score=_float(row.get(FINAL_FIELD)),
    )
    if plain.status is not Verdict.SCORED:
        return plain  # fields of a score may be left from before it was rewritten
    # a field that no point of the answer has is no column of it
    return structs.replace(
        plain,
        score=_float(row.get("score")),
        warning_threshold=_float(row.get("warning_threshold")),
        critical_threshold=_float(row.get("critical_threshold")),
        evidence=None if row.get("evidence") is None else Evidence(row["evidence"]),
        severity=_float(row.get("severity")),
        life=_life(row),
        shares={name: float(row[column]) for column, name in shares if row[column] is not None},
    )


def _life(row: dict[str, Any]) -> LifeLeft | None:
    values = [float(row[name]) for name in LIFE_FIELDS if row.get(name) is not None]
    return LifeLeft(*values) if len(values) == len(LIFE_FIELDS) else None


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)  # JSON writes 1.0 as 1


def select(fields: str, measurement: str, terms: Sequence[str]) -> str:
    """Return a SELECT statement; everything in it must be quoted already."""
    where = f" WHERE {' AND '.join(terms)}" if terms else ""
    return f'SELECT {fields} FROM "{measurement}"{where}'  # noqa: S608 - values are quoted


def identity(asset_id: str | None, run_id: str | None, fleet: str | None = None) -> list[str]:
    """Return the terms that pick an asset, a run, a fleet, several or none of them."""
    # points of the fleet of all who name none have no such tag, which InfluxQL takes for empty
    named = "" if fleet == DEFAULT_FLEET else fleet
    given = (("asset_id", asset_id), ("run_id", run_id), ("fleet", named))
    return [f'"{name}" = {literal(value)}' for name, value in given if value is not None]


def time_range(bounds: Bounds) -> tuple[int, int]:
    """Return the range as far as InfluxDB can tell, widened to whole milliseconds."""
    lower = -MAX_TS_US if bounds.since_us is None else ms_of(bounds.since_us)
    upper = MAX_TS_US if bounds.until_us is None else ms_of(bounds.until_us + MS_US - 1)
    return lower, upper


def ms_of(ts_us: int) -> int:
    """Return the beginning of the millisecond that a moment is in."""
    return ts_us - ts_us % MS_US


def tellable(ts_us: int) -> int:
    """Return the nearest microsecond that InfluxDB can tell."""
    return max(-MAX_TS_US, min(ts_us, MAX_TS_US))


def _filters(query: ScoreQuery, lower_us: int, upper_us: int) -> list[str]:
    terms = identity(query.asset_id, query.run_id, query.fleet)
    terms += [f"time >= {tellable(lower_us) * 1000}", f"time < {tellable(upper_us) * 1000}"]
    if query.status is not None:
        terms.append(f'"status" = {literal(query.status.value)}')
    if query.min_level is not None and query.min_level is not Level.NONE:
        levels = [level for level in Level if level.rank >= query.min_level.rank]
        terms.append(
            "(" + " OR ".join(f'"level" = {literal(level.value)}' for level in levels) + ")"
        )
    return terms
