"""How fast a fleet's readings are taken in, by workers or by a peer, from a topic that is full.

What counts is scores that are stored: from the first moment at which some are, to the last one.
Then what is stored is compared with the batch path, each score of it.
"""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from bench.peers.catalogue import Peer
from bench.peers.pipeline import stored_scores
from bench.peers.settings import PeerSettings
from bench.suite.failures import MeasurementError, WrongCountError
from bench.support.installation import Installation
from bench.support.memory import cpu_seconds, peak_mb, resident_mb
from bench.support.messages import fleet_messages
from bench.support.processes import program, running, stop, wait_until
from bench.support.stage import Servers
from bench.support.windows import MODEL, Scores, batch_scores, check_scores, fleet, total
from common.records.verdicts import Verdict
from common.scorestore.factory import open_score_store
from common.settings import KafkaSettings
from common.topics import Topics
from deploy.local.programs import free_port

NOTHING_ELSE: Final[Mapping[str, str]] = MappingProxyType({})

Count = Callable[[], Awaitable[int]]

POLL_S: Final = 0.02
FAR_POLL_S: Final = 0.1
NEAR: Final = 0.85
"""Who looks takes time from who is looked at: often only when it begins, and from this part on."""

LEAST_PART: Final = 0.3
"""If more than the rest of it is stored when the clock starts, too little is left to measure."""

TIMEOUT_S: Final = 240.0
QUIET_S: Final = 0.5
"""How long nothing more may come after the last score: what comes then is one too many."""


@dataclass(frozen=True, slots=True)
class Taken:
    """How fast it was.

    Attributes:
        scores_per_s: Scores stored a second.
        cpu_us: Processor time of all workers for each of them, µs; 0 if it was not asked for.
        resident_mb: Memory of the first worker at the end, with its scoring process.
        peak_mb: The most they had.
    """

    scores_per_s: float
    cpu_us: float
    resident_mb: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Backlog:
    """Readings on a topic, waiting.

    Attributes:
        kafka: Where; workers and peers read the same.
        expected: The score of each that completes a window.
        readings: How many there are.
        bytes_each: Keys and values of one, in the mean.
    """

    kafka: KafkaSettings
    expected: Scores
    readings: int
    bytes_each: float


async def backlog(servers: Servers, engines: int, partitions: int = 8) -> Backlog:
    """Put a simulated fleet's readings on a topic of their own."""
    place = servers.installation(partitions)
    messages = fleet_messages(fleet(engines), "bench")
    await place.send(messages)
    size = sum(len(key) + len(value) for key, value in messages) / len(messages)
    return Backlog(place.kafka, batch_scores(engines), len(messages), size)


async def rate_of(
    count: Count, expected: int, processes: Sequence[subprocess.Popen[bytes]], who: str, log: Path
) -> Taken:
    """Return how fast scores are stored until all are.

    Args:
        count: Says how many are stored.
        expected: How many are due.
        processes: Whose processor time it is; the first one's memory is looked at.
        who: For messages.
        log: Where they write.

    Raises:
        MeasurementError: If so many were stored at once that nothing is left to measure.
        WrongCountError: If others come, or not all in time.
        ProgramEndedError: If a program ends.
    """
    deadline = time.monotonic() + TIMEOUT_S
    stored = begin_stored = 0
    begin = cpu = 0.0
    while stored < expected:
        stored = await count()
        if stored and not begin:
            begin, begin_stored, cpu = time.perf_counter(), stored, _cpu(processes)
        if time.monotonic() > deadline:
            raise WrongCountError(f"{who} stored {stored:,} of {expected:,} in {TIMEOUT_S:.0f} s")
        for process in processes:
            running(process, who, log)
        is_near = stored >= NEAR * expected
        await asyncio.sleep(POLL_S if is_near or not begin else FAR_POLL_S)
    took, worked = time.perf_counter() - begin, _cpu(processes) - cpu
    left = expected - begin_stored
    if left < LEAST_PART * expected:
        raise MeasurementError(
            f"{who}: {begin_stored:,} of {expected:,} scores were stored at the first look; too "
            "few were left to measure."
        )
    first = processes[0].pid
    found = Taken(left / took, worked / left * 1e6, resident_mb(first), peak_mb(first))
    await asyncio.sleep(QUIET_S)
    if (came := await count()) != expected:
        raise WrongCountError(f"{who} stored {came:,} scores; {expected:,} were due.")
    return found


def _cpu(processes: Iterable[subprocess.Popen[bytes]]) -> float:
    return sum(cpu_seconds(process.pid) for process in processes)


