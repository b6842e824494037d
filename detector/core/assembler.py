"""From one asset's readings, in the order of the topic, to verdicts and windows.

The verdict of a reading depends on what came before it on the topic and on nothing else: not on
how the records were cut into batches, not on the number of partitions. Hence readings are taken in
offset order and never sorted: a reading that comes after a later cycle is ``late``, in whichever
batch it arrives.

It is done in two steps, since only the second asks the model. :func:`lay_out` says which readings
are taken, and which of them belong together; :func:`assemble` looks at where their conditions are
known, and cuts the windows. What is remembered between batches is what was measured, so a model
that takes over in between finds every window whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec
import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from common.errors import InvalidRecordError
from common.machines.machine import MachineType
from common.records.verdicts import Verdict
from common.ring import NOTHING_HELD, Marks, Ring, packed_stamps
from detector.core.holding import Held, Holder
from detector.core.policy import InputPolicy
from detector.core.reading.columns import Readings
from detector.core.state.asset import AssetState, Place, Rival
from models.scoring.history import NO_HISTORY, LifeHistory, Trail, follow
from models.scoring.scorer import NormalisedRows
from models.scoring.windows import sliding_windows

NO_RIVAL: Final = Rival()
UNKNOWN_REGIME_DETAIL: Final = "operating settings outside every regime of the training data"
NO_ROW: Final = -1


class Refusal(NamedTuple):
    """A reading that cannot be used, as is found only beside those before it.

    Attributes:
        at: Which of the readings.
        error: Why not.
    """

    at: int
    error: InvalidRecordError


class Step(NamedTuple):
    """What became of one reading that was not refused.

    Attributes:
        verdict: Its verdict; ``scored`` as far as the model has nothing against it.
        detail: What is to be said of it beside the verdict.
        opened: Where its run was opened by rule; none for the source's own run.
        row: Its row; ``NO_ROW`` for a reading that repeats one.
        begin: The first row that belongs together with it.
        cycle: Its cycle.
    """

    verdict: Verdict
    detail: str
    opened: Place | None
    row: int = NO_ROW
    begin: int = 0
    cycle: int = 0


@dataclass(frozen=True, slots=True)
class Course:
    """One asset's readings, laid out in rows, before a model has looked at any value.

    Attributes:
        taken: Which readings have a step; the others were refused.
        steps: One for each of these.
        refused: The others.
        rows: The remembered rows, then those of the readings; as measured or held, float32.
        marks: When each row was taken, and what of it is held.
        state: The state after the last reading; its history, alarm and fence not yet moved on.
        begun: Where the run was opened that the state before was of.
        held: In how many of them an earlier value stands in for a missing one.
        bridged: Before how many of them cycles are missing that a window may span.
    """

    taken: Sequence[int]
    steps: Sequence[Step]
    refused: Sequence[Refusal]
    rows: NDArray[np.float32]
    marks: Marks
    state: AssetState
    begun: Place | None
    held: int
    bridged: int


class Assembled(msgspec.Struct, frozen=True):
    """What an asset's readings of one batch came to.

    Attributes:
        taken: Which readings have a verdict; the others were refused.
        verdicts: One for each of these.
        details: One sentence for each of these, empty where the verdict says it all.
        opened: For each of these, where its run was opened by rule.
        refused: The readings without a verdict, each with the reason.
        windows: The full windows on the model's scale, one for each ``scored`` verdict, in order;
            shape ``(n, window_length, n_channels)``.
        rows: All rows as measured or held, shape ``(m, width)``.
        marks: When each row was taken, and what of it is held.
        ends: At which row each window ends, shape ``(n,)``.
        trail: What was remembered of the run at each window (``models.scoring.history``).
        state: The state after the last reading, its alarm and fence not yet moved on.
        held: In how many of them an earlier value stands in for a missing one.
        bridged: Before how many of them cycles are missing that a window may span.
    """

    taken: Sequence[int]
    verdicts: Sequence[Verdict]
    details: Sequence[str]
    opened: Sequence[Place | None]
    refused: Sequence[Refusal]
    windows: NDArray[np.float32]
    rows: NDArray[np.float32]
    marks: Marks
    ends: NDArray[np.int64]
    trail: Trail
    state: AssetState
    held: int
    bridged: int

    def behind(self, index: int) -> tuple[Ring, NDArray[np.float32]]:
        """Return the readings of one window, and the same on the model's scale."""
        window, end = self.windows[index], int(self.ends[index]) + 1
        begin = end - len(window)
        return Ring(self.rows[begin:end], self.marks.rows(begin, end)), window


