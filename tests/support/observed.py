"""A whole installation with something of everything in it, watched by a real Prometheus.

A real worker and a real api, on real servers (broker, Valkey, InfluxDB, PostgreSQL). What they are
fed holds every verdict, dead letters, held and bridged readings, two fleets. Two things that no
simulated engine does come from the service on fakes, written by the same store and publisher:
alarms that are cleared and raised again, and a model with a critical threshold.
"""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx

from common.records.alerts import Alert
from common.records.verdicts import ScoreRecord
from common.scorestore.factory import open_score_store
from common.settings import KafkaSettings, RedisSettings
from deploy.dashboards.sources import API_JOB, DETECTOR_JOB
from detector.adapters.kafka_publisher import KafkaPublisher
from producer.simulator.simulate import simulate
from tests.support.api_process import ApiProcess
from tests.support.builders import reading
from tests.support.detector import DetectorBench
from tests.support.fleet_messages import fleet_messages, untidy
from tests.support.grafana import ALL, Look
from tests.support.servers.backends import wait_until
from tests.support.servers.influx import InfluxServer, influx_server
from tests.support.servers.prometheus import Prometheus, prometheus_server
from tests.support.world import World

Message = tuple[bytes | None, bytes | None]

RUN: Final = "run-1"
TOY: Final = "toy-1"
"""Of the service on fakes: its alarm comes and goes."""

