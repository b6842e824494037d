"""The protocol's order, and what happens when a backend is down."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

import pytest

from common.errors import BackendRefusedError, BackendUnavailableError
from common.records.alerts import Alert
from common.records.evidence import EvidenceMessage
from common.records.letters import DeadLetter
from common.records.verdicts import FinalScore, ScoreRecord, Verdict
from common.retry import Backoff
from common.scorestore.memory import MemoryScoreStore
from detector.adapters.memory import NO_ASSETS, MemoryHistory, MemoryPublisher, MemoryStateStore
from detector.core.intent import NextIntent
from detector.core.pipeline import AssetRun, NextState
from detector.core.reading.source import dense
from detector.core.state.asset import Fence
from detector.core.state.progress import NextProgress, unpack_progress
from detector.delivery.service import DetectorPolicy, DetectorPorts, DetectorService
from detector.failpoints import Point
from detector.metrics import DetectorMetrics
from detector.ports import Stored
from detector.worker.health import Health
from tests.support.builders import INPUTS, MeanScorer, fleets_of, reading, record, records

SCORER = MeanScorer()


class FakeClock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 1_767_225_700.0
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, tz=UTC)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.seconds += seconds


class Script:
    """What the world was asked to do, in order, and which of it fails how often."""

    def __init__(self, **failures: int) -> None:
        self.calls: list[str] = []
        self.failures = failures

    def enter(self, name: str) -> None:
        self.calls.append(name)
        if self.failures.get(name, 0) > 0:
            self.failures[name] -= 1
            raise BackendUnavailableError(f"{name} is down")


class FlakyStates(MemoryStateStore):
    def __init__(self, script: Script) -> None:
        super().__init__()
        self._script = script

    async def read(
        self,
        keys: Sequence[AssetRun],
        partitions: Sequence[int],
        speakers: Mapping[int, Sequence[AssetRun]] = NO_ASSETS,
    ) -> Stored:
        self._script.enter("read_states")
        return await super().read(keys, partitions, speakers)

    async def write(
        self, states: Mapping[AssetRun, NextState], progress: Mapping[int, NextProgress]
    ) -> Sequence[AssetRun]:
        self._script.enter("write_states" if progress else "claim")
        return await super().write(states, progress)

    async def intend(self, intents: Mapping[int, NextIntent]) -> Collection[int]:
        self._script.enter("intend")
        return await super().intend(intents)


class FlakyScores(MemoryScoreStore):
    def __init__(self, script: Script) -> None:
        super().__init__()
        self._script = script

    async def write(
        self, records: Sequence[ScoreRecord], finals: Sequence[FinalScore] = ()
    ) -> None:
        self._script.enter("write_scores")
        await super().write(records, finals)


class FlakyPublisher(MemoryPublisher):
    def __init__(self, script: Script) -> None:
        super().__init__()
        self._script = script

    async def publish_evidence(self, evidence: Sequence[EvidenceMessage]) -> None:
        self._script.enter("publish_evidence")
        await super().publish_evidence(evidence)

    async def publish(self, alerts: Sequence[Alert], dead_letters: Sequence[DeadLetter]) -> None:
        self._script.enter("publish")
        await super().publish(alerts, dead_letters)


FLIGHT = records([reading(cycle, 2.5) for cycle in range(1, 8)])


class Stage:
    """A service in a scripted world."""

    def __init__(self, **failures: int) -> None:
        self.script = Script(**failures)
        self.clock = FakeClock()
        self.states = FlakyStates(self.script)
        self.scores = FlakyScores(self.script)
        self.publisher = FlakyPublisher(self.script)
        self.metrics = DetectorMetrics()
        self.health = Health()
        self.history = MemoryHistory(FLIGHT)
        self.points: list[Point] = []
        self.service = DetectorService(
            fleets_of(SCORER),
            DetectorPorts(self.states, self.scores, self.publisher, self.history, self.clock),
            DetectorPolicy(Backoff(0.5, 2.0), INPUTS.follow_after),
            self.metrics,
            self.health,
            self.points.append,
        )

    def metric(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


async def test_outputs_come_before_states_and_scores_before_alerts() -> None:
    stage = Stage()

    await stage.service.process(dense(FLIGHT))

    assert stage.script.calls == [
        "read_states",
        "claim",  # of an asset nothing is known of
        "intend",  # is it still ours?
        "write_scores",
        "publish_evidence",
        "intend",
        "publish",
        "write_states",
    ]
    assert stage.points == [
        Point.RECEIVED,
        Point.DECODED,
        Point.STATES_READ,
        Point.CLAIMED,
        Point.ASSEMBLED,
        Point.SCORED,
        Point.CONCLUDED,
        Point.SCORES_WRITTEN,
        Point.EVIDENCE_PUBLISHED,
        Point.INTENDED,
        Point.PUBLISHED,
        Point.STATES_WRITTEN,
    ]
    assert await stage.scores.verdict_counts() == {Verdict.WARMING_UP: 3, Verdict.SCORED: 4}
    assert [alert.cycle for alert in stage.publisher.alerts] == [5]


@pytest.mark.parametrize(
    "step",
    [
        "read_states",
        "claim",
        "publish_evidence",
        "intend",
        "write_scores",
        "publish",
        "write_states",
    ],
)
async def test_a_backend_that_is_down_is_waited_for_and_nothing_is_lost(step: str) -> None:
    stage, undisturbed = Stage(**{step: 4}), Stage()

    await undisturbed.service.process(dense(FLIGHT))
    await stage.service.process(dense(FLIGHT))

    assert stage.clock.sleeps == [0.5, 1.0, 2.0, 2.0]
    assert await stage.scores.verdict_counts() == await undisturbed.scores.verdict_counts()
    assert stage.publisher.alerts == undisturbed.publisher.alerts
    assert stage.publisher.evidence == undisturbed.publisher.evidence
    assert len(stage.publisher.evidence) == len(stage.publisher.alerts)
    assert stage.states.values == undisturbed.states.values
    assert stage.metric("surgeline_retries_total", step=step) == 4


async def test_a_broker_too_slow_for_all_dead_letters_at_once_gets_each_of_them_once() -> None:
    stage = Stage(publish=1)
    spoilt = [record(b"x", offset) for offset in range(3000)]
    publish = stage.publisher.publish

    async def as_many_as_the_timeout_allows(
        alerts: Sequence[Alert], dead_letters: Sequence[DeadLetter]
    ) -> None:
        assert len(stage.publisher.dead_letters) <= 3000, "it never ends"
        await publish(alerts, dead_letters[:500])
        if len(dead_letters) > 500:
            raise BackendUnavailableError("no acknowledgement in time")

    stage.publisher.publish = as_many_as_the_timeout_allows  # type: ignore[method-assign]
    await stage.service.process(dense(spoilt))

    assert [letter.offset for letter in stage.publisher.dead_letters] == list(range(3000))


async def test_health_says_why_while_it_waits_and_recovers() -> None:
    stage = Stage(write_scores=1)
    seen: list[dict[str, str]] = []
    original = stage.clock.sleep

    async def sleep(seconds: float) -> None:
        seen.append(dict(stage.health.problems))
        await original(seconds)

    stage.clock.sleep = sleep  # type: ignore[method-assign]
    await stage.service.process(dense(FLIGHT))

    assert seen == [{"write_scores": "write_scores is down"}]
    assert stage.health.problems == {}
    assert stage.metric("surgeline_paused") == 0


async def test_a_backend_that_refuses_for_good_ends_the_batch_unacknowledged() -> None:
    stage = Stage()

    async def refuse(records: Sequence[ScoreRecord], finals: Sequence[FinalScore] = ()) -> None:
        raise BackendRefusedError("wrong token")

    stage.scores.write = refuse  # type: ignore[method-assign]

    with pytest.raises(BackendRefusedError, match="wrong token"):
        await stage.service.process(dense(FLIGHT))

    assert stage.states.progress == {}
    (state,) = (await stage.states.read([("engine-1", "run-1")], [])).states.values()
    assert (state.last_cycle, state.fence) == (0, Fence(0, 0))  # at home, nothing applied


async def test_bad_messages_are_dead_letters_and_the_good_ones_get_their_verdicts() -> None:
    stage = Stage()
    bad = reading(2).to_json().replace(b'"mach":0.0', b'"mach":NaN')
    batch = [
        record(reading(1), 0),
        record(b"{", 1, key=b"engine-1"),
        record(bad, 2, key=b"engine-1"),
        record(reading(2), 3),
    ]

    await stage.service.process(dense(batch))

    assert [letter.reason for letter in stage.publisher.dead_letters] == [
        "malformed_json",
        "non_finite",
    ]
    assert await stage.scores.verdict_counts() == {Verdict.WARMING_UP: 2, Verdict.REJECTED: 1}
    assert stage.metric("surgeline_dead_letters_total", reason="non_finite") == 1


async def test_a_worker_that_lost_its_assets_says_so_and_leaves_them_alone() -> None:
    stage, successor = Stage(), Stage()
    await stage.service.process(dense(FLIGHT[:3]))
    successor.states.values = dict(stage.states.values)
    successor.states.progress = dict(stage.states.progress)
    await successor.service.process(dense(FLIGHT[3:]))
    read, before = dict(stage.states.values), dict(stage.states.progress)
    stage.states.values = dict(successor.states.values)
    stage.states.progress = dict(successor.states.progress)

    real = stage.states.read

    async def stale_once(
        keys: Sequence[AssetRun],
        partitions: Sequence[int],
        speakers: Mapping[int, Sequence[AssetRun]] = NO_ASSETS,
    ) -> Stored:
        stage.states.read = real  # type: ignore[method-assign]
        store = MemoryStateStore()
        store.values, store.progress = read, before
        return await store.read(keys, partitions, speakers)

    stage.states.read = stale_once  # type: ignore[method-assign]
    await stage.service.process(dense(FLIGHT[3:5]))

    assert stage.states.values == successor.states.values
    assert stage.states.progress == successor.states.progress
    assert unpack_progress(stage.states.progress[0]).next_offset == len(FLIGHT)
    assert stage.publisher.alerts == []  # its successor has published it


async def test_latency_runs_from_the_brokers_timestamp() -> None:
    stage = Stage()

    await stage.service.process(dense(FLIGHT))

    assert stage.metric("surgeline_latency_seconds_count") == len(FLIGHT)
    assert stage.metric("surgeline_latency_seconds_sum") == pytest.approx(100.0 * len(FLIGHT))


async def test_states_lost_between_batches_are_rebuilt_without_outputs() -> None:
    stage, undisturbed = Stage(), Stage()
    await undisturbed.service.process(dense(FLIGHT))
    await stage.service.process(dense(FLIGHT[:5]))
    stage.states.values.clear()
    stage.states.progress.clear()
    alerts_before = len(stage.publisher.alerts)

    await stage.service.process(dense(FLIGHT[5:]))

    assert stage.history.reads == [(0, None, 5)]
    assert stage.states.values == undisturbed.states.values
    assert len(stage.publisher.alerts) == alerts_before
    assert await stage.scores.verdict_counts() == await undisturbed.scores.verdict_counts()


async def test_states_from_an_old_snapshot_are_brought_up_to_date() -> None:
    stage, undisturbed = Stage(), Stage()
    await undisturbed.service.process(dense(FLIGHT))
    await stage.service.process(dense(FLIGHT[:2]))
    snapshot = dict(stage.states.values), dict(stage.states.progress)
    await stage.service.process(dense(FLIGHT[2:5]))
    stage.states.values, stage.states.progress = snapshot

    await stage.service.process(dense(FLIGHT[5:]))

    assert stage.history.reads == [(0, 2, 5)]
    assert stage.states.values == undisturbed.states.values


async def test_states_lost_in_the_middle_of_a_batch_are_noticed_at_the_next() -> None:
    stage, undisturbed = Stage(), Stage()
    await undisturbed.service.process(dense(FLIGHT))
    await stage.service.process(dense(FLIGHT[:3]))
    publish = stage.publisher.publish

    async def lose_everything(alerts: Sequence[Alert], dead_letters: Sequence[DeadLetter]) -> None:
        stage.states.values.clear()
        stage.states.progress.clear()
        await publish(alerts, dead_letters)

    stage.publisher.publish = lose_everything  # type: ignore[method-assign]
    await stage.service.process(dense(FLIGHT[3:5]))
    stage.publisher.publish = publish  # type: ignore[method-assign]
    assert stage.states.progress == {}

    await stage.service.process(dense(FLIGHT[5:]))

    assert stage.states.values == undisturbed.states.values
    assert stage.states.progress == undisturbed.states.progress


async def test_what_retention_has_eaten_warms_up_again() -> None:
    stage = Stage()
    stage.history.records = FLIGHT[4:]

    await stage.service.process(dense(FLIGHT[5:]))

    assert await stage.scores.verdict_counts() == {Verdict.WARMING_UP: 2}


async def test_a_batch_at_the_start_of_the_topic_reads_no_history() -> None:
    stage = Stage()

    await stage.service.process(dense(FLIGHT))
    await stage.service.process(dense(FLIGHT))

    assert stage.history.reads == []


@pytest.mark.parametrize("value", [b"", b"somebody else's", b"\xff" * 200])
async def test_one_foreign_state_is_rebuilt_from_the_topic_and_the_others_go_on(
    value: bytes,
) -> None:
    stage, undisturbed = Stage(), Stage()
    await undisturbed.service.process(dense(FLIGHT))
    await stage.service.process(dense(FLIGHT[:5]))
    stage.states.values["engine-1", "run-1"] = value

    await stage.service.process(dense(FLIGHT[5:]))

    assert stage.states.values == undisturbed.states.values
    assert stage.publisher.alerts == undisturbed.publisher.alerts
    assert await stage.scores.verdict_counts() == await undisturbed.scores.verdict_counts()
    assert stage.metric("surgeline_unreadable_states_total") == 1


async def test_a_foreign_state_whose_past_is_gone_warms_up_again() -> None:
    stage = Stage()
    await stage.service.process(dense(FLIGHT[:5]))
    stage.states.values["engine-1", "run-1"] = b"somebody else's"
    stage.history.records = FLIGHT[5:]

    await stage.service.process(dense(FLIGHT[5:]))

    assert (await stage.scores.verdict_counts())[Verdict.WARMING_UP] == 3 + 2


async def test_foreign_progress_is_rebuilt() -> None:
    stage, undisturbed = Stage(), Stage()
    await undisturbed.service.process(dense(FLIGHT))
    await stage.service.process(dense(FLIGHT[:5]))
    stage.states.progress[0] = b"somebody else's"

    await stage.service.process(dense(FLIGHT[5:]))

    assert stage.states.values == undisturbed.states.values
    assert stage.states.progress == undisturbed.states.progress