@contextmanager
def workers(
    installation: Installation, number: int, **extra: str
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run workers of one installation until the block ends; several are ready when it begins."""
    members = [installation]
    for _ in range(number - 1):
        other = replace(installation, http_port=free_port())
        other.scores = installation.scores
        members.append(other)
    with ExitStack() as stack:
        processes = []
        for member in members:
            process = member.start(**extra)
            stack.callback(stop, process)
            processes.append(process)
        for member, process in zip(members, processes, strict=True) if number > 1 else ():
            wait_until(partial(member.ready, process), "a worker is ready", 60.0)
        yield processes


async def taken_by_workers(
    installation: Installation,
    expected: Scores,
    number: int = 1,
    extra: Mapping[str, str] = NOTHING_ELSE,
) -> Taken:
    """Let workers take a backlog in, and check every score.

    Args:
        installation: Whose topics hold it.
        expected: What is due.
        number: Of workers.
        extra: More settings of theirs.
    """
    who = f"{number} worker{'s' * (number > 1)}"
    log = installation.folder / "detector.log"
    with workers(installation, number, **extra) as processes:
        async with open_score_store(installation.scores) as store:

            async def count() -> int:
                return (await store.verdict_counts()).get(Verdict.SCORED, 0)

            found = await rate_of(count, total(expected), processes, who, log)
        await installation.settled()
    if installation.scores.backend == "sqlite":
        came = as_scores(worker_scores(installation.scores.sqlite_path))
        check_scores(who, came, expected)
    return found


def worker_scores(path: Path) -> Iterator[tuple[str, int, float]]:
    """Yield the scores in a worker's SQLite file: asset, cycle, score."""
    with closing(sqlite3.connect(path, timeout=30.0)) as connection:
        yield from connection.execute(
            "SELECT asset_id, cycle, score FROM verdict JOIN run USING (run_key) "
            "WHERE score IS NOT NULL"
        )


def as_scores(rows: Iterable[tuple[str, int, float]]) -> Scores:
    """Return rows by asset and cycle."""
    found: dict[str, dict[int, float]] = defaultdict(dict)
    for asset, cycle, score in rows:
        found[asset][cycle] = score
    return dict(found)


def peer_settings(servers: Servers, kafka: KafkaSettings, scorer_url: str = "") -> PeerSettings:
    """Return settings of a peer that nobody has used: its own group, keys, file and alerts."""
    own = servers.beside(kafka)
    return PeerSettings(
        brokers=kafka.bootstrap_servers,
        topic=Topics(kafka.topic_prefix).readings,
        alerts=Topics(kafka.topic_prefix).alerts,
        group=own.group_id,
        redis_url=own.redis.url.get_secret_value(),
        prefix=own.redis.key_prefix,
        database=str(own.folder / "peer.db"),
        model=MODEL,
        scorer_url=scorer_url,
    )


@contextmanager
def peer_running(peer: Peer, settings: PeerSettings) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run a peer, and what it asks, until the block ends."""
    folder = settings.path.parent  # Faust and Quix Streams leave folders where they work
    log = folder / "peer.log"
    with ExitStack() as stack:

        def run(port: int | None, *command: str) -> subprocess.Popen[bytes]:
            words = [str(peer.python()), "-m", *command]
            return stack.enter_context(program(words, log, settings.environment(), port, folder))

        helpers = []
        if peer.over_http:
            port = free_port()
            settings = replace(settings, scorer_url=f"http://127.0.0.1:{port}")
            helpers.append(run(port, "bench.peers.http_scorer", str(port)))
        yield [run(None, peer.module), *helpers]


async def taken_by_peer(servers: Servers, peer: Peer, waiting: Backlog) -> Taken:
    """Let a peer take a backlog in, and check every score."""
    settings = peer_settings(servers, waiting.kafka)
    with peer_running(peer, settings) as processes:
        found = await rate_of(
            lambda: asyncio.to_thread(rows_in, settings.path),
            total(waiting.expected),
            processes,
            peer.name,
            settings.path.with_name("peer.log"),
        )
    check_scores(peer.name, as_scores(stored_scores(settings.path)), waiting.expected)
    return found


def rows_in(path: Path) -> int:
    """Return how many rows a peer has stored; none before it has begun."""
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path, timeout=30.0)) as connection:
        try:
            found = connection.execute("SELECT count(*) FROM score").fetchone()
        except sqlite3.OperationalError:  # it is just making its table
            return 0
    return int(found[0])