OTHER_FLEET: Final = "FD001"
PARTS: Final = 4
"""What is sent comes in so many parts, each seen by Prometheus: a rate needs two looks."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What there is to look at.

    Attributes:
        prometheus: Scrapes the worker and the api.
        influx: Where verdicts are.
        bucket: In which bucket.
        postgres: The alert history, as asyncpg names it.
        worker_page: The worker's ``/metrics`` at the end.
        api_page: The api's.
        assets: Of which there are verdicts.
    """

    prometheus: Prometheus
    influx: InfluxServer
    bucket: str
    postgres: str
    worker_page: str
    api_page: str
    assets: Sequence[str]

    def looks(self) -> Iterator[Look]:
        """Look at each machine, and at all fleets and each."""
        since, until = datetime(2025, 12, 31, tzinfo=UTC), datetime.now(UTC) + timedelta(days=1)
        for asset in self.assets:
            for fleet in (ALL, "default", OTHER_FLEET):
                yield Look(since, until, 3600, {"asset": asset, "run": RUN, "fleet": fleet})

    def influx_rows(self, statement: str) -> list[list[Any]]:
        """Return the rows of all series of an InfluxQL statement that hold more than a time."""
        answer = self.influx.ask(self.bucket, statement)
        assert "error" not in answer, f"{answer['error']}: {statement}"
        rows = [row for series in answer.get("series", ()) for row in series["values"]]
        return [row for row in rows if any(value is not None for value in row[1:])]

    def alarm_rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of an SQL statement that hold anything."""
        rows = asyncio.run(self._asked(statement))
        return [row for row in rows if any(value is not None for value in row)]

    async def _asked(self, statement: str) -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(self.postgres)
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()


NOBODY: Final = "nobody"
"""A receiver that is told of alerts, and takes none: at its port nobody ever listens."""

RECEIVERS: Final = f"""
[receiver.{NOBODY}]
webhook = "http://127.0.0.1:1/"
"""


@contextmanager
def observed(
    kafka: KafkaSettings, redis: RedisSettings, postgres: str, folder: Path
) -> Iterator[Observed]:
    """Run it all until the block ends; everything is stored and scraped when the block begins."""
    server = postgres.rpartition("/")[0]
    database = f"surgeline_{uuid.uuid4().hex}"
    asyncio.run(_made(f"{server}/postgres", database))
    bench = DetectorBench(kafka, redis, folder)
    with ExitStack() as stack:
        influx = stack.enter_context(influx_server(folder))
        bench.scores = influx.new_bucket()
        receivers = folder / "receivers.toml"
        receivers.write_text(RECEIVERS)
        receivers.chmod(0o600)
        api = ApiProcess(
            kafka,
            folder,
            SURGELINE_NOTIFY__FILE=str(receivers),
            SURGELINE_NOTIFY__WEBHOOKS__SECRET="whsec_" + base64.b64encode(bytes(32)).decode(),
            SURGELINE_ALERTS__URL=f"{server}/{database}",
            SURGELINE_SCORES__BACKEND="influx",
            SURGELINE_SCORES__INFLUX_URL=bench.scores.influx_url,
            SURGELINE_SCORES__INFLUX_BUCKET=bench.scores.influx_bucket,
            SURGELINE_SCORES__INFLUX_TOKEN=bench.scores.influx_token.get_secret_value(),
        )
        stack.enter_context(bench.running())
        stack.callback(api.stop)
        api.start()
        targets = {
            DETECTOR_JOB: [f"127.0.0.1:{bench.http_port}"],
            API_JOB: [api.url.removeprefix("http://")],
        }
        prometheus = stack.enter_context(prometheus_server(folder, targets))
        wait_until(lambda: prometheus.rows("sum(up)") == [2.0], "both are scraped", timeout_s=60)
        messages = everything()
        size = -(-len(messages) // PARTS)
        for begin in range(0, len(messages), size):
            asyncio.run(_sent(bench, messages[begin : begin + size]))
            _look_again(prometheus)  # of another part, another look
        toy = asyncio.run(_toy())
        asyncio.run(_stored(bench, *toy))
        _asked(api.url)
        _look_again(prometheus)  # of what a model answered
        alerts = asyncio.run(_alert_count(bench))
        wait_until(
            lambda: prometheus.rows("sum(surgeline_api_alerts_projected_total)") == [float(alerts)],
            f"{alerts} alerts in the history",
            timeout_s=60,
        )
        worker_page, api_page = (
            httpx.get(f"http://{targets[job][0]}/metrics", trust_env=False).text
            for job in (DETECTOR_JOB, API_JOB)
        )
        assets = sorted({message[0].decode() for message in messages if message[0]})
        yield Observed(
            prometheus,
            influx,
            bench.scores.influx_bucket,
            f"{server}/{database}".replace("+asyncpg", ""),
            worker_page,
            api_page,
            [*(name for name in assets if name.startswith("SIM")), TOY],
        )


def _asked(url: str) -> None:
    """Ask a model something."""
    whatif = {"fleet": "default", "thresholds": {"warning": 4.0}}
    answer = httpx.post(f"{url}/api/v1/whatif", json=whatif, trust_env=False, timeout=60.0)
    assert answer.status_code == httpx.codes.OK, answer.text


def _look_again(prometheus: Prometheus) -> None:
    """Return when each page has been looked at twice more: once at least from its beginning."""
    looks = "min(count_over_time(up[1h]))"
    [before] = prometheus.rows(looks)
    wait_until(lambda: prometheus.rows(looks)[0] >= before + 2, "two more looks")


def everything() -> list[Message]:
    """Return messages with something of everything, sent in their order."""
    fleet = fleet_messages(simulate(3, seed=3, split="train"), RUN)
    first = fleet[0][0]
    messages: list[Message] = []
    for key, value in untidy(fleet):
        fields = json.loads(value)
        if key == first and 60 <= fields["cycle"] < 70:
            continue  # more than may be bridged
        if key == first and fields["cycle"] == 100 and fields["settings"]:
            fields["settings"] = dict.fromkeys(fields["settings"], 40.0)  # no known regime
        if key == first and fields["cycle"] == 45 and "T50" in fields["sensors"]:
            fields["sensors"]["T50"] = None  # held
        if key != first and fields["asset_id"].endswith("3"):
            fields["fleet"] = OTHER_FLEET
        messages.append((key, json.dumps(fields).encode()))
    return [*messages, (b"x", b"no JSON"), (b"x", None)]


async def _made(admin: str, database: str) -> None:
    connection = await asyncpg.connect(admin.replace("+asyncpg", ""))
    try:
        await connection.execute(f"CREATE DATABASE {database}")
    finally:
        await connection.close()


async def _sent(bench: DetectorBench, messages: Sequence[Message]) -> None:
    await bench.send(messages)
    await bench.settled()


async def _toy() -> tuple[list[ScoreRecord], list[Alert]]:
    world = World()
    values = [2.5 if 10 <= cycle < 20 or 40 <= cycle < 50 else 0.1 for cycle in range(1, 70)]
    world.send(
        reading(cycle, value, asset_id=TOY, run_id=RUN)
        for cycle, value in enumerate(values, start=1)
    )
    await world.worker().service.process(world.everything())
    return await world.rows(), list(world.publisher.alerts)


async def _stored(bench: DetectorBench, rows: list[ScoreRecord], alerts: list[Alert]) -> None:
    async with open_score_store(bench.scores) as store:
        await store.write(rows)
    async with KafkaPublisher(bench.kafka) as publisher:
        await publisher.publish(alerts, [])


async def _alert_count(bench: DetectorBench) -> int:
    return len({alert.alert_id for alert in await bench.alerts()})
