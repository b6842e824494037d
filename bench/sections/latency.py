"""(d) From the broker's stamp on a reading to its alert at a subscriber, at several loads.

A load is sound machines that speak in turn, and among them twenty a second whose next reading
raises an alarm. Surgeline and a plain loop get the same readings; the plain loop's subscribers are
told by a small relay of its alerts topic. Both are looked at from one process: when an alert is on
the topic, and when it is with an SSE subscriber.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from aiokafka import AIOKafkaProducer
from redis import Redis

from bench.peers.catalogue import PLAIN
from bench.peers.pipeline import Model, key_of, read
from bench.peers.settings import PeerSettings
from bench.suite.failures import MeasurementError, WrongCountError
from bench.suite.figures import Findings
from bench.suite.section import Context, Section
from bench.support.api import api_running
from bench.support.messages import fleet_messages
from bench.support.processes import program, wait_until
from bench.support.processes import running as alive
from bench.support.seeding import Template, many, plant, templates
from bench.support.stage import Servers, servers
from bench.support.taking import backlog, peer_running, peer_settings, taken_by_workers, workers
from bench.support.windows import MODEL, batch_scores, fleet, scorer
from common.links.kafka import ensure_topics, started
from common.settings import KafkaSettings
from common.topics import Topics
from deploy.local.programs import free_port

RATES: Final = (100, 500, 1000, 2000)
BESIDE_PLAIN: Final = (500, 2000)
OF_MAXIMUM: Final = 0.8
SECONDS: Final = 10.0
ALERTS_PER_S: Final = 20
"""More than fleets have: what an alert rests on is worked out and published before it."""

FIRST_RATE: Final = 200
FIRST_SECONDS: Final = 2.0
TICK_S: Final = 0.005
LINGER_MS: Final = 5
BEHIND: Final = 0.9
"""A sender that manages less of its rate has measured another load."""

PATIENCE_S: Final = 60.0
QUIET_CYCLE: Final = 60
QUIET_READINGS: Final = 30
"""At most so many of one sound machine."""

QUIET_ENGINES: Final = 20
CANDIDATES: Final = 40
ALARMING: Final = 5
IN_A_ROW: Final = 3


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent.

    Attributes:
        rate: Readings a second.
        quiet: Sound machines.
        alarming: Machines whose next reading raises an alarm.
        seconds: How long.
    """

    rate: int
    quiet: dict[str, Template]
    alarming: dict[str, Template]
    seconds: float

    def messages(self) -> list[tuple[bytes, bytes]]:
        """Return the readings in their order, alarming ones spread evenly among the others."""
        total = int(self.rate * self.seconds)
        alarming = [
            (asset.encode(), template.named(template.coming[0], asset))
            for asset, template in self.alarming.items()
        ]
        quiet = islice(
            (
                (asset.encode(), template.named(template.coming[number], asset))
                for number in range(QUIET_READINGS)
                for asset, template in self.quiet.items()
            ),
            total - len(alarming),
        )
        every = total / len(alarming)
        found: list[tuple[bytes, bytes]] = []
        for number, message in enumerate(alarming):
            found.append(message)
            found += islice(quiet, int((number + 1) * every) - len(found))
        return found


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of latencies, ms."""

    p50: float
    p99: float
    p999: float


def run(context: Context) -> Findings:
    """Measure."""
    return asyncio.run(_run(context))


async def _run(context: Context) -> Findings:
    found = Findings()
    seconds = 3.0 if context.quick else SECONDS
    with servers() as running:
        context.tell("the maximum")
        waiting = await backlog(running, 20 if context.quick else 200)
        most = await taken_by_workers(
            running.beside(waiting.kafka), waiting.expected, extra=context.workers
        )
        found.add("maximum of one worker", "scores/s", most.scores_per_s)
        context.tell("machines that are about to raise an alarm")
        units = alarming_engines(CANDIDATES)
        alarming = await confirmed(running, units)
        quiet = await templates(running, dict.fromkeys(range(1, QUIET_ENGINES + 1), QUIET_CYCLE))
        first = load(FIRST_RATE, FIRST_SECONDS, quiet, alarming)
        rates = [*RATES, int(OF_MAXIMUM * most.scores_per_s)]
        loads = [load(rate, seconds, quiet, alarming) for rate in rates]
        async with surgeline(running, [first, *loads]) as target:
            await heard_of(target, first)
            for each in loads:
                context.tell(f"Surgeline at {each.rate:,} readings/s")
                share = f"{OF_MAXIMUM:.0%} of the maximum" if each is loads[-1] else ""
                await _measured(found, target, each, share or f"{each.rate:,}/s")
        loads = [load(rate, seconds, quiet, alarming) for rate in BESIDE_PLAIN]
        async with plain_loop(running, [first, *loads]) as target:
            await heard_of(target, first)
            for each in loads:
                context.tell(f"plain loop at {each.rate:,} readings/s")
                await _measured(found, target, each, f"{each.rate:,}/s, plain loop")
    for rate in BESIDE_PLAIN:
        for percentile in ("p50", "p99"):
            ours, plain = (
                found.figures.get(f"{rate:,}/s{who}: SSE, {percentile}")
                for who in ("", ", plain loop")
            )
            if ours and plain:
                name = f"{rate:,}/s: SSE, {percentile}, Surgeline : plain loop"
                found.add(name, "", ours.median / plain.median)
    found.notes.append(
        f"{len(loads[-1].alarming):,} alerts at each load, {ALERTS_PER_S} a second at most; the "
        "last percentile of so few is their worst"
    )
    return found


@dataclass(frozen=True, slots=True)
class Target:
    """Something that tells of alerts.

    Attributes:
        kafka: Where its readings go.
        heard: What the listener has written.
    """

    kafka: KafkaSettings
    heard: Path


async def heard_of(target: Target, first: Load) -> None:
    """Return when a first load's alerts are heard: everybody has joined, and is warm."""
    stamps, _ = await sent(target.kafka, first)
    await arrived(target, first, stamps)


