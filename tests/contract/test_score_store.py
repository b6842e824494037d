"""What every score store promises: the fake that unit tests trust, and the two real ones.

The InfluxDB engine is Debian's 1.6.7 behind a small front that gives it the 2.x write address (see
``tests/support/servers/influx.py``): the engine's behaviour is real, 2.x itself is not tested here.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from msgspec import structs

from common.errors import BackendRefusedError, BackendUnavailableError
from common.records.verdict_batch import VerdictBatch
from common.records.verdicts import (
    Evidence,
    FinalScore,
    Level,
    LifeLeft,
    ScoreRecord,
    SourcePosition,
    Verdict,
)
from common.scorestore.batch import FEW
from common.scorestore.factory import open_score_store
from common.scorestore.memory import MemoryScoreStore
from common.scorestore.port import (
    Keeping,
    Plot,
    PlotPoint,
    PlotQuery,
    RunPage,
    RunSummary,
    ScoreQuery,
    ScoreStore,
    Trimmed,
)
from common.scorestore.tally import glance_of, latest_of
from common.settings import ScoreStoreSettings
from common.topics import REPEAT_MEASUREMENT, SCORE_MEASUREMENT
from deploy.local.programs import free_port
from tests.support.servers.influx import InfluxServer, influx_server
from tests.support.verdict_columns import columns_of

START = datetime(2026, 1, 1, tzinfo=UTC)
CHANNELS = ("T24", "T30", "W31")
OF_MESSAGES = [status for status in Verdict if status.of_message]
AWKWARD_IDS = ("A", "0", "a.b_c:d-e", "Z" * 128, "engine:001", "x--", "None", "true", "1e5")


@dataclass(frozen=True)
class Backend:
    """One place where rows are kept; every call of ``open`` gives another handle on it."""

    name: str
    open: Callable[[], ScoreStore]


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    with influx_server(tmp_path_factory.mktemp("influx")) as running:
        yield running


@pytest.fixture(params=["memory", "sqlite", "influx"])
def backend(request: pytest.FixtureRequest) -> Backend:
    if request.param == "memory":
        kept = MemoryScoreStore()
        return Backend("memory", lambda: kept)
    if request.param == "sqlite":
        path = request.getfixturevalue("tmp_path") / "deep" / "scores.db"
        settings = ScoreStoreSettings(sqlite_path=path)
    else:
        settings = request.getfixturevalue("influx").new_bucket()
    return Backend(request.param, lambda: open_score_store(settings))


@pytest.fixture
async def store(backend: Backend) -> AsyncIterator[ScoreStore]:
    async with backend.open() as opened:
        yield opened


def verdict(
    cycle: int,
    status: Verdict = Verdict.WARMING_UP,
    asset_id: str = "engine-1",
    run_id: str = "run-1",
    at_s: float | None = None,
) -> ScoreRecord:
    return ScoreRecord(
        asset_id=asset_id,
        run_id=run_id,
        cycle=cycle,
        ts=START + timedelta(seconds=cycle if at_s is None else at_s),
        status=status,
        model="fd001@1",
        detail=f"{cycle} of 30 cycles",
    )


def scored(
    cycle: int,
    score: float = 0.25,
    level: Level = Level.NONE,
    asset_id: str = "engine-1",
    run_id: str = "run-1",
    at_s: float | None = None,
) -> ScoreRecord:
    return structs.replace(
        verdict(cycle, Verdict.SCORED, asset_id, run_id, at_s),
        score=score,
        warning_threshold=1.0,
        critical_threshold=1 / 3 + 1,
        level=level,
        evidence=Evidence.CHANNEL if cycle % 2 else Evidence.DEGRADATION,
        severity=score / 3,
        life=LifeLeft(100 / (cycle + 2), 0.1 + 0.2, 125.0) if cycle % 3 else None,
        shares=dict(zip(CHANNELS, (0.1, 0.2, 0.1 + 0.6), strict=True)),
        detail="",
    )


def repeat(
    offset: int,
    cycle: int = 1,
    status: Verdict = Verdict.DUPLICATE,
    asset_id: str = "engine-1",
    published_ts_ms: int = 1_767_225_600_000,
    partition: int = 0,
) -> ScoreRecord:
    return structs.replace(
        verdict(cycle, status, asset_id),
        detail="cycle 1 was seen",
        source=SourcePosition("test.readings", partition, offset),
        published_ts_ms=published_ts_ms,
    )


def fleet(engines: int, cycles: int, run_id: str = "run-1") -> list[ScoreRecord]:
    """Engines that read at the same moments, as a fleet's replay does."""
    return [
        scored(cycle, score=engine + cycle / 7, asset_id=f"engine-{engine}", run_id=run_id)
        for cycle in range(1, cycles + 1)
        for engine in range(engines)
    ]


def order(record: ScoreRecord) -> tuple[datetime, str, str, int]:
    return record.ts, record.asset_id, record.run_id, record.cycle


async def walk(store: ScoreStore, query: ScoreQuery) -> list[ScoreRecord]:
    """Follow the cursors to the end."""
    found: list[ScoreRecord] = []
    while True:
        page = await store.query(query)
        assert len(page.records) <= query.limit
        found.extend(page.records)
        if page.next_cursor is None:
            return found
        assert len(page.records) == query.limit
        query = replace(query, cursor=page.next_cursor)


async def everything(store: ScoreStore) -> list[ScoreRecord]:
    return await walk(store, ScoreQuery(limit=10_000))


async def test_what_is_written_is_read_exactly(store: ScoreStore) -> None:
    rows = [
        verdict(1),
        verdict(2, Verdict.GAP),
        verdict(3, Verdict.UNKNOWN_REGIME),
        structs.replace(verdict(4), detail='regime: "ts" is\n a \\ str, not=é✓'),
        scored(5, score=0.1 + 0.2, level=Level.WARNING),
        scored(6, score=1e-300, level=Level.CRITICAL),
        scored(7, score=123_456_789_012_345.0),
        structs.replace(scored(8), ts=START + timedelta(seconds=8, microseconds=1)),
    ]

    await store.write(rows)

    assert await everything(store) == rows


async def test_what_is_written_as_columns_is_read_exactly(store: ScoreStore) -> None:
    rows = [
        verdict(1, Verdict.GAP),
        *(
            structs.replace(scored(cycle, cycle / 7), life=LifeLeft(cycle / 3, 0.1, 0.3))
            for cycle in (2, 5)
        ),
        *(verdict(cycle, asset_id="engine-2") for cycle in range(6, 6 + FEW)),
    ]
    repeats = [repeat(11), repeat(12, status=Verdict.LATE)]

    await store.write(VerdictBatch([columns_of([*rows[:2], repeats[0], *rows[2:]])], repeats[1:]))

    assert await everything(store) == sorted(rows, key=order)
    assert await store.verdict_counts() == Counter(row.status for row in (*rows, *repeats))


