"""What is new of each asset between two answers of the score store, and what part is scored."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from api.silence.hearing import Look, hear
from api.silence.rule import Heard, Watched
from api.silence.shares import Counted, Window, grown, sums_of
from common.scorestore.port import RunActivity
from tests.support.silence import MINUTE, watched

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def run(
    readings: int = 10,
    scored: int = 10,
    *,
    run_id: str = "only",
    at: datetime | None = NOW - MINUTE,
    cycle: int = 10,
) -> RunActivity:
    has_cycle = at is not None
    return RunActivity(
        "pump-1", run_id, "pumps", cycle if has_cycle else None, at, cycle if scored else None,
        readings, scored,
    )  # fmt: skip


def new(
    after: list[RunActivity],
    before: list[RunActivity] | None,
    known: Watched | None = None,
    replayed: frozenset[str] = frozenset(),
) -> Heard | None:
    sums = None if before is None else sums_of(before)
    look = Look(NOW, timedelta(hours=1), sums, replayed)
    watch: dict[str, Watched] = {} if known is None else {"pump-1": known}
    return hear(after, watch.get, look).get("pump-1")


KNOWN = watched("pump-1", NOW - 2 * MINUTE)


def test_a_reading_more_is_new_and_none_more_is_not() -> None:
    heard = new([run(11, 11)], [run(10, 10)], KNOWN)

    assert heard is not None
    assert (heard.has_score, heard.is_live, heard.cycle) == (True, True, 10)
    assert new([run(at=KNOWN.ts)], [run(at=KNOWN.ts)], KNOWN) is None


def test_a_reading_that_was_not_scored_has_no_score() -> None:
    heard = new([run(11, 10)], [run(10, 10)], KNOWN)

    assert heard is not None
    assert not heard.has_score


def test_a_refused_reading_is_heard_of_an_asset_that_is_watched() -> None:
    refused, before = run(4, 0, at=None, run_id="other"), run(3, 0, at=None, run_id="other")

    heard = new([refused], [before], KNOWN)

    assert heard is not None
    assert (heard.run_id, heard.ts, heard.has_score) == (KNOWN.run_id, KNOWN.ts, False)
    assert new([refused], [before]) is None


def test_after_a_restart_the_times_of_readings_tell() -> None:
    assert new([run(at=KNOWN.ts)], None, KNOWN) is None
    heard = new([run(at=NOW)], None, KNOWN)

    assert heard is not None
    assert heard.has_score


def test_an_asset_that_nobody_watches_must_send_something_while_we_look() -> None:
    assert new([run()], None) is None
    assert new([run()], [run()]) is None
    assert new([run(11, 11)], [run()]) is not None
    assert new([run(1, 1)], []) is not None


def test_replays_are_not_heard_whatever_their_times_say() -> None:
    replayed = frozenset({"replay-1"})

    assert new([run(11, 11, run_id="replay-1")], [], KNOWN, replayed) is None
    assert new([run(11, 11, run_id="simulated-7")], [], KNOWN) is None
    assert new([run(11, 11, at=NOW - timedelta(days=9))], []) is None
    assert new([run(11, 11, run_id="old", at=NOW - timedelta(days=9))], [], KNOWN) is None


def test_of_two_runs_the_one_with_the_latest_reading_is_the_assets() -> None:
    older = run(11, 11, run_id="older", at=NOW - 5 * MINUTE)
    newer = run(11, 10, run_id="newer", at=NOW)

    for order in ([older, newer], [newer, older]):
        heard = new(order, [replace(older, readings=10, scored=10), replace(newer, readings=10)])
        assert heard is not None
        assert (heard.run_id, heard.has_score) == ("newer", True)


def test_the_part_that_is_scored_is_counted_between_two_answers() -> None:
    before = [run(100, 90), run(5, 0, run_id="b"), run(50, 50, run_id="shrunk")]
    after = [
        run(140, 100),
        run(65, 0, run_id="b"),
        run(20, 20, run_id="shrunk"),
        run(999, 0, run_id="appeared"),
    ]

    counted = grown(sums_of(before), sums_of(after))

    assert counted == {"pumps": Counted(100, 10)}
    window = Window(NOW, MINUTE, counted)
    assert window.hardly_scored(0.5, 100) == counted
    assert window.hardly_scored(0.1, 100) == {}
    assert window.hardly_scored(0.5, 101) == {}
