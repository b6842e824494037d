"""What a fleet needs, and what breaks first, reckoned from the slopes that ``make bench`` measured.

    python -m bench.scale --assets 1000000 --every 1

Nothing here is typed in but the rules: how full a part may be, and how many partitions a worker
gets. Assets fall on partitions by a hash, partitions on workers in turn, so one worker has more
than the others; how much more is simulated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import numpy as np
import typer

from bench.suite.record import LATEST, committed
from common.errors import UserError
from common.terminal.cli import friendly_errors, output_console

FULL: Final = 0.7
"""How busy a part may be: the rest is for restarts, rebuilds and bursts."""

PARTITIONS_A_WORKER: Final = 3
MOST_PARTITIONS: Final = 1024
"""The bound of SURGELINE_KAFKA__PARTITIONS."""

TRIALS: Final = 20

MANY: Final = "100,000 assets"
"""What the section of growth calls them: each batch has many assets with a reading each, as a fleet
that speaks once a second has."""

DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Slopes:
    """What one reading, or one asset, costs. Medians of a run.

    Attributes:
        worker_per_s: Readings a second of one worker with 100,000 assets.
        worker_us: Its processor time for a reading, µs.
        valkey_us: Likewise, Valkey, which reads and writes a state for each.
        broker_us: Likewise, the broker.
        influx_us: Likewise, InfluxDB; none where it was not measured.
        wire_bytes: Of a reading on the topic, before compression.
        row_bytes: Of its verdict in a SQLite file.
        redis_bytes: Of an asset in Redis.
    """

    worker_per_s: float
    worker_us: float
    valkey_us: float
    broker_us: float
    influx_us: float | None
    wire_bytes: float
    row_bytes: float
    redis_bytes: float

    @classmethod
    def of(cls, run: Mapping[str, Any]) -> Slopes:
        """Return the slopes of a whole run."""
        end, growth = run["figures"]["throughput"], run["figures"]["growth"]
        influx = end.get("processor time of InfluxDB")
        return cls(
            worker_per_s=growth[MANY]["median"],
            worker_us=growth[f"{MANY}: processor time of the worker"]["median"],
            valkey_us=growth[f"{MANY}: processor time of Valkey"]["median"],
            broker_us=end["processor time of the broker"]["median"],
            influx_us=None if influx is None else influx["median"],
            wire_bytes=end["a reading on the wire"]["median"],
            row_bytes=end["a verdict in SQLite"]["median"],
            redis_bytes=growth[f"{MANY}: Redis"]["median"],
        )


@dataclass(frozen=True, slots=True)
class Need:
    """What a fleet needs.

    Attributes:
        per_s: Readings a second.
        workers: Workers.
        worker_cores: Cores of all of them.
        partitions: Of the readings topic.
        busiest: What the busiest worker has, as a multiple of the mean.
        broker_cores: Cores of the broker for one reader.
        wire_mb_s: What goes over the wire each way, MB/s, before compression.
        valkey_cores: Cores of Redis: a server uses one.
        redis_gb: Memory of Redis.
        influx_cores: Cores of InfluxDB; none where it was not measured.
        rows_gb_day: Verdicts of a day as SQLite keeps them, GB.
    """

    per_s: float
    workers: int
    worker_cores: float
    partitions: int
    busiest: float
    broker_cores: float
    wire_mb_s: float
    valkey_cores: float
    redis_gb: float
    influx_cores: float | None
    rows_gb_day: float


def need(assets: int, every_s: float, slopes: Slopes) -> Need:
    """Return what a fleet needs.

    Args:
        assets: How many.
        every_s: Time between two readings of one.
        slopes: What was measured.
    """
    per_s = assets / every_s
    each = slopes.worker_per_s * FULL
    workers = max(1, int(np.ceil(per_s / each)))
    while True:
        partitions = workers * PARTITIONS_A_WORKER
        share = busiest(assets, partitions, workers)
        enough = max(1, int(np.ceil(per_s * share / each)))
        if enough <= workers:
            break
        workers = enough
    return Need(
        per_s=per_s,
        workers=workers,
        worker_cores=per_s * slopes.worker_us / 1e6,
        partitions=partitions,
        busiest=share,
        broker_cores=per_s * slopes.broker_us / 1e6,
        wire_mb_s=per_s * slopes.wire_bytes / 1e6,
        valkey_cores=per_s * slopes.valkey_us / 1e6,
        redis_gb=assets * slopes.redis_bytes / 1e9,
        influx_cores=None if slopes.influx_us is None else per_s * slopes.influx_us / 1e6,
        rows_gb_day=per_s * DAY_S * slopes.row_bytes / 1e9,
    )


def busiest(assets: int, partitions: int, workers: int) -> float:
    """Return what the busiest worker has, as a multiple of the mean; median of some trials.

    Assets fall on partitions as a hash falls, partitions on workers in turn.
    """
    draw = np.random.default_rng(0)
    owner = np.arange(partitions) % workers
    shares = []
    for _ in range(TRIALS):
        load = draw.multinomial(assets, np.full(partitions, 1 / partitions))
        of_worker = np.bincount(owner, weights=load, minlength=workers)
        shares.append(of_worker.max() / of_worker.mean())
    return float(np.median(shares))


def first_limits(slopes: Slopes) -> dict[str, float]:
    """Return what one of each part carries, readings a second, the weakest first."""
    limits = {
        f"one worker, {MANY}": slopes.worker_per_s * FULL,
        "the local broker, one core": FULL * 1e6 / slopes.broker_us,
        "one Redis server (one core)": FULL * 1e6 / slopes.valkey_us,
        f"{MOST_PARTITIONS:,} partitions": MOST_PARTITIONS
        / PARTITIONS_A_WORKER
        * slopes.worker_per_s
        * FULL,
    }
    if slopes.influx_us is not None:
        limits["InfluxDB, one core"] = FULL * 1e6 / slopes.influx_us
    return dict(sorted(limits.items(), key=lambda item: item[1]))


@friendly_errors
def main(
    assets: Annotated[int, typer.Option(min=1, help="Machines.")] = 1_000_000,
    every: Annotated[float, typer.Option(min=0.001, help="Time between two readings, s.")] = 1.0,
) -> None:
    """Print what a fleet needs, from the slopes of the last committed run."""
    run = committed()
    if run is None or not run["whole"]:
        raise UserError(f"No whole run is in {LATEST}; `make bench` makes one.")
    console = output_console()
    slopes = Slopes.of(run)
    for name, value in rows(need(assets, every, slopes)):
        console.print(f"{name:44}{value}")


def rows(found: Need) -> list[tuple[str, str]]:
    """Return what a fleet needs, as people read it."""
    influx = "not measured" if found.influx_cores is None else f"{found.influx_cores:,.1f} cores"
    return [
        ("readings a second", f"{found.per_s:,.0f}"),
        ("workers", f"{found.workers:,}"),
        ("workers: processor", f"{found.worker_cores:,.1f} cores"),
        ("partitions", f"{found.partitions:,}"),
        ("the busiest worker has, of the mean", f"{found.busiest:.2f}"),
        ("broker: to one reader", f"{found.wire_mb_s:,.1f} MB/s"),
        ("broker: processor, as the local one", f"{found.broker_cores:,.1f} cores"),
        ("Redis: processor", f"{found.valkey_cores:,.1f} cores"),
        ("Redis: memory", f"{found.redis_gb:,.2f} GB"),
        ("InfluxDB: processor", influx),
        ("verdicts of a day, as SQLite keeps them", f"{found.rows_gb_day:,.0f} GB"),
    ]


if __name__ == "__main__":
    typer.run(main)
