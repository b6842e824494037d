"""Verdicts as columns are stored as the records they mean, which are the definition."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from common.errors import BackendRefusedError
from common.records.times import EARLIEST
from common.records.verdict_batch import VerdictBatch
from common.records.verdicts import (
    OF_MESSAGE,
    Evidence,
    Level,
    LifeLeft,
    ScoreRecord,
    SourcePosition,
    Verdict,
)
from common.scorestore.batch import FEW, gather
from common.scorestore.influx.lines import column_lines, verdict_lines
from common.scorestore.sqlite.schema import SCHEMA
from common.scorestore.sqlite.writer import write_batch
from tests.support.verdict_columns import columns_of

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


def in_memory() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(SCHEMA)
    return connection


def all_rows(connection: sqlite3.Connection) -> list[list[tuple[object, ...]]]:
    """Every row of every table, with its number where it has one."""
    statements = [
        "SELECT * FROM run ORDER BY run_key",
        "SELECT * FROM channel_set",
        "SELECT *, rowid FROM verdict ORDER BY rowid",
        "SELECT * FROM repeat ORDER BY 1, 2, 3, 4, 5",
    ]
    return [connection.execute(statement).fetchall() for statement in statements]


@settings(max_examples=40, deadline=None)
@given(records=fleets())
def test_columns_say_what_their_records_say(records: list[ScoreRecord]) -> None:
    batch = VerdictBatch([columns_of(records)], records[:1])

    assert batch == [*records, records[0]]
    assert len(batch) == len(records) + 1
    assert batch[-1] == records[0]
    assert batch.counted() == Counter((row.fleet, row.status) for row in batch)


@settings(max_examples=40, deadline=None)
@given(first=fleets(), second=fleets(), again=st.booleans())
def test_sqlite_holds_the_same_of_columns_as_of_records(
    first: list[ScoreRecord], second: list[ScoreRecord], again: bool
) -> None:
    batches = [first, second, *([first] if again else [])]
    found = []
    for as_columns in (True, False):
        with closing(in_memory()) as connection:
            for records in batches:
                columns = VerdictBatch([columns_of(records)])
                write_batch(connection, gather(columns if as_columns else records, few=0))
            found.append(all_rows(connection))

    of_columns, of_records = found
    assert of_columns == of_records


@settings(max_examples=40, deadline=None)
@given(records=fleets())
def test_influx_gets_the_same_lines_of_columns_as_of_records(records: list[ScoreRecord]) -> None:
    on_cycles = [row for row in records if not row.status.of_message]

    mine, others = columns_of(records).split()

    assert column_lines(mine) == verdict_lines(on_cycles)
    assert list(others) == [row for row in records if row.status.of_message]


def scored(cycle: int, score: float = 0.5) -> ScoreRecord:
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


def test_what_goes_on_stays_columns_and_nothing_is_made_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    columns = columns_of([scored(1), scored(2)])
    monkeypatch.delattr("common.scorestore.sqlite.writer.verdict_row")

    batch = gather(VerdictBatch([columns]), few=len(columns))

    assert batch.columns == [columns]
    assert not batch.verdicts
    with closing(in_memory()) as connection:
        write_batch(connection, batch)
        assert connection.execute("SELECT n_scored, last_cycle FROM run").fetchall() == [(2, 2)]


def test_few_rows_are_taken_one_by_one() -> None:
    batch = gather(VerdictBatch([columns_of([scored(cycle) for cycle in range(1, FEW)])]))

    assert not batch.columns
    assert len(batch.verdicts["engine", "run-1"]) == FEW - 1


@pytest.mark.parametrize(
    "cycles",
    [pytest.param([1, 1], id="twice the same"), pytest.param([2, 1], id="backwards")],
)
def test_rows_that_may_replace_each_other_are_taken_one_by_one(cycles: Sequence[int]) -> None:
    batch = gather(VerdictBatch([columns_of([scored(cycle) for cycle in cycles])]), few=0)

    assert not batch.columns
    assert set(batch.verdicts["engine", "run-1"]) == set(cycles)


def test_the_later_verdict_stays_when_a_run_is_in_two_parts() -> None:
    parts = [columns_of([scored(1, 0.25)]), columns_of([scored(1, 0.75)])]

    batch = gather(VerdictBatch(parts), few=0)

    assert len(batch.columns) == 1
    assert batch.verdicts["engine", "run-1"][1].score == 0.75


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("field", ["score", "severity", "critical_threshold", "shares"])
def test_no_column_may_hold_what_is_no_number(field: str, value: float) -> None:
    odd = structs.replace(scored(1), **{field: {"T24": value} if field == "shares" else value})

    with pytest.raises(ValueError, match="not finite"):
        gather(VerdictBatch([columns_of([odd])]), few=0)


def test_a_time_that_influx_cannot_keep_is_refused_by_name() -> None:
    late = structs.replace(scored(7), ts=EARLIEST.replace(year=2300))

    with pytest.raises(BackendRefusedError, match="engine run-1 cycle 7"):
        column_lines(columns_of([late]))
