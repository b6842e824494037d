"""What an alert rests on, put together for whoever asks later.

While readings are judged only a :class:`Case` is kept of each alert: references to what is there
anyway. The evidence is made of it afterwards, and costs what it costs; quiet readings have none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.machines.rows import split_rows
from common.records.alerts import Alert
from common.records.evidence import (
    MAX_EVIDENCE_BYTES,
    MAX_VALUES,
    AlertEvidence,
    ChannelEvidence,
    ConditionEvidence,
    EvidenceWindow,
    RuleState,
    Weight,
    derive_evidence_id,
)
from common.ring import Marks, Ring, shortest
from detector.core.conclusion.weighing import Weighed
from detector.core.fleet import Fleet
from detector.core.pipeline import EPOCH
from models.alarm import AlarmChange, AlarmPolicy
from models.scoring.measures.contributions import RECENT_ROWS
from models.scoring.scorer import Expected

DIGITS: Final = "%.7g "
"""As many as 32 bits hold, and a space behind them."""


@dataclass(frozen=True, slots=True)
class Case:
    """An alert, and what it was made of.

    Attributes:
        alert: The alert.
        change: The transition it tells.
        policy: The rule.
        fleet: Whose model judged it.
        weighed: The batch's windows.
        position: Which of them.
        ring: The readings of the window, as measured or held.
        window: The same on the model's scale, shape ``(window_length, n_channels)``.
    """

    alert: Alert
    change: AlarmChange
    policy: AlarmPolicy
    fleet: Fleet
    weighed: Weighed
    position: int
    ring: Ring
    window: NDArray[np.float32]

    @property
    def conditions(self) -> NDArray[np.float64]:
        """How the machine was run, shape ``(window_length, n_conditions)``."""
        return split_rows(self.ring.rows, self.ring.rows.shape[1] - self.window.shape[1])[0]

    @property
    def size(self) -> int:
        """How many values the evidence would hold, if it might be as large as it likes."""
        return int(self.ring.rows.size + self.window.size)


def case_slices(cases: Sequence[Case], most_values: int) -> Iterator[Sequence[Case]]:
    """Yield cases in order, so many at a time that their evidence holds about ``most_values``."""
    part: list[Case] = []
    values = 0
    for case in cases:
        size = min(case.size, MAX_VALUES)
        if part and values + size > most_values:
            yield part
            part, values = [], 0
        part.append(case)
        values += size
    if part:
        yield part


def all_evidence(cases: Sequence[Case]) -> list[AlertEvidence]:
    """Return the evidence of some alerts, in their order.

    Each is the same, however readings were cut into batches. The oldest readings of a window are
    left out where all would not fit into a message.
    """
    return [_made(case, it) for case, it in zip(cases, _expected(cases), strict=True)]


def _expected(cases: Sequence[Case]) -> list[Expected]:
    """Return what each case's model expects of its window; each model is asked once."""
    by_model: dict[int, list[int]] = {}
    for place, case in enumerate(cases):  # not by fleet: each of its assets may have its own
        by_model.setdefault(id(case.fleet.scorer), []).append(place)
    found: dict[int, Expected] = {}
    for places in by_model.values():
        some = [cases[place] for place in places]
        conditions = np.stack([case.conditions for case in some])  # (n, W, K)
        windows = np.stack([case.window for case in some])  # (n, W, C)
        expected = some[0].fleet.scorer.expect(conditions, windows)
        found |= {place: expected[n : n + 1] for n, place in enumerate(places)}
    return [found[place] for place in range(len(cases))]


def make_evidence(case: Case) -> AlertEvidence:
    """Return the evidence of one alert."""
    (found,) = all_evidence([case])
    return found