def final_of(record: ScoreRecord, score: float) -> FinalScore:
    return FinalScore(
        record.asset_id,
        record.run_id,
        record.cycle,
        record.ts,
        score,
        record.model,
        record.fleet,
        record.timed,
    )


async def test_final_scores_come_later_and_leave_all_else_as_it_was(store: ScoreStore) -> None:
    strange = structs.replace(scored(8, asset_id="b"), fleet="SMAP")
    first = [scored(5), verdict(6), scored(7), strange]
    later = scored(9)
    await store.write(first)
    runs = await store.runs()

    await store.write([], [final_of(first[0], 0.1 + 0.2), final_of(first[1], 1e-300)])
    await store.write([later], [final_of(first[3], 0.0), final_of(later, 7.0)])

    expected = {5: 0.1 + 0.2, 6: 1e-300, 7: None, 8: 0.0, 9: 7.0}
    kept = [structs.replace(row, final_score=expected[row.cycle]) for row in [*first, later]]
    assert await everything(store) == sorted(kept, key=order)
    assert [run.last_score for run in runs] == [0.25, 0.25]
    plot = await store.plot(PlotQuery("engine-1", "run-1"))
    assert [point.cycle for point in plot.points] == [5, 7, 9]


async def test_a_verdict_that_is_written_again_keeps_its_final_score(store: ScoreStore) -> None:
    row = scored(5)
    await store.write([row], [final_of(row, 0.5)])

    await store.write([row])
    await store.write([row], [final_of(row, 0.5)])

    assert await everything(store) == [structs.replace(row, final_score=0.5)]


async def test_a_final_score_without_its_verdict_is_nothing(store: ScoreStore) -> None:
    await store.write([scored(4)], [final_of(scored(5), 0.5), final_of(scored(5, run_id="x"), 1.0)])

    assert await everything(store) == [scored(4)]
    assert (await store.plot(PlotQuery("engine-1", "run-1"))).scored == 1


async def test_a_final_score_that_is_no_number_is_refused(store: ScoreStore) -> None:
    with pytest.raises(ValueError, match="cycle 5: its final score is not finite"):
        await store.write([scored(5)], [final_of(scored(5), float("nan"))])

    assert await everything(store) == []


async def test_a_new_store_is_empty(store: ScoreStore) -> None:
    assert await everything(store) == []
    assert await store.runs() == []
    assert await store.verdict_counts() == {}
    await store.ping()


async def test_writing_nothing_changes_nothing(store: ScoreStore) -> None:
    await store.write([])

    assert await store.verdict_counts() == {}


async def test_every_id_that_the_wire_allows_is_kept(store: ScoreStore) -> None:
    rows = [scored(1, asset_id=one, run_id=two) for one in AWKWARD_IDS for two in AWKWARD_IDS]

    await store.write(rows)

    assert await everything(store) == sorted(rows, key=order)
    for one in AWKWARD_IDS:
        page = await store.query(ScoreQuery(asset_id=one, run_id="engine:001"))
        assert [(row.asset_id, row.run_id) for row in page.records] == [(one, "engine:001")]


async def test_model_and_channel_names_may_hold_anything_but_backslashes(store: ScoreStore) -> None:
    odd = structs.replace(
        scored(1),
        model="my model,v=1, 'x' \"y\" %s é@1",
        shares={"T 24": 0.25, "a=b,c": 0.25, "100%": 0.25, 'q"x': 0.25},
    )

    await store.write([odd])

    assert await everything(store) == [odd]


async def test_any_text_comes_back_and_is_found_again(store: ScoreStore) -> None:
    random = Random(1)

    def some(characters: str) -> str:
        return "".join(random.choices(characters, k=random.randint(1, 8)))

    names = "ab ,=\"'%{}é\t/#;"
    rows = [
        structs.replace(
            scored(cycle, asset_id=some(names), run_id=some(names)),
            model=some(names),
            detail=some(names + "\\\n"),
            shares={some(names): 0.5},
        )
        for cycle in range(1, 301)
    ]

    await store.write(rows)

    assert await everything(store) == rows
    for row in rows[:30]:
        query = ScoreQuery(asset_id=row.asset_id, run_id=row.run_id)
        assert row in (await store.query(query)).records


@pytest.mark.parametrize(
    "hostile",
    [
        "x' OR '1'='1",
        "' OR 1=1 --",
        "x\\' OR ''='",
        "x'; DROP MEASUREMENT score; --",
        "%",
        "*",
        "\\",
    ],
)
async def test_a_filter_is_a_value_and_never_code(store: ScoreStore, hostile: str) -> None:
    await store.write([scored(1), repeat(1)])

    assert (await store.query(ScoreQuery(asset_id=hostile))).records == []
    assert (await store.query(ScoreQuery(run_id=hostile))).records == []
    assert await store.runs(asset_id=hostile) == []
    assert await store.runs(run_id=hostile) == []
    assert await store.verdict_counts(hostile) == {}
    assert await everything(store) == [scored(1)]


async def test_a_rewrite_is_harmless(store: ScoreStore) -> None:
    batch = [*fleet(3, 4), repeat(7), repeat(8, status=Verdict.LATE)]
    await store.write(batch)
    runs = await store.runs()

    await store.write(batch)
    await store.write(list(reversed(batch)))
    await store.write(batch[5:])

    assert await everything(store) == sorted(fleet(3, 4), key=order)
    assert await store.runs() == runs
    assert await store.verdict_counts() == {
        Verdict.SCORED: 12,
        Verdict.DUPLICATE: 1,
        Verdict.LATE: 1,
    }


@pytest.mark.parametrize(
    "lacking",
    [
        pytest.param({"critical_threshold": None}, id="remaining life decides"),
        pytest.param({"life": None}, id="a model that does not know how long is left"),
        pytest.param(
            {"evidence": None, "severity": None, "life": None}, id="of an earlier version"
        ),
    ],
)
async def test_what_no_row_has_is_missing_and_harms_nothing(
    store: ScoreStore, lacking: dict[str, Any]
) -> None:
    rows = [structs.replace(scored(cycle, cycle / 4), **lacking) for cycle in range(1, 6)]

    await store.write([*rows, verdict(6)])

    assert await everything(store) == [*rows, verdict(6)]
    (run,) = await store.runs()
    assert (run.last_score, run.last_severity) == (1.25, rows[-1].severity)
    assert run.peak_severity == rows[-1].severity


