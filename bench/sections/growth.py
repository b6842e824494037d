"""(e) What growth costs: assets, partitions, channels, fleets; rows a second, memory, Redis."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from redis import Redis

from bench.suite.figures import Findings
from bench.suite.section import Context, Section
from bench.support.made_up import learned, messages_of
from bench.support.messages import asset_name, fleet_messages
from bench.support.seeding import Template, due, many, plant, speaking, templates
from bench.support.stage import Servers, servers
from bench.support.taking import Taken, backlog, taken_by_workers
from bench.support.windows import MODEL, batch_scores, fleet
from common.fleets import fleets_text

CYCLE: Final = 60
"""Of the engines that assets are copies of: sound, and with a full window."""

TEMPLATES: Final = 20


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large everything is.

    Attributes:
        assets: How many, and how many readings each sends; the first and the last are compared.
        partitions: How many.
        channels: How many.
        fleets: How many; the first and the last are compared.
        engines: Simulated engines where something else grows.
        machines: Made-up machines, where channels grow.
        rows: Readings of each of them, half of them to learn from.
    """

    assets: dict[int, int]
    partitions: tuple[int, ...]
    channels: tuple[int, ...]
    fleets: tuple[int, int]
    engines: int
    machines: int
    rows: int


FULL: Final = Sizes({100: 400, 10_000: 4, 100_000: 1}, (1, 64), (1, 50, 200), (1, 20), 160, 60, 400)
QUICK: Final = Sizes({100: 20, 2_000: 1}, (1, 64), (1, 50), (1, 20), 20, 5, 400)
ROUNDS: Final = 2
"""Of what is compared; the rest is measured once."""


def run(context: Context) -> Findings:
    """Measure."""
    return asyncio.run(_run(context))


async def _run(context: Context) -> Findings:
    found = Findings()
    sizes = QUICK if context.quick else FULL
    with servers() as running:
        engines = await templates(running, dict.fromkeys(range(1, TEMPLATES + 1), CYCLE))
        for number in range(rounds(context)):
            for assets, each in sizes.assets.items():
                if number and assets not in compared(sizes):
                    continue
                context.tell(f"{assets:,} assets")
                taken, redis_bytes = await _assets(context, running, engines, assets, each)
                found.add(f"{assets:,} assets", "rows/s", taken.scores_per_s)
                found.add(f"{assets:,} assets: memory of the worker", "MB", taken.peak_mb)
                found.add(f"{assets:,} assets: Redis", "bytes/asset", redis_bytes)
            for fleets in sizes.fleets:
                context.tell(f"{fleets} fleets")
                taken = await _fleets(context, running, sizes.engines, fleets)
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
    few, most = (found.figures[f"{assets:,} assets"].values for assets in compared(sizes))
    found.compare("assets100k_over_assets100", most, few)
    one, twenty = (found.figures[name].values for name in ("1 fleet", "20 fleets"))
    found.compare("fleets20_over_fleets1", twenty, one)
    found.notes.append(
        "channels: the default model of somebody's own machine, which has no network; all else: "
        f"{MODEL}"
    )
    if context.quick:
        found.notes.append(f"--quick: the ratio of assets is of {max(sizes.assets):,} of them")
    return found


def counted(number: int, what: str) -> str:
    """Return so many of something, in words."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def rounds(context: Context) -> int:
    """Return how often what is compared is measured."""
    return min(ROUNDS, context.rounds)


def compared(sizes: Sizes) -> tuple[int, int]:
    """Return the fewest and the most assets."""
    return min(sizes.assets), max(sizes.assets)


async def _assets(
    context: Context, running: Servers, engines: list[Template], number: int, each: int
) -> tuple[Taken, float]:
    """Return how fast it was, and what Redis holds of an asset, bytes."""
    each = min(each, min(len(engine.coming) for engine in engines))
    place = running.installation()
    assets = many(engines, number)
    await place.send(speaking(assets, each))
    before = used_bytes(running.redis_port)
    await plant(place, assets)
    taken = await taken_by_workers(place, due(assets, each), extra=context.workers)
    held = (used_bytes(running.redis_port) - before) / number
    with Redis(port=running.redis_port) as redis:
        redis.flushall()  # the next one begins with an empty server
    return taken, held


async def _fleets(context: Context, running: Servers, engines: int, fleets: int) -> Taken:
    """Return how fast one worker is with so many fleets, each with a model of its own in memory."""
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
    again = (rounds(context) - 1) * 4
    return len(sizes.assets) + 2 + again + len(sizes.partitions) + len(sizes.channels)


SECTION: Final = Section(
    "growth",
    "Growth",
    "one worker with more assets, partitions, channels and fleets: rows a second, memory, Redis",
    steps,
    run,
)
