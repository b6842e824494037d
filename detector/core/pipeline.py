"""One micro-batch, from records to what must be written: the detector's whole decision.

Two pure halves around the one thing that takes time, scoring the windows::

    batch = decode_batch(records, ...)         # readings, and dead letters
    plan = prepare(batch, states, ...)         # drop what was applied, assemble windows
    scores = scorer.score(plan.windows)        # elsewhere, in a thread
    outcome = conclude(plan, scores, ...)      # step the alarms, make records, alerts, next states
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from common.channels import SETTING_NAMES
from common.errors import InvalidRecordError
from common.records import (
    MAX_MESSAGE_CHARS,
    MAX_ORIGINAL_BYTES,
    MAX_ORIGINAL_KEY_BYTES,
    Alert,
    DeadLetter,
    ScoreRecord,
    SensorReading,
    Verdict,
)
from detector.core.alerts import contributions, make_alert, model_label
from detector.core.assembler import Assembled, assemble
from detector.core.decoding import decode, identify
from detector.core.policy import InputPolicy
from detector.core.source import SourceRecord, UnreadableBatch
from detector.core.state import AssetState, Fence, fresh_state, model_digest
from detector.core.stuck import stuck_channels, stuck_sentence
from models.alarm import AlarmPolicy, interrupt, level_of, step
from models.serving import WindowScorer, WindowScores

AssetRun = tuple[str, str]
"""(asset_id, run_id)."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A record that holds a reading."""

    record: SourceRecord
    reading: SensorReading


@dataclass(frozen=True, slots=True)
class DecodedBatch:
    """A batch after decoding.

    Attributes:
        by_asset: The readings of each (asset, run), in the order of the topic.
        dead_letters: What could not be used.
        rejected: A verdict for each dead letter that says whose reading it was.
    """

    by_asset: Mapping[AssetRun, Sequence[Decoded]]
    dead_letters: Sequence[DeadLetter]
    rejected: Sequence[ScoreRecord]


@dataclass(frozen=True, slots=True)
class AssetPlan:
    """One asset's part of a batch: fresh readings, and what they came to."""

    before: Fence
    decoded: Sequence[Decoded]
    assembled: Assembled


