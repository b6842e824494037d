"""Summaries of runs that go on: what new verdicts add to them, without reading them first.

The same as ``RunTally.add`` and ``arrived`` of each row, as values of a statement for each run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from common.records.verdict_batch import VerdictColumns
from common.records.verdicts import Verdict
from common.scorestore.sqlite.rows import LAST_LIFE_COLUMNS, NO_LIFE, RANKS
from common.scorestore.tally import RunTally

Rows: TypeAlias = Iterable[tuple[Any, ...]]

ON_CYCLES: Final = tuple(verdict for verdict in Verdict if not verdict.of_message)
PLACES: Final = {verdict: place for place, verdict in enumerate(ON_CYCLES)}


def _update(changes: Mapping[str, str]) -> str:
    """Return a statement; in what becomes of a column, each ``?`` is the value for it."""
    new = (
        f"{column} = {expression.replace('?', f'?{place}')}"
        for place, (column, expression) in enumerate(changes.items(), 1)
    )
    return f"UPDATE run SET {', '.join(new)} WHERE run_key = ?{len(changes) + 1}"  # noqa: S608 - our names


READ: Final = {
    "fleet": "?",
    "first_cycle": "ifnull(first_cycle, ?)",
    "last_cycle": "?",
    "last_ts_us": "?",
    "arrived_ms": "CASE WHEN ? > ifnull(arrived_ms, 0) THEN ? ELSE arrived_ms END",
    **{f"n_{verdict.value}": f"n_{verdict.value} + ?" for verdict in ON_CYCLES},
}
SCORED: Final = {
    **dict.fromkeys(("last_scored_cycle", "last_score", "last_level", "last_severity"), "?"),
    **dict.fromkeys(LAST_LIFE_COLUMNS, "?"),
    **{
        peak: f"CASE WHEN ? > {peak} THEN ? ELSE ifnull({peak}, ?) END"
        for peak in ("peak_score", "peak_severity")
    },
}
UPDATE_READ: Final = _update(READ)
UPDATE_SCORED: Final = _update(READ | SCORED)


def added(tally: RunTally, run_key: int) -> tuple[Any, ...]:
    """Return values for ``UPDATE_SCORED``, or for ``UPDATE_READ`` if it has no score.

    Args:
        tally: A summary of nothing but the new verdicts.
        run_key: The number of their run.
    """
    read = (
        tally.fleet,
        tally.first_cycle,
        tally.last_cycle,
        tally.last_ts_us,
        tally.arrived_ms or 0,
        *map(tally.of, ON_CYCLES),
    )
    if tally.last_score is None:
        return (*read, run_key)
    return (
        *read,
        tally.last_scored_cycle,
        tally.last_score,
        RANKS[tally.last_level],
        tally.last_severity,
        *(tally.last_life or NO_LIFE),
        tally.peak_score,
        tally.peak_severity,
        run_key,
    )


class Growth:
    """What the stretches of columns add to the summaries of their runs.

    Attributes:
        first_cycles: The lowest cycle of each stretch.
        last_cycles: The highest.
    """

    def __init__(self, part: VerdictColumns) -> None:
        """Lay the columns out.

        Args:
            part: Verdicts on cycles, ascending in each stretch; no run twice.
        """
        counts = np.array(part.counts)
        ends = np.cumsum(counts)
        self._part, self._counts, self._begins, self._ends = part, counts, ends - counts, ends
        self._lasts = part.cycles[ends - 1]
        self._firsts = part.cycles[self._begins]
        self.first_cycles: list[int] = self._firsts.tolist()
        self.last_cycles: list[int] = self._lasts.tolist()

    def rows(self, run_keys: Sequence[int]) -> tuple[Rows, Rows]:
        """Return values for ``UPDATE_SCORED`` and, of runs without a score, for ``UPDATE_READ``.

        Args:
            run_keys: The number of each stretch's run. All that it holds is beyond the run's last
                cycle that was counted.
        """
        part, found = self._part, self._part.findings
        before = np.zeros(len(part) + 1, np.int64)
        np.cumsum(part.scored, out=before[1:])
        first, behind = before[self._begins], before[self._ends]  # of the scored readings
        scored = behind > first
        of_read = (
            self._firsts,
            self._lasts,
            part.ts_us[self._ends - 1],
            np.maximum.reduceat(np.array(part.published_ts_ms), self._begins),
            *self._counted(),
            np.array(run_keys),
        )
        if scored.all():
            *read, keys = (each.tolist() for each in of_read)
            rest: Rows = ()
        else:
            *read, keys = (each[scored].tolist() for each in of_read)
            rest = zip(repeat(part.fleet), *(each[~scored].tolist() for each in of_read))
            first, behind = first[scored], behind[scored]
        last = behind - 1
        of_scored = (
            part.cycles[part.scored][last],
            found.scores[last],
            found.ranks[last],
            found.severities[last],
            *(np.full((3, len(last)), None) if found.life is None else found.life[last].T),
            np.maximum.reduceat(found.scores, first),
            np.maximum.reduceat(found.severities, first),
        )
        values = (each.tolist() for each in of_scored)
        return zip(repeat(part.fleet), *read, *values, keys), rest

    def _counted(self) -> NDArray[np.int64]:
        """Return how many of each of ``ON_CYCLES`` there are, shape ``(n_kinds, n_runs)``."""
        n, part = len(self._counts), self._part
        kinds = np.fromiter(map(PLACES.__getitem__, part.statuses), np.int64, len(part))
        places = kinds * n + np.repeat(np.arange(n), self._counts)
        return np.bincount(places, minlength=n * len(PLACES)).reshape(len(PLACES), n)