async def test_a_rewritten_row_replaces_all_of_the_old_one(store: ScoreStore) -> None:
    await store.write([scored(1, 9.0, Level.CRITICAL), scored(2, 0.5), verdict(3)])

    await store.write([verdict(1, Verdict.GAP), scored(3, 0.75)])

    assert await everything(store) == [verdict(1, Verdict.GAP), scored(2, 0.5), scored(3, 0.75)]
    (run,) = await store.runs()
    assert (run.peak_score, run.last_score, run.last_level) == (0.75, 0.75, Level.NONE)
    assert (run.peak_severity, run.last_severity) == (0.25, 0.25)
    assert run.verdicts == {Verdict.GAP: 1, Verdict.SCORED: 2}
    assert await store.verdict_counts() == {Verdict.GAP: 1, Verdict.SCORED: 2}


async def test_of_one_reading_twice_in_a_batch_the_later_row_stays(store: ScoreStore) -> None:
    await store.write([scored(1, 0.5), verdict(2), scored(1, 0.75), repeat(1), repeat(1)])

    assert await everything(store) == [scored(1, 0.75), verdict(2)]
    assert await store.verdict_counts() == {
        Verdict.SCORED: 1,
        Verdict.WARMING_UP: 1,
        Verdict.DUPLICATE: 1,
    }


async def test_a_repeat_never_touches_the_verdict_of_its_reading(store: ScoreStore) -> None:
    await store.write([scored(1, 2.0, Level.CRITICAL)])

    await store.write(
        [repeat(9 + n, cycle=1, status=status) for n, status in enumerate(OF_MESSAGES)]
    )

    assert await everything(store) == [scored(1, 2.0, Level.CRITICAL)]
    (run,) = await store.runs()
    assert run.verdicts == {Verdict.SCORED: 1} | dict.fromkeys(OF_MESSAGES, 1)
    assert (run.first_cycle, run.last_cycle, run.last_ts) == (1, 1, START + timedelta(seconds=1))


async def test_repeats_are_told_apart_by_where_and_when_they_stood(store: ScoreStore) -> None:
    await store.write(
        [
            repeat(1),
            repeat(2),
            repeat(1_000_002, published_ts_ms=1_767_225_600_001),
            repeat(1, published_ts_ms=1_767_225_700_000),  # the topic was made anew
            repeat(1, asset_id="engine-2", partition=1),
            repeat(1, partition=1),  # by its key another's, by its payload engine-1's
            repeat(1),
        ]
    )

    assert await store.verdict_counts() == {Verdict.DUPLICATE: 6}
    assert await everything(store) == []


async def test_a_run_of_which_only_repeats_are_known_is_listed_without_cycles(
    store: ScoreStore,
) -> None:
    await store.write([repeat(offset, status=Verdict.REJECTED) for offset in range(12)])

    (rejected,) = await store.runs()
    await store.write([verdict(1)])
    (run,) = await store.runs()

    assert rejected == RunSummary(
        "engine-1",
        "run-1",
        "default",
        None,
        None,
        None,
        {Verdict.REJECTED: 12},
        None,
        Level.NONE,
        None,
    )
    assert run.verdicts == {Verdict.WARMING_UP: 1, Verdict.REJECTED: 12}
    assert (run.first_cycle, run.last_ts) == (1, START + timedelta(seconds=1))


def of_fleets() -> list[ScoreRecord]:
    """Two fleets, the second with a count of minutes since 1970, and one that never came to be."""
    return [
        *(scored(cycle) for cycle in (1, 2)),
        *(
            structs.replace(
                scored(29_453_760 + minute, asset_id="pump-1"), fleet="pumps", timed=True
            )
            for minute in (1, 2, 3)
        ),
        structs.replace(repeat(7, asset_id="pump-1"), fleet="pumps"),
        structs.replace(repeat(8, asset_id="fan-1", status=Verdict.REJECTED), fleet="fans"),
    ]


@pytest.mark.parametrize(
    ("fleet", "assets", "cycles"),
    [
        (None, ["engine-1", "fan-1", "pump-1"], [1, 2, 29_453_761, 29_453_762, 29_453_763]),
        ("default", ["engine-1"], [1, 2]),
        ("pumps", ["pump-1"], [29_453_761, 29_453_762, 29_453_763]),
        ("fans", ["fan-1"], []),
        ("nobody", [], []),
    ],
)
async def test_a_fleet_can_be_asked_for_and_every_row_and_run_says_its_own(
    store: ScoreStore, fleet: str | None, assets: list[str], cycles: list[int]
) -> None:
    await store.write(of_fleets())
    await store.write(of_fleets())  # again, as after a crash

    page = await store.query(ScoreQuery(fleet=fleet))
    runs = await store.runs(fleet=fleet)
    first = await store.run_page(1, fleet=fleet)

    assert sorted(row.cycle for row in page.records) == cycles
    assert [run.asset_id for run in runs] == assets
    assert [run.asset_id for run in first.runs] == assets[:1]
    named = {"engine-1": "default", "fan-1": "fans", "pump-1": "pumps"}
    assert all(row.fleet == named[row.asset_id] for row in page.records)
    assert all(run.fleet == named[run.asset_id] for run in runs)
    pumps = [run for run in runs if run.asset_id == "pump-1"]
    assert all(run.verdicts == {Verdict.SCORED: 3, Verdict.DUPLICATE: 1} for run in pumps)


async def test_runs_without_a_time_come_before_the_others_of_their_asset(
    store: ScoreStore,
) -> None:
    await store.write([verdict(1, run_id="run-0"), repeat(1), verdict(1, asset_id="engine-0")])

    runs = await store.runs()

    assert [(run.asset_id, run.run_id) for run in runs] == [
        ("engine-0", "run-1"),
        ("engine-1", "run-1"),
        ("engine-1", "run-0"),
    ]


async def test_the_runs_of_an_asset_come_in_the_order_in_which_they_ended(
    store: ScoreStore,
) -> None:
    ended = {"run-3": 1.0, "run-1": 2.0, "run-4": 2.0, "run-2": 3.0}
    await store.write(
        [verdict(1, run_id=run_id, at_s=at_s) for run_id, at_s in reversed(ended.items())]
    )

    assert [run.run_id for run in await store.runs()] == list(ended)
    assert [run.run_id for run in (await store.run_page(5)).runs] == list(ended)


async def walked(store: ScoreStore, most: int, **wanted: str) -> list[list[RunSummary]]:
    """Follow the pages of runs to the end."""
    pages: list[list[RunSummary]] = []
    after: str | None = None
    while True:
        page = await store.run_page(most, after=after, **wanted)
        assert len({run.asset_id for run in page.runs}) <= most
        pages.append(list(page.runs))
        if page.next_after is None:
            return pages
        after = page.next_after


