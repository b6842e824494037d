"""(e) What growth costs: assets, partitions, channels, fleets; rows a second, memory, Redis."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from redis import Redis

from bench.suite.figures import Findings
from bench.suite.section import Context, Section
from bench.support.made_up import learned, messages_of
from bench.support.memory import cpu_seconds
from bench.support.messages import asset_name, fleet_messages
from bench.support.seeding import Template, due, many, plant, speaking, templates
from bench.support.stage import Servers, servers
from bench.support.taking import Taken, backlog, taken_by_workers
from bench.support.windows import MODEL, batch_scores, fleet, total
from common.fleets import fleets_text

CYCLE: Final = 31
"""Of the engines that assets are copies of: just with a full window."""

TEMPLATES: Final = 20
"""The longest lives of the simulated fleet: they stay sound for the longest time."""

WEAR_CYCLES: Final = 125
"""The last of a life, in which engines wear, and alarms take time of their own."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Assets that speak.

    Attributes:
        at_once: How many in turn.
        readings: Of each, at most: as long as all are sound.
        cohorts: How many such crowds, one after the other, so that there is enough to measure.
    """

    at_once: int
    readings: int
    cohorts: int = 1


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large everything is.

    Attributes:
        crowds: Of assets; the first and the last are compared.
        partitions: How many.
        channels: How many.
        fleets: How many; the first and the last are compared.
        engines: Simulated engines where partitions grow, and whose longest lives are copied.
        engines_in_fleets: Likewise, where fleets grow: enough to see a difference of a few percent.
        machines: Made-up machines, where channels grow.
        rows: Readings of each of them, half of them to learn from.
    """

    crowds: tuple[Crowd, ...]
    partitions: tuple[int, ...]
    channels: tuple[int, ...]
    fleets: tuple[int, int]
    engines: int
    engines_in_fleets: int
    machines: int
    rows: int


FULL: Final = Sizes(
    crowds=(Crowd(100, 150, 4), Crowd(10_000, 4), Crowd(100_000, 1)),
    partitions=(1, 64),
    channels=(1, 50, 200),
    fleets=(1, 20),
    engines=120,
    engines_in_fleets=480,
    machines=40,
    rows=400,
)
QUICK: Final = Sizes((Crowd(100, 20), Crowd(2_000, 1)), (1, 64), (1, 50), (1, 20), 20, 20, 5, 400)
ROUNDS: Final = 3
"""Of fleets, which are compared within a few percent; the rest is measured once, and takes long."""


def run(context: Context) -> Findings:
    """Measure."""
    return asyncio.run(_run(context))


async def _run(context: Context) -> Findings:
    found = Findings()
    sizes = QUICK if context.quick else FULL
    with servers() as running:
        engines = await templates(running, dict.fromkeys(longest(FULL.engines), CYCLE))
        for number in range(rounds(context)):
            for crowd in sizes.crowds if number == 0 else ():
                name = counted(crowd.at_once, "asset")
                context.tell(name)
                taken, valkey = await _assets(context, running, engines, crowd)
                found.add(name, "rows/s", taken.scores_per_s)
                found.add(f"{name}: memory of the worker", "MB", taken.peak_mb)
                found.add(f"{name}: processor time of the worker", "µs/reading", taken.cpu_us)
                found.add(f"{name}: processor time of Valkey", "µs/reading", valkey.cpu_us)
                found.add(f"{name}: Redis", "bytes/asset", valkey.bytes_each)
            for fleets in sizes.fleets:
                context.tell(f"{fleets} fleets")
                taken = await _fleets(context, running, sizes.engines_in_fleets, fleets)
                name = counted(fleets, "fleet")
                found.add(name, "rows/s", taken.scores_per_s)
                found.add(f"{name}: memory of the worker", "MB", taken.peak_mb)
        for partitions in sizes.partitions:
            context.tell(f"{partitions} partitions")
            waiting = await backlog(running, sizes.engines, partitions)
            taken = await taken_by_workers(
                running.beside(waiting.kafka), waiting.expected, extra=context.workers
            )
            found.add(counted(partitions, "partition"), "rows/s", taken.scores_per_s)
        for channels in sizes.channels:
            context.tell(f"{channels} channels")
            taken = await _channels(context, running, sizes, channels)
            name = counted(channels, "channel")
            found.add(name, "rows/s", taken.scores_per_s)
            found.add(f"{name}: memory of the worker", "MB", taken.peak_mb)
    few, most = (found.figures[counted(c.at_once, "asset")].values for c in compared(sizes))
    found.compare("assets100k_over_assets100", most, few)
    one, twenty = (found.figures[name].values for name in ("1 fleet", "20 fleets"))
    found.compare("fleets20_over_fleets1", twenty, one)
    found.notes.append(
        "channels: the default model of somebody's own machine, which has no network; all else: "
        f"{MODEL}"
    )
    if context.quick:
        found.notes.append(f"--quick: the ratio of assets is of {sizes.crowds[-1].at_once:,}")
    return found


