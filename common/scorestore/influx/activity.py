"""How far each run has come, from InfluxDB: the statements, and how their answers are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from common.records.ids import DEFAULT_FLEET
from common.records.verdicts import Verdict
from common.scorestore.influx.queries import Series, literal, select, ts_us_of
from common.scorestore.paging import from_epoch_us
from common.scorestore.port import RunActivity
from common.topics import REPEAT_MEASUREMENT, SCORE_MEASUREMENT

_BY_RUN: Final = ' GROUP BY "asset_id", "run_id", "fleet"'


def select_activity(since_us: int) -> list[str]:
    """Return the statements, each answered by one series per (asset, run).

    In order: highest cycle with its time; highest scored cycle; readings; scored ones; repeats.

    Args:
        since_us: Only readings at or after this time, UTC epoch microseconds.
    """
    recent = [f"time >= {since_us * 1000}"]
    scored = [*recent, f'"status" = {literal(Verdict.SCORED.value)}']
    wanted = [
        ('MAX("cycle"), "ts_us"', SCORE_MEASUREMENT, recent),
        ('MAX("cycle")', SCORE_MEASUREMENT, scored),
        ('COUNT("cycle")', SCORE_MEASUREMENT, recent),
        ('COUNT("cycle")', SCORE_MEASUREMENT, scored),
        ('COUNT("offset")', REPEAT_MEASUREMENT, recent),
    ]
    return [select(fields, name, terms) + _BY_RUN for fields, name, terms in wanted]


def activity_of(answers: Sequence[Sequence[Series]]) -> list[RunActivity]:
    """Return what the answers to :func:`select_activity` say."""
    highest, scored, readings, scores, repeats = map(_by_run, answers)
    found = []
    for run in sorted(highest.keys() | repeats.keys()):
        # of which fleet a run is, its verdicts say; a repeat may claim another
        time_ns, cycle, ts_us = highest.get(run, (_fleet(repeats, run), [0, None, None]))[1]
        fleet = _fleet(highest if run in highest else repeats, run)
        found.append(
            RunActivity(
                *run,
                fleet,
                cycle,
                None if cycle is None else from_epoch_us(ts_us_of(time_ns, ts_us)),
                _number(scored, run),
                (_number(readings, run) or 0) + (_number(repeats, run) or 0),
                _number(scores, run) or 0,
            )
        )
    return found


_ByRun = dict[tuple[str, str], tuple[str, list[Any]]]


def _by_run(answer: Sequence[Series]) -> _ByRun:
    """Return the fleet and the only row of each run."""
    return {
        (one["tags"]["asset_id"], one["tags"]["run_id"]): (
            one["tags"].get("fleet") or DEFAULT_FLEET,
            one["values"][0],
        )
        for one in answer
    }


def _fleet(rows: _ByRun, run: tuple[str, str]) -> str:
    return rows[run][0] if run in rows else DEFAULT_FLEET


def _number(rows: _ByRun, run: tuple[str, str]) -> int | None:
    return rows[run][1][1] if run in rows else None