@pytest.mark.parametrize("most", [1, 2, 3, 7, 100])
async def test_pages_of_runs_are_all_runs_a_few_assets_at_a_time(
    store: ScoreStore, most: int
) -> None:
    await store.write(
        [
            *(verdict(1, asset_id=f"engine-{number}") for number in range(7)),
            *(verdict(9, asset_id=f"engine-{number}", run_id="run-2") for number in range(0, 7, 2)),
            *(repeat(number, asset_id=f"rejected-{number}") for number in range(3)),
            *(verdict(1, asset_id=asset_id) for asset_id in AWKWARD_IDS),
        ]
    )

    pages = await walked(store, most)
    of_run = await walked(store, most, run_id="run-2")

    assert [run for page in pages for run in page] == await store.runs()
    assert [run for page in of_run for run in page] == await store.runs(run_id="run-2")
    for page in pages:  # all runs of an asset are on one page
        for other in pages:
            assert page is other or not {r.asset_id for r in page} & {r.asset_id for r in other}
    assert await walked(store, most, asset_id="engine-2") == [await store.runs(asset_id="engine-2")]


async def test_many_assets_with_long_names_are_paged(store: ScoreStore) -> None:
    names = [f"{number:03d}-{'x' * 100}" for number in range(150)]
    await store.write([verdict(1, asset_id=name) for name in names])

    first = await store.run_page(100)
    rest = await store.run_page(100, after=first.next_after)

    assert [run.asset_id for run in first.runs] == names[:100]
    assert [run.asset_id for run in rest.runs] == names[100:]
    assert rest.next_after is None


async def test_the_latest_run_is_the_one_that_arrived_last_whatever_its_clock_says(
    store: ScoreStore,
) -> None:
    ahead = structs.replace(verdict(1, run_id="ahead", at_s=10**9), published_ts_ms=1000)
    behind = structs.replace(verdict(1, run_id="behind", at_s=-(10**9)), published_ts_ms=2000)
    await store.write([ahead, behind, repeat(1, asset_id="other")])
    await store.write([ahead])  # again, as after a crash

    runs = {run.run_id: run for run in await store.runs(asset_id="engine-1")}
    latest = await store.latest_runs()

    assert [(run.run_id, run.arrived_ms) for run in runs.values()] == [
        ("behind", 2000),
        ("ahead", 1000),
    ]
    assert [(glance.asset_id, glance.run_id) for glance in latest] == [
        ("engine-1", "behind"),
        ("other", "run-1"),
    ]
    assert [run.arrived_ms for run in await store.runs(asset_id="other")] == [None]


async def test_latest_runs_are_those_of_the_summaries(store: ScoreStore) -> None:
    draw = Random(5)
    rows = [
        structs.replace(
            (scored if draw.random() < 0.5 else verdict)(
                cycle,
                asset_id=f"engine-{draw.randrange(6)}",
                run_id=f"run-{draw.randrange(4)}",
                at_s=draw.randrange(50),
            ),
            published_ts_ms=draw.choice([0, 0, 1000, 2000, 3000]),
        )
        for cycle in range(1, 60)
    ]
    rows += [repeat(number, asset_id=f"engine-{number}") for number in range(4, 9)]
    await store.write(rows)

    runs = await store.runs()
    latest = await store.latest_runs()
    of_run = await store.latest_runs(run_id="run-2")
    some = await store.summaries(["engine-3", "engine-7", "nobody"])

    assert latest == [glance_of(run) for run in latest_of(runs)]
    assert of_run == [glance_of(run) for run in runs if run.run_id == "run-2"]
    assert some == [run for run in runs if run.asset_id in ("engine-3", "engine-7")]
    assert await store.latest_runs(asset_id="engine-7") == [latest[7]]
    assert await store.latest_runs(fleet="nobody") == []
    assert await store.summaries([]) == []


async def test_a_window_that_is_being_filled_counts_from_its_gap(store: ScoreStore) -> None:
    stories = {
        "fresh": [Verdict.WARMING_UP] * 3,
        "full": [Verdict.WARMING_UP] * 3 + [Verdict.SCORED],
        "anew": [Verdict.SCORED, Verdict.GAP, Verdict.WARMING_UP],
        "lost": [Verdict.WARMING_UP, Verdict.UNKNOWN_REGIME],
        "found": [Verdict.UNKNOWN_REGIME, Verdict.WARMING_UP],
    }
    for asset_id, verdicts in stories.items():
        await store.write(
            [verdict(cycle, status, asset_id) for cycle, status in enumerate(verdicts, 1)]
        )
    await store.write([repeat(1, asset_id="refused")])
    asked = [(asset_id, "run-1") for asset_id in (*stories, "refused", "nobody")]

    assert await store.warm_ups(asked, 30) == [3, 0, 2, 0, 1, 0, 0]
    assert await store.warm_ups([("fresh", "run-1")], 2) == [2]
    assert await store.warm_ups([], 30) == []


def plotted(rows: int) -> list[ScoreRecord]:
    """Return a run with spikes, levels and a gap, whose rows are at odd moments."""
    draw = Random(11)
    found = []
    for cycle in range(1, rows + 1):
        at_s = cycle + draw.choice([0, 0, 0.000_3, 0.25])
        if rows // 3 < cycle < rows // 3 + 9:
            found.append(verdict(cycle, Verdict.GAP, at_s=at_s))
            continue
        score = 30.0 if cycle == rows // 2 else draw.random() * 4
        level = Level.CRITICAL if score > 3.99 else Level.WARNING if score > 3 else Level.NONE
        found.append(scored(cycle, score, level, at_s=at_s))
    return found


