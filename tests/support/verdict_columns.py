"""Records as the columns that mean the same, made up ones, and what SQLite holds of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby

import numpy as np
from hypothesis import strategies as st
from msgspec import structs

from common.records.times import EARLIEST
from common.records.verdict_batch import LEVELS, Findings, VerdictColumns
from common.records.verdicts import (
    OF_MESSAGE,
    Evidence,
    Level,
    LifeLeft,
    ScoreRecord,
    SourcePosition,
    Verdict,
)
from common.scorestore.paging import epoch_us


def columns_of(records: Sequence[ScoreRecord]) -> VerdictColumns:
    """Return some records of one fleet and model, run by run, as columns.

    All that are scored have the same channels, the same critical threshold, and a life or none.
    """
    first = records[0]
    runs = [
        (run, len(list(rows)))
        for run, rows in groupby((row.asset_id, row.run_id) for row in records)
    ]
    scored = [row for row in records if row.score is not None]
    lives = [row.life for row in scored if row.life is not None]
    channels = tuple(scored[0].shares) if scored else ()
    shares = [list(row.shares.values()) for row in scored]
    return VerdictColumns(
        first.fleet,
        first.model,
        first.timed,
        [run for run, _ in runs],
        [count for _, count in runs],
        np.array([row.cycle for row in records], np.int64),
        np.array([epoch_us(row.ts) for row in records], np.int64),
        [row.status for row in records],
        [row.detail for row in records],
        [row.source for row in records],
        [row.published_ts_ms for row in records],
        np.array([row.score is not None for row in records], np.bool_),
        Findings(
            np.array([row.score for row in scored], np.float64),
            np.array([row.warning_threshold for row in scored], np.float64),
            scored[0].critical_threshold if scored else None,
            np.array([LEVELS.index(row.level) for row in scored], np.int64),
            [row.evidence for row in scored if row.evidence is not None],
            np.array([row.severity for row in scored], np.float64),
            np.array(lives, np.float64) if lives else None,
            channels,
            np.array(shares, np.float64).reshape(len(scored), len(channels)),
        ),
    )


UNSCORED = (Verdict.WARMING_UP, Verdict.GAP, Verdict.UNKNOWN_REGIME)
SOME_US = 1_767_225_600_000_000
number = st.floats(allow_nan=False, allow_infinity=False, width=32)


STATUSES = (Verdict.SCORED,) * 3 + UNSCORED + OF_MESSAGE

rows = st.tuples(
    st.sampled_from(STATUSES),
    st.integers(1, 3),
    st.sampled_from([0, 1, 1_000, 1_500]),
    st.sampled_from([0, 1_767_225_600_123, 1_767_225_600_124]),
    st.tuples(number, number, number),
    st.sampled_from(Level),
    st.sampled_from(Evidence),
)
"""Verdict, cycles since the one before, how late, when published, numbers, level, evidence."""


@st.composite
def fleets(draw: st.DrawFn) -> list[ScoreRecord]:
    """Some runs of a fleet, as the core gives them: cycles ascend, messages repeat them."""
    fleet, timed = draw(st.sampled_from([("default", False), ("north, 1", True)]))
    critical, warns, knows_life = draw(st.sampled_from([(None, True, True), (2.5, False, False)]))
    channels = draw(st.sampled_from([(), ("T24",), ("T24", "a %s,b=c", "W31")]))
    found: list[ScoreRecord] = []
    for asset in draw(st.lists(st.sampled_from("abc"), unique=True, min_size=1)):
        cycle = draw(st.sampled_from([1, 2, 999, 1_999]))
        for status, step, late_us, published, numbers, level, evidence in draw(
            st.lists(rows, min_size=1, max_size=5)
        ):
            cycle += step
            row = ScoreRecord(
                asset_id=f"engine {asset}",
                run_id="run-1",
                cycle=cycle,
                ts=EARLIEST + timedelta(microseconds=SOME_US + late_us + cycle * 1_000),
                status=status,
                model="m@1",
                detail="" if step == 1 else 'it "said" so, 100 %',
                source=SourcePosition("readings", 3, 7 + step),
                published_ts_ms=published,
                fleet=fleet,
                timed=timed,
            )
            if status is Verdict.SCORED:
                row = structs.replace(
                    row,
                    score=numbers[0],
                    warning_threshold=numbers[1] if warns else None,
                    critical_threshold=critical,
                    level=level,
                    evidence=evidence,
                    severity=numbers[2],
                    life=LifeLeft(numbers[0], 0.1, 0.3) if knows_life else None,
                    shares=dict(zip(channels, numbers, strict=False)),
                )
            found.append(row)
    return found


def all_rows(connection: sqlite3.Connection) -> list[list[tuple[object, ...]]]:
    """Every row of every table, with its number where it has one."""
    statements = [
        "SELECT * FROM run ORDER BY run_key",
        "SELECT * FROM channel_set",
        "SELECT *, rowid FROM verdict ORDER BY rowid",
        "SELECT * FROM repeat ORDER BY 1, 2, 3, 4, 5",
    ]
    return [connection.execute(statement).fetchall() for statement in statements]


def scored(cycle: int, score: float = 0.5) -> ScoreRecord:
    """Return one verdict of one run."""
    return ScoreRecord(
        asset_id="engine",
        run_id="run-1",
        cycle=cycle,
        ts=EARLIEST + timedelta(seconds=cycle),
        status=Verdict.SCORED,
        model="m@1",
        score=score,
        warning_threshold=1.0,
        critical_threshold=2.0,
        evidence=Evidence.DEGRADATION,
        severity=0.5,
        shares={"T24": 1.0},
    )
