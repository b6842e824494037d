"""What a demo found: read back from the score store and the topics, and counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from common.links.kafka import read_to_end
from common.records.alerts import Alert, ChannelShare, RemainingLife, Transition
from common.records.verdicts import Level, Verdict
from common.scorestore.port import RunSummary, ScoreQuery, ScoreStore
from common.settings import KafkaSettings
from common.topics import Topics

PAGE_ROWS = 10_000
TOP_SENSORS = 3


@dataclass(frozen=True, slots=True)
class EngineFinding:
    """One engine's row of the report.

    Attributes:
        asset_id: Which engine.
        cycles: Its last cycle; where time counts the cycles, how many readings it has.
        verdicts: Count by verdict.
        peak_severity: Highest severity, 1 is a warning; none if none was scored.
        alerts: Number of alerts.
        raised: Number of alarms raised.
        level: The worst level of its alerts; none if it has none.
        first_alert_cycle: Cycle of the first alert raised; none if none was.
        first_alert_ts: Its time, UTC.
        life_at_first_alert: How long is left, as it says; none if no alert or the model does not
            know.
        rul_at_first_alert: True cycles left then; none if no alert or not known.
        top_sensors: What contributed most to the first alert, largest first.
    """

    asset_id: str
    cycles: int
    verdicts: Mapping[Verdict, int]
    peak_severity: float | None
    alerts: int
    raised: int
    level: Level
    first_alert_cycle: int | None
    first_alert_ts: datetime | None
    life_at_first_alert: RemainingLife | None
    rul_at_first_alert: int | None
    top_sensors: tuple[ChannelShare, ...]


def engine_finding(
    run: RunSummary, alerts: Sequence[Alert], rul: Sequence[int] | None, *, timed: bool = False
) -> EngineFinding:
    """Return what was found about one engine.

    Args:
        run: Its summary in the score store.
        alerts: All alerts of all engines.
        rul: Its true remaining useful life after each cycle, ``rul[cycle - 1]``; none if not known.
        timed: Whether its cycles are times, not counted from 1.
    """
    own = [alert for alert in alerts if alert.asset_id == run.asset_id]
    raised = [alert for alert in own if alert.state is Transition.RAISED]
    first = min(raised, key=lambda alert: alert.cycle, default=None)
    return EngineFinding(
        asset_id=run.asset_id,
        cycles=sum(run.verdicts.values()) if timed else run.last_cycle or 0,
        verdicts=run.verdicts,
        peak_severity=run.peak_severity,
        alerts=len(own),
        raised=len(raised),
        level=max((alert.level for alert in own), key=lambda each: each.rank, default=Level.NONE),
        first_alert_cycle=first.cycle if first else None,
        first_alert_ts=first.ts if first else None,
        life_at_first_alert=first.life if first else None,
        rul_at_first_alert=int(rul[first.cycle - 1]) if first and rul is not None else None,
        top_sensors=first.channels[:TOP_SENSORS] if first else (),
    )


async def count_scores(store: ScoreStore, run_id: str) -> int:
    """Return how many scores of a run can be read back, page by page."""
    count, cursor = 0, None
    while True:
        page = await store.query(
            ScoreQuery(run_id=run_id, status=Verdict.SCORED, limit=PAGE_ROWS, cursor=cursor)
        )
        count += sum(record.score is not None for record in page.records)
        cursor = page.next_cursor
        if cursor is None:
            return count


async def first_reading_ts_ms(kafka: KafkaSettings, run_id: str) -> int:
    """Return the timestamp of the first reading of a run, UTC epoch milliseconds."""
    topic, mark = Topics(kafka.topic_prefix).readings, run_id.encode()
    return min(
        [
            int(record.timestamp)
            async for record in read_to_end(kafka, topic)
            if record.value and mark in record.value
        ]
    )


async def published_alerts(kafka: KafkaSettings, run_id: str) -> list[Alert]:
    """Return the alerts of a run on the topic, one of each id, by engine and cycle.

    A run that was opened by rule where a counter restarted begins with the id of the one before,
    and counts.
    """
    topic = Topics(kafka.topic_prefix).alerts
    by_id: dict[str, Alert] = {}
    async for record in read_to_end(kafka, topic):
        alert = Alert.model_validate_json(record.value)
        if alert.run_id.startswith(run_id):
            by_id[alert.alert_id] = alert
    return sorted(by_id.values(), key=lambda alert: (alert.asset_id, alert.cycle))


async def count_dead_letters(kafka: KafkaSettings) -> int:
    """Return how many dead letters are on the topic."""
    topic = Topics(kafka.topic_prefix).dead_letter
    return sum([1 async for _ in read_to_end(kafka, topic)])
