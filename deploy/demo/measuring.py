"""Sends one fleet through a stack that runs, waits for every verdict, and reads back what came."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from common.clock import SystemClock
from common.errors import StackError
from common.records.verdicts import Verdict
from common.scorestore.factory import open_score_store
from common.scorestore.port import ScoreStore
from common.settings import load_settings
from deploy.demo import findings
from deploy.demo.latency import at_rest, counted_since, merged_buckets, quantile_s
from deploy.demo.replaying import Replay, run_replay
from deploy.demo.report import DemoReport
from deploy.demo.source import DemoSource
from deploy.demo.view import DemoView
from deploy.demo.waiting import every_verdict, unless_failed
from detector.tools.parity.report import ParityReport, parity_report

AT_REST_TIMEOUT_S = 60.0
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A stack that can be used, as a demo sees it.

    Attributes:
        environment: What leads the producer, and us, to its servers.
        metrics_pages: Reads ``/metrics`` of every worker.
        replay_log: Where the producer's standard error goes.
        where_to_look: Last sentence of an error: what a person reads next.
        ready_s: Seconds it took to start; none if it had been running.
    """

    environment: Mapping[str, str]
    metrics_pages: Callable[[], Awaitable[Sequence[str]]]
    replay_log: Path
    where_to_look: str
    ready_s: float | None


class Measuring:
    """One fleet through one running stack. The stack may hold other runs; they do not count.

    Args:
        stack: Where.
        source: What is replayed.
        speed: As for `surgeline replay`.
        view: Told how far it is.
    """

    def __init__(self, stack: RunningStack, source: DemoSource, speed: str, view: DemoView) -> None:
        self._stack = stack
        self._source = source
        self._speed = speed
        self._view = view
        self._settings = load_settings(stack.environment)

    async def run(self) -> DemoReport:
        """Replay, wait, read back.

        Raises:
            UserError: If the producer refused what it was asked.
            StackError: If nothing moved any more; says where to look.
        """
        stack, clock = self._stack, SystemClock()
        before = merged_buckets(await stack.metrics_pages())
        letters = await findings.count_dead_letters(self._settings.kafka)
        async with AsyncExitStack() as exits:
            store = await exits.enter_async_context(open_score_store(self._settings.scores))
            replay = Replay()
            arguments = self._source.replay_arguments(self._speed)
            replaying = asyncio.create_task(
                run_replay(replay, arguments, stack.environment, stack.replay_log)
            )
            exits.callback(replaying.cancel)
            verdicts = every_verdict(
                store,
                self._source.run_id,
                replay,
                self._view.progress,
                clock,
                stack.where_to_look,
            )
            counts = await unless_failed(verdicts, replaying)
            ended_ts_ms = time.time() * 1000
            await self._at_rest()
            parity = await parity_report(self._source.run_id, self._settings)
            return await self._report(store, replay, counts, ended_ts_ms, before, letters, parity)

    async def _at_rest(self) -> None:
        """Wait for the last alerts: a batch's alerts follow its verdicts."""
        clock = SystemClock()
        try:
            async with asyncio.timeout(AT_REST_TIMEOUT_S):
                while not at_rest(await self._stack.metrics_pages()):
                    await clock.sleep(POLL_S)
        except TimeoutError as exc:
            raise StackError(
                f"The detectors have had a batch in hand for {AT_REST_TIMEOUT_S:g} s. "
                f"{self._stack.where_to_look}"
            ) from exc

    async def _report(
        self,
        store: ScoreStore,
        replay: Replay,
        counts: Mapping[Verdict, int],
        ended_ts_ms: float,
        before: Mapping[float, float],
        letters: int,
        parity: ParityReport,
    ) -> DemoReport:
        assert replay.line is not None  # noqa: S101 - it finished
        sent, source, kafka = replay.line.sent, self._source, self._settings.kafka
        alerts = await findings.published_alerts(kafka, source.run_id)
        buckets = counted_since(before, merged_buckets(await self._stack.metrics_pages()))
        latency = {name: quantile_s(buckets, q) for name, q in (("p50", 0.5), ("p99", 0.99))}
        began_ts_ms = await findings.first_reading_ts_ms(kafka, source.run_id)
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
            dead_letters=await findings.count_dead_letters(kafka) - letters,
            alerts=len(alerts),
            rows_per_s=sent / (ended_ts_ms - began_ts_ms) * 1000,
            latency_ms={name: None if s is None else s * 1000 for name, s in latency.items()},
            stack_ready_s=self._stack.ready_s,
            parity=parity,
            engines=tuple(
                findings.engine_finding(run, alerts, source.rul(run.asset_id), timed=source.own)
                for run in runs
            ),
        )