async def test_a_plot_is_the_same_from_every_store_and_keeps_the_extremes(
    store: ScoreStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.scorestore.influx.store.PLOT_ROWS", 170)
    rows = plotted(700)
    await store.write(rows)
    await store.write([scored(1, 99.0, run_id="run-2"), scored(1, 99.0, asset_id="engine-2")])
    since, until = rows[99].ts, rows[599].ts
    fake = MemoryScoreStore()
    await fake.write(rows)
    finals = [
        final_of(row, 50.0 if row.cycle == 77 else row.cycle / 100)
        for row in rows[:650]
        if not 400 < row.cycle < 420
    ]
    for each in (store, fake):
        await each.write([], finals)

    asked = [
        PlotQuery("engine-1", "run-1", most=most, since=since_at, until=until_at)
        for most in (16, 40, 300, 5000)
        for since_at, until_at in ((None, None), (since, None), (since, until))
    ]
    plots = [await store.plot(query) for query in asked]

    assert plots == [await fake.plot(query) for query in asked]
    severities = [row.severity for row in rows if row.severity is not None]
    assert [point.cycle for point in plots[9].finals] == [final.cycle for final in finals]
    for plot in plots[::3]:
        assert len(plot.finals) <= max(asked[plots.index(plot)].most, 16)
        assert {1, 77, 650} <= {point.cycle for point in plot.finals}
        assert [point.gap_before for point in plot.finals].count(True) == 1
        assert max(point.severity for point in plot.points) == max(severities)
        assert min(point.severity for point in plot.points) == min(severities)
        assert (plot.points[0].cycle, plot.points[-1].cycle) == (1, 700)
        assert plot.scored == len(severities)
        assert plot.gaps == 1
    assert len(plots[9].points) == len(severities)
    (broken,) = [point for point in plots[9].points if point.gap_before]
    assert broken.cycle == 700 // 3 + 9


async def test_a_plot_of_nothing_is_empty(store: ScoreStore) -> None:
    await store.write([verdict(1), scored(1, asset_id="engine-2")])

    nobody = await store.plot(PlotQuery("nobody", "run-1"))
    unscored = await store.plot(PlotQuery("engine-1", "run-1"))
    one = await store.plot(PlotQuery("engine-2", "run-1"))
    later = await store.plot(PlotQuery("engine-2", "run-1", since=START + timedelta(days=1)))

    assert nobody == unscored == later == Plot([])
    assert one.points == [PlotPoint(1_767_225_601_000_000, 1, 0.25 / 3, Level.NONE, False)]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        pytest.param(PlotQuery("a", "b", most=15), "most is 15; expected 16", id="few points"),
        pytest.param(
            PlotQuery("a", "b", since=datetime(2026, 1, 1)),  # noqa: DTZ001 - the mistake
            "without a timezone",
            id="no zone",
        ),
    ],
)
async def test_a_plot_that_cannot_be_is_refused(
    store: ScoreStore, query: PlotQuery, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        await store.plot(query)


async def test_an_empty_store_has_an_empty_page_of_runs(store: ScoreStore) -> None:
    assert await store.run_page(10) == RunPage([], None)
    await store.write([verdict(1)])
    assert await store.run_page(10, after="zzz") == RunPage([], None)
    assert await store.run_page(10, asset_id="nobody") == RunPage([], None)


async def test_two_cycles_at_the_same_time_are_two_rows(store: ScoreStore) -> None:
    rows = [scored(cycle, cycle / 2, at_s=1) for cycle in range(1, 31)]

    await store.write(rows)

    assert await everything(store) == rows
    assert await store.verdict_counts() == {Verdict.SCORED: 30}


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 7, 100])
async def test_cursors_walk_everything_exactly_once(
    store: ScoreStore, limit: int, newest_first: bool
) -> None:
    rows = [
        *fleet(4, 3),  # four engines share each moment: pages of 1 and 3 cut through it
        *fleet(2, 3, run_id="run-2"),
        scored(40, at_s=1.0, asset_id="engine-2"),  # cycles and times need not agree, so that
        scored(40, at_s=2.0, asset_id="engine-0"),  # a store's own order differs from the port's
        structs.replace(scored(3, run_id="run-3"), model="a-model-that-sorts-first@1"),
    ]
    await store.write(rows)

    found = await walk(store, ScoreQuery(limit=limit, newest_first=newest_first))

    assert found == sorted(rows, key=order, reverse=newest_first)


@pytest.mark.parametrize("newest_first", [False, True])
async def test_a_walk_is_not_disturbed_by_writers(store: ScoreStore, newest_first: bool) -> None:
    rows = sorted(fleet(3, 6), key=order, reverse=newest_first)
    await store.write(rows)
    query = ScoreQuery(limit=4, newest_first=newest_first)
    first = await store.query(query)

    behind, ahead = ("engine-1a", "engine-0a") if newest_first else ("engine-0a", "engine-1a")
    await store.write(
        [
            *rows,
            scored(rows[0].cycle, asset_id=behind),
            scored(rows[-1].cycle, asset_id=ahead),
        ]
    )
    rest = await walk(store, replace(query, cursor=first.next_cursor))

    old = [row for row in (*first.records, *rest) if row in rows]
    assert old == rows
    assert ahead in {row.asset_id for row in rest}
    assert behind not in {row.asset_id for row in rest}


async def test_a_page_that_ends_with_the_last_row_has_no_successor(store: ScoreStore) -> None:
    await store.write([scored(cycle) for cycle in range(1, 5)])

    assert (await store.query(ScoreQuery(limit=4))).next_cursor is None
    assert (await store.query(ScoreQuery(limit=3))).next_cursor is not None


FILTERS = [
    pytest.param({"asset_id": "engine-2"}, [(2, "run-1", 1), (2, "run-1", 2)], id="asset"),
    pytest.param({"run_id": "run-2"}, [(1, "run-2", 3)], id="run"),
    pytest.param({"asset_id": "engine-1", "run_id": "run-2"}, [(1, "run-2", 3)], id="both"),
    pytest.param({"asset_id": "engine-2", "run_id": "run-2"}, [], id="neither"),
    pytest.param({"status": Verdict.GAP}, [(1, "run-1", 2)], id="status"),
    pytest.param(
        {"status": Verdict.SCORED, "asset_id": "engine-1"},
        [(1, "run-1", 1), (1, "run-2", 3), (1, "run-1", 4)],
        id="scored",
    ),
    pytest.param({"status": Verdict.DUPLICATE}, [], id="repeats-are-not-listed"),
    pytest.param(
        {"min_level": Level.WARNING}, [(1, "run-2", 3), (1, "run-1", 4)], id="warning-or-worse"
    ),
    pytest.param({"min_level": Level.CRITICAL}, [(1, "run-1", 4)], id="critical"),
    pytest.param(
        {"min_level": Level.NONE, "asset_id": "engine-2"},
        [(2, "run-1", 1), (2, "run-1", 2)],
        id="any-level",
    ),
    pytest.param(
        {"since": START + timedelta(seconds=3)}, [(1, "run-2", 3), (1, "run-1", 4)], id="since"
    ),
    pytest.param(
        {"until": START + timedelta(seconds=2)}, [(1, "run-1", 1), (2, "run-1", 1)], id="until"
    ),
    pytest.param(
        {"since": datetime(1, 1, 1, tzinfo=UTC), "until": datetime(9999, 12, 31, tzinfo=UTC)},
        [
            (1, "run-1", 1), (2, "run-1", 1), (1, "run-1", 2), (2, "run-1", 2), (1, "run-2", 3),
            (1, "run-1", 4),
        ],
        id="all-of-time",
    ),
    pytest.param(
        {"since": START + timedelta(seconds=4), "until": START + timedelta(seconds=2)},
        [],
        id="empty-range",
    ),
]  # fmt: skip


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize(("filters", "expected"), FILTERS)
async def test_filters_apply_together(
    store: ScoreStore,
    filters: dict[str, object],
    expected: list[tuple[int, str, int]],
    newest_first: bool,
) -> None:
    await store.write(
        [
            scored(1),
            verdict(2, Verdict.GAP),
            scored(3, 1.5, Level.WARNING, run_id="run-2"),
            scored(4, 2.5, Level.CRITICAL),
            scored(1, asset_id="engine-2"),
            verdict(2, asset_id="engine-2"),
            repeat(5),
        ]
    )

    for limit in (1, 100):
        query = ScoreQuery(limit=limit, newest_first=newest_first, **filters)  # type: ignore[arg-type]  # a table
        found = [(int(row.asset_id[-1]), row.run_id, row.cycle) for row in await walk(store, query)]
        assert found == (expected[::-1] if newest_first else expected)


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(ScoreQuery(limit=0), id="no-rows"),
        pytest.param(ScoreQuery(limit=10_001), id="too-many-rows"),
        pytest.param(ScoreQuery(since=datetime(2026, 1, 1)), id="no-timezone"),  # noqa: DTZ001
        pytest.param(ScoreQuery(cursor=""), id="empty-cursor"),
        pytest.param(ScoreQuery(cursor="WzEsMl0"), id="foreign-cursor"),
        pytest.param(ScoreQuery(cursor="é"), id="not-a-cursor"),
    ],
)
async def test_a_query_that_cannot_be_meant_is_refused(
    store: ScoreStore, query: ScoreQuery
) -> None:
    with pytest.raises(ValueError, match=r"limit|timezone|cursor"):
        await store.query(query)


