"""The delivery protocol, step by step (docs/architecture.md), over ports.

Promise: every reading that reached the topic gets exactly one verdict and every alert exactly one
id, whichever process dies when. The order of the steps is what keeps it: outputs first, then the
states, then the offsets. A crash in between repeats outputs with the same ids and values, because
the state was not yet moved on and everything in between is deterministic.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, TypeVar

from common.clock import Clock
from common.errors import BackendError, InvalidRecordError
from common.logs import get_logger
from common.records.alerts import Alert
from common.records.letters import DeadLetter
from common.records.verdict_batch import VerdictBatch
from common.records.verdicts import FinalScore, ScoreRecord
from common.retry import Backoff, retrying
from common.scorestore.port import ScoreStore
from detector.core.claims import Moves
from detector.core.conclusion.conclude import Outcome, conclude, nothing_yet
from detector.core.conclusion.evidence import Case, all_evidence, case_slices
from detector.core.fleet import Fleets, rules_digest
from detector.core.intent import Intent, NextIntent, TakenOver, by_asset, to_adopt
from detector.core.ledger import survivors
from detector.core.letters import (
    dead_letter,
    failure,
    rejected_verdict,
    unreadable_letter,
    wrong_fleet,
    wrong_partition,
)
from detector.core.pipeline import (
    AssetRun,
    Decoded,
    DecodedBatch,
    Plan,
    by_fleet,
    decode_batch,
    judged,
    prepare,
)
from detector.core.reading.source import SourceBatch, SourceRecord, SourceRecords
from detector.core.state.asset import AssetState
from detector.core.state.progress import NextProgress, next_progress
from detector.delivery.aside import aside
from detector.delivery.quarantine import Quarantine
from detector.delivery.recovery import StateRebuilder
from detector.delivery.scoring import ScoringHere
from detector.delivery.slices import MAX_SLICE_VALUES, slices
from detector.delivery.stored import StateKeeper
from detector.delivery.together import together
from detector.failpoints import Point, PointListener, ignore_points
from detector.metrics import DetectorMetrics
from detector.ports import OutputPublisher, Scoring, StateStore, TopicHistory, ToScore
from detector.worker.health import Health

T = TypeVar("T")
logger = get_logger(__name__)

MOST_ASSETS: Final = 1000
"""Whose states are in hand with a batch: some 15 KB of each, with the windows cut from them. Of a
fetch in which more have spoken, one part is stored before the next is begun."""

WIDE_FROM: Final = 250
WIDE_AT_ONCE: Final = 2
"""Of batches with more assets than this two are in hand at once: they wait for their stores, and a
third would only hold more states."""

LARGE_FROM: Final = 4_000_000
"""Likewise with more bytes of values: readings of hundreds of channels, each in as many windows as
a window has readings."""

FEW_CASES: Final = 2
"""Alerts whose evidence is worked out at once: a millisecond."""

NOTHING_TAKEN_OVER: Final = TakenOver((), 0)


@dataclass(frozen=True, slots=True)
class DetectorPorts:
    """The world, as the service sees it; windows are scored in this process unless told where."""

    states: StateStore
    scores: ScoreStore
    publisher: OutputPublisher
    history: TopicHistory
    clock: Clock
    scoring: Scoring = field(default_factory=ScoringHere)


@dataclass(frozen=True, slots=True)
class DetectorPolicy:
    """What holds for all fleets.

    Attributes:
        backoff: Waits between tries while a backend is down.
        follow_after: Readings elsewhere until an asset is followed to another partition; 0 never.
    """

    backoff: Backoff
    follow_after: int


@dataclass(frozen=True, slots=True)
class Refused:
    """What becomes of a record that is set aside after decoding."""

    letter: DeadLetter
    verdicts: Sequence[ScoreRecord]


@dataclass(frozen=True, slots=True)
class Output:
    """All that a batch puts out."""

    verdicts: VerdictBatch
    alerts: Sequence[Alert]
    dead_letters: Sequence[DeadLetter]


class DetectorService:
    """Carries out what the core decides."""

    def __init__(
        self,
        fleets: Fleets,
        ports: DetectorPorts,
        policy: DetectorPolicy,
        metrics: DetectorMetrics,
        health: Health,
        at: PointListener = ignore_points,
    ) -> None:
        self._fleets = fleets
        self._next_fleets: Fleets | None = None
        self._in_hand = 0
        self._wide = asyncio.Semaphore(WIDE_AT_ONCE)
        self._idle = asyncio.Event()
        self._ports = ports
        self._policy = policy
        self._metrics = metrics
        self._health = health
        self._at = at
        self._rules = rules_digest(fleets)
        self._moves = Moves(policy.follow_after)
        self._keeper = StateKeeper(
            fleets,
            ports.states,
            ports.history,
            StateRebuilder(fleets, ports.states, ports.history, at),
            self._moves,
            self._try,
            self._process,
            metrics,
            at,
        )
        self._quarantine = Quarantine(self._process)
        metrics.serves(fleets)

    @property
    def metrics(self) -> DetectorMetrics:
        """What it counts."""
        return self._metrics

    def reassigned(self, partitions: Collection[int]) -> None:
        """Take note that partitions were assigned anew, and that these are ours."""
        self._metrics.owns(partitions)
        self._keeper.reassigned()

    def serve(self, fleets: Fleets) -> None:
        """Judge by other fleets from the next batch on; the one in hand is carried out as begun."""
        self._next_fleets = fleets
        self._metrics.fleets_loaded.inc()
        logger.info("fleets are loaded anew", fleets=sorted(fleets))

    def _take_up(self, fleets: Fleets) -> None:
        self._fleets, self._next_fleets = fleets, None
        self._rules = rules_digest(fleets)
        rebuilder = StateRebuilder(fleets, self._ports.states, self._ports.history, self._at)
        self._keeper.serve(fleets, rebuilder)
        self._metrics.serves(fleets)

    async def process(self, source: SourceBatch) -> None:
        """Give every record its verdict; on return the records may be acknowledged.

        While a backend is down this waits and tries again, holding no more than these records.
        Batches of different partitions may be processed at once: of what is stored of one, and of
        what is published, nothing depends on the other. Those of one partition may not.

        Args:
            source: What one fetch brought.

        Raises:
            BackendRefusedError: If a backend will never take it; nothing may be acknowledged.
        """
        while self._next_fleets is not None and self._in_hand:
            await self._idle.wait()  # others are carried out as they were begun
        if self._next_fleets is not None:
            self._take_up(self._next_fleets)
        self._metrics.receives(source)
        with self._holding():
            for part in source.parts(MOST_ASSETS):
                async with self._room(part):
                    await self._quarantine.take(part)
        self._metrics.finishes(source)

    def _room(self, part: SourceBatch) -> AbstractAsyncContextManager[None]:
        records = part.columns
        is_wide = len(set(records.keys)) > WIDE_FROM or _size(records) > LARGE_FROM
        return self._wide if is_wide else nullcontext()

    @contextmanager
    def _holding(self) -> Iterator[None]:
        self._in_hand += 1
        self._idle.clear()
        try:
            with self._metrics.in_hand.track_inprogress():
                yield
        finally:
            self._in_hand -= 1
            if not self._in_hand:
                self._idle.set()

    async def _process(self, source: SourceBatch) -> bool:
        """Carry out the protocol for a batch; return whether any of its readings got a score."""
        self._metrics.batch_rows.observe(len(source.records))
        self._at(Point.RECEIVED)
        # 1. decode (docs/architecture.md numbers the steps)
        with self._timed("decode"):
            batch = decode_batch(source.records, self._fleets)
            failed = [self._refused(item.record, failure(item)) for item in source.failed]
        self._at(Point.DECODED)
        while (scored := await self._carry_out(source, batch, failed)) is None:
            logger.warning("another worker has gone on with these partitions: looking again")
        self._at(Point.STATES_WRITTEN)
        return scored > 0

    async def _carry_out(
        self, source: SourceBatch, batch: DecodedBatch, failed: Sequence[Refused]
    ) -> int | None:
        """Do steps 2 to 7.

        Returns:
            How many windows were scored; none if another worker has gone on with the partitions,
            and nothing was put out.
        """
        # 2. states
        footing = await self._keeper.footing(batch, source)
        taken_over = to_adopt(footing.stored.intents, footing.stored.progress, self._rules)
        told = by_asset(taken_over.values())
        states = footing.states
        self._at(Point.CLAIMED)
        # 3. windows
        with self._timed("assemble"):
            shares = by_fleet(batch, states)
            if any(self._fleets[name].parts is not None for name in shares.parts):
                parts = await asyncio.to_thread(judged, shares, self._fleets)  # these read files
            else:
                parts = judged(shares, self._fleets)
            plans = [(fleet, prepare(part, states, fleet)) for fleet, part in parts]
        self._at(Point.ASSEMBLED)
        # 4. scores
        with self._timed("score"):
            scores = await self._ports.scoring.score(
                [ToScore(fleet.scorer, plan.windows, plan.trail) for fleet, plan in plans]
            )
        self._at(Point.SCORED)
        # 5. verdicts and alerts
        with self._timed("conclude"):
            outcome = nothing_yet()
            for (fleet, plan), found in zip(plans, scores, strict=True):
                outcome.add(conclude(plan, found, fleet, told))
            every = [plan for _, plan in plans]
            refused = [*failed, *self._set_aside(every, shares.strangers, states)]
        self._at(Point.CONCLUDED)
        progress = {
            partition: replace(step, ledger=survivors(states, outcome.states, partition))
            for partition, step in next_progress(source, footing.stored.progress).items()
        }
        output = self._output(source, batch, outcome, refused, told)
        # 6. outputs: verdicts, and what alerts rest on; then alerts, noted before they are sent.
        # Who receives one can look up the score behind it, and has its evidence.
        storing = self._store(progress, output.verdicts, outcome.finals)
        if outcome.cases:
            is_stored, _ = await together(storing, self._prove(outcome.cases))
        else:
            is_stored = await storing
            self._at(Point.EVIDENCE_PUBLISHED)  # there is none; each batch passes each point
        if not is_stored or not await self._note(self._intents(outcome, taken_over, progress)):
            return None
        self._at(Point.INTENDED)
        for part in slices(output.alerts, output.dead_letters):
            publish = partial(self._ports.publisher.publish, part.alerts, part.dead_letters)
            await self._try("publish", publish)
        self._at(Point.PUBLISHED)
        # 7. states; then Faust commits the offsets
        stale = await self._try(
            "write_states", lambda: self._ports.states.write(outcome.states, progress)
        )
        if stale:
            self._metrics.stale_states.inc(len(stale))
            logger.warning("another worker has gone on with these assets", assets=list(stale)[:5])
        for plan in every:
            self._moves.note(plan, states)
        self._tell(outcome, sum(map(len, told.values())))
        self._count(source, every, output)
        return sum(len(plan.windows) for plan in every)

    async def _store(
        self,
        progress: Mapping[int, NextProgress],
        verdicts: Sequence[ScoreRecord],
        finals: Sequence[FinalScore],
    ) -> bool:
        """Write verdicts unless another worker has gone on; return whether it has not."""
        same = {partition: NextIntent(None, step.expected) for partition, step in progress.items()}
        if await self._try("intend", lambda: self._ports.states.intend(same)):
            return False
        await self._try("write_scores", partial(self._ports.scores.write, verdicts, finals))
        self._at(Point.SCORES_WRITTEN)
        return True

    async def _note(self, intents: Mapping[int, NextIntent]) -> bool:
        """Note what is about to be published, unless another worker has gone on; likewise."""
        if not any(item.intent for item in intents.values()):
            return True
        return not await self._try("intend", lambda: self._ports.states.intend(intents))

    async def _prove(self, cases: Sequence[Case]) -> None:
        """Publish what each alert rests on, a few at a time."""
        for part in case_slices(cases, MAX_SLICE_VALUES):
            with self._timed("evidence"):
                evidence = await aside(all_evidence, part, is_small=len(part) <= FEW_CASES)
            publish = partial(self._ports.publisher.publish_evidence, evidence)
            await self._try("publish_evidence", publish)
        self._at(Point.EVIDENCE_PUBLISHED)

    def _output(
        self,
        source: SourceBatch,
        batch: DecodedBatch,
        outcome: Outcome,
        refused: Sequence[Refused],
        told: Mapping[AssetRun, Sequence[Alert]],
    ) -> Output:
        return Output(
            verdicts=VerdictBatch(
                outcome.verdicts.columns,
                [
                    *outcome.verdicts.records,
                    *batch.rejected,
                    *(verdict for item in refused for verdict in item.verdicts),
                ],
            ),
            alerts=[*(alert for alerts in told.values() for alert in alerts), *outcome.alerts],
            dead_letters=[
                *batch.dead_letters,
                *(item.letter for item in refused),
                *map(unreadable_letter, source.unreadable),
            ],
        )

    def _set_aside(
        self,
        plans: Iterable[Plan],
        strangers: Sequence[tuple[Decoded, str]],
        states: Mapping[AssetRun, AssetState],
    ) -> Iterator[Refused]:
        """Yield what cannot be used although it is a reading."""
        for plan in plans:
            for key, items in plan.misplaced.items():
                home = states[key].fence.partition
                for item in items:
                    partition = item.record.position.partition
                    yield self._refused(item.record, wrong_partition(key[0], partition, home))
            for item, error in plan.refused:
                yield self._refused(item.record, error)
        for item, own in strangers:
            reading = item.reading
            yield self._refused(item.record, wrong_fleet(reading.asset_id, reading.fleet, own))

    def _refused(self, record: SourceRecord, error: InvalidRecordError) -> Refused:
        return Refused(dead_letter(record, error), rejected_verdict(record, error, self._fleets))

    def _intents(
        self,
        outcome: Outcome,
        taken_over: Mapping[int, TakenOver],
        progress: Mapping[int, NextProgress],
    ) -> dict[int, NextIntent]:
        """Return what is about to be published of each partition, if anything."""
        found: dict[int, NextIntent] = {}
        for partition, step in progress.items():
            alerts = outcome.told.get(partition, ())
            before = taken_over.get(partition, NOTHING_TAKEN_OVER)
            after = step.progress
            end = max(after.next_offset, before.end)
            intent = Intent(self._rules, after.life, end, before.alerts, alerts)
            is_needed = bool(alerts or before.alerts)
            found[partition] = NextIntent(intent if is_needed else None, step.expected)
        return found

    def _tell(self, outcome: Outcome, taken_over: int) -> None:
        for (asset_id, run_id), opened in outcome.opened:
            self._metrics.runs_opened.inc()
            logger.warning(
                "a run was opened by rule: the source's counter restarted, or had jumped",
                asset_id=asset_id,
                run_id=run_id,
                opened=opened,
            )
        if taken_over:
            self._metrics.alerts_adopted.inc(taken_over)
            logger.warning(
                "alerts of a worker with another model or other settings were published again",
                alerts=taken_over,
            )

    async def _try(self, step: str, action: Callable[[], Awaitable[T]]) -> T:
        with self._timed(step):
            result = await retrying(
                action,
                self._policy.backoff,
                self._ports.clock,
                lambda error, wait_s: self._failed(step, error, wait_s),
            )
        if self._health.works(step):
            logger.info("works again", step=step)
            self._metrics.works(step, all_of_them=not self._health.problems)
        return result

    def _failed(self, step: str, error: BackendError, wait_s: float) -> None:
        self._health.fails(step, str(error))
        self._metrics.fails(step)
        logger.warning("consumption waits", step=step, error=str(error), next_try_s=wait_s)

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        begin = self._ports.clock.monotonic()
        try:
            yield
        finally:
            self._metrics.step_seconds.labels(step).observe(self._ports.clock.monotonic() - begin)

    def _count(self, source: SourceBatch, plans: Iterable[Plan], output: Output) -> None:
        metrics = self._metrics
        metrics.counts_verdicts(output.verdicts, self._fleets)
        metrics.counts_messages(output.alerts, output.dead_letters)
        for plan in plans:
            metrics.held.inc(plan.held)
            metrics.bridged.inc(plan.bridged)
        metrics.counts_latency(source, self._ports.clock.now().timestamp() * 1000)


def _size(records: SourceRecords) -> int:
    return sum(len(value) for value in records.values if value is not None)