async def _measured(found: Findings, target: Target, each: Load, name: str) -> None:
    """Send a load, and add what the subscriber saw."""
    stamps, achieved = await sent(target.kafka, each)
    if achieved < BEHIND * each.rate:
        found.not_measured[name] = f"the sender managed {achieved:,.0f} readings/s here"
        await arrived(target, each, stamps)
        return
    for source, latencies in (await arrived(target, each, stamps)).items():
        shown = percentiles(latencies)
        where = {"sse": "SSE", "topic": "alerts topic"}[source]
        found.add(f"{name}: {where}, p50", "ms", shown.p50)
        found.add(f"{name}: {where}, p99", "ms", shown.p99)
        if source == "sse":
            found.add(f"{name}: {where}, p99.9", "ms", shown.p999)


def machines(loads: Sequence[Load]) -> dict[str, Template]:
    """Return all machines of some loads."""
    return {asset: it for each in loads for asset, it in (each.quiet | each.alarming).items()}


def percentiles(latencies: Sequence[float]) -> Percentiles:
    """Return them."""
    return Percentiles(*np.percentile(latencies, (50, 99, 99.9)).tolist())


def load(rate: int, seconds: float, quiet: list[Template], alarming: list[Template]) -> Load:
    """Return a load with machines of its own."""
    alerts = max(1, int(min(ALERTS_PER_S, rate / 2) * seconds))
    sound = max(1, -(-int(rate * seconds) // QUIET_READINGS))
    return Load(
        rate,
        many(quiet, sound, f"quiet-{rate}"),
        many(alarming, alerts, f"loud-{rate}"),
        seconds,
    )


def alarming_engines(engines: int) -> dict[int, int]:
    """Return engines whose score is over the threshold for the third time in a row, and when."""
    warning = scorer().spec.thresholds.warning
    found: dict[int, int] = {}
    for unit, scores in enumerate(batch_scores(engines).values(), start=1):
        cycles = sorted(scores)
        over = [scores[cycle] >= warning for cycle in cycles]
        for at in range(IN_A_ROW, len(cycles)):
            if all(over[at - IN_A_ROW + 1 : at + 1]):
                found[unit] = cycles[at]
                break
    return found


async def confirmed(running: Servers, units: dict[int, int]) -> list[Template]:
    """Return engines of which a worker raises an alarm at just that cycle, one cycle before it.

    Other evidence than the score may have raised it earlier; then the engine is of no use here.
    """
    dataset = fleet(max(units))
    place = running.installation(partitions=1)
    messages = fleet_messages(dataset, "bench")
    await place.send(messages)
    with workers(place, 1):
        await place.settled()
    raised = {
        (alert.asset_id, alert.cycle) for alert in await place.alerts() if alert.state == "raised"
    }
    first: dict[str, int] = {}
    for asset, cycle in sorted(raised, key=lambda each: each[1]):
        first.setdefault(asset, cycle)
    usable = {
        unit: cycle - 1
        for unit, cycle in units.items()
        if first.get(f"{dataset.name}-{dataset.split}-{unit:03d}") == cycle
    }
    if not usable:
        raise MeasurementError("no simulated engine raises an alarm by its score alone")
    return await templates(running, dict(list(usable.items())[:ALARMING]))


async def sent(kafka: KafkaSettings, each: Load) -> tuple[dict[str, float], float]:
    """Send a load at its rate; return the stamp of each alarming reading, ms, and the rate."""
    messages = each.messages()
    stamps: dict[str, float] = {}
    topic = Topics(kafka.topic_prefix).readings
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers, linger_ms=LINGER_MS, max_batch_size=256 * 1024
    )
    async with started(producer):
        begin, at = time.perf_counter(), 0
        while at < len(messages):
            now = time.perf_counter() - begin
            while at < min(len(messages), int(now * each.rate) + 1):
                key, value = messages[at]
                stamp = int(time.time() * 1000)
                await producer.send(topic, value, key=key, timestamp_ms=stamp)
                if (asset := key.decode()) in each.alarming:
                    stamps[asset] = stamp
                at += 1
            await asyncio.sleep(TICK_S)
        took = time.perf_counter() - begin
        await producer.flush()
    return stamps, len(messages) / took


async def arrived(target: Target, each: Load, stamps: dict[str, float]) -> dict[str, list[float]]:
    """Return the latencies of all alerts, by where they were seen, ms.

    Raises:
        WrongCountError: If one has not come after a while.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        came: dict[str, dict[str, float]] = {"topic": {}, "sse": {}}
        for line in target.heard.read_text(encoding="utf-8").splitlines():
            source, asset, when = line.split(" ")
            if asset in stamps:
                came[source].setdefault(asset, float(when) - stamps[asset])
        if all(len(of_source) == len(stamps) for of_source in came.values()):
            return {source: list(latencies.values()) for source, latencies in came.items()}
        if time.monotonic() > deadline:
            seen = ", ".join(f"{len(some)} by {source}" for source, some in came.items())
            raise WrongCountError(
                f"{each.rate:,} readings/s: {len(stamps)} alerts were due; {seen} came"
            )
        await asyncio.sleep(0.2)


@asynccontextmanager
async def surgeline(running: Servers, loads: Sequence[Load]) -> AsyncIterator[Target]:
    """Run a worker and the api, with the states of all machines of the loads."""
    place = running.installation()
    await ensure_topics(place.kafka)
    await plant(
        place, {name: t for each in loads for name, t in (each.quiet | each.alarming).items()}
    )
    with ExitStack() as stack:
        api = stack.enter_context(api_running(place))
        (worker,) = stack.enter_context(workers(place, 1))
        wait_until(lambda: place.ready(worker), "a worker is ready", 60.0)
        heard = stack.enter_context(
            listening(place.kafka, f"{api.url}/api/v1/alerts/stream", place.folder)
        )
        yield Target(place.kafka, heard)


@asynccontextmanager
async def plain_loop(running: Servers, loads: Sequence[Load]) -> AsyncIterator[Target]:
    """Run a plain loop and its relay, with the rings of all machines of the loads."""
    place = running.installation()
    await ensure_topics(place.kafka)
    settings = peer_settings(running, place.kafka)
    plant_rings(settings, loads, running.redis_port)
    port = free_port()
    log = settings.path.with_name("relay.log")
    command = [sys.executable, "-m", "bench.peers.sse_relay", str(port)]
    with ExitStack() as stack:
        stack.enter_context(program(command, log, settings.environment(), port))
        stack.enter_context(peer_running(PLAIN, settings))
        heard = stack.enter_context(
            listening(place.kafka, f"http://127.0.0.1:{port}/stream", place.folder)
        )
        yield Target(place.kafka, heard)


def plant_rings(settings: PeerSettings, loads: Sequence[Load], port: int) -> None:
    """Store each machine's ring as the plain loop would have left it."""
    model = Model(MODEL)
    ready: dict[int, bytes] = {}
    rings: dict[str, bytes] = {}
    for asset, template in machines(loads).items():
        if id(template) not in ready:
            past = [read(message) for message in template.past]
            (ready[id(template)],) = model.score(model.cut(past, {}, "")).rings.values()
        reading = read(template.named(template.coming[0], asset))
        rings[key_of(reading, settings.prefix)] = ready[id(template)]
    with Redis(port=port) as redis:
        redis.mset(dict(rings))


@contextmanager
def listening(kafka: KafkaSettings, url: str, folder: Path) -> Iterator[Path]:
    """Run a subscriber until the block ends; it listens when the block begins."""
    heard, log = folder / "heard.txt", folder / "listener.log"
    given = {
        "brokers": kafka.bootstrap_servers,
        "topic": Topics(kafka.topic_prefix).alerts,
        "url": url,
        "out": str(heard),
    }
    command = [sys.executable, "-m", "bench.support.listener", json.dumps(given)]
    with program(command, log) as process:

        def ready() -> bool:
            alive(process, "the listener", log)
            return heard.exists() and heard.read_text(encoding="utf-8").count(" ready ") == 2

        wait_until(ready, "the listener listens", 60.0)
        yield heard


def steps(_: Context) -> int:
    """Return how often progress is told."""
    return 2 + len(RATES) + 1 + len(BESIDE_PLAIN)


SECTION: Final = Section(
    "latency",
    "From the broker's stamp to a subscriber",
    "alerts at several loads, on the topic and with an SSE subscriber, beside a plain loop",
    steps,
    run,
)