async def test_a_summary_tells_each_run(store: ScoreStore) -> None:
    await store.write(
        [
            verdict(1),
            scored(2, 3.5, Level.CRITICAL),
            scored(3, 1.5, Level.WARNING),
            verdict(4, Verdict.GAP),
            repeat(9, cycle=2, status=Verdict.LATE),
            verdict(7, asset_id="engine-0"),
            scored(9, -0.5, run_id="run-0", at_s=0.5),
        ]
    )

    runs = await store.runs()

    assert [(run.asset_id, run.run_id) for run in runs] == [
        ("engine-0", "run-1"),
        ("engine-1", "run-0"),
        ("engine-1", "run-1"),
    ]
    bare, other, full = runs
    assert (bare.first_cycle, bare.last_cycle) == (7, 7)
    assert (bare.last_score, bare.last_level, bare.peak_score) == (None, Level.NONE, None)
    assert (bare.last_severity, bare.peak_severity) == (None, None)
    assert (other.last_score, other.peak_score) == (-0.5, -0.5)
    assert (other.last_severity, other.peak_severity) == (-0.5 / 3, -0.5 / 3)
    assert (full.first_cycle, full.last_cycle) == (1, 4)
    assert full.last_ts == START + timedelta(seconds=4)
    assert (full.last_score, full.last_level, full.peak_score) == (1.5, Level.WARNING, 3.5)
    assert (full.last_severity, full.peak_severity) == (0.5, 3.5 / 3)
    assert (bare.last_life, full.last_life) == (None, None)  # cycle 3 says none, whatever 2 said
    assert full.verdicts == {
        Verdict.WARMING_UP: 1,
        Verdict.SCORED: 2,
        Verdict.GAP: 1,
        Verdict.LATE: 1,
    }
    assert await store.runs(asset_id="engine-0") == [bare]
    assert await store.runs(run_id="run-1") == [bare, full]
    assert await store.runs(asset_id="engine-1", run_id="run-0") == [other]


async def test_a_summary_does_not_depend_on_the_order_of_arrival(store: ScoreStore) -> None:
    rows = [scored(cycle, score=float(cycle % 4)) for cycle in range(1, 9)]
    for row in (*rows[4:6], *rows[:2], *rows[6:], *rows[2:4]):
        await store.write([row])

    (run,) = await store.runs()

    assert (run.first_cycle, run.last_cycle, run.verdicts) == (1, 8, {Verdict.SCORED: 8})
    assert (run.last_score, run.peak_score) == (0.0, 3.0)
    assert (run.last_severity, run.peak_severity) == (0.0, 1.0)
    assert run.last_life == LifeLeft(10.0, 0.1 + 0.2, 125.0)


async def test_counts_are_of_all_readings_or_of_one_run(store: ScoreStore) -> None:
    every = [verdict(number, status) for number, status in enumerate(Verdict, start=1)]
    rows = [
        structs.replace(row, source=SourcePosition("test.readings", 0, row.cycle)) for row in every
    ]
    await store.write([*rows, scored(1, run_id="run-2"), scored(2, run_id="run-2")])

    assert await store.verdict_counts("run-1") == dict.fromkeys(Verdict, 1)
    assert await store.verdict_counts("run-2") == {Verdict.SCORED: 2}
    assert await store.verdict_counts("run-3") == {}
    assert await store.verdict_counts() == dict.fromkeys(Verdict, 1) | {Verdict.SCORED: 3}


async def test_activity_tells_how_far_runs_have_come_since(store: ScoreStore) -> None:
    since = START + timedelta(seconds=2)
    refused = structs.replace(
        repeat(7, status=Verdict.REJECTED, asset_id="engine-2"),
        published_ts_ms=round((START.timestamp() + 60) * 1000),
        fleet="pumps",
    )
    await store.write([verdict(1), scored(2), verdict(3, Verdict.GAP), refused])
    await store.write([scored(1, run_id="long-ago", at_s=-3600.0)])

    before = {(run.asset_id, run.run_id): run for run in await store.activity(since)}
    await store.write(
        [scored(4), verdict(5), scored(2), structs.replace(refused, ts=START)]
    )  # two again
    again = structs.replace(refused, source=SourcePosition("test.readings", 0, 8))
    await store.write([scored(1, asset_id="engine-3", at_s=5.0), again])
    after = {(run.asset_id, run.run_id): run for run in await store.activity(since)}

    one, two = before["engine-1", "run-1"], before["engine-2", "run-1"]
    assert (one.last_cycle, one.last_ts) == (3, START + timedelta(seconds=3))
    assert (one.last_scored_cycle, one.fleet) == (2, "default")
    assert (two.last_cycle, two.last_ts, two.last_scored_cycle) == (None, None, None)
    assert two.fleet == "pumps"
    one, two, three = (after[f"engine-{number}", "run-1"] for number in (1, 2, 3))
    assert (one.last_cycle, one.last_ts) == (5, START + timedelta(seconds=5))
    assert one.last_scored_cycle == 4
    assert (three.last_cycle, three.readings, three.scored) == (1, 1, 1)
    grown = [
        (now.readings - then.readings, now.scored - then.scored)
        for now, then in ((one, before["engine-1", "run-1"]), (two, before["engine-2", "run-1"]))
    ]
    assert grown == [(2, 1), (1, 0)]


