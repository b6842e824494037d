"""One demo: start the stack, replay, wait until every reading has its verdict, read back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack

import httpx

from common.clock import SystemClock
from common.errors import StackError
from common.records.verdicts import Verdict
from common.scorestore.factory import open_score_store
from common.scorestore.port import ScoreStore
from common.settings import KafkaSettings, load_settings
from deploy.demo import findings
from deploy.demo.latency import at_rest, merged_buckets, quantile_s
from deploy.demo.replaying import Replay, run_replay
from deploy.demo.report import DemoReport
from deploy.demo.source import DemoSource
from deploy.demo.view import DemoView
from deploy.demo.waiting import every_verdict, unless_failed
from deploy.local.health import NO_AUTHORITIES
from deploy.local.programs import LOOPBACK
from deploy.local.stack import StackPlan
from deploy.local.supervisor import Supervisor
from detector.tools.parity.report import ParityReport, parity_report

AT_REST_TIMEOUT_S = 60.0
POLL_S = 0.05


class DemoRun:
    """Runs one demo.

    Args:
        plan: The stack.
        source: What is replayed.
        speed: As for `surgeline replay`.
        view: Told how far it is.
    """

    def __init__(self, plan: StackPlan, source: DemoSource, speed: str, view: DemoView) -> None:
        self._plan = plan
        self._source = source
        self._speed = speed
        self._view = view
        self._supervisor = Supervisor(plan.stages, view.say, self._on_change)
        self._topics_lost: asyncio.Future[None] | None = None

    async def run(self) -> DemoReport:
        """Run it; on return, and whatever is raised, the stack is down.

        Raises:
            UserError: If the producer refused what it was asked.
            StackError: If a process died or nothing moved any more; says where to look.
        """
        self._topics_lost = asyncio.get_running_loop().create_future()
        keeping = asyncio.create_task(self._supervisor.run())
        try:
            return await unless_failed(self._work(), keeping, self._topics_lost)
        finally:
            self._supervisor.stop()
            await asyncio.gather(keeping, return_exceptions=True)

    def _on_change(self, boot: int, _pids: Mapping[str, int]) -> None:
        lost = self._topics_lost
        if boot and lost is not None and not lost.done():
            lost.set_exception(StackError(f"The demo's topics are lost. {self._where_to_look}"))

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
            verdicts = every_verdict(
                store,
                self._source.run_id,
                replay,
                self._view.progress,
                SystemClock(),
                self._where_to_look,
            )
            counts = await unless_failed(verdicts, replaying)
            ended_ts_ms = time.time() * 1000
            await self._at_rest()
            parity = await parity_report(self._source.run_id, settings)
            return await self._report(
                store, settings.kafka, replay, counts, ended_ts_ms, ready_s, parity
            )

    async def _at_rest(self) -> None:
        """Wait for the last alerts: a batch's alerts follow its verdicts."""
        clock = SystemClock()
        async with asyncio.timeout(AT_REST_TIMEOUT_S):
            while not at_rest(await self._metrics_pages()):
                await clock.sleep(POLL_S)

    @property
    def _where_to_look(self) -> str:
        return f"Look at the ends of the logs in {self._plan.log('detector').parent}"

    async def _report(
        self,
        store: ScoreStore,
        kafka: KafkaSettings,
        replay: Replay,
        counts: Mapping[Verdict, int],
        ended_ts_ms: float,
        ready_s: float,
        parity: ParityReport,
    ) -> DemoReport:
        assert replay.line is not None  # noqa: S101 - it finished
        sent, source = replay.line.sent, self._source
        alerts = await findings.published_alerts(kafka)
        buckets = merged_buckets(await self._metrics_pages())
        latency = {name: quantile_s(buckets, q) for name, q in (("p50", 0.5), ("p99", 0.99))}
        began_ts_ms = await findings.first_reading_ts_ms(kafka)
        runs = await store.runs(run_id=source.run_id)
        return DemoReport(
            dataset=source.name,
            split=source.split,
            run_id=source.run_id,
            simulated=source.simulated,
            own=source.own,
            readings_sent=sent,
            verdicts={kind.value: count for kind, count in counts.items()},
            scores_stored=await findings.count_scores(store, source.run_id),
            dead_letters=await findings.count_dead_letters(kafka),
            alerts=len(alerts),
            rows_per_s=sent / (ended_ts_ms - began_ts_ms) * 1000,
            latency_ms={name: None if s is None else s * 1000 for name, s in latency.items()},
            stack_ready_s=ready_s,
            parity=parity,
            engines=tuple(
                findings.engine_finding(run, alerts, source.rul(run.asset_id), timed=source.own)
                for run in runs
            ),
        )

    async def _metrics_pages(self) -> list[str]:
        async with httpx.AsyncClient(trust_env=False, verify=NO_AUTHORITIES) as client:
            return [
                (await client.get(f"http://{LOOPBACK}:{port}/metrics")).text
                for port in self._plan.addresses.detectors
            ]
