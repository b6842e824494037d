"""A batch's verdicts are laid out as columns, and say the same as record by record."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from common.records.ids import renewed_run_id
from common.records.verdicts import LifeLeft, ScoreRecord, Verdict
from detector.core.conclusion.conclude import conclude
from detector.core.conclusion.verdicts import verdict_columns
from detector.core.conclusion.weighing import Weighed, weigh
from detector.core.fleet import Fleet
from detector.core.pipeline import AssetRun, Plan, decode_batch, prepare
from detector.core.policy import InputPolicy
from detector.core.state.asset import AssetState
from models.scoring.evidence import WARNERS
from tests.support.builders import EvidenceScorer, MeanScorer, fleet_of, reading, records
from tests.support.streams import MAX_BYTES, Message, WeighingScorer, on_topic, streams
from tests.unit.detector.test_steady import mostly_sound

INPUTS = InputPolicy(MAX_BYTES, bridge_cycles=1, follow_after=3)


def one_by_one(plan: Plan, weighed: Weighed, fleet: Fleet) -> Iterator[ScoreRecord]:
    """The definition."""
    spec, judged = fleet.spec, weighed.judged
    position = 0
    for (asset_id, run_id), asset in plan.assets.items():
        done = asset.assembled
        for item, status, detail, opened in zip(
            asset.decoded, done.verdicts, done.details, done.opened, strict=True
        ):
            record = ScoreRecord(
                asset_id=asset_id,
                run_id=run_id if opened is None else renewed_run_id(run_id, *opened),
                cycle=item.reading.cycle,
                ts=item.reading.ts,
                status=status,
                model=spec.ref.label,
                detail=detail,
                source=item.record.position,
                published_ts_ms=item.record.published_ts_ms,
                fleet=fleet.name,
                timed=spec.machine.step.clock == "time",
            )
            if status is Verdict.SCORED:
                yield scored(record, weighed, position, fleet)
                position += 1
            else:
                yield record
    assert position == len(judged.severities)


def scored(record: ScoreRecord, weighed: Weighed, position: int, fleet: Fleet) -> ScoreRecord:
    found, judged, spec = weighed.found, weighed.judged, fleet.spec
    by_life = found.life is not None and spec.thresholds.life is not None
    said = filter(None, [record.detail, weighed.stuck_sentence(position)])
    life = None
    if found.life is not None:
        each = found.life.expected, found.life.low, found.life.high
        life = LifeLeft(*(float(values[position]) for values in each))
    return structs.replace(
        record,
        score=float(found.scores[position]),
        warning_threshold=spec.thresholds.warning,
        critical_threshold=None if by_life else spec.thresholds.critical,
        level=judged.level(position),
        evidence=WARNERS[judged.speakers[position]],
        severity=float(judged.severities[position]),
        life=life,
        shares=dict(zip(spec.channels, judged.shares[position].tolist(), strict=True)),
        detail="; ".join(said),
    )


@pytest.mark.parametrize("scorer", [WeighingScorer, MeanScorer])
@settings(deadline=None, max_examples=25)
@given(messages=st.one_of(mostly_sound, streams), size=st.integers(1, 40))
def test_columns_are_what_records_are_one_by_one(
    scorer: Callable[[], MeanScorer], messages: list[Message], size: int
) -> None:
    fleet = fleet_of(scorer(), INPUTS)
    stream = on_topic(messages, 1).records[0]
    states: dict[AssetRun, AssetState] = {}
    for at in range(0, len(stream), size):
        batch = decode_batch(stream[at : at + size], {fleet.name: fleet})
        plan = prepare(batch, states, fleet)
        if not plan.keys:
            continue
        scores = fleet.scorer.score(plan.windows, plan.trail)
        weighed = weigh(plan.found.rows, plan.found.ends, scores, fleet.spec)

        found = verdict_columns(plan, [weighed], fleet)

        assert list(found.records()) == list(one_by_one(plan, weighed, fleet))
        concluded = conclude(plan, scores, fleet)
        assert list(found.records()) == list(concluded.verdicts)
        states |= {key: item.state for key, item in concluded.states.items()}


def test_parts_of_the_windows_come_to_the_same_as_all_together() -> None:
    """As where scores become final later: there each asset's windows are weighed alone."""
    scorer = EvidenceScorer()
    fleet = fleet_of(scorer, INPUTS)
    stuck = [reading(cycle, 1.0, asset_id=name) for cycle in range(1, 9) for name in ("a", "b")]
    plan = prepare(decode_batch(records(stuck), {fleet.name: fleet}), {}, fleet)
    scores = fleet.scorer.score(plan.windows, plan.trail)
    weighed = weigh(plan.found.rows, plan.found.ends, scores, fleet.spec)
    parts, first = [], 0
    for asset in plan.assets.values():
        done, behind = asset.assembled, first + len(asset.assembled.ends)
        parts.append(weigh(done.rows, done.ends, scores[first:behind], fleet.spec))
        first = behind

    found = list(verdict_columns(plan, parts, fleet).records())

    assert found == list(verdict_columns(plan, [weighed], fleet).records())
    assert any("stuck?" in record.detail for record in found)
