r"""Records as InfluxDB line protocol, built by hand: the client's ``Point`` takes 3 times as long.

One line is ``measurement,tag=value,... field=value,... time``. In names and tags a backslash guards
comma, equals sign and space; in strings it guards itself and the double quote. A name or tag that
is empty or holds a line break cannot be written, and a backslash of its own there is read in
different ways by different parts of the server: all three are refused. No id on our wire has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final, NamedTuple

import numpy as np

from common.errors import BackendRefusedError
from common.records.ids import DEFAULT_FLEET
from common.records.verdict_batch import LEVELS, Findings, VerdictColumns
from common.records.verdicts import FinalScore, ScoreRecord, Verdict
from common.scorestore.paging import epoch_us
from common.topics import REPEAT_MEASUREMENT, SCORE_MEASUREMENT

SHARE_PREFIX: Final = "share_"

LIFE_FIELDS: Final = ("life", "life_low", "life_high")
"""How long is left: expected, and from where to where."""

ARRIVED_FIELD: Final = "published_ts_ms"
"""When the reading reached the broker."""

FINAL_FIELD: Final = "final_score"
"""What becomes of a score once all windows over its reading have come; written later."""

CYCLES_PER_US: Final = 1000
"""A point's time is the reading's in nanoseconds, plus the cycle modulo this: readings carry
microseconds, and two cycles of one run at the same microsecond must not overwrite each other."""

CYCLES_PER_MS: Final = 1_000_000
"""Likewise for readings of whole milliseconds, which leave more room: a clock may stand still for a
million cycles. Where this moves a point to another microsecond, the field ``ts_us`` has the
reading's own. No tag tells such points apart: each value of a tag would be a series of its own."""

MS_US: Final = 1000
"""A point's millisecond is always its reading's, so what is asked of the server is whole ones."""

OFFSETS_PER_MS: Final = 1_000_000
"""Likewise for repeats: the broker's time has milliseconds, the offset modulo this follows."""

MAX_TIME_NS: Final = 2**63 - 2
"""InfluxDB's own bound, either side of 1970: the years 1677 to 2262."""

VALUES: Final = {verdict: verdict.value for verdict in Verdict}
"""Asking a member of an enumeration for its value takes longer."""

_NAME_ESCAPES: Final = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})
_STRING_ESCAPES: Final = str.maketrans({'"': r"\"", "\\": r"\\"})


class _Series(NamedTuple):
    """What the points of a run share: its tags."""

    asset_id: str
    run_id: str
    model: str
    fleet: str


def escape_tag(text: str) -> str:
    """Return a tag value, tag key or field key as it stands in a line.

    Raises:
        ValueError: If line protocol cannot express it.
    """
    if not text or "\\" in text or "\n" in text or "\r" in text:
        raise ValueError(
            f"{text!r} cannot be a tag or field name: expected text without backslashes and line "
            "breaks."
        )
    return text.translate(_NAME_ESCAPES)


def escape_string(text: str) -> str:
    """Return a string field's value as it stands between its quotes."""
    return text.translate(_STRING_ESCAPES)


def verdict_lines(records: Iterable[ScoreRecord]) -> list[str]:
    """Return one line for each verdict.

    Every line has the fields ``level``, ``status`` and ``detail``, so that a rewrite replaces them;
    the fields of a score are there for scored rows only, and count for those only.

    Raises:
        ValueError: If an id cannot be a tag.
        BackendRefusedError: If a time is outside what InfluxDB can keep.
    """
    heads: dict[_Series, str] = {}
    lines = []
    for record in records:
        series = _Series(record.asset_id, record.run_id, record.model, record.fleet)
        head = heads.get(series)
        if head is None:
            head = heads[series] = _head(SCORE_MEASUREMENT, series)
        ts_us = epoch_us(record.ts)
        beside_ns = 0 if record.timed else _beside_ns(record.cycle, ts_us)
        time_ns = _checked(ts_us * 1000 + beside_ns, record)
        scored = "" if record.score is None else _score_fields(record)
        lines.append(
            f'{head} cycle={record.cycle}i,level="{record.level}",'
            f'status="{record.status}",detail="{escape_string(record.detail)}"'
            f"{_times(ts_us, beside_ns, record.published_ts_ms)}{scored} {time_ns}"
        )
    return lines


def column_lines(part: VerdictColumns) -> list[str]:
    """Return the lines of columns, which are those of its records.

    Raises:
        ValueError: If an id cannot be a tag.
        BackendRefusedError: If a time is outside what InfluxDB can keep.
    """
    found, ts_us = part.findings, part.ts_us.tolist()
    cycles: list[int] = part.cycles.tolist()
    beside_ns = [0] * len(part) if part.timed else [*map(_beside_ns, cycles, ts_us)]
    times_ns = [moment * 1000 + beside for moment, beside in zip(ts_us, beside_ns, strict=True)]
    if np.isnan(found.warning_thresholds).any() or max(map(abs, times_ns), default=0) > MAX_TIME_NS:
        return verdict_lines(part.records())
    heads = [
        [_head(SCORE_MEASUREMENT, _Series(*run, part.model, part.fleet))] * count
        for run, count in zip(part.runs, part.counts, strict=True)
    ]
    levels = [LEVELS[rank or 0].value for rank in part.in_rows(found.ranks.tolist())]
    return [
        f'{head} cycle={cycle}i,level="{level}",status="{status}",'
        f'detail="{escape_string(detail)}"{times}{scored or ""} {time_ns}'
        for head, cycle, level, status, detail, times, scored, time_ns in zip(
            chain.from_iterable(heads),
            cycles,
            levels,
            map(VALUES.__getitem__, part.statuses),
            part.details,
            map(_times, ts_us, beside_ns, part.published_ts_ms),
            part.in_rows(_all_score_fields(found)),
            times_ns,
            strict=True,
        )
    ]