def lay_out(
    state: AssetState, readings: Readings, machine: MachineType, policy: InputPolicy
) -> Course:
    """Say which readings of one (asset, run) are taken, and what is remembered after them.

    A counter that restarts, or that jumped far ahead once, makes everything after it repeat or come
    late. It does so for a while only: as soon as ``follow_after`` such readings in a row agree with
    each other, the last of them opens a new run.

    Args:
        state: What is remembered; its fence says in which partition the readings stood.
        readings: In the order of the topic.
        machine: What is measured, and how long a missing value is held.
        policy: Which gaps a window may span, and when a new run is opened.
    """
    ring, length = state.ring, machine.window.length
    holder = Holder(machine, state.ages, ring[-1] if len(ring) else None)
    incomplete: list[bool] = np.any(np.isnan(readings.rows), axis=1).tolist()
    taken: list[int] = []
    steps: list[Step] = []
    refused: list[Refusal] = []
    rows: list[NDArray[np.float32]] = []
    filled: dict[int, tuple[int, ...]] = {}
    begin = n_held = n_bridged = 0
    last, seen_from, newest_us = state.last_cycle, state.seen_from, state.newest_us
    opened, rival = state.opened, state.rival
    bridge_cycles = policy.bridge_cycles
    for index, (cycle, clock_us) in enumerate(
        zip(readings.cycles.tolist(), readings.clock_us.tolist(), strict=True)
    ):
        opens = False
        if cycle <= last:
            rival = rival.met(cycle, clock_us, newest_us, bridge_cycles + 1)
            opens = 0 < policy.follow_after <= rival.count
            if not opens:
                repeated = cycle >= seen_from
                verdict = Verdict.DUPLICATE if repeated else Verdict.LATE
                taken.append(index)
                steps.append(Step(verdict, "" if repeated else f"came after cycle {last}", opened))
                continue
        held: Held | None = None
        if incomplete[index]:
            try:
                held = holder.fill(readings.rows[index], cycle, cycle - last, anew=opens)
            except InvalidRecordError as exc:
                refused.append(Refusal(index, exc))
                continue
        notice = ""
        row = len(ring) + len(rows)
        if opens:
            notice = _follows(rival.count, last)
            opened = Place(state.fence.partition, int(readings.offsets[index]))
            begin, last = row, 0
        missing = cycle - last - 1 if last else 0
        is_gap = missing > bridge_cycles
        if is_gap:
            begin = row
        elif missing:
            n_bridged += 1
        if missing or not last:
            seen_from = cycle
        last, newest_us, rival = cycle, clock_us, NO_RIVAL
        if held is None:
            rows.append(readings.rows[index])
            holder.measured(readings.rows[index])
        else:
            rows.append(held.row)
            filled[row] = held.ages
            holder.take(held)
            n_held += 1
        gap = "" if not missing else _gap(missing) if is_gap else f"{_gap(missing)}, bridged"
        detail = _joined(gap, notice, "" if held is None else held.detail)
        taken.append(index)
        verdict = Verdict.GAP if is_gap else Verdict.SCORED
        steps.append(Step(verdict, detail, opened, row, begin, cycle))
    everything, marks = ring, state.known_marks
    if rows:
        fresh, stamps = readings.rows, readings.stamps
        if filled or len(rows) < len(readings):  # stacking is dear, and hardly ever needed
            fresh = np.stack(rows)
            stamps = stamps[[at for at, step in zip(taken, steps, strict=True) if step.row >= 0]]
        everything = np.concatenate([ring, fresh])
        marks = _marked(marks, stamps, filled, len(machine.used))
    first = max(begin, len(everything) - length)
    after = structs.replace(
        state,
        ring=everything[first:].copy(),
        marks=marks.rows(first, len(everything)),
        ages=holder.ages,
        last_cycle=last,
        seen_from=seen_from,
        newest_us=newest_us,
        opened=opened,
        rival=rival,
    )
    return Course(taken, steps, refused, everything, marks, after, state.opened, n_held, n_bridged)