def counted(number: int, what: str) -> str:
    """Return so many of something, in words."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def rounds(context: Context) -> int:
    """Return how often fleets are measured."""
    return min(ROUNDS, context.rounds)


def compared(sizes: Sizes) -> tuple[Crowd, Crowd]:
    """Return the smallest and the largest crowd."""
    return sizes.crowds[0], sizes.crowds[-1]


def longest(engines: int) -> list[int]:
    """Return the engines of a simulated fleet that live longest."""
    lives = {engine.unit: len(engine.cycles) for engine in fleet(engines).engines}
    return sorted(sorted(lives, key=lives.__getitem__)[-TEMPLATES:])


@dataclass(frozen=True, slots=True)
class Valkey:
    """What Valkey took.

    Attributes:
        cpu_us: Processor time for each reading, µs.
        bytes_each: Memory for each asset, bytes.
    """

    cpu_us: float
    bytes_each: float


async def _assets(
    context: Context, running: Servers, engines: list[Template], crowd: Crowd
) -> tuple[Taken, Valkey]:
    """Return how fast it was, and what Valkey took for it."""
    sound = min(len(engine.coming) for engine in engines) - WEAR_CYCLES
    each = max(1, min(crowd.readings, sound))
    place = running.installation()
    assets = many(engines, crowd.at_once * crowd.cohorts)
    names = list(assets)
    for begin in range(0, len(names), crowd.at_once):
        cohort = {name: assets[name] for name in names[begin : begin + crowd.at_once]}
        await place.send(speaking(cohort, each))
    before = used_bytes(running.redis_port)
    await plant(place, assets)
    expected, worked = due(assets, each), cpu_seconds(running.redis_pid)
    taken = await taken_by_workers(place, expected, extra=context.workers)
    worked = cpu_seconds(running.redis_pid) - worked
    held = (used_bytes(running.redis_port) - before) / len(assets)
    with Redis(port=running.redis_port) as redis:
        redis.flushall()  # the next one begins with an empty server
    return taken, Valkey(worked / total(expected) * 1e6, held)


async def _fleets(context: Context, running: Servers, engines: int, fleets: int) -> Taken:
    """Return how fast one worker is with so many fleets, all judged by one model."""
    place = running.installation()
    names = [f"fleet-{number:02d}" for number in range(fleets)]
    file = place.folder / "fleets.toml"
    file.write_text(fleets_text(dict.fromkeys(names, MODEL)), encoding="utf-8")
    dataset = fleet(engines)
    of_asset = {
        asset_name(dataset, engine.unit): names[number % fleets]
        for number, engine in enumerate(dataset.engines)
    }
    await place.send(fleet_messages(dataset, "bench", of_asset))
    return await taken_by_workers(
        place,
        batch_scores(engines),
        extra={"SURGELINE_FLEETS": str(file), **context.workers},
    )


async def _channels(context: Context, running: Servers, sizes: Sizes, channels: int) -> Taken:
    place = running.installation()
    recording, file, expected = await asyncio.to_thread(
        learned, channels, sizes.machines, sizes.rows, place.folder
    )
    await place.send(messages_of(recording))
    return await taken_by_workers(
        place, expected, extra={"SURGELINE_FLEETS": file, **context.workers}
    )


def used_bytes(port: int) -> int:
    """Return what a Valkey holds, bytes."""
    with Redis(port=port) as redis:
        info: dict[str, int] = redis.info("memory")
    return int(info["used_memory"])


def steps(context: Context) -> int:
    """Return how often progress is told."""
    sizes = QUICK if context.quick else FULL
    of_fleets = rounds(context) * len(sizes.fleets)
    return len(sizes.crowds) + of_fleets + len(sizes.partitions) + len(sizes.channels)


SECTION: Final = Section(
    "growth",
    "Growth",
    "one worker with more assets, partitions, channels and fleets: rows a second, memory, Redis",
    steps,
    run,
)