def _made(case: Case, expected: Expected) -> AlertEvidence:
    """Return the evidence of an alert, of whose window its model expects this."""
    rows, width = case.ring.rows.shape
    kept = min(rows, max(1, MAX_VALUES // (width + case.window.shape[1])))
    while len((found := _evidence(case, expected, kept)).to_json()) > MAX_EVIDENCE_BYTES and kept:
        kept //= 2
    return found


def _evidence(case: Case, expected: Expected, kept: int) -> AlertEvidence:
    alert, machine = case.alert, case.fleet.spec.machine
    columns = shortest(case.ring.rows[len(case.ring.rows) - kept :].T)
    return AlertEvidence(
        evidence_id=derive_evidence_id(alert),
        alert_id=alert.alert_id,
        alarm_id=alert.alarm_id,
        fleet=alert.fleet,
        asset_id=alert.asset_id,
        run_id=alert.run_id,
        level=alert.level,
        state=alert.state,
        cycle=alert.cycle,
        ts=alert.ts,
        evidence=alert.evidence,
        severity=case.weighed.severities[case.position],
        score=alert.score,
        threshold=alert.threshold,
        weighed=_weighed(case),
        life=alert.life,
        rule=_rule(case),
        model=alert.model,
        machine=machine.name,
        step=machine.step.word,
        window=_window(case.ring.marks, kept),
        conditions=tuple(
            ConditionEvidence(name=condition.name, unit=condition.unit, values=tuple(values))
            for condition, values in zip(machine.conditions, columns, strict=False)
        ),
        channels=_channels(case, expected, columns[len(machine.conditions) :]),
    )


def _weighed(case: Case) -> tuple[Weight, ...]:
    return tuple(
        Weight(
            evidence=each.kind,
            score=each.score,
            warning=each.warning,
            critical=each.critical,
            severity=each.severity,
        )
        for each in case.weighed.each(case.position)
    )


def _rule(case: Case) -> RuleState:
    policy = case.policy
    return RuleState(
        on_delay=policy.on_delay_cycles,
        among=max(policy.on_delay_cycles, policy.on_window_cycles),
        off_delay=policy.off_delay_cycles,
        deadband=policy.deadband,
        min_length=policy.min_length_cycles,
        merge_gap=policy.merge_gap_cycles,
        counted=case.change.row,
        flaps=case.change.flaps,
    )


def _window(marks: Marks, kept: int) -> EvidenceWindow:
    moments = marks.moments()
    first = len(moments) - kept
    missing = [0] * len(moments)
    for index, (before, after) in enumerate(pairwise(moments), 1):
        missing[index] = after.cycle - before.cycle - 1 if before and after else 0
    return EvidenceWindow(
        length=len(moments),
        omitted=first,
        cycles=tuple(moment and moment.cycle for moment in moments[first:]),
        ts=tuple(
            moment and EPOCH + timedelta(microseconds=moment.taken_us) for moment in moments[first:]
        ),
        missing_before=tuple(missing[first:]),
    )


def _channels(
    case: Case, expected: Expected, columns: Sequence[Sequence[float]]
) -> tuple[ChannelEvidence, ...]:
    """Return what each channel showed.

    Args:
        case: The alert.
        expected: What its model expects of the window.
        columns: The values of each channel that are told, the latest of the window.
    """
    used, kept = case.fleet.spec.machine.used, len(columns[0])
    first = len(case.ring.rows) - kept
    held = case.ring.marks.held_rows(len(used))[first:]
    any_held = bool(held.any())
    levels = case.window[-RECENT_ROWS:].astype(np.float64).mean(axis=0).tolist()
    means, sds = expected.means[0, -1].tolist(), expected.sds[0, -1].tolist()
    rebuilt = rounded(expected.values[0, first:].T)
    by_name = {channel.name: index for index, channel in enumerate(used)}
    return tuple(
        ChannelEvidence(
            name=share.name,
            share=share.share,
            direction=share.direction,
            against=share.against,
            unit=used[index].unit,
            level_sd=levels[index],
            healthy_mean=means[index],
            healthy_sd=sds[index],
            values=tuple(columns[index]),
            expected=tuple(rebuilt[index]),
            held=tuple(np.flatnonzero(held[:, index]).tolist()) if any_held else (),
        )
        for share, index in ((share, by_name[share.name]) for share in case.alert.channels)
    )


def rounded(values: NDArray[np.float64]) -> list[list[float | None]]:
    """Return numbers to so many digits, none for what is no number; nested as they are."""
    text = DIGITS * values.size % tuple(values.ravel().tolist())  # in one go, so that it is fast
    found = np.array(list(map(float, text.split()))).reshape(values.shape)
    numbers: list[list[float | None]] = found.tolist()
    for row, column in np.argwhere(~np.isfinite(found)).tolist():
        numbers[row][column] = None
    return numbers
