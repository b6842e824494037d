"""Which readings a plot shows: the extremes, both ends, every level, no line over a gap."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from itertools import pairwise
from random import Random
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.records.verdicts import Level
from common.scorestore.paging import check_plot, from_epoch_us
from common.scorestore.plotting import PlotReducer, Row
from common.scorestore.port import FEWEST_POINTS, Plot, PlotQuery
from common.scorestore.sqlite import plots
from common.scorestore.sqlite.schema import SCHEMA

steps_us = st.one_of(st.integers(0, 3), st.integers(0, 10**6), st.integers(0, 10**11))
severities = st.one_of(st.none(), st.floats(0, 3), st.floats(allow_nan=False, allow_infinity=False))


@st.composite
def runs(draw: st.DrawFn) -> list[Row]:
    """Return a run's rows in order: any pace, any levels, scored or not."""
    made = draw(st.lists(st.tuples(steps_us, severities, st.integers(0, 2)), max_size=120))
    begin = draw(st.integers(-(10**15), 10**16))
    rows: list[Row] = []
    for cycle, (step_us, severity, rank) in enumerate(made, 1):
        begin += step_us
        rows.append((begin, cycle, severity, rank if severity is not None else 0))
    return rows


def long_run(seed: int) -> list[Row]:
    """Return a run that has many more rows than points: quiet, or with flapping levels and gaps."""
    dice = Random(seed)
    flapping, broken, uneven = dice.random() ** 3, dice.random() ** 4, dice.random()
    at_us, rank = dice.randrange(10**16), 0
    rows: list[Row] = []
    for cycle in range(1, dice.randrange(60, 300)):
        at_us += 1_000_000 if dice.random() > uneven else dice.randrange(10**8)
        rank = dice.randrange(3) if dice.random() < flapping else rank
        scored = dice.random() > broken or not rows
        rows.append((at_us, cycle, dice.random() if scored else None, rank if scored else 0))
    return rows


any_runs = st.one_of(runs().filter(bool), st.integers(0, 2**32).map(long_run))


def plotted(rows: Sequence[Row], most: int, cuts: Sequence[int] = ()) -> Plot:
    """Return the plot of rows that come in parts."""
    reducer = PlotReducer(rows[0][0], rows[-1][0], most)
    for begin, end in pairwise([0, *sorted(cuts), len(rows)]):
        reducer.add(rows[begin:end])
    return reducer.plot()


@given(any_runs, st.integers(FEWEST_POINTS, 60))
def test_extremes_ends_and_levels_are_always_there_in_few_points(
    rows: list[Row], most: int
) -> None:
    plot = plotted(rows, most)

    scored = [row for row in rows if row[2] is not None]
    ranks = [point.level.rank for point in plot.points]
    shown = [(p.ts_us, p.cycle, p.severity, p.level.rank) for p in plot.points]
    assert len(shown) <= most
    assert plot.scored == len(scored)
    assert shown == sorted(set(shown), key=lambda row: row[:2])
    assert set(shown) <= set(scored)
    if scored:
        assert (shown[0], shown[-1]) == (scored[0], scored[-1])
        assert min(p.severity for p in plot.points) == min(row[2] or 0.0 for row in scored)
        assert max(p.severity for p in plot.points) == max(row[2] or 0.0 for row in scored)
        assert set(ranks) == {row[3] for row in scored}
    if len(scored) <= most:
        assert shown == scored
        assert plot.bucket_us is None


