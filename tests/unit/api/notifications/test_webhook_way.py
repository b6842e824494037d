"""Webhooks over a real connection: what is sent, and what each kind of answer means."""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from api.adapters.memory.alarms import MemoryAlarmStore
from api.adapters.memory.alerts import MemoryAlertHistory
from api.adapters.memory.outbox import MemoryOutbox
from api.adapters.receivers.opening import open_ways
from api.notifications.ports import Failure, Way
from api.notifications.receivers import Receiver, Webhook
from api.notifications.signing import read_secrets
from api.notifications.words import Told
from common.settings import NotifySettings, WebhookSettings
from common.settings.groups.notify import WebhookTls
from tests.support.alerts import START, batch, make_alert
from tests.support.api import Fakes, eventually, running
from tests.support.clock import FakeClock
from tests.support.receivers import HANGS_UP, STALLS, WebhookReceiver, webhook_receiver
from tests.support.secure.certificates import Authority
from tests.unit.api.notifications.test_signing import SECRET, verified

QUICK = NotifySettings(
    public_url="https://plant.example", retry_initial_s=0.01, retry_max_s=0.05, timeout_s=30
)
IMPATIENT = QUICK.model_copy(update={"timeout_s": 0.3})
"""For receivers that do not answer; others may take longer on a busy machine."""


def receiver_at(url: str, name: str = "chat") -> Receiver:
    return Receiver(name, Webhook(url, read_secrets(SECRET)))


@asynccontextmanager
async def way_to(url: str, settings: NotifySettings = QUICK) -> AsyncIterator[Way]:
    async with open_ways([receiver_at(url)], settings, FakeClock()) as ways:
        yield ways["chat"]


@asynccontextmanager
async def answering(
    plan: Callable[[int], str], settings: NotifySettings = QUICK
) -> AsyncIterator[tuple[WebhookReceiver, Way]]:
    async with webhook_receiver(plan) as receiver, way_to(receiver.url, settings) as way:
        yield receiver, way


async def test_what_is_sent_is_signed_and_under_the_alerts_id() -> None:
    alert = make_alert()
    async with answering(lambda _: "204 No Content") as (receiver, way):
        assert await way.tell([Told(alert, START)]) == [None]

    [request] = receiver.requests
    assert request.message == alert.alert_id
    assert request.headers["content-type"] == "application/json"
    assert verified(SECRET, request.headers, request.body)
    assert request.headers["webhook-timestamp"] == f"{START.timestamp():.0f}"
    assert request.json["data"]["alert"] == alert.model_dump(mode="json")
    assert request.json["data"]["link"] == "https://plant.example/#/machine/FD001-test-001"


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        pytest.param("500 x", Failure("HTTP 500 Internal Server Error"), id="500"),
        pytest.param("404 x", Failure("HTTP 404 Not Found"), id="404"),
        pytest.param("299 x", None, id="some 2xx"),
        pytest.param("599 <b>evil</b>", Failure("HTTP 599"), id="its own words are not shown"),
        pytest.param(
            "503 x\nretry-after: 7",
            Failure("HTTP 503 Service Unavailable", timedelta(seconds=7)),
            id="retry-after",
        ),
        pytest.param(
            "307 x\nlocation: http://127.0.0.1:1/",
            Failure("HTTP 307: it wants another address; redirects are not followed"),
            id="redirect",
        ),
        pytest.param(STALLS, Failure("no answer within 0.3 s"), id="stalls"),
        pytest.param(HANGS_UP, Failure("it does not speak HTTP, or hung up"), id="hangs up"),
        pytest.param("nonsense", Failure("it does not speak HTTP, or hung up"), id="nonsense"),
    ],
)
async def test_answers(answer: str, failure: Failure | None) -> None:
    patience = IMPATIENT if answer == STALLS else QUICK
    async with answering(lambda _: answer, patience) as (receiver, way):
        assert await way.tell([Told(make_alert(), START)]) == [failure]

    assert len(receiver.requests) == 1


async def test_nobody_at_the_address() -> None:
    async with webhook_receiver() as receiver:
        url = receiver.url

    async with way_to(url) as way:
        assert await way.tell([Told(make_alert(), START)]) == [Failure("no connection")]
        assert await way.test() == Failure("no connection")