def _marked(
    before: Marks, stamps: NDArray[np.int64], filled: Mapping[int, Sequence[int]], channels: int
) -> Marks:
    """Return marks with those of further rows; ``filled`` are the ages of what was filled in."""
    joined = before.stamps + packed_stamps(stamps)
    if not filled and not before.held.size:
        return Marks(joined, NOTHING_HELD)
    held = np.zeros((len(before) + len(stamps), channels), np.bool_)
    held[: len(before)] = before.held_rows(channels)
    for row, ages in filled.items():
        held[row] = np.array(ages) > 0
    return Marks(joined, held)


def assemble(
    course: Course, normalised: NormalisedRows, window_length: int, *, follows: bool
) -> Assembled:
    """Give each reading its verdict, cut the windows and follow the runs.

    Args:
        course: What ``lay_out`` returned.
        normalised: Its rows on the model's scale.
        window_length: Rows in a window.
        follows: Whether the model wants to know what came before a window.
    """
    numbers = np.arange(len(course.rows))
    unknown = np.maximum.accumulate(np.where(normalised.known, NO_ROW, numbers))
    latest_unknown: list[int] = unknown.tolist()
    verdicts: list[Verdict] = []
    details: list[str] = []
    ends: list[int] = []
    runs: list[_RunWindows] = [_RunWindows(course.begun, [])]
    for step in course.steps:
        verdict, detail, row = step.verdict, step.detail, step.row
        if row != NO_ROW:
            if step.opened != runs[-1].opened:
                runs.append(_RunWindows(step.opened, []))
            together = row - max(step.begin - 1, latest_unknown[row])
            if not together:
                why = normalised.why_not or UNKNOWN_REGIME_DETAIL
                verdict, detail = Verdict.UNKNOWN_REGIME, _joined(why, detail)
            elif verdict is Verdict.SCORED and together < window_length:
                verdict = Verdict.WARMING_UP
                detail = _joined(f"{together} of {window_length} cycles", detail)
            elif verdict is Verdict.SCORED:
                ends.append(row)
                runs[-1].cycles.append(step.cycle)
        verdicts.append(verdict)
        details.append(detail)
    where = np.array(ends, np.int64)
    windows = sliding_windows(normalised.rows, window_length)
    windows = windows[where - (window_length - 1)] if ends else windows[:0]
    trail, history = np.empty((len(ends), 0)), course.state.history
    if follows:
        trail, history = _followed(history, windows, runs)
    return Assembled(
        course.taken,
        verdicts,
        details,
        [step.opened for step in course.steps],
        course.refused,
        windows,
        course.rows,
        course.marks,
        where,
        trail,
        structs.replace(course.state, history=history),
        course.held,
        course.bridged,
    )


class _RunWindows(NamedTuple):
    """The windows of one run among an asset's readings.

    Attributes:
        opened: Where the run was opened by rule.
        cycles: The cycle at each window's end.
    """

    opened: Place | None
    cycles: list[int]


def _followed(
    history: LifeHistory, windows: NDArray[np.float32], runs: Sequence[_RunWindows]
) -> tuple[Trail, LifeHistory]:
    """Follow each run; only the first goes on with what is remembered, the others begin anew."""
    trails: list[Trail] = []
    begin = 0
    for number, run in enumerate(runs):
        end = begin + len(run.cycles)
        before = NO_HISTORY if number else history
        trail, history = follow(before, windows[begin:end], np.array(run.cycles, np.int64))
        trails.append(trail)
        begin = end
    return trails[0] if len(trails) == 1 else np.concatenate(trails), history


def _follows(count: int, last: int) -> str:
    return (
        f"a new run, opened by rule: {count} readings in a row repeat cycles of the run that had "
        f"come to cycle {last}, or go back behind it"
    )


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _gap(missing: int) -> str:
    return f"{missing} {'cycle' if missing == 1 else 'cycles'} missing before it"
