"""What the api answers where verdicts and alerts are gone, and that it removes old alerts."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from api.live.keeping import SLICE_ROWS, keep_within, keeping
from api.ports import AlertFilter, AlertKeeping
from common.errors import BackendUnavailableError
from common.records.alerts import Transition
from common.scorestore.port import Keeping
from common.settings import RetentionSettings
from tests.support.alerts import START, batch, make_alert
from tests.support.api import Fakes, running, score
from tests.support.clock import FakeClock


class EnoughError(Exception):
    """The clock has slept often enough."""


class ShortClock(FakeClock):
    """A clock that ends a loop after some sleeps."""

    def __init__(self, sleeps: int) -> None:
        super().__init__()
        self._left = sleeps

    async def sleep(self, seconds: float) -> None:
        """Let the time pass at once, or end."""
        await super().sleep(seconds)
        self._left -= 1
        if not self._left:
            raise EnoughError


async def test_pages_say_up_to_when_verdicts_and_alerts_were_removed() -> None:
    fakes = Fakes()
    raised = make_alert(5)
    ended = make_alert(9, state=Transition.CLEARED, onset_cycle=5)
    await fakes.scores.write([score(1), score(2)])
    await fakes.history.store(batch([raised, ended]))
    async with running(fakes) as api:
        for path in ("scores", "alerts"):
            page = (await api.client.get(f"/api/v1/{path}")).json()
            assert (len(page["items"]), page["removed_until"]) == (2, None)
        for late in (timedelta(0), timedelta(days=2)):
            await fakes.scores.trim(Keeping(86_400_000_000), START + late, 10)
        await fakes.history.trim(AlertKeeping(max_rows=0), START, 10)

        verdicts = (await api.client.get("/api/v1/scores")).json()
        until = {"until": "2026-01-01T00:00:07Z"}
        alerts = (await api.client.get("/api/v1/alerts", params=until)).json()
        one = await api.client.get(f"/api/v1/alerts/{raised.alert_id}")
        resumed = await api.client.get(
            "/api/v1/alerts/stream", headers={"Last-Event-ID": raised.alert_id}
        )

    assert (verdicts["items"], verdicts["removed_until"]) == ([], "2026-01-01T00:00:02Z")
    assert (alerts["items"], alerts["removed_until"]) == ([], "2026-01-01T00:00:09Z")
    for answer in (one, resumed):
        assert answer.status_code == 404
        assert "(alerts of readings up to 2026-01-01T00:00:09Z have been removed)" in answer.text


async def test_the_api_removes_what_is_too_much_in_slices_and_looks_again() -> None:
    fakes, clock = Fakes(), ShortClock(4)
    alarms = [
        alert
        for n in range(SLICE_ROWS)
        for alert in (
            make_alert(10 * n + 1),
            make_alert(10 * n + 5, state=Transition.CLEARED, onset_cycle=10 * n + 1),
        )
    ]
    await fakes.history.store(batch(alarms))
    keep = keeping(RetentionSettings(alerts_max_rows=50))

    with suppress(EnoughError):
        await keep_within(fakes.history, fakes.evidence, keep, 60.0, clock)
    assert len(await fakes.history.page(AlertFilter(), 1000)) == 50
    assert clock.slept_s == [0.1, 60.0, 60.0, 60.0]


async def test_a_history_that_fails_is_left_alone_until_the_next_time() -> None:
    fakes, clock = Fakes(), ShortClock(2)
    fakes.history.failure = BackendUnavailableError("locked")

    with suppress(EnoughError):
        await keep_within(fakes.history, fakes.evidence, AlertKeeping(max_rows=1), 60.0, clock)
    assert clock.slept_s == [60.0, 60.0]


async def test_a_defect_ends_no_removal(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes, clock = Fakes(), ShortClock(2)
    over = [make_alert(n + 1, state=Transition.CLEARED, onset_cycle=n) for n in (1, 3)]
    await fakes.history.store(batch(over), START)
    broken, real = [ZeroDivisionError()], fakes.history.trim

    async def once(keep: AlertKeeping, now: datetime, most_rows: int) -> int:
        if broken:
            raise broken.pop()
        return await real(keep, now, most_rows)

    monkeypatch.setattr(fakes.history, "trim", once)
    with suppress(EnoughError):
        await keep_within(fakes.history, fakes.evidence, AlertKeeping(max_rows=1), 60.0, clock)

    assert len(await fakes.history.page(AlertFilter(), 10)) == 1


def test_no_bound_is_none() -> None:
    none = RetentionSettings(alerts_days=0, alerts_max_rows=0)

    assert keeping(none) == AlertKeeping(None, None)
    assert keeping(RetentionSettings()) == AlertKeeping(timedelta(days=365), 1_000_000)
