"""What a run came to live: verdicts in the score store, alerts and evidence on their topics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from common.errors import BackendMissingError
from common.records.alerts import Alert
from common.records.evidence import AlertEvidence
from common.records.verdicts import Verdict
from common.scorestore.factory import open_score_store
from common.scorestore.port import ScoreQuery, ScoreStore
from common.settings import KafkaSettings, ScoreStoreSettings
from common.topics import Topics
from detector.tools.parity.differences import LiveVerdict
from detector.tools.parity.evidence import LiveEvidence
from detector.tools.topic import Progress, silent, topic_messages

PAGE_ROWS: Final = 10_000
LiveAssets = dict[str, dict[int, LiveVerdict]]


@dataclass(frozen=True, slots=True)
class LiveRun:
    """What the score store has of a run.

    Attributes:
        assets: The verdicts on cycles, by asset and cycle.
        repeats: How many late, duplicate and rejected messages were counted.
        models: How many verdicts each model gave.
        doubled: Cycles of which there are two verdicts.
        other_runs: All runs there are, if there is nothing of this one.
    """

    assets: LiveAssets
    repeats: Mapping[Verdict, int]
    models: Mapping[str, int]
    doubled: int
    other_runs: Sequence[str]


async def read_live(
    settings: ScoreStoreSettings, run_id: str, progress: Progress = silent
) -> LiveRun:
    """Read a run from the score store.

    Raises:
        BackendMissingError: If there is no SQLite file where the settings say.
        BackendError: If the store fails.
    """
    if settings.backend == "sqlite" and not settings.sqlite_path.exists():
        raise BackendMissingError(
            f"There is no score store {settings.sqlite_path}. Is `surgeline up` running in this "
            "folder? Or set SURGELINE_SCORES__SQLITE_PATH."
        )
    assets: LiveAssets = {}
    models: Counter[str] = Counter()
    doubled = rows = 0
    cursor: str | None = None
    async with open_score_store(settings) as store:
        while True:
            page = await store.query(ScoreQuery(run_id=run_id, limit=PAGE_ROWS, cursor=cursor))
            for record in page.records:
                cycles = assets.setdefault(record.asset_id, {})
                doubled += record.cycle in cycles
                cycles[record.cycle] = LiveVerdict(
                    record.status, record.level, record.model, record.score,
                    record.warning_threshold, record.critical_threshold, record.evidence,
                    record.severity, record.life, record.final_score,
                )  # fmt: skip
                models[record.model] += 1
            rows += len(page.records)
            progress("reading the score store", rows, None)
            cursor = page.next_cursor
            if cursor is None:
                break
        counts = await store.verdict_counts(run_id)
        others = [] if counts else await _run_ids(store)
    repeats = {status: count for status, count in counts.items() if status.of_message}
    return LiveRun(assets, repeats, dict(models.most_common()), doubled, others)


async def read_alerts(
    settings: KafkaSettings, run_id: str, progress: Progress = silent
) -> list[Alert]:
    """Return a run's alert messages on the topic, redeliveries included.

    Raises:
        UserError: If a message on the alerts topic is no alert.
        BackendMissingError: If no broker answers.
    """
    topic = Topics(settings.topic_prefix).alerts
    messages = topic_messages(settings, topic, Alert, "an alert", progress)
    return [alert async for alert, _ in messages if alert.run_id == run_id]


async def read_evidence(
    settings: KafkaSettings, run_id: str, progress: Progress = silent
) -> LiveEvidence:
    """Return a run's evidence on the topic.

    Raises:
        UserError: If a message on the evidence topic is no evidence.
        BackendMissingError: If no broker answers.
    """
    topic, found = Topics(settings.topic_prefix).evidence, LiveEvidence()
    messages = topic_messages(settings, topic, AlertEvidence, "evidence", progress)
    async for evidence, content in messages:
        if evidence.run_id == run_id:
            found.add(evidence.evidence_id, content)
    return found


async def _run_ids(store: ScoreStore) -> list[str]:
    return [run.run_id for run in await store.runs()]