@dataclass(frozen=True, slots=True)
class Plan:
    """A batch ready to score.

    Attributes:
        assets: Per (asset, run), where any of its readings was not applied before.
        windows: All windows to score, asset by asset, shape ``(n, window_length, n_channels)``.
    """

    assets: Mapping[AssetRun, AssetPlan]
    windows: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class NextState:
    """A state to write, if the stored one is still the one it was made from."""

    state: AssetState
    expected: Fence


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a batch comes to.

    Attributes:
        verdicts: For the score store.
        alerts: For the alerts topic, in the order of the topic per asset.
        states: For the state store.
    """

    verdicts: Sequence[ScoreRecord]
    alerts: Sequence[Alert]
    states: Mapping[AssetRun, NextState]


def decode_batch(
    records: Sequence[SourceRecord], scorer: WindowScorer, policy: InputPolicy
) -> DecodedBatch:
    """Decode every record; what cannot be used becomes a dead letter with its reason."""
    by_asset: dict[AssetRun, list[Decoded]] = {}
    dead_letters: list[DeadLetter] = []
    rejected: list[ScoreRecord] = []
    for record in records:
        try:
            reading = decode(record, scorer.channels, policy)
        except InvalidRecordError as exc:
            dead_letters.append(dead_letter(record, exc))
            rejected.extend(_rejected_verdict(record, exc, scorer))
        else:
            key = (reading.asset_id, reading.run_id)
            by_asset.setdefault(key, []).append(Decoded(record, reading))
    return DecodedBatch(by_asset, dead_letters, rejected)


def prepare(
    batch: DecodedBatch,
    states: Mapping[AssetRun, AssetState],
    scorer: WindowScorer,
    policy: InputPolicy,
) -> Plan:
    """Drop what was applied before, and assemble windows of the rest.

    Args:
        batch: The decoded batch.
        states: The stored state of each of its (asset, run) pairs, where there is one.
        scorer: The model: its scale, channels and window length.
        policy: Which gaps a window may span.
    """
    digest = model_digest(scorer.ref.sha256)
    n_channels = len(scorer.channels)
    starts: dict[AssetRun, AssetState] = {}
    fresh: dict[AssetRun, Sequence[Decoded]] = {}
    for key, decoded in batch.by_asset.items():
        state = states.get(key) or fresh_state(digest, n_channels)
        unapplied = [
            item
            for item in decoded
            if not state.fence.applied(item.record.position.partition, item.record.position.offset)
        ]
        if unapplied:
            starts[key], fresh[key] = state, unapplied
    rows, known = normalised_rows([item for items in fresh.values() for item in items], scorer)
    assets: dict[AssetRun, AssetPlan] = {}
    begin = 0
    for key, items in fresh.items():
        end = begin + len(items)
        cycles = [item.reading.cycle for item in items]
        assembled = assemble(
            starts[key],
            cycles,
            rows[begin:end],
            known[begin:end],
            scorer.window_length,
            policy.bridge_cycles,
        )
        assets[key] = AssetPlan(starts[key].fence, items, assembled)
        begin = end
    empty = np.empty((0, scorer.window_length, n_channels), np.float32)
    windows = np.concatenate([empty, *(plan.assembled.windows for plan in assets.values())])
    return Plan(assets, windows)


def conclude(
    plan: Plan, scores: WindowScores, policy: AlarmPolicy, scorer: WindowScorer
) -> Outcome:
    """Step each asset's alarm through its scores and say what must be written.

    Args:
        plan: What :func:`prepare` returned.
        scores: The scores of its windows.
        policy: The alarm rule.
        scorer: The model that gave the scores.
    """
    verdicts: list[ScoreRecord] = []
    alerts: list[Alert] = []
    states: dict[AssetRun, NextState] = {}
    stuck = stuck_channels(plan.windows)
    first = 0
    for key, asset in plan.assets.items():
        count = len(asset.assembled.windows)
        own = slice(first, first + count)
        part = WindowScores(scores.scores[own], scores.shares[own], scores.directions[own])
        state = _conclude_asset(asset, part, stuck[own], policy, scorer, verdicts, alerts)
        states[key] = NextState(state, asset.before)
        first += count
    return Outcome(verdicts, alerts, states)


def _conclude_asset(
    asset: AssetPlan,
    scores: WindowScores,
    stuck: NDArray[np.bool_],
    policy: AlarmPolicy,
    scorer: WindowScorer,
    verdicts: list[ScoreRecord],
    alerts: list[Alert],
) -> AssetState:
    alarm = asset.assembled.state.alarm
    label = model_label(scorer.ref)
    any_stuck: list[bool] = np.any(stuck, axis=1).tolist()
    position = 0
    for item, verdict, detail in zip(
        asset.decoded, asset.assembled.verdicts, asset.assembled.details, strict=True
    ):
        plain = _verdict(item, verdict, detail, label)
        if verdict is not Verdict.SCORED:
            verdicts.append(plain)
            if not verdict.is_repeat:
                alarm = interrupt(alarm)
            continue
        score, shares = float(scores.scores[position]), scores.shares[position]
        warning = ""
        if any_stuck[position]:
            names = [scorer.channels[index] for index in np.flatnonzero(stuck[position])]
            warning = stuck_sentence(names, scorer.window_length)
            plain = replace(plain, detail="; ".join(filter(None, [detail, warning])))
        verdicts.append(_scored(plain, score, shares, scorer))
        alarm, change = step(alarm, item.reading.cycle, score, scorer.thresholds, policy)
        if change is not None:
            channels = contributions(scorer.channels, shares, scores.directions[position])
            alerts.append(make_alert(item.reading, score, change, channels, scorer.ref, warning))
        position += 1
    last = asset.decoded[-1].record.position
    fence = Fence(last.partition, last.offset + 1)
    return replace(asset.assembled.state, alarm=alarm, fence=fence)


def dead_letter(record: SourceRecord, error: InvalidRecordError) -> DeadLetter:
    """Return the dead letter of a record; the same on every redelivery."""
    value = record.value or b""
    return DeadLetter(
        reason=error.reason.value,
        message=str(error)[:MAX_MESSAGE_CHARS],
        original_key=None if record.key is None else _base64(record.key[:MAX_ORIGINAL_KEY_BYTES]),
        original=_base64(value[:MAX_ORIGINAL_BYTES]),
        original_size=len(value),
        original_sha256=hashlib.sha256(value).hexdigest(),
        topic=record.position.topic,
        partition=record.position.partition,
        offset=record.position.offset,
        received_at=(
            EPOCH + timedelta(milliseconds=record.published_ts_ms)
            if record.published_ts_ms
            else None
        ),
    )


def unreadable_letter(batch: UnreadableBatch) -> DeadLetter:
    """Return the dead letter of a batch of records nobody can read."""
    return DeadLetter(
        reason=batch.reason.value,
        message=batch.message,
        original_key=None,
        original=_base64(batch.original[:MAX_ORIGINAL_BYTES]),
        original_size=batch.original_size,
        original_sha256=batch.original_sha256,
        topic=batch.position.topic,
        partition=batch.position.partition,
        offset=batch.position.offset,
        last_offset=batch.last_offset,
        received_at=None,
    )


def normalised_rows(
    items: Sequence[Decoded], scorer: WindowScorer
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return readings on the model's scale, and whether each one's regime is known.

    Args:
        items: The readings.
        scorer: The model.

    Returns:
        Rows of shape ``(n, n_channels)``, float32, and shape ``(n,)``, bool.
    """
    settings = _columns([item.reading.settings for item in items], SETTING_NAMES)
    sensors = _columns([item.reading.sensors for item in items], scorer.channels)
    normalised = scorer.normalise(settings, sensors)
    return normalised.rows, normalised.known


