"""What one look for silent machines costs, with a fleet in SQLite stores.

    python -m bench.api.silence [--assets 10000] [--looks 12]

Every machine sends a reading before each look; at the end a tenth falls silent, and comes back. The
stall is the longest time the event loop did nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import SecretStr

from api.adapters.memory.replays import MemoryReplayRecords
from api.adapters.sql.database import open_database
from api.adapters.sql.silence import SqlSilenceStore
from api.metrics import ApiMetrics
from api.silence.watch import SilenceWatch
from common.scorestore.factory import open_score_store
from common.scorestore.port import ScoreStore
from common.settings import AlertHistorySettings, ScoreStoreSettings, SilenceSettings
from tests.support.clock import FakeClock
from tests.support.silence import PUMP, fleets, reading

EVERY_S = 60.0


async def main() -> None:
    """Run it, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, default=10_000)
    parser.add_argument("--looks", type=int, default=12)
    given = parser.parse_args()
    clock = FakeClock()
    async with opened(clock) as (scores, watch):
        names = [f"pump-{number:05d}" for number in range(given.assets)]
        usual = [await look(scores, watch, clock, names) for _ in range(given.looks)]
        rest = names[len(names) // 10 :]
        falling = [await look(scores, watch, clock, rest) for _ in range(8)]
        back = await look(scores, watch, clock, names)
        numbers = watch.report.numbers["pumps"]
    show("a usual look", usual[3:])
    show("while a tenth falls silent", falling)
    show("as it comes back", [back])
    print(f"{numbers.watched:,} watched, {numbers.silent:,} silent at the end")


@asynccontextmanager
async def opened(clock: FakeClock) -> AsyncIterator[tuple[ScoreStore, SilenceWatch]]:
    """Open both stores in a folder of their own, with a watch on them."""

    async def nothing() -> str:
        return ""

    settings = SilenceSettings(after_steps=5, every_s=EVERY_S)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        url = SecretStr(f"sqlite+aiosqlite:///{folder / 'alerts.db'}")
        engine = await stack.enter_async_context(open_database(AlertHistorySettings(url=url)))
        scores = await stack.enter_async_context(
            open_score_store(ScoreStoreSettings(sqlite_path=folder / "scores.db"))
        )
        yield scores, SilenceWatch(
            settings, scores, SqlSilenceStore(engine), MemoryReplayRecords(), fleets(pumps=PUMP),
            nothing, clock, lambda: None, ApiMetrics(),
        )  # fmt: skip


async def look(
    scores: ScoreStore, watch: SilenceWatch, clock: FakeClock, names: list[str]
) -> tuple[float, float]:
    """Let these send a reading, look, and return how long that took and the longest stall, s."""
    clock.elapsed_s += EVERY_S
    await scores.write([reading(clock.now(), asset_id=name) for name in names])
    stalls = asyncio.create_task(longest_stall())
    await asyncio.sleep(0)
    began = time.perf_counter()
    await watch.look()
    took = time.perf_counter() - began
    stalls.cancel()
    return took, await stalls


async def longest_stall() -> float:
    """Return, when cancelled, the longest time between two turns of the event loop, s."""
    longest, last = 0.0, time.perf_counter()
    try:
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            longest, last = max(longest, now - last - 0.001), now
    except asyncio.CancelledError:
        return longest


def show(name: str, found: list[tuple[float, float]]) -> None:
    """Print one line."""
    took, stalls = ([each[part] * 1000 for each in found] for part in (0, 1))
    print(
        f"{name}: median {statistics.median(took):.0f} ms, longest {max(took):.0f} ms, "
        f"longest stall {max(stalls):.0f} ms"
    )


if __name__ == "__main__":
    asyncio.run(main())
