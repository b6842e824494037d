"""Fleets of any size with full windows, without sending thirty readings of each asset first.

A worker takes a few engines to a certain cycle. Then its states are stored under the names of as
many assets as are wanted, through the detector's own store, with fence, progress and ledger as if
nothing had been applied yet. That the worker believed them shows in what it does next: it scores
the first reading of each asset, and the score is that of the engine.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from aiokafka.partitioner import murmur2
from msgspec.structs import replace
from redis import Redis

from bench.suite.failures import MeasurementError
from bench.support.installation import Installation
from bench.support.messages import asset_name, fleet_messages
from bench.support.stage import Servers
from bench.support.taking import workers
from bench.support.windows import Scores, batch_scores, fleet
from common.topics import StateKeys
from detector.adapters.redis_state_store import RedisStateStore
from detector.core.pipeline import AssetRun, NextState
from detector.core.state.asset import Fence, unpack
from detector.core.state.progress import NextProgress, Progress

RUN: Final = "bench"
AT_ONCE: Final = 1000

Messages = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Template:
    """An engine at one cycle of its life.

    Attributes:
        unit: Its number in the fleet.
        asset_id: Its name.
        cycle: The last one its state knows.
        state: Its state as it is stored.
        past: Its messages up to that cycle, in their order.
        coming: Its messages after it.
    """

    unit: int
    asset_id: str
    cycle: int
    state: bytes
    past: tuple[bytes, ...]
    coming: tuple[bytes, ...]

    def named(self, message: bytes, asset_id: str) -> bytes:
        """Return one of its messages as another asset's."""
        return message.replace(f'"{self.asset_id}"'.encode(), f'"{asset_id}"'.encode(), 1)


async def templates(servers: Servers, wanted: dict[int, int]) -> list[Template]:
    """Return engines of the simulated fleet, each at a cycle of its own.

    Args:
        servers: Where a worker takes them there.
        wanted: The cycle, by engine (1, 2, ...).
    """
    dataset = fleet(max(wanted))
    names = {asset_name(dataset, unit): cycle for unit, cycle in wanted.items()}
    units = {asset_name(dataset, unit): unit for unit in wanted}
    lives: dict[str, list[bytes]] = defaultdict(list)
    for key, value in fleet_messages(dataset, RUN):
        lives[key.decode()].append(value)
    place = servers.installation(partitions=1)
    await place.send(
        [(name.encode(), value) for name, cycle in names.items() for value in lives[name][:cycle]]
    )
    with workers(place, 1):
        await place.settled()
    keys = StateKeys(place.redis.key_prefix)
    with Redis(port=servers.redis_port) as redis:
        states = {name: redis.get(keys.asset_state(name, RUN)) for name in names}
    found = []
    for name, cycle in names.items():
        state = states[name]
        if not isinstance(state, bytes):
            raise MeasurementError(f"the worker left no state of {name}")
        life = lives[name]
        found.append(
            Template(units[name], name, cycle, state, tuple(life[:cycle]), tuple(life[cycle:]))
        )
    return found


def partition_of(asset_id: str, partitions: int) -> int:
    """Return where an asset is at home, by the rule of Kafka's clients."""
    return int((murmur2(asset_id.encode()) & 0x7FFFFFFF) % partitions)


async def plant(installation: Installation, assets: dict[str, Template]) -> None:
    """Store the state of each asset: its template's, nothing of its own topic applied."""
    partitions = installation.kafka.partitions
    unpacked = {id(each): unpack(each.state) for each in assets.values()}
    homes: dict[int, list[str]] = defaultdict(list)
    for asset_id in assets:
        homes[partition_of(asset_id, partitions)].append(asset_id)
    async with RedisStateStore(installation.redis) as store:
        for partition, members in homes.items():
            known: Progress | None = None
            fence, reached = Fence(partition, 0), Progress(0)
            for begin in range(0, len(members), AT_ONCE):
                states: dict[AssetRun, NextState] = {
                    (asset_id, RUN): NextState(
                        replace(unpacked[id(assets[asset_id])], fence=fence), Fence()
                    )
                    for asset_id in members[begin : begin + AT_ONCE]
                }
                refused = await store.write(states, {partition: NextProgress(reached, known)})
                if refused:
                    raise MeasurementError(f"the store took no state of {refused[0][0]}")
                known = reached


def speaking(assets: dict[str, Template], each: int) -> Messages:
    """Return the next messages of all assets, one of each in turn."""
    return [
        (asset_id.encode(), template.named(template.coming[number], asset_id))
        for number in range(each)
        for asset_id, template in assets.items()
    ]


def due(assets: dict[str, Template], each: int) -> Scores:
    """Return the scores of these messages, by the batch path."""
    known = batch_scores(max(template.unit for template in assets.values()))
    return {
        asset_id: {
            cycle: known[template.asset_id][cycle]
            for cycle in range(template.cycle + 1, template.cycle + 1 + each)
        }
        for asset_id, template in assets.items()
    }


def many(templates: list[Template], number: int, word: str = "asset") -> dict[str, Template]:
    """Return so many assets, of the templates in turn."""
    return {f"{word}-{index:06d}": templates[index % len(templates)] for index in range(number)}