def _columns(values: Sequence[Mapping[str, float]], names: Sequence[str]) -> NDArray[np.float64]:
    picked = map(itemgetter(*names), values)  # a tuple each, of one name the value itself
    return np.array(list(picked), np.float64).reshape(len(values), len(names))


def _verdict(item: Decoded, verdict: Verdict, detail: str, model: str) -> ScoreRecord:
    reading = item.reading
    return ScoreRecord(
        asset_id=reading.asset_id,
        run_id=reading.run_id,
        cycle=reading.cycle,
        ts=reading.ts,
        status=verdict,
        model=model,
        detail=detail,
        source=item.record.position,
        published_ts_ms=item.record.published_ts_ms,
    )


def _scored(
    plain: ScoreRecord, score: float, shares: NDArray[np.float64], scorer: WindowScorer
) -> ScoreRecord:
    thresholds = scorer.thresholds
    return replace(
        plain,
        score=score,
        warning_threshold=thresholds.warning,
        critical_threshold=thresholds.critical,
        level=level_of(score, thresholds),
        shares=dict(zip(scorer.channels, shares.tolist(), strict=True)),
    )


def _rejected_verdict(
    record: SourceRecord, error: InvalidRecordError, scorer: WindowScorer
) -> list[ScoreRecord]:
    identity = identify(record)
    if identity is None:
        return []
    return [
        ScoreRecord(
            asset_id=identity.asset_id,
            run_id=identity.run_id,
            cycle=identity.cycle,
            ts=identity.ts,
            status=Verdict.REJECTED,
            model=model_label(scorer.ref),
            detail=f"{error.reason.value}: {error}"[:500],
            source=record.position,
            published_ts_ms=record.published_ts_ms,
        )
    ]


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