async def test_an_empty_store_has_no_activity(store: ScoreStore) -> None:
    assert list(await store.activity(START)) == []


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("place", ["score", "warning_threshold", "critical_threshold", "shares"])
async def test_nothing_that_is_not_a_number_gets_in(
    store: ScoreStore, place: str, bad: float
) -> None:
    changes: dict[str, object] = {place: {"T24": bad, "T30": 0.5} if place == "shares" else bad}

    with pytest.raises(ValueError, match="not finite"):
        await store.write([scored(1), structs.replace(scored(2), **changes)])

    assert await everything(store) == []


async def test_what_was_acknowledged_is_there_after_closing(backend: Backend) -> None:
    async with backend.open() as store:
        await store.write([*fleet(2, 3), repeat(1)])
        runs = await store.runs()

    async with backend.open() as store:
        assert await everything(store) == sorted(fleet(2, 3), key=order)
        assert await store.runs() == runs
        assert await store.verdict_counts() == {Verdict.SCORED: 6, Verdict.DUPLICATE: 1}


async def test_a_reader_sees_each_write_once_it_is_acknowledged(backend: Backend) -> None:
    async with backend.open() as writer, backend.open() as reader:
        for cycle in range(1, 6):
            await writer.write([scored(cycle)])
            page = await reader.query(ScoreQuery(newest_first=True, limit=1))
            assert [row.cycle for row in page.records] == [cycle]
            assert await reader.verdict_counts() == {Verdict.SCORED: cycle}


async def test_reading_goes_on_while_another_handle_writes(backend: Backend) -> None:
    total = 20
    async with backend.open() as writer, backend.open() as reader:

        async def write() -> None:
            for cycle in range(1, total + 1):
                await writer.write([scored(cycle, asset_id=f"e{number}") for number in range(50)])

        writing = asyncio.create_task(write())
        seen = [0]
        while not writing.done():
            seen.append((await reader.verdict_counts()).get(Verdict.SCORED, 0))
            await asyncio.sleep(0)  # the one in memory never waits by itself
        await writing
        seen.append((await reader.verdict_counts())[Verdict.SCORED])

    assert seen == sorted(seen)
    assert seen[-1] == total * 50


async def test_two_stores_may_write_the_same_rows_at_once(backend: Backend) -> None:
    rows = fleet(5, 8)
    extra = [repeat(offset) for offset in range(10)]
    async with backend.open() as one, backend.open() as two:
        await asyncio.gather(
            *(one.write([*rows[start : start + 8], *extra]) for start in range(0, 40, 4)),
            *(two.write([*rows[start : start + 8], *extra]) for start in range(36, -1, -4)),
        )

        assert await everything(two) == sorted(rows, key=order)
        runs = await one.runs()
        assert [run.verdicts[Verdict.SCORED] for run in runs] == [8] * 5
        assert await one.verdict_counts() == {Verdict.SCORED: 40, Verdict.DUPLICATE: 10}


async def test_a_large_batch_is_one_write(store: ScoreStore) -> None:
    rows = fleet(100, 200)

    await store.write(rows)

    assert await store.verdict_counts() == {Verdict.SCORED: 20_000}
    assert Counter(row.asset_id for row in await everything(store)) == Counter(
        {f"engine-{number}": 200 for number in range(100)}
    )


BESIDE = [
    scored(cycle, asset_id=f"engine-{engine}", run_id=f"run-{us}", at_s=us / 1e6)
    for engine, cycle in enumerate((1, 999, 1000, 1001, 2001, 999_999, 1_000_000))
    for us in (0, 1, 500, 999, 1000, 1001, 2000)
]
"""Cycles and microseconds that share milliseconds; InfluxDB moves some points within theirs."""


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("since_us", [None, 1, 1000])
@pytest.mark.parametrize("until_us", [None, 501, 1001])
async def test_pages_and_bounds_are_of_the_readings_own_microseconds(
    store: ScoreStore, newest_first: bool, since_us: int | None, until_us: int | None
) -> None:
    fake = MemoryScoreStore()
    for one in (store, fake):
        await one.write(BESIDE)
    at = [None if us is None else START + timedelta(microseconds=us) for us in (since_us, until_us)]

    for limit in (1, 3, 50):
        query = ScoreQuery(limit=limit, newest_first=newest_first, since=at[0], until=at[1])
        assert await walk(store, query) == await walk(fake, query)
    assert await store.runs() == await fake.runs()


async def test_a_clock_that_stands_still_for_thousands_of_cycles_loses_none(
    store: ScoreStore,
) -> None:
    rows = [scored(cycle, at_s=1.5) for cycle in range(1, 5001)]
    await store.write(rows)

    assert await everything(store) == rows
    (run,) = await store.runs()
    assert (run.last_cycle, run.last_ts) == (5000, START + timedelta(seconds=1.5))


async def test_influx_reads_what_versions_with_a_tag_for_each_thousand_cycles_wrote(
    influx: InfluxServer,
) -> None:
    settings = influx.new_bucket()
    for cycle in (1999, 2000):
        influx.write(
            settings.influx_bucket,
            f"score,asset_id=engine-1,model=m@1,run_id=run-1,thousand={cycle // 1000} "
            f'cycle={cycle}i,level="none",status="gap",detail="" '
            f"{1_767_225_600_000_000_000 + cycle % 1000}",
        )
    async with open_score_store(settings) as store:
        await store.write(
            [structs.replace(verdict(2001, Verdict.GAP, at_s=0), model="m@1", detail="")]
        )

        found = await everything(store)
        (run,) = await store.runs()
    assert [(row.cycle, row.ts) for row in found] == [(n, START) for n in (1999, 2000, 2001)]
    assert (run.first_cycle, run.last_cycle, run.verdicts) == (1999, 2001, {Verdict.GAP: 3})
    tags = influx.ask(settings.influx_bucket, "SHOW SERIES CARDINALITY")
    assert tags["series"][0]["values"] == [[3]]


async def test_series_do_not_grow_with_the_length_of_a_run(influx: InfluxServer) -> None:
    settings = influx.new_bucket()
    async with open_score_store(settings) as store:
        await store.write(fleet(4, 2500))

    answer = influx.ask(settings.influx_bucket, "SHOW SERIES CARDINALITY")
    assert answer["series"][0]["values"] == [[4]]


