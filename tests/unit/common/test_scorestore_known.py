"""What a writer keeps in mind between batches makes no difference to what the file holds."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.records.verdict_batch import VerdictBatch
from common.records.verdicts import ScoreRecord
from common.scorestore.batch import gather
from common.scorestore.port import Keeping
from common.scorestore.sqlite.known import Known
from common.scorestore.sqlite.retention import trim_slice
from common.scorestore.sqlite.rows import LEVELS, TALLY_COLUMNS, VERDICTS, life_of, tally_of
from common.scorestore.sqlite.schema import open_connection
from common.scorestore.sqlite.writer import write_batch
from common.scorestore.tally import RunTally
from tests.support.verdict_columns import all_rows, columns_of, fleets, scored

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
OLDEST: Final[list[ScoreRecord]] = []
"""Instead of records: the oldest rows are removed."""


class Unsure(sqlite3.Connection):
    """A connection whose commits fail while it is told so; it notes what it is asked."""

    fails = False

    def __init__(self, path: Path) -> None:
        super().__init__(path, isolation_level=None)
        self.asked: list[str] = []

    def execute(self, statement: str, values: Any = (), /) -> sqlite3.Cursor:
        self.asked.append(statement)
        if self.fails and statement == "COMMIT":
            raise sqlite3.OperationalError("scripted")
        return super().execute(statement, values)

    def looked_up(self) -> bool:
        """Return whether runs were looked up since the last call."""
        asked, self.asked = self.asked, []
        return any(statement.startswith("WITH wanted") for statement in asked)


@contextmanager
def connections(number: int) -> Iterator[list[Unsure]]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        path = Path(folder) / "scores.db"
        open_connection(path, 5.0).close()
        yield [opened.enter_context(closing(Unsure(path))) for _ in range(number)]


@dataclass(frozen=True)
class Step:
    """What one of two writers does.

    Attributes:
        writer: Which.
        records: What it writes.
        as_columns: Whether as columns.
        fails: Whether it fails when it commits.
    """

    writer: int
    records: list[ScoreRecord]
    as_columns: bool = True
    fails: bool = False


def steps(records: st.SearchStrategy[list[ScoreRecord]]) -> st.SearchStrategy[list[Step]]:
    fails = st.sampled_from([False, False, False, True])
    return st.lists(st.builds(Step, st.integers(0, 1), records, st.booleans(), fails), max_size=8)


def take(connection: Unsure, step: Step, known: Known) -> None:
    """Take a step as the store does, which rolls back what fails."""
    connection.fails = step.fails
    records = step.records
    try:
        if records is OLDEST:
            trim_slice(connection, Keeping(max_bytes=1), NOW, most_rows=3)
        else:
            batch = VerdictBatch([columns_of(records)]) if step.as_columns else records
            write_batch(connection, gather(batch, few=0), known)
    except sqlite3.OperationalError:
        if not step.fails:
            raise
        connection.execute("ROLLBACK")


def left_by(taken: Sequence[Step], remembered: Sequence[Known]) -> list[list[tuple[object, ...]]]:
    """Return what a file holds after some steps of writers who remember, or of one who forgets."""
    with connections(len(remembered) or 1) as opened:
        for step in taken:
            number = step.writer if remembered else 0
            take(opened[number], step, remembered[number] if remembered else Known())
        return all_rows(opened[0])


@settings(max_examples=30, deadline=None)
@given(taken=steps(fleets() | st.just(OLDEST)), most_runs=st.sampled_from([1, 2, 100]))
def test_two_writers_who_remember_leave_what_one_leaves_who_forgets(
    taken: list[Step], most_runs: int
) -> None:
    assert left_by(taken, [Known(most_runs), Known(most_runs)]) == left_by(taken, ())


@pytest.mark.parametrize(
    "taken",
    [
        pytest.param([Step(0, [scored(1)]), Step(0, OLDEST), Step(0, [scored(2)])], id="removed"),
        pytest.param(
            [Step(0, [scored(1)], fails=True), Step(0, [scored(1)]), Step(0, [scored(2)])],
            id="rolled back",
        ),
        pytest.param(
            [Step(0, [scored(1)]), Step(0, [scored(5)], as_columns=False), Step(0, [scored(5)])],
            id="counted one by one",
        ),
        pytest.param(
            [Step(0, [scored(1)]), Step(1, [scored(5)]), Step(0, [scored(5)])], id="by another"
        ),
    ],
)
def test_what_is_not_true_any_more_is_forgotten(taken: list[Step]) -> None:
    assert left_by(taken, [Known(), Known()]) == left_by(taken, ())


@settings(max_examples=30, deadline=None)
@given(taken=steps(fleets()))
def test_summaries_are_those_of_the_rows_whoever_wrote_them(taken: list[Step]) -> None:
    remembered = [Known(), Known()]
    with connections(2) as two:
        for step in taken:
            take(two[step.writer], step, remembered[step.writer])
        kept = summaries(two[0])

        assert kept == {key: counted(two[0], key, tally) for key, tally in kept.items()}


def summaries(connection: sqlite3.Connection) -> dict[int, RunTally]:
    query = f"SELECT run_key, {', '.join(TALLY_COLUMNS)} FROM run"  # noqa: S608 - our names
    return {run_key: tally_of(tally) for run_key, *tally in connection.execute(query)}


def counted(connection: sqlite3.Connection, run_key: int, kept: RunTally) -> RunTally:
    """Return a summary made of the run's rows, and of what they do not hold."""
    tally = RunTally(kept.fleet, arrived_ms=kept.arrived_ms)
    for cycle, ts_us, status, score, level, severity, *life in connection.execute(
        "SELECT cycle, ts_us, status, score, level, severity, life, life_low, life_high "
        "FROM verdict WHERE run_key = ?",
        [run_key],
    ):
        tally.add(cycle, ts_us, VERDICTS[status], score, LEVELS[level], severity, life_of(life))
    for (status,) in connection.execute("SELECT status FROM repeat WHERE run_key = ?", [run_key]):
        tally.count(VERDICTS[status])
    return tally


def test_runs_are_looked_up_once_until_somebody_else_writes() -> None:
    known = Known()
    with connections(2) as (mine, other):

        def looked_up(cycle: int) -> bool:
            write_batch(mine, gather(VerdictBatch([columns_of([scored(cycle)])]), few=0), known)
            return mine.looked_up()

        assert [looked_up(cycle) for cycle in (1, 2, 3)] == [True, False, False]
        write_batch(other, gather([scored(9)]))
        assert [looked_up(cycle) for cycle in (4, 5, 10)] == [True, True, False]
