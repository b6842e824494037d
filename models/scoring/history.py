"""What is remembered of a whole run, so that remaining life need not be told by one window alone.

A window shows some 30 readings; how fast a machine wears shows over its run. Three sums a channel
are kept: of its values, of values times their number in the run, and times its square. They give
the mean, the straight line and the parabola through all readings so far, at the cost of one
addition a reading, and are the same bits however a stream is cut into batches.

A run that is first seen in its middle (a worker that joined late, another model since) is *not
whole*: its age is not known, and the sums begin where it was joined. The trees know such runs, and
their intervals are measured on such runs alone.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

Trail = NDArray[np.float64]
"""What was remembered at each of some windows, shape ``(n, trail_width(n_channels))``: how many
readings were taken in, the cycle at the window's end or :data:`AGE_UNKNOWN`, then the sums."""

SUMS: Final = 3
COUNT, AGE, FIRST_SUM = 0, 1, 2
"""Columns of a trail."""

KNOWN_COUNTS: Final = 2048
"""Readings of a run up to which a table is kept of what depends on their number alone."""

AGE_UNKNOWN: Final = -1.0

LATEST_START: Final = 10
"""Cycles by which a run's first window may end later than it could and the run still be whole: a
few readings at its start that were refused do not hide its age."""

FARTHEST: Final = 10.0
"""Standard deviations; a value farther out counts as this, for a sum never forgets. Fewer than 3 in
1,000 values of the engines of FD001 to FD004 lie farther out."""