async def test_what_is_too_old_goes_and_the_rest_is_as_it_was(
    store: ScoreStore, backend: Backend
) -> None:
    keep = Keeping(max_age_us=86_400_000_000)
    await store.write([*fleet(3, 4), repeat(1, published_ts_ms=1)])
    before = await everything(store), await store.runs(), await store.verdict_counts()
    if backend.name == "influx":  # its server does it (tests/contract/test_influx_retention.py)
        assert await store.trim(keep, START + timedelta(days=9), 100) == Trimmed(0)
        assert (await everything(store), await store.runs(), await store.verdict_counts()) == before
        return
    await store.trim(keep, START, 100)
    later = fleet(2, 3, run_id="run-2")
    await store.write(later)

    gone = await store.trim(keep, START + timedelta(days=1), 100)

    assert (gone.rows, gone.more) == (12, False)
    assert await everything(store) == sorted(later, key=order)
    assert await store.verdict_counts() == {Verdict.SCORED: 6}
    assert [(run.asset_id, run.run_id) for run in await store.runs()] == [
        ("engine-0", "run-2"),
        ("engine-1", "run-2"),
    ]
    assert await store.removed_until() == START + timedelta(seconds=4)


EVERY_CALL: list[Callable[[ScoreStore], Awaitable[object]]] = [
    lambda store: store.write([scored(1), repeat(1)]),
    lambda store: store.query(ScoreQuery()),
    lambda store: store.runs(),
    lambda store: store.run_page(10),
    lambda store: store.verdict_counts(),
    lambda store: store.ping(),
]


def changed(settings: ScoreStoreSettings, **fields: object) -> ScoreStore:
    return open_score_store(ScoreStoreSettings.model_validate(settings.model_dump() | fields))


@pytest.mark.parametrize("call", EVERY_CALL)
@pytest.mark.parametrize(
    ("fields", "advice"),
    [
        pytest.param({"influx_token": "wrong"}, "401.*INFLUX_TOKEN", id="token"),
        pytest.param({"influx_token": ""}, "401.*INFLUX_TOKEN", id="no-token"),
        pytest.param({"influx_bucket": "no-such"}, "not found.*INFLUX_BUCKET", id="bucket"),
    ],
)
async def test_influx_refuses_what_will_not_work_later_either(
    influx: InfluxServer,
    fields: dict[str, object],
    advice: str,
    call: Callable[[ScoreStore], Awaitable[object]],
) -> None:
    async with changed(influx.new_bucket(), **fields) as store:
        with pytest.raises(BackendRefusedError, match=advice):
            await call(store)


@pytest.mark.parametrize("url", ["influx:8086", "http://", "", "ftp://influx:8086", "http://a:b"])
async def test_influx_refuses_an_address_that_is_none(url: str) -> None:
    store = open_score_store(ScoreStoreSettings(backend="influx", influx_url=url))

    with pytest.raises(BackendRefusedError, match=r"INFLUX_URL is .*; expected http://"):
        await store.__aenter__()


@pytest.mark.parametrize("call", EVERY_CALL)
async def test_influx_that_is_down_may_be_tried_again(
    influx: InfluxServer, call: Callable[[ScoreStore], Awaitable[object]]
) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    async with changed(influx.new_bucket(), influx_url=nobody) as store:
        with pytest.raises(BackendUnavailableError, match="does not answer"):
            await call(store)


async def test_influx_that_hangs_may_be_tried_again_and_then_works(influx: InfluxServer) -> None:
    async with changed(influx.new_bucket(), op_timeout_s=0.5) as store:
        with influx.engine.frozen():
            for call in EVERY_CALL:
                with pytest.raises(BackendUnavailableError, match="does not answer"):
                    await call(store)

    async with changed(influx.new_bucket()) as store:
        for call in EVERY_CALL:
            await call(store)


async def test_influx_says_why_it_refuses_a_line(influx: InfluxServer) -> None:
    settings = influx.new_bucket()
    influx.write(settings.influx_bucket, 'score,asset_id=other cycle="a text" 1767225601000000001')

    async with open_score_store(settings) as store:
        with pytest.raises(BackendRefusedError, match="field type conflict"):
            await store.write([scored(1)])


async def test_influx_refuses_a_time_it_cannot_keep_and_names_the_reading(
    influx: InfluxServer,
) -> None:
    async with open_score_store(influx.new_bucket()) as store:
        with pytest.raises(BackendRefusedError, match=r"engine-1 run-1 cycle 3.*1677 to 2262"):
            await store.write([structs.replace(scored(3), ts=datetime(2300, 1, 1, tzinfo=UTC))])


@pytest.mark.parametrize("newest_first", [False, True])
async def test_influx_shows_a_reading_once_although_two_models_scored_it(
    influx: InfluxServer, newest_first: bool
) -> None:
    old = [scored(cycle, 0.5) for cycle in range(1, 6)]
    new = [structs.replace(row, model="fd001@2", score=0.75) for row in old]
    async with open_score_store(influx.new_bucket()) as store:
        await store.write(old)
        await store.write(new)

        for limit in (1, 2, 5, 10):
            found = await walk(store, ScoreQuery(limit=limit, newest_first=newest_first))
            assert found == (new[::-1] if newest_first else new)
        assert await store.verdict_counts() == {Verdict.SCORED: 5}


async def test_influx_points_look_as_dashboards_expect(influx: InfluxServer) -> None:
    settings = influx.new_bucket()
    async with open_score_store(settings) as store:
        await store.write([scored(12, 1.5, Level.WARNING), repeat(7, cycle=3)])

    def the_point(measurement: str) -> dict[str, object]:
        statement = f'SELECT * FROM "{measurement}"'  # noqa: S608 - our names
        (series,) = influx.ask(settings.influx_bucket, statement)["series"]
        return dict(zip(series["columns"], *series["values"], strict=True))

    assert the_point(SCORE_MEASUREMENT) == {
        "time": 1_767_225_612_000_000_012,
        "asset_id": "engine-1",
        "run_id": "run-1",
        "model": "fd001@1",
        "cycle": 12,
        "evidence": "degradation",
        "severity": 0.5,
        "score": 1.5,
        "warning_threshold": 1,
        "critical_threshold": 1 / 3 + 1,
        "level": "warning",
        "status": "scored",
        "detail": "",
        "share_T24": 0.1,
        "share_T30": 0.2,
        "share_W31": 0.1 + 0.6,
    }
    assert the_point(REPEAT_MEASUREMENT) == {
        "time": 1_767_225_600_000_000_007,
        "asset_id": "engine-1",
        "run_id": "run-1",
        "model": "fd001@1",
        "status": "duplicate",
        "cycle": 3,
        "topic": "test.readings",
        "partition": "0",
        "offset": 7,
        "detail": "cycle 1 was seen",
    }
    tags = influx.ask(settings.influx_bucket, f'SHOW TAG KEYS FROM "{SCORE_MEASUREMENT}"')
    assert tags["series"][0]["values"] == [["asset_id"], ["model"], ["run_id"]]
