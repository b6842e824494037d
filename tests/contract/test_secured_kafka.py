"""A broker over TLS that asks for a password: used by whom it knows, and what others are told.

TLS and SASL are those of a door before the local broker (``kafka_door.py``), which has neither; the
client's side is aiokafka's own.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.errors import BackendMissingError, BackendRefusedError, SettingsError
from common.links.kafka import ensure_topics, make_consumer, make_producer, read_to_end, started
from common.links.kafka_access import refusal
from common.settings import KafkaSettings
from common.topics import Topics
from deploy.local.programs import free_port
from detector.tools.topic import topic_exists
from producer.ingest.app import why_no_topic
from tests.support.secure import kafka_door
from tests.support.secure.certificates import Authority
from tests.support.secure.goodbyes import goodbyes as goodbyes
from tests.support.secure.kafka_door import MECHANISMS, Door, broker_behind_a_door
from tests.support.secure.sasl import START, Conversation, conversation

USER, RIGHT, WRONG = "surgeline", "open=sesame,5b1f", "open=barley,77c2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("door")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture(scope="module")
def broker_door(folder: Path, authority: Authority) -> Iterator[Door]:
    with broker_behind_a_door(folder, authority.vouch("broker")) as door:
        yield door


@pytest.fixture
def door(broker_door: Door, authority: Authority, folder: Path) -> Door:
    """The door, as it is at first: it shows a good certificate and asks for a password."""
    broker_door.shows = authority.vouch("broker")
    broker_door.user, broker_door.password = USER, RIGHT
    broker_door.mechanisms, broker_door.asks_clients_for = MECHANISMS, None
    broker_door.again()
    return broker_door


def settings(door: Door, authority: Authority, **changed: Any) -> KafkaSettings:
    """As somebody sets it whom the door lets in."""
    tls = {"ca_file": authority.file} | changed.pop("tls", {})
    given = {
        "bootstrap_servers": door.address,
        "topic_prefix": f"test-{uuid.uuid4().hex[:12]}",
        "partitions": 2,
        "op_timeout_s": 10,
        "security_protocol": "SASL_SSL",
        "sasl_username": USER,
        "sasl_password": RIGHT,
        "tls": tls,
    }
    return KafkaSettings.model_validate(given | changed)


@pytest.mark.parametrize("mechanism", MECHANISMS)
async def test_a_client_that_knows_the_password_works(
    door: Door, authority: Authority, mechanism: str
) -> None:
    kafka = settings(door, authority, sasl_mechanism=mechanism)
    topic = Topics(kafka.topic_prefix).readings

    await ensure_topics(kafka)
    async with started(make_producer(kafka), kafka) as producer:
        await producer.send_and_wait(topic, b"hello", key=b"a")

    assert [record.value async for record in read_to_end(kafka, topic)] == [b"hello"]
    assert await topic_exists(kafka, topic)
    assert await refusal(kafka) is None


async def test_a_client_that_shows_its_certificate_needs_no_password(
    door: Door, authority: Authority
) -> None:
    door.user, door.asks_clients_for = None, authority.file
    door.again()
    pair = authority.vouch("client", key_password="key-hush-4c")  # noqa: S106
    shown = {"cert_file": pair.cert, "key_file": pair.key, "key_password": "key-hush-4c"}
    plain = {"security_protocol": "SSL", "sasl_username": "", "sasl_password": ""}

    await ensure_topics(settings(door, authority, tls=shown, **plain))
    # a door of asyncio hangs up without a word; servers that say why: test_secured_stores.py
    with pytest.raises(BackendMissingError, match="hangs up may ask for TLS, a certificate"):
        await ensure_topics(settings(door, authority, **plain))


REFUSALS: list[Any] = [
    pytest.param({"sasl_password": WRONG}, "does not know the user 'surgeline'", id="password"),
    pytest.param(
        {"sasl_password": WRONG, "sasl_mechanism": "PLAIN"}, "PLAIN", id="password, PLAIN"
    ),
    pytest.param({"sasl_username": "stranger"}, "does not know the user 'stranger'", id="user"),
    pytest.param({"tls": {"ca_file": "other"}}, "authority that is not trusted", id="authority"),
    pytest.param({"tls": {"ca_file": None}}, "authority that is not trusted", id="no authority"),
]


@pytest.mark.parametrize(("changed", "words"), REFUSALS)
async def test_every_client_is_refused_at_once_in_one_line(
    door: Door, authority: Authority, folder: Path, changed: dict[str, Any], words: str
) -> None:
    if changed.get("tls", {}).get("ca_file") == "other":
        changed = {"tls": {"ca_file": Authority(folder, "other").file}}
    kafka = settings(door, authority, **changed)

    async def start_a_producer() -> None:
        async with started(make_producer(kafka), kafka):
            pass

    async def start_a_consumer() -> None:
        async with started(make_consumer(kafka), kafka):
            pass

    for start in (
        lambda: ensure_topics(kafka),
        start_a_producer,
        start_a_consumer,
        lambda: topic_exists(kafka, "x"),
        lambda: why_no_topic("x", kafka),
    ):
        with pytest.raises(BackendRefusedError) as caught:
            await start()
        assert_one_line(caught.value, door, words)


def assert_one_line(error: BackendRefusedError, door: Door, words: str) -> None:
    said = str(error)
    assert not error.retriable
    assert said.startswith(f"No connection to the broker at {door.address}: ")
    assert words in said, said
    assert len(said.splitlines()) == 1
    assert RIGHT not in said
    assert WRONG not in said


async def test_a_certificate_that_has_expired_is_refused(door: Door, authority: Authority) -> None:
    door.shows = authority.vouch("broker", expired=True)
    door.again()

    with pytest.raises(BackendRefusedError) as caught:
        await ensure_topics(settings(door, authority))

    assert_one_line(caught.value, door, "its certificate has expired")


async def test_a_certificate_for_another_name_is_refused_unless_that_is_allowed(
    door: Door, authority: Authority
) -> None:
    door.shows = authority.vouch("broker", host="127.0.0.9")
    door.again()

    with pytest.raises(BackendRefusedError) as caught:
        await ensure_topics(settings(door, authority))
    await ensure_topics(settings(door, authority, tls={"check_hostname": False}))

    assert_one_line(caught.value, door, "its certificate is for another name")


async def test_a_mechanism_that_is_not_offered_is_refused(door: Door, authority: Authority) -> None:
    door.mechanisms = ("PLAIN",)

    with pytest.raises(BackendRefusedError) as caught:
        await ensure_topics(settings(door, authority))

    assert_one_line(caught.value, door, "does not offer SCRAM-SHA-512")


async def test_a_broker_that_cannot_prove_that_it_knows_the_password_is_refused(
    door: Door, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    def impostor(mechanism: str, user: str, password: str) -> Conversation:
        talk = conversation(mechanism, user, password)
        said = yield START
        while True:
            answer, is_last = talk.send(said)
            said = yield (b"v=AAAA" if is_last else answer), is_last

    def started_impostor(*login: str) -> Conversation:
        talk = impostor(*login)
        next(talk)
        return talk

    monkeypatch.setattr(kafka_door, "conversation", started_impostor)

    with pytest.raises(BackendRefusedError) as caught:
        await ensure_topics(settings(door, authority))

    assert_one_line(caught.value, door, "does not prove that it knows our password")


async def test_a_broker_of_several_that_refuses_does_not_count_while_another_serves(
    door: Door, authority: Authority, folder: Path
) -> None:
    other = Authority(folder, "other")
    with broker_behind_a_door(folder, other.vouch("stranger")) as stranger:
        both = settings(door, authority, bootstrap_servers=f"{stranger.address},{door.address}")

        assert await refusal(both) is None
        assert await refusal(settings(stranger, authority)) is not None


async def test_a_broker_that_speaks_no_tls_is_refused(door: Door, authority: Authority) -> None:
    kafka = settings(door, authority, bootstrap_servers=f"127.0.0.1:{door.broker_port}")

    with pytest.raises((BackendMissingError, BackendRefusedError)) as caught:
        await ensure_topics(kafka)

    assert "127.0.0.1" in str(caught.value)


async def test_a_broker_that_is_away_is_no_refusal(door: Door, authority: Authority) -> None:
    kafka = settings(door, authority, bootstrap_servers=f"127.0.0.1:{free_port()}")

    assert await refusal(kafka) is None
    with pytest.raises(BackendMissingError, match="No broker answers"):
        await ensure_topics(kafka)


async def test_one_address_of_several_is_enough(door: Door, authority: Authority) -> None:
    await ensure_topics(
        settings(door, authority, bootstrap_servers=f"127.0.0.1:{free_port()},{door.address}")
    )


async def test_files_that_are_not_what_they_should_be_are_named(
    door: Door, authority: Authority, folder: Path
) -> None:
    no_pem = folder / "no.pem"
    no_pem.write_text("hello")
    pair = authority.vouch("client", key_password="right-4c")  # noqa: S106
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"ca_file": folder / "none.pem"}, "KAFKA__TLS__CA_FILE names .* cannot be read: No such"),
        ({"ca_file": no_pem}, "KAFKA__TLS__CA_FILE names .* no certificate in PEM form"),
        ({"cert_file": pair.cert}, "KAFKA__TLS__CERT_FILE names .* cannot be used with its key"),
        ({"cert_file": pair.cert, "key_file": pair.key}, "KEY_PASSWORD is wrong"),
    ]
    for tls, words in wrong:
        with pytest.raises(SettingsError, match=words):
            await ensure_topics(settings(door, authority, tls=tls))
