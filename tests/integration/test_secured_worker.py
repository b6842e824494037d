"""A worker whose broker speaks TLS: a connection that is cut is made again, a refusal ends it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.settings import KafkaSettings, RedisSettings
from tests.support.builders import sound_reading
from tests.support.detector import DetectorBench
from tests.support.secure.certificates import Authority
from tests.support.secure.kafka_door import Door, broker_behind_a_door
from tests.support.servers.backends import wait_until
from tests.support.workers import Worker, workers_of

USER, PASSWORD = "surgeline", "open-sesame-5b1f"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def door(authority: Authority, tmp_path: Path) -> Iterator[Door]:
    with broker_behind_a_door(tmp_path, authority.vouch("broker")) as made:
        made.user, made.password = USER, PASSWORD
        yield made


@pytest.fixture
def secured(
    door: Door, authority: Authority, redis_settings: RedisSettings, tmp_path: Path
) -> DetectorBench:
    """An installation at the other side of the door, as whoever sends it readings knows it."""
    kafka = KafkaSettings.model_validate(
        {
            "bootstrap_servers": door.address,
            "topic_prefix": f"test-{uuid.uuid4().hex[:12]}",
            "partitions": 2,
            "security_protocol": "SASL_SSL",
            "sasl_username": USER,
            "sasl_password": PASSWORD,
            "tls": {"ca_file": str(authority.file)},
        }
    )
    return DetectorBench(kafka, redis_settings, tmp_path)


@pytest.fixture
def worker(secured: DetectorBench, authority: Authority) -> Iterator[Worker]:
    """A worker that has been started."""
    with workers_of(secured) as workers:
        one = workers.start(
            SURGELINE_KAFKA__SECURITY_PROTOCOL="SASL_SSL",
            SURGELINE_KAFKA__SASL_USERNAME=USER,
            SURGELINE_KAFKA__SASL_PASSWORD=PASSWORD,
            SURGELINE_KAFKA__TLS__CA_FILE=str(authority.file),
        )
        yield one


async def read_one(bench: DetectorBench) -> None:
    """Have one reading judged, and its offset committed."""
    await bench.send([(b"engine-1", sound_reading(1).model_dump_json().encode())])
    await bench.settled()


def test_connections_that_are_cut_are_made_again(door: Door, worker: Worker) -> None:
    worker.wait_ready()
    before = door.passed

    door.again()
    wait_until(lambda: door.passed > before, "the worker comes again", timeout_s=60)
    worker.wait_ready()

    assert worker.stop() == 0


@pytest.mark.parametrize("when", ["joining", "running"])
@pytest.mark.parametrize("what", ["certificate", "password"])
def test_a_refusal_ends_a_worker(
    door: Door,
    worker: Worker,
    secured: DetectorBench,
    authority: Authority,
    what: str,
    when: str,
) -> None:
    worker.wait_said("joined the group" if when == "joining" else "status pages")
    if when == "running":
        worker.wait_ready()
        asyncio.run(read_one(secured))  # Faust's start, which nothing tells of, is over
    if what == "certificate":
        door.shows = authority.vouch("broker", expired=True)
    else:
        door.password = "changed"  # noqa: S105 - what it is now
    door.again()

    assert worker.wait_end() == 1
    last = worker.log().splitlines()[-1]
    assert "the worker has ended" in last
    assert f"No connection to the broker at {door.address}" in last
    assert {"certificate": "has expired", "password": "does not know the user"}[what] in last
    assert PASSWORD not in worker.log()
