"""A replay's request as a whole: a plan that can be sent to its end, or a user's mistake."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common.errors import UserError
from common.records.readings import SensorReading
from common.settings import Settings
from producer.app import ReplayRequest, plan_replay
from producer.fleet import Fleet

NOW = datetime(2026, 7, 1, tzinfo=UTC)
REQUEST = ReplayRequest("SIM", "test", "1", "max", "2026-01-01T00:00:00Z", "1s", None, 0)
NOWHERE = Settings(data_dir=Path("nowhere"))

ANY_TEXT = st.text(max_size=20)
ANY_NUMBER = st.one_of(
    st.integers().map(str),
    st.floats().map(repr),
    st.decimals(allow_nan=True, allow_infinity=True).map(str),
)
MOMENTS = st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat())
SPANS = st.tuples(ANY_NUMBER, st.sampled_from(["us", "ms", "s", "m", "min", "h", "d", "y", ""]))
REQUESTS = st.builds(
    ReplayRequest,
    dataset=st.one_of(st.sampled_from(["SIM", "sim", "FD001", "./x.csv", ""]), ANY_TEXT),
    split=st.sampled_from(["train", "test"]),
    engines=st.one_of(st.sampled_from(["1", "2", "1-2", "0", "2001"]), ANY_TEXT),
    speed=st.one_of(ANY_TEXT, ANY_NUMBER, ANY_NUMBER.map(lambda number: f"{number}x")),
    start=st.one_of(MOMENTS, st.just("now"), ANY_TEXT),
    cycle_interval=st.one_of(SPANS.map("".join), ANY_TEXT),
    run_id=st.none() | ANY_TEXT,
    seed=st.integers(0),
)
GOOD = {"speed": "max", "start": REQUEST.start, "cycle_interval": "1s", "run_id": None}


@settings(max_examples=300, deadline=None)
@given(REQUESTS, st.sets(st.sampled_from(sorted(GOOD))), st.booleans())
@example(replace(REQUEST, start="2261-12-31T23:59:59Z"), set(), False)
@example(replace(REQUEST, start="2026-01-01T00:00:00Z", cycle_interval="366d"), set(), False)
@example(replace(REQUEST, seed=2**70), set(), False)
def test_any_request_is_a_plan_that_can_be_sent_or_a_users_mistake(
    request: ReplayRequest, good: set[str], simulated: bool
) -> None:
    """Some fields are made good, so that the others are reached."""
    request = replace(request, **{name: GOOD[name] for name in good})  # type: ignore[arg-type] # a table
    if simulated:
        request = replace(request, dataset="SIM", engines="1")
    mistake = None
    try:
        plan = plan_replay(request, NOWHERE, NOW)
    except UserError as exc:
        mistake = str(exc)
    if mistake is not None:
        assert mistake
        assert "\n" not in mistake
        return
    slots = plan.fleet.slots()
    for slot in (slots[0], slots[-1]):
        message = plan.fleet.message(slot)
        assert SensorReading.model_validate_json(message.value).cycle == slot.cycle
    offsets = [plan.fleet.offset_s(slot) for slot in slots]
    assert all(plan.pace.due_s(offset) >= 0 for offset in offsets)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"start": "1960-01-01T00:00:00Z"}, "from 1970 to 2262", id="1960"),
        pytest.param({"start": "1969-12-31T23:59:59.999999Z"}, "from 1970", id="a moment early"),
        pytest.param({"start": "9999-12-31T23:59:59Z"}, "from 1970 to 2262", id="9999"),
        pytest.param({"start": "2262-01-01T00:00:00Z"}, "from 1970 to 2262", id="2262"),
        pytest.param({"start": "2261-12-31T23:59:50Z"}, "run past the year 2262", id="runs over"),
        pytest.param(
            {"cycle_interval": "366d", "split": "train", "start": "2190-01-01T00:00:00Z"},
            "run past",
            id="a year a cycle",
        ),
        pytest.param({"cycle_interval": "-1s"}, "Cycle interval '-1s' came", id="backwards"),
        pytest.param({"cycle_interval": "0s"}, "Cycle interval '0s' came", id="no time"),
        pytest.param({"cycle_interval": "9" * 400 + "d"}, "from 1us to a year", id="huge"),
        pytest.param({"speed": "1e300x"}, "at most 1000000x", id="speed"),
        pytest.param({"dataset": "./x.csv"}, "path of a file is none", id="a path"),
    ],
)
def test_what_would_leave_the_times_of_the_wire_is_refused(
    change: dict[str, str], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        plan_replay(replace(REQUEST, **change), NOWHERE, NOW)  # type: ignore[arg-type] # a table


@settings(max_examples=50, deadline=None)
@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)),  # noqa: DTZ001 - given a zone below
    st.timedeltas(timedelta(microseconds=1), timedelta(hours=20)),
    st.floats(1e-6, 1e6),
)
def test_the_command_that_continues_a_replay_makes_the_same_plan(
    start: datetime, interval: timedelta, factor: float
) -> None:
    microseconds = interval // timedelta(microseconds=1)
    request = replace(
        REQUEST,
        start=f"{start.isoformat()}Z",
        cycle_interval=f"{microseconds}us",
        speed=f"{factor!r}x",
    )
    plan = plan_replay(request, NOWHERE, NOW)
    words = plan.command.split()
    given_back = dict(zip(words[2::2], words[3::2], strict=True))

    again = plan_replay(
        replace(
            request,
            start=given_back["--start"],
            cycle_interval=given_back["--cycle-interval"],
            speed=given_back["--speed"],
            run_id=given_back["--run-id"],
        ),
        NOWHERE,
        NOW,
    )

    assert isinstance(plan.fleet, Fleet)
    assert isinstance(again.fleet, Fleet)
    assert again.pace == plan.pace
    assert again.fleet.start == plan.fleet.start
    assert again.fleet.cycle_interval == plan.fleet.cycle_interval
    assert again.command == plan.command