def _all_score_fields(found: Findings) -> list[str]:
    """Return what :func:`_score_fields` returns of each reading."""
    template = ",score=%s,warning_threshold=%s"
    columns: list[Sequence[object]] = [found.scores.tolist(), found.warning_thresholds.tolist()]
    if found.critical_threshold is not None:
        template += f",critical_threshold={_number(found.critical_threshold)}"
    template += ',evidence="%s",severity=%s'
    columns += [[each.value for each in found.evidence], found.severities.tolist()]
    if found.life is not None:
        template += "".join(f",{name}=%s" for name in LIFE_FIELDS)
        columns += found.life.T.tolist()
    template += _share_template(found.channels)
    columns += found.shares.T.tolist()
    return [*map(template.__mod__, zip(*columns, strict=True))]


def final_lines(finals: Iterable[FinalScore]) -> list[str]:
    """Return one line for each final score: one more field of its verdict's point.

    Raises:
        ValueError: If an id cannot be a tag.
        BackendRefusedError: If a time is outside what InfluxDB can keep.
    """
    lines = []
    for final in finals:
        ts_us = epoch_us(final.ts)
        beside_ns = 0 if final.timed else _beside_ns(final.cycle, ts_us)
        time_ns = _checked(ts_us * 1000 + beside_ns, final)
        head = _head(SCORE_MEASUREMENT, final)
        lines.append(f"{head} {FINAL_FIELD}={_number(final.score)} {time_ns}")
    return lines


def _beside_ns(cycle: int, ts_us: int) -> int:
    """Return how far beside its reading's time a point stands; a tick is told by its time alone."""
    return cycle % (CYCLES_PER_US if ts_us % MS_US else CYCLES_PER_MS)


def _times(ts_us: int, beside_ns: int, published_ts_ms: int) -> str:
    moved = "" if beside_ns < CYCLES_PER_US else f",ts_us={ts_us}i"
    if published_ts_ms > 0:  # what tells an asset's latest run
        moved += f",{ARRIVED_FIELD}={published_ts_ms}i"
    return moved


def repeat_lines(records: Iterable[ScoreRecord]) -> list[str]:
    """Return one line for each repeat.

    Raises:
        ValueError: If an id cannot be a tag.
        BackendRefusedError: If a time is outside what InfluxDB can keep.
    """
    lines = []
    for record in records:
        source = record.source
        time_ns = record.published_ts_ms * 1_000_000 + source.offset % OFFSETS_PER_MS
        lines.append(
            # a message may claim any asset, hence come from any partition: two may share all else
            f"{_head(REPEAT_MEASUREMENT, record)},partition={source.partition},"
            f"status={record.status} "
            f'cycle={record.cycle}i,topic="{escape_string(source.topic)}",offset={source.offset}i,'
            f'detail="{escape_string(record.detail)}" {_checked(time_ns, record)}'
        )
    return lines


def _head(measurement: str, record: _Series | ScoreRecord | FinalScore) -> str:
    # the fleet of all who name none has no tag: so its series are those of earlier versions
    fleet = "" if record.fleet == DEFAULT_FLEET else f",fleet={escape_tag(record.fleet)}"
    return (
        f"{measurement},asset_id={escape_tag(record.asset_id)}{fleet},"
        f"model={escape_tag(record.model)},run_id={escape_tag(record.run_id)}"
    )


def _score_fields(record: ScoreRecord) -> str:
    fields = f",score={_number(record.score)}"
    if record.warning_threshold is not None:
        fields += f",warning_threshold={_number(record.warning_threshold)}"
    if record.critical_threshold is not None:
        fields += f",critical_threshold={_number(record.critical_threshold)}"
    if record.evidence is not None:
        fields += f',evidence="{record.evidence}"'
    if record.severity is not None:
        fields += f",severity={_number(record.severity)}"
    if record.life is not None:
        for name, value in zip(LIFE_FIELDS, record.life, strict=True):
            fields += f",{name}={_number(value)}"
    return fields + _share_fields(record.shares)


def _share_fields(shares: Mapping[str, float]) -> str:
    return _share_template(tuple(shares)) % tuple(shares.values())


@lru_cache(maxsize=64)
def _share_template(names: tuple[str, ...]) -> str:
    # %s of a float is its shortest exact form; %r of a numpy float would name its type.
    keys = (escape_tag(SHARE_PREFIX + name).replace("%", "%%") for name in names)
    return "".join(f",{key}=%s" for key in keys)


def _number(value: float | None) -> str:
    return str(value)


def _checked(time_ns: int, record: ScoreRecord | FinalScore) -> int:
    if abs(time_ns) > MAX_TIME_NS:
        raise BackendRefusedError(
            f"{record.asset_id} {record.run_id} cycle {record.cycle}: its time, {record.ts}, is "
            "outside what InfluxDB can keep, 1677 to 2262. Mend the source of the reading's `ts`."
        )
    return time_ns
