"""One micro-batch, from records to windows; with ``conclusion.py`` the detector's whole decision.

Two pure halves around the one thing that takes time, scoring the windows::

    batch = decode_batch(records, ...)         # readings, and dead letters
    plan = prepare(batch, states, ...)         # drop what was applied, assemble windows
    scores = scorer.score(plan.windows)        # elsewhere, in a thread
    outcome = conclude(plan, scores, ...)      # conclusion.py: alarms, records, alerts, next states
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.channels import SETTING_NAMES
from common.errors import InvalidRecordError
from common.records import DeadLetter, IncomingReading, ScoreRecord
from detector.core.assembler import Assembled, Readings, assemble
from detector.core.decoding import decode
from detector.core.letters import dead_letter, rejected_verdict
from detector.core.policy import InputPolicy
from detector.core.source import SourceRecord
from detector.core.state import AssetState, Fence, fresh_state, model_digest
from models.scoring.scorer import WindowScorer

AssetRun = tuple[str, str]
"""(asset_id, run_id)."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)

CLOCK_AHEAD_US: Final = 3_600_000_000
"""A source's clock more than an hour ahead of the broker's is wrong, or the data are replayed."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A record that holds a reading."""

    record: SourceRecord
    reading: IncomingReading


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
    start: AssetState
    decoded: Sequence[Decoded]
    assembled: Assembled


@dataclass(frozen=True, slots=True)
class Plan:
    """A batch ready to score.

    Attributes:
        assets: Per (asset, run), where any of its readings was not applied before.
        windows: All windows to score, asset by asset, shape ``(n, window_length, n_channels)``.
        misplaced: Readings that came on another partition than their asset's own.
    """

    assets: Mapping[AssetRun, AssetPlan]
    windows: NDArray[np.float32]
    misplaced: Mapping[AssetRun, Sequence[Decoded]]


@dataclass(frozen=True, slots=True)
class NextState:
    """A state to write, if the stored one is still the one it was made from."""

    state: AssetState
    expected: Fence


def decode_batch(
    records: Sequence[SourceRecord], scorer: WindowScorer, policy: InputPolicy
) -> DecodedBatch:
    """Decode every record; what cannot be used becomes a dead letter with its reason."""
    by_asset: dict[AssetRun, list[Decoded]] = {}
    dead_letters: list[DeadLetter] = []
    rejected: list[ScoreRecord] = []
    for record in records:
        try:
            reading = decode(record, scorer.spec.channels, policy)
        except InvalidRecordError as exc:
            dead_letters.append(dead_letter(record, exc))
            rejected.extend(rejected_verdict(record, exc, scorer.spec.ref))
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
    """Drop what was applied before, set aside what is misplaced, and assemble the windows.

    Args:
        batch: The decoded records.
        states: What is stored of their assets. An asset without a state is new, and at home where
            its first reading stands.
        scorer: The model.
        policy: Which gaps a window may span, and when a new run is opened.
    """
    digest = model_digest(scorer.spec.ref.sha256)
    n_channels = len(scorer.spec.channels)
    starts: dict[AssetRun, AssetState] = {}
    fresh: dict[AssetRun, Sequence[Decoded]] = {}
    misplaced: dict[AssetRun, Sequence[Decoded]] = {}
    for key, decoded in batch.by_asset.items():
        state = states.get(key)
        if state is None:
            state = fresh_state(digest, n_channels, home_of(decoded))
        mine, elsewhere = _unapplied(decoded, state)
        if mine:
            starts[key], fresh[key] = state, mine
        if elsewhere:
            misplaced[key] = elsewhere
    readings = as_readings([item for items in fresh.values() for item in items], scorer)
    assets: dict[AssetRun, AssetPlan] = {}
    begin = 0
    for key, items in fresh.items():
        end = begin + len(items)
        start = starts[key]
        before = start.fence if key in states else Fence()
        assembled = assemble(start, readings[begin:end], scorer.spec.window_length, policy)
        assets[key] = AssetPlan(before, start, items, assembled)
        begin = end
    empty = np.empty((0, scorer.spec.window_length, n_channels), np.float32)
    windows = np.concatenate([empty, *(plan.assembled.windows for plan in assets.values())])
    return Plan(assets, windows, misplaced)


def home_of(decoded: Sequence[Decoded]) -> Fence:
    """Return the fence of a new asset: at home where its first reading stands, nothing applied."""
    position = decoded[0].record.position
    return Fence(position.partition, position.offset)


def _unapplied(
    decoded: Sequence[Decoded], state: AssetState
) -> tuple[Sequence[Decoded], Sequence[Decoded]]:
    """Return the readings that are not part of the state: those at home, and those elsewhere."""
    home, reached = state.fence.partition, state.fence.next_offset
    mine: list[Decoded] = []
    elsewhere: list[Decoded] = []
    for item in decoded:
        position = item.record.position
        if position.partition == home:
            if position.offset >= reached:
                mine.append(item)
        elif not any(at.applied(position.partition, position.offset) for at in state.former):
            elsewhere.append(item)
    return mine, elsewhere


def as_readings(items: Sequence[Decoded], scorer: WindowScorer) -> Readings:
    """Return readings as the assembler takes them, on the model's scale.

    Args:
        items: The readings.
        scorer: The model.
    """
    settings = _columns([item.reading.settings for item in items], SETTING_NAMES)
    sensors = _columns([item.reading.sensors for item in items], scorer.spec.channels)
    normalised = scorer.normalise(settings, sensors)
    return Readings(
        np.array([item.record.position.offset for item in items], np.int64),
        np.array([item.reading.cycle for item in items], np.int64),
        np.array([_clock_us(item) for item in items], np.int64),
        normalised.rows,
        normalised.known,
    )


def _columns(values: Sequence[Mapping[str, float]], names: Sequence[str]) -> NDArray[np.float64]:
    picked = map(itemgetter(*names), values)  # a tuple each, of one name the value itself
    return np.array(list(picked), np.float64).reshape(len(values), len(names))


def _clock_us(item: Decoded) -> int:
    """Return a reading's time, or the broker's stamp where the source's clock is far ahead."""
    clock_us = (item.reading.ts - EPOCH) // MICROSECOND
    published_us = item.record.published_ts_ms * 1000
    if published_us and clock_us > published_us + CLOCK_AHEAD_US:
        return published_us
    return clock_us
