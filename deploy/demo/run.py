"""One demo: start the stack, replay, wait until every reading has its verdict, read back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Final, TypeVar

import httpx

from common.errors import StackError
from common.records import Verdict
from common.scorestore.factory import open_score_store
from common.scorestore.port import ScoreStore
from common.settings import KafkaSettings, load_settings
from deploy.demo import findings
from deploy.demo.latency import merged_buckets, quantile_s
from deploy.demo.replaying import Replay, run_replay
from deploy.demo.report import DemoReport
from deploy.demo.source import DemoSource
from deploy.demo.view import DemoView
from deploy.local.health import NO_AUTHORITIES
from deploy.local.programs import LOOPBACK
from deploy.local.stack import StackPlan
from deploy.local.supervisor import Supervisor

POLL_S: Final = 0.05
"""Also the error of the moment at which the last verdict was stored."""

STALL_S: Final = 60.0
"""No new reading and no new verdict for this long means that something is broken."""

T = TypeVar("T")


class DemoRun:
    """Runs one demo.

    Args:
        plan: The stack.
        source: What is replayed.
        speed: As for `surgeline replay`.
        view: Told how far it is.
        stall_s: How long nothing may move, s.
    """

    def __init__(
        self,
        plan: StackPlan,
        source: DemoSource,
        speed: str,
        view: DemoView,
        stall_s: float = STALL_S,
    ) -> None:
        self._plan = plan
        self._source = source
        self._speed = speed
        self._view = view
        self._stall_s = stall_s
        self._boot = 0
        self._supervisor = Supervisor(plan.stages, view.say, self._on_change)

    async def run(self) -> DemoReport:
        """Run it; on return, and whatever is raised, the stack is down.

        Raises:
            UserError: If the producer refused what it was asked.
            StackError: If a process died or nothing moved any more; says where to look.
        """
        return await while_running(self._supervisor, self._work())

    def _on_change(self, boot: int, _pids: Mapping[str, int]) -> None:
        self._boot = boot

    async def _work(self) -> DemoReport:
        began = time.monotonic()
        await self._supervisor.until_ready()
        ready_s = time.monotonic() - began
        environment = self._plan.service_environment(0)
        settings = load_settings(environment)
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(open_score_store(settings.scores))
            replay = Replay()
            arguments = self._source.replay_arguments(self._speed)
            replaying = asyncio.create_task(
                run_replay(replay, arguments, environment, self._plan.log("replay"))
            )
            stack.callback(replaying.cancel)
            counts = await self._wait_for_verdicts(store, replay, replaying)
            ended_ts_ms = time.time() * 1000
            return await self._report(store, settings.kafka, replay, counts, ended_ts_ms, ready_s)

    async def _wait_for_verdicts(
        self, store: ScoreStore, replay: Replay, replaying: asyncio.Task[None]
    ) -> Mapping[Verdict, int]:
        """Return the verdict counts once every reading has one.

        Raises:
            StackError: If nothing moves, or the topics were lost.
        """
        moved, before = time.monotonic(), (-1, -1)
        while True:
            if replaying.done():
                replaying.result()
            counts = await store.verdict_counts(self._source.run_id)
            line = replay.line
            now = (line.sent if line else 0, sum(counts.values()))
            self._view.progress(now[0], line.total if line else None, now[1])
            if replay.finished and now[1] >= now[0]:
                return counts
            if now != before:
                moved, before = time.monotonic(), now
            self._check_alive(moved, now)
            await asyncio.sleep(POLL_S)

    def _check_alive(self, moved: float, now: tuple[int, int]) -> None:
        logs = self._plan.log("detector").parent
        if self._boot:
            raise StackError(f"Broker or Valkey died; the demo's topics are lost. Logs: {logs}")
        if time.monotonic() - moved > self._stall_s:
            raise StackError(
                f"Nothing moved for {self._stall_s:g} s: {now[0]} readings sent, {now[1]} verdicts "
                f"stored. Look at the ends of the logs in {logs}"
            )

    async def _report(
        self,
        store: ScoreStore,
        kafka: KafkaSettings,
        replay: Replay,
        counts: Mapping[Verdict, int],
        ended_ts_ms: float,
        ready_s: float,
    ) -> DemoReport:
        assert replay.line is not None  # noqa: S101 - it finished
        sent, source = replay.line.sent, self._source
        alerts = await findings.published_alerts(kafka)
        buckets = merged_buckets(await self._metrics_pages())
        latency = {name: quantile_s(buckets, q) for name, q in (("p50", 0.5), ("p99", 0.99))}
        began_ts_ms = await findings.first_reading_ts_ms(kafka)
        runs = await store.runs(run_id=source.run_id)
        return DemoReport(
            dataset=source.dataset.name,
            split=source.dataset.split,
            run_id=source.run_id,
            simulated=source.simulated,
            readings_sent=sent,
            verdicts={kind.value: count for kind, count in counts.items()},
            scores_stored=await findings.count_scores(store, source.run_id),
            dead_letters=await findings.count_dead_letters(kafka),
            alerts=len(alerts),
            rows_per_s=sent / (ended_ts_ms - began_ts_ms) * 1000,
            latency_ms={name: None if s is None else s * 1000 for name, s in latency.items()},
            stack_ready_s=ready_s,
            engines=tuple(
                findings.engine_finding(run, alerts, source.rul(run.asset_id)) for run in runs
            ),
        )

    async def _metrics_pages(self) -> list[str]:
        async with httpx.AsyncClient(trust_env=False, verify=NO_AUTHORITIES) as client:
            return [
                (await client.get(f"http://{LOOPBACK}:{port}/metrics")).text
                for port in self._plan.addresses.detectors
            ]


async def while_running(supervisor: Supervisor, work: Coroutine[None, None, T]) -> T:
    """Return the result of ``work``, done while a supervisor runs; then take everything down.

    Raises:
        StackError: If the supervisor gave up first.
    """
    keeping = asyncio.create_task(supervisor.run())
    working = asyncio.create_task(work)
    try:
        await asyncio.wait({keeping, working}, return_when=asyncio.FIRST_COMPLETED)
        if keeping.done():
            keeping.result()
            raise StackError("The stack was stopped before the work was done.")
        return working.result()
    finally:
        working.cancel()
        supervisor.stop()
        await asyncio.gather(working, keeping, return_exceptions=True)