class LifeHistory(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What is remembered of one run; nothing before its first full window.

    It is on one model's scale: another model begins anew.

    Attributes:
        count: Readings taken in.
        whole: Whether the run was followed from its start.
        sums: Shape ``(3, n_channels)``; of values, of values times their number in the run (from
            0), and times its square.
    """

    count: int
    whole: bool
    sums: NDArray[np.float64]


class Histories(NamedTuple):
    """What is remembered of many runs: :class:`LifeHistory` by columns.

    Attributes:
        taken_in: Shape ``(n,)``.
        whole: Likewise.
        sums: Shape ``(n, 3, n_channels)``.
    """

    taken_in: NDArray[np.int64]
    whole: NDArray[np.bool_]
    sums: NDArray[np.float64]


NO_HISTORY: Final = LifeHistory(0, False, np.zeros((SUMS, 0)))


def trail_width(n_channels: int) -> int:
    """Return how many columns a trail has."""
    return FIRST_SUM + SUMS * n_channels


def no_trail(n_channels: int) -> Trail:
    """Return the trail of no windows."""
    return np.empty((0, trail_width(n_channels)))


def follow(
    history: LifeHistory, windows: NDArray[np.float32], cycles: NDArray[np.int64]
) -> tuple[Trail, LifeHistory]:
    """Take the next windows of one run into account.

    Of the first window all readings are taken in, of each later one the newest.

    Args:
        history: What is remembered of the run.
        windows: Shape ``(n, window_length, n_channels)``, in order, z-scored, finite.
        cycles: Shape ``(n,)``; cycle at each window's end, counted from the start of the run.

    Returns:
        What was remembered at each window, itself included; and after the last one.
    """
    n, length, channels = windows.shape
    if not n:
        return no_trail(channels), history
    rows, whole, before = windows[:, -1], history.whole, history.sums
    if not history.count:
        rows = np.concatenate([windows[0, :-1], rows])
        whole = bool(cycles[0] <= length + LATEST_START)
        before = np.zeros((SUMS, channels))
    after = history.count + len(rows)
    times = np.arange(history.count, after, dtype=np.float64)[:, None]
    terms = np.empty((len(rows) + 1, SUMS, channels))  # (m + 1, 3, C)
    terms[0] = before
    np.maximum(np.minimum(rows, FARTHEST), -FARTHEST, out=terms[1:, 0])  # np.clip is slower
    np.multiply(terms[1:, 0], times, out=terms[1:, 1])
    np.multiply(terms[1:, 1], times, out=terms[1:, 2])
    sums = np.add.accumulate(terms, axis=0)[-n:]  # one after the other, wherever a batch ends
    trail = np.empty((n, trail_width(channels)))
    trail[:, COUNT] = times[-n:, 0] + 1.0
    trail[:, AGE] = cycles if whole else AGE_UNKNOWN
    trail[:, FIRST_SUM:] = sums.reshape(n, -1)
    return trail, LifeHistory(after, whole, sums[-1].copy())


def follow_on(
    before: Histories,
    counts: NDArray[np.int64],
    rows: NDArray[np.float32],
    cycles: NDArray[np.int64],
) -> tuple[Trail, NDArray[np.float64]]:
    """Take the next windows of many runs into account, as :func:`follow` does of each alone.

    Args:
        before: What is remembered of each run; of each a window was taken in before.
        counts: How many windows each run goes on with, shape ``(n_runs,)``, each at least 1.
        rows: The newest row of each window, run by run, shape ``(n, n_channels)``.
        cycles: Cycle at each window's end, shape ``(n,)``.

    Returns:
        What was remembered at each window, itself included; and the sums of each run after its last
        one, shape ``(n_runs, 3, n_channels)``.
    """
    channels = rows.shape[1]
    firsts = np.cumsum(counts) - counts
    times = np.repeat(before.taken_in - firsts, counts) + np.arange(len(rows)).astype(np.float64)
    terms = np.empty((len(rows), SUMS, channels))  # (n, 3, C)
    np.maximum(np.minimum(rows, FARTHEST), -FARTHEST, out=terms[:, 0])
    np.multiply(terms[:, 0], times[:, None], out=terms[:, 1])
    np.multiply(terms[:, 1], times[:, None], out=terms[:, 2])
    sums = _added_up(before.sums, counts, firsts, terms)
    trail = np.empty((len(rows), trail_width(channels)))
    trail[:, COUNT] = times + 1.0
    trail[:, AGE] = np.where(np.repeat(before.whole, counts), cycles, AGE_UNKNOWN)
    trail[:, FIRST_SUM:] = sums.reshape(len(rows), -1)
    return trail, sums[firsts + counts - 1]


def _added_up(
    before: NDArray[np.float64],
    counts: NDArray[np.int64],
    firsts: NDArray[np.int64],
    terms: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the running sums of each run: one term after the other, as :func:`follow` adds."""
    if len(terms) == len(counts):  # one window each
        return before + terms
    sums = np.empty_like(terms)
    if counts.max() <= len(counts):  # many short runs: the next window of all of them at once
        for ahead in range(int(counts.max())):
            go_on = np.flatnonzero(counts > ahead)
            at = firsts[go_on] + ahead
            sums[at] = (sums[at - 1] if ahead else before[go_on]) + terms[at]
        return sums
    for run, (first, count) in enumerate(zip(firsts.tolist(), counts.tolist(), strict=True)):
        part = np.concatenate([before[run : run + 1], terms[first : first + count]])
        sums[first : first + count] = np.add.accumulate(part, axis=0)[1:]
    return sums


def alone(windows: NDArray[np.float32]) -> Trail:
    """Return the trail of windows of which each is all that is known of its run."""
    n, length, channels = windows.shape
    powers = _powers(length)  # (3, W)
    values = np.array(windows, np.float64, order="C")
    np.minimum(np.maximum(values, -FARTHEST, out=values), FARTHEST, out=values)
    trail = np.empty((n, trail_width(channels)))
    trail[:, COUNT], trail[:, AGE] = length, AGE_UNKNOWN
    sums = trail[:, FIRST_SUM:].reshape(n, SUMS, channels)  # a view: the columns are in a row
    if channels == 1:  # einsum would add the readings of a single channel in another order
        sums[:, :, 0] = (values.transpose(0, 2, 1) * powers).sum(axis=2)
    else:
        np.einsum("nwc,pw->npc", values, powers, out=sums)
    return trail


@lru_cache(64)
def _powers(length: int) -> NDArray[np.float64]:
    """Return the numbers of so many readings to the powers 0, 1 and 2, shape ``(3, length)``."""
    times = np.arange(length, dtype=np.float64)
    powers = np.stack([times**power for power in range(SUMS)])
    powers.flags.writeable = False
    return powers


def whole_runs(trail: Trail) -> NDArray[np.bool_]:
    """Return at which windows the run had been followed from its start, shape ``(n,)``."""
    found: NDArray[np.bool_] = trail[:, AGE] != AGE_UNKNOWN
    return found


def run_features(trail: Trail, recent: NDArray[np.float64], wear: NDArray[np.float64]) -> Trail:
    """Return what the trees look at of the run, shape ``(n, n_channels + 8)``.

    Of each channel the rise of the straight line over the run. Of the wear index its mean, that
    rise, and the bend of the parabola; the recent level less the mean, for the whole run and a
    hundred readings; the rise for a hundred readings. Then age and count.

    Args:
        trail: What is remembered.
        recent: Shape ``(n, 1)``; the wear index's recent level.
        wear: Shape ``(n_channels,)``; weights of the channels in the wear index.
    """
    n, channels = len(trail), len(wear)
    count = trail[:, COUNT : COUNT + 1]
    zeroth, first, second = trail[:, FIRST_SUM:].reshape(n, SUMS, channels).swapaxes(0, 1)
    middle, spread, rest_of_bend, to_bend, hundreds = _of_counts(count)
    courses = np.empty((SUMS, n, channels))  # mean, rise and bend of each channel
    np.divide(zeroth, count, out=courses[0])
    rise = np.divide(first - middle * zeroth, spread, out=courses[1])
    bend = second - 2.0 * middle * first + rest_of_bend * zeroth
    np.multiply(bend, to_bend, out=courses[2])
    found = np.empty((n, channels + OF_RUN))
    found[:, :channels] = rise
    of_wear, rest = found[:, channels : channels + SUMS], found[:, channels + SUMS :]
    of_wear[:] = np.add.reduce(courses * wear, axis=2).T
    rest[:, :1] = above = recent - of_wear[:, :1]
    rest[:, 1:2] = above / hundreds
    rest[:, 2:3] = of_wear[:, 1:2] / hundreds
    rest[:, 3:] = trail[:, AGE::-1]  # age, then count
    return found


def _of_counts(count: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Return what depends on the number of readings alone, shape ``(n, 1)`` each.

    Their middle and spread, what the bend takes of the sum and is divided by, and their hundreds.

    Args:
        count: Shape ``(n, 1)``, whole numbers.
    """
    if len(count) and np.maximum.reduce(count, axis=None) < KNOWN_COUNTS:
        known = _known_counts().take(count[:, 0].astype(np.intp), axis=0)  # (n, 5)
        return tuple(known.T[:, :, None])
    return _reckoned(count)


@lru_cache(1)
def _known_counts() -> NDArray[np.float64]:
    """Return :func:`_reckoned` of few readings: a table takes a tenth of what reckoning does."""
    counts = np.arange(KNOWN_COUNTS, dtype=np.float64)[:, None]
    return np.concatenate(_reckoned(counts), axis=1)


def _reckoned(count: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    # sums of squares of the orthogonal polynomials of 0, 1, ..., count - 1; none of the second at 2
    square = np.square(count)
    middle, spread = (count - 1.0) / 2.0, (square - 1.0) / 12.0
    bent = count * (square - 1.0) * (square - 4.0) / 180.0
    to_bend = square / np.where(count > 2.0, bent, 1.0)
    return middle, spread, np.square(middle) - spread, to_bend, count / 100.0


OF_RUN: Final = 8
"""Columns of :func:`run_features` beside those of the channels."""
