"""Verdicts as columns are stored as the records they mean, which are the definition."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from common.errors import BackendRefusedError
from common.records.times import EARLIEST
from common.records.verdict_batch import VerdictBatch
from common.records.verdicts import (
    ScoreRecord,
)
from common.scorestore.batch import FEW, gather
from common.scorestore.influx.lines import column_lines, verdict_lines
from common.scorestore.sqlite.schema import SCHEMA
from common.scorestore.sqlite.writer import write_batch
from tests.support.verdict_columns import all_rows, columns_of, fleets, scored


def in_memory() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(SCHEMA)
    return connection


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