async def test_a_test_is_signed_too() -> None:
    async with answering(lambda _: "200 OK") as (receiver, way):
        assert await way.test() == "HTTP 200"

    [request] = receiver.requests
    assert verified(SECRET, request.headers, request.body)
    assert request.json["type"] == "test"


async def test_only_a_receiver_with_a_certificate_that_holds_is_told(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.vouch("receiver")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.cert, pair.key)
    trusting = QUICK.model_copy(
        update={
            "webhooks": WebhookSettings(tls=WebhookTls(ca_file=authority.file)),
        }
    )
    async with webhook_receiver(context=context) as receiver:
        url = receiver.url.replace("http:", "https:")
        told = [Told(make_alert(), START)]
        async with way_to(url) as way:
            [failure] = await way.tell(told)
        assert failure is not None
        assert "an authority that is not trusted here" in failure.why
        async with way_to(url, trusting) as way:
            assert await way.tell(told) == [None]

    assert len(receiver.accepted) == 1


def half_of_the_time(seed: int) -> Callable[[int], str]:
    chance = Random(seed)
    bad = ["500 x", "503 x\nretry-after: 0", HANGS_UP, "429 x", "302 x\nlocation: /"]
    return lambda _: chance.choice(bad) if chance.random() < 0.5 else "200 OK"


async def test_from_the_topic_to_a_receiver_that_fails_half_of_the_time_and_stalls() -> None:
    """The whole api over fakes of its backends: each alert's id is accepted once.

    Those that stall do so side by side, so that a timeout can be long enough for the others.
    """
    patient = QUICK.model_copy(update={"timeout_s": 2})
    alerts = [make_alert(cycle, asset_id=f"engine-{cycle % 7}") for cycle in range(1, 61)]
    bad = half_of_the_time(3)
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(
            webhook_receiver(lambda number: STALLS if number in {4, 5, 6} else bad(number))
        )
        who = receiver_at(receiver.url)
        fakes = Fakes(receivers=(who,))
        ways: Mapping[str, Way] = await stack.enter_async_context(
            open_ways([who], patient, fakes.clock)
        )
        fakes.ways = ways
        api = await stack.enter_async_context(running(fakes, notify=patient))
        for start in range(0, 60, 10):
            fakes.feed.put(batch(alerts[start : start + 10], next_offset=start + 10))

        def all_told() -> bool:
            name = "surgeline_api_notifications_delivered_total"
            found = api.services.metrics.registry.get_sample_value(name, {"receiver": "chat"})
            return found == 60

        await receiver.took(60)
        await eventually(all_told)
        listed = (await api.client.get("/api/v1/notifications")).json()

    assert Counter(receiver.accepted) == Counter(alert.alert_id for alert in alerts)
    assert len(receiver.requests) > 90
    [item] = listed["items"]
    assert (item["name"], item["configured"], item["delivered"]) == ("chat", True, 60)
    assert (item["waiting"], item["given_up"], item["problem"]) == (0, 0, "")


async def test_what_goes_wrong_is_seen_on_ready_and_in_the_list() -> None:
    clock = FakeClock()
    history = MemoryAlertHistory()
    fakes = Fakes(history=history, clock=clock)
    who = receiver_at("http://127.0.0.1:1/very-secret-path")
    fakes.outbox = MemoryOutbox(history, MemoryAlarmStore(history), [who])
    await fakes.outbox.register(["chat"], clock.now())
    await history.store(batch([make_alert(1), make_alert(2)]), clock.now())
    async with open_ways([who], QUICK, clock) as ways:
        fakes.ways = ways
        async with running(fakes, notify=NotifySettings(give_up_hours=1, timeout_s=0.3)) as api:

            def given_up() -> bool:
                name = "surgeline_api_notifications_given_up"
                found = api.services.metrics.registry.get_sample_value(name, {"receiver": "chat"})
                return found == 2

            await eventually(given_up, 30)
            ready = (await api.client.get("/ready")).json()
            listed = (await api.client.get("/api/v1/notifications")).json()

    assert ready["notes"] == [
        "Receiver chat: 2 alerts were given up in the last days. GET /api/v1/notifications says "
        "why."
    ]
    assert listed["items"][0]["problem"] == "no connection"
    assert "secret" not in str(listed)
