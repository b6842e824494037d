"""What a way of judging windows sees of known faults, and how often it speaks without one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from common.alarm_defaults import ON_DELAY_CYCLES
from common.machines.machine import MachineType
from common.machines.rows import as_rows, split_rows
from common.recording import AssetRecord
from models.evaluation.batch_path import record_windows
from models.evaluation.faults import FAULTS, OBSERVED, Cases, Fault, Stretch, inject, unchanged
from models.evaluation.labels import masks
from models.scoring.measures.contributions import RECENT_ROWS
from models.scoring.normaliser import Normaliser
from models.scoring.unmoved import unmoved_runs
from models.scoring.windows import sliding_windows

T = TypeVar("T")


class Judged(NamedTuple):
    """What is said of some windows.

    Attributes:
        severity: Shape ``(n,)``; from 1.0 on it counts towards an alarm.
        named: Shape ``(n,)``; which channel is named first.
        signs: Shape ``(n,)``; +1 where that one is said to be above, -1 below.
    """

    severity: NDArray[np.float64]
    named: NDArray[np.int64]
    signs: NDArray[np.int8]


Judge = Callable[[NDArray[np.float32], NDArray[np.int64]], Judged]
"""Judges z-scored windows, ``(n, window_length, n_channels)``, of which channels stood still for so
many readings, ``(n, n_channels)``."""

OnWatched = Callable[[int, int], None]
"""Told how many times a record has been watched, with a fault or without, and how often it will."""


@dataclass(frozen=True, slots=True)
class FaultRow:
    """What became of one kind of fault.

    Attributes:
        fault: Which.
        cases: How many were put in: each channel of each asset in turn.
        alarmed: Part of them with an alarm within :data:`OBSERVED` readings.
        delay: Median readings of the fault up to the alarm, 3 at least; none without an alarm.
        right_sensor: Part of the alarms that name a struck channel first; none as above.
        as_injected: Part of these that say the way it was moved; none if it has no direction.
        as_read: Part of the alarms that say where the named channel's last 5 readings are against
            its healthy mean; none without an alarm.
        weakest: Channel whose cases alarm least.
        weakest_alarmed: Part of its cases that do.
    """

    fault: str
    cases: int
    alarmed: float
    delay: float | None
    right_sensor: float | None
    as_injected: float | None
    as_read: float | None
    weakest: str
    weakest_alarmed: float


@dataclass(frozen=True, slots=True)
class FaultTable:
    """What is seen, and what is said without a fault.

    Attributes:
        rows: One of each fault.
        assets: How many have enough healthy readings to put a fault in.
        quiet_alarmed: How many of these alarm in the very readings observed, without the fault.
        lives: How many have a healthy window at all.
        lives_alarmed: How many of these alarm anywhere in their healthy readings.
    """

    rows: tuple[FaultRow, ...]
    assets: int
    quiet_alarmed: int
    lives: int
    lives_alarmed: int


def fault_table(
    normaliser: Normaliser,
    machine: MachineType,
    records: Iterable[AssetRecord],
    judge: Judge,
    faults: Sequence[Fault] = FAULTS,
    seed: int = 0,
    on_watched: OnWatched = lambda done, total: None,
) -> FaultTable:
    """Put each fault into each channel of each record, one at a time, and see what is said.

    A record is used from its first stretch of consecutive healthy readings. The onset is drawn
    evenly among the readings that have a whole window of healthy readings before them and
    :data:`OBSERVED` from them on. An alarm is as many readings in a row as raise one live, all of
    the fault, with a severity of at least 1. Onsets and directions depend on the seed alone, not on
    the judge.

    Args:
        normaliser: Puts readings on the model's scale; its deviations are the faults' unit.
        machine: Which channels are used, and how long a window is.
        records: Of assets nothing was fitted to or chosen on; without blanks.
        judge: What is measured.
        faults: What to put in.
        seed: Of onsets and directions.
        on_watched: Told each time a record has been watched.

    Raises:
        ValueError: If no record has enough healthy readings.
    """
    healthy = [_healthy_stretch(record) for record in records]
    rng = np.random.default_rng(seed)
    cuts = [_cut(normaliser, machine, record, rng) for record in healthy]
    stretches = [each for each in cuts if each is not None]
    if not stretches:
        raise ValueError(
            f"no record has {machine.window.length + OBSERVED} consecutive healthy readings in "
            "known regimes; that many are needed to put a fault in and watch it"
        )

    total = (len(faults) + 1) * len(stretches) + len(healthy)
    done = 0

    def told(found: T) -> T:
        nonlocal done
        done += 1
        on_watched(done, total)
        return found

    def watched(of: Callable[[Stretch], Cases]) -> list[_Seen]:
        return [told(_watch(normaliser, machine, each, of(each), judge)) for each in stretches]

    rows = []
    for number, fault in enumerate(faults):
        drawn = np.random.default_rng([seed, number])
        rows.append(_row(fault, machine, watched(partial(inject, fault, rng=drawn))))
    quiet = watched(unchanged)
    lives = [told(_life(normaliser, machine, record, judge)) for record in healthy]
    return FaultTable(
        tuple(rows),
        len(stretches),
        sum(int((each.alarm >= 0).sum()) for each in quiet),
        sum(each is not None for each in lives),
        sum(each is True for each in lives),
    )


def first_alarms(severity: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return at which reading each row of severities, ``(n, m)``, raises an alarm; -1 if never.

    Example:
        >>> first_alarms(np.array([[2.0, 2.0, 0.0, 1.0, 1.0, 1.0], [0.0] * 6])).tolist()
        [5, -1]
    """
    above = severity >= 1.0
    rows = np.ones((len(above), max(0, above.shape[1] - ON_DELAY_CYCLES + 1)), np.bool_)
    for late in range(ON_DELAY_CYCLES):
        rows &= above[:, late : late + rows.shape[1]]
    if not rows.shape[1]:
        return np.full(len(above), -1)
    return np.where(rows.any(axis=1), rows.argmax(axis=1) + ON_DELAY_CYCLES - 1, -1)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was said of the cases of one stretch, at the alarm; ``(n,)`` each but ``struck``."""

    alarm: NDArray[np.int64]
    struck: NDArray[np.int8]
    named: NDArray[np.int64]
    said: NDArray[np.int8]
    level: NDArray[np.int8]


def _watch(
    normaliser: Normaliser, machine: MachineType, stretch: Stretch, cases: Cases, judge: Judge
) -> _Seen:
    count, m, _ = cases.values.shape
    conditions = np.broadcast_to(stretch.conditions, (count, *stretch.conditions.shape))
    table = np.concatenate([conditions, cases.values], axis=2)
    rows = as_rows(table.reshape(count * m, -1))
    z = normaliser.normalise(*split_rows(rows, len(machine.conditions))).rows
    length = machine.window.length
    ends = (np.arange(count)[:, None] * m + np.arange(stretch.onset, m)).ravel()
    windows = sliding_windows(z, length)[ends - (length - 1)]
    unmoved = unmoved_runs(rows[:, len(machine.conditions) :], ends, length)
    judged = judge(windows, unmoved)

    alarm = first_alarms(judged.severity.reshape(count, -1))
    at = np.arange(count) * (m - stretch.onset) + np.maximum(alarm, 0)
    named = judged.named[at]
    level = windows[at, -RECENT_ROWS:, named].sum(axis=1, dtype=np.float64)
    read = np.where(level >= 0.0, 1, -1).astype(np.int8)
    return _Seen(alarm, cases.signs, named, judged.signs[at], read)


def _row(fault: Fault, machine: MachineType, seen: Sequence[_Seen]) -> FaultRow:
    alarm, struck, named, said, level = (
        np.concatenate([getattr(each, name) for each in seen])
        for name in ("alarm", "struck", "named", "said", "level")
    )
    raised = alarm >= 0
    truth = struck[np.arange(len(named)), named]
    right = raised & (truth != 0)
    each_channel = raised.reshape(-1, struck.shape[1]).mean(axis=0)
    return FaultRow(
        fault.name,
        len(alarm),
        float(raised.mean()),
        float(np.median(alarm[raised])) + 1.0 if raised.any() else None,
        _part(right, raised),
        _part(truth == said, right) if fault.directed else None,
        _part(level == said, raised),
        machine.channel_names[int(each_channel.argmin())],
        float(each_channel.min()),
    )


def _part(holds: NDArray[np.bool_], among: NDArray[np.bool_]) -> float | None:
    return float(holds[among].mean()) if among.any() else None


def _healthy_stretch(record: AssetRecord) -> AssetRecord:
    """Return a record's first stretch of consecutive healthy readings."""
    known = masks(record)[0]
    if not known.any():
        return record.part(slice(0, 0))
    first = int(known.argmax())
    breaks = ~known[first:] | (
        np.diff(record.cycles[first:], prepend=record.cycles[first] - 1) != 1
    )
    return record.part(slice(first, first + int(breaks.argmax()) if breaks.any() else None))


def _cut(
    normaliser: Normaliser, machine: MachineType, record: AssetRecord, rng: np.random.Generator
) -> Stretch | None:
    """Return a window's readings and :data:`OBSERVED` more; none if there are not enough."""
    length = machine.window.length
    spare = len(record) - (length + OBSERVED)
    if spare < 0:
        return None
    first = int(rng.integers(spare + 1))
    rows = as_rows(record.values(machine)[first : first + length + OBSERVED])
    conditions, values = split_rows(rows, len(machine.conditions))
    regimes = normaliser.regimes(conditions)
    if (regimes < 0).any() or not np.isfinite(values).all():
        return None
    z = (values - normaliser.means[regimes]) / normaliser.sds[regimes]
    return Stretch(conditions, values, z, normaliser.sds[regimes], length)


def _life(
    normaliser: Normaliser, machine: MachineType, record: AssetRecord, judge: Judge
) -> bool | None:
    """Return whether anything in a healthy record alarms; none if it completes no window."""
    rows = as_rows(record.values(machine))
    laid = record_windows(normaliser, machine, record.cycles, rows)
    if not len(laid.ends):
        return None
    return bool(first_alarms(judge(laid.windows, laid.unmoved).severity[None])[0] >= 0)
