"""What is accepted as a replay can be read back; what cannot be read harms only itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.replays.ports import UnreadableReplay
from common.cmapss.files import LONGEST_LIFE_CYCLES
from common.records.times import EARLIEST, LATEST, require_wire_times
from common.settings import ApiSettings
from tests.support.api import Fakes, running

REPLAYS = "/api/v1/replays"
BODY: dict[str, Any] = {"dataset": "SIM", "engines": "1", "run_id": "simulated-x"}
DAY_S = 86_400


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"start": "1960-01-01T00:00:00Z"}, id="1960"),
        pytest.param({"start": "1969-12-31T23:59:59.999999Z"}, id="just before 1970"),
        pytest.param({"start": "2262-01-01T00:00:00Z"}, id="2262"),
        pytest.param({"start": "0001-01-01T00:00:00+23:59"}, id="before year 1"),
        pytest.param({"start": "9999-12-31T23:59:59-23:59"}, id="after year 9999"),
        pytest.param(
            {"start": "2261-12-31T23:59:00Z", "cycle_interval_s": 1.0}, id="ends behind 2262"
        ),
        pytest.param({"cycle_interval_s": 366.0 * DAY_S}, id="a thousand years"),
    ],
)
async def test_a_run_outside_the_times_of_the_wire_is_refused_and_not_stored(
    body: dict[str, Any],
) -> None:
    async with running() as api:
        refused = await api.client.post(REPLAYS, json=BODY | body)
        listed = await api.client.get(REPLAYS)
        found = await api.client.get(f"{REPLAYS}/simulated-x")

    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["where"] == "body"
    assert listed.json() == {"items": [], "unreadable": []}
    assert found.status_code == 404
    assert api.fakes.launcher.launched == []


@given(
    start=st.datetimes(
        timezones=st.sampled_from(
            [UTC, timezone(timedelta(hours=23, minutes=59)), timezone(timedelta(hours=-23))]
        )
    ),
    interval_s=st.floats(1e-6, 366 * DAY_S),
)
async def test_what_is_accepted_can_be_listed_read_and_deleted(
    start: datetime, interval_s: float
) -> None:
    async with running(settings=ApiSettings(max_concurrent_replays=1)) as api:
        body = BODY | {"start": start.isoformat(), "cycle_interval_s": interval_s}
        answer = await api.client.post(REPLAYS, json=body)
        listed = await api.client.get(REPLAYS)
        assert listed.status_code == 200
        if answer.status_code == 202:
            assert [item["id"] for item in listed.json()["items"]] == ["simulated-x"]
            assert (await api.client.get(f"{REPLAYS}/simulated-x")).json()["start"]
            assert (await api.client.delete(f"{REPLAYS}/simulated-x")).status_code == 200
        else:
            assert answer.status_code == 422, answer.text
            assert listed.json()["items"] == []


async def test_a_record_that_cannot_be_read_is_listed_and_can_be_deleted() -> None:
    fakes = Fakes()
    fakes.records.unreadable["old"] = UnreadableReplay("old", "spec.start: a time is expected")
    async with running(fakes) as api:
        listed = await api.client.get(REPLAYS)
        found = await api.client.get(f"{REPLAYS}/old")
        again = await api.client.post(REPLAYS, json={"dataset": "FD001", "run_id": "old"})
        deleted = await api.client.delete(f"{REPLAYS}/old")
        gone = await api.client.get(f"{REPLAYS}/old")

    assert listed.json()["unreadable"] == [{"id": "old", "why": "spec.start: a time is expected"}]
    for answer in (found, again):
        assert answer.status_code == 409
        assert answer.json()["type"] == "urn:surgeline:problem:unreadable_replay"
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert gone.status_code == 404


@given(
    first=st.datetimes(timezones=st.just(UTC)),
    interval=st.timedeltas(timedelta(microseconds=1), timedelta(days=366)),
    count=st.integers(1, 2000),
)
def test_wire_times_are_those_whose_first_and_last_stand_on_the_wire(
    first: datetime, interval: timedelta, count: int
) -> None:
    try:
        last: datetime | None = first + (count - 1) * interval
    except OverflowError:
        last = None
    fits = last is not None and first >= EARLIEST and last < LATEST

    try:
        require_wire_times(first, interval, count)
    except ValueError:
        accepted = False
    else:
        accepted = True

    assert accepted == fits


def test_the_bound_on_a_life_is_above_every_published_one() -> None:
    assert LONGEST_LIFE_CYCLES > 543