@given(any_runs, st.integers(FEWEST_POINTS, 60))
def test_each_bucket_has_its_extremes_ends_and_levels(rows: list[Row], most: int) -> None:
    plot = plotted(rows, most)
    if plot.bucket_us is None:
        return
    begin = rows[0][0] - rows[0][0] % 1000

    def buckets(of: Sequence[Row]) -> dict[int, list[Row]]:
        found: dict[int, list[Row]] = {}
        for row in of:
            if row[2] is not None:
                found.setdefault((row[0] - begin) // (plot.bucket_us or 1), []).append(row)
        return found

    shown = buckets([(p.ts_us, p.cycle, p.severity, p.level.rank) for p in plot.points])
    for number, there in buckets(rows).items():
        kept = shown[number]
        assert (kept[0], kept[-1]) == (there[0], there[-1])
        for rank in {row[3] for row in there}:
            of_level = [row for row in there if row[3] == rank]
            assert {of_level[0], of_level[-1]} <= set(kept)
        heights = [row[2] for row in there if row[2] is not None]
        assert {min(heights), max(heights)} <= {row[2] for row in kept}


@given(any_runs, st.integers(FEWEST_POINTS, 60))
def test_a_line_is_broken_where_scoring_was_and_nowhere_else(rows: list[Row], most: int) -> None:
    plot = plotted(rows, most)

    places = {(row[0], row[1]): number for number, row in enumerate(rows)}
    for before, point in pairwise(plot.points):
        begin, end = places[before[:2]], places[point[:2]]
        assert point.gap_before == any(row[2] is None for row in rows[begin:end])
    assert not plot.points or not plot.points[0].gap_before
    scored = [number for number, row in enumerate(rows) if row[2] is not None]
    assert plot.gaps == sum(after > before + 1 for before, after in pairwise(scored))
    levels = [rows[number][3] for number in scored]
    assert plot.level_changes == sum(before != after for before, after in pairwise(levels))


@given(any_runs, st.lists(st.integers(0, 300), max_size=5), st.integers(16, 60))
def test_how_rows_were_read_makes_no_difference(
    rows: list[Row], cuts: list[int], most: int
) -> None:
    assert plotted(rows, most, [min(cut, len(rows)) for cut in cuts]) == plotted(rows, most)


@pytest.mark.parametrize("few", [0, 10**6], ids=["reads on", "asks on"])
@given(any_runs, st.integers(FEWEST_POINTS, 60), st.integers(-1, 300), st.booleans())
def test_what_sqlite_sums_up_makes_no_difference(
    few: int, rows: list[Row], most: int, start: int, coarse: bool
) -> None:
    if coarse:  # then the lowest and the highest are several
        rows = [
            (ts_us, cycle, severity and float(severity > 0.5), rank)
            for ts_us, cycle, severity, rank in rows
        ]
    since = from_epoch_us(rows[start][0]) if 0 <= start < len(rows) else None
    query = PlotQuery("a", "r", since=since, most=most)
    wanted = [row for row in rows if since is None or from_epoch_us(row[0]) >= since]
    with (
        closing(stored(rows)) as connection,
        mock.patch.object(plots, "MANY_ROWS", 0),
        mock.patch.object(plots, "FEW_BUCKETS", few),
    ):
        assert plots.read_plot(connection, query, check_plot(query)) == plotted(wanted, most)


def stored(rows: Sequence[Row]) -> sqlite3.Connection:
    """Return a file's tables with one run in them."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(SCHEMA)
    connection.execute("INSERT INTO run (run_key, asset_id, run_id) VALUES (1, 'a', 'r')")
    connection.executemany(
        "INSERT INTO verdict (run_key, ts_us, cycle, severity, level, status, model, detail) "
        "VALUES (1, ?, ?, ?, ?, '', '', '')",
        rows,
    )
    return connection


def test_a_spike_of_one_row_in_a_day_is_there() -> None:
    rows: list[Row] = [(second * 1_000_000, second + 1, 0.5, 0) for second in range(86_400)]
    rows[40_000] = (40_000_000_000, 40_001, 9.0, Level.CRITICAL.rank)

    plot = plotted(rows, 1000)

    assert (40_001, 9.0, Level.CRITICAL) in [(p.cycle, p.severity, p.level) for p in plot.points]
    assert plot.level_changes == 2
    assert 250 < len(plot.points) <= 1000
