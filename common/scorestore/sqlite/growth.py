"""Summaries of runs that go on: what new verdicts add to them, without reading them first.

The same as ``RunTally.add`` and ``arrived`` of each row, as values of a statement for each run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from common.records.verdict_batch import VerdictColumns
from common.records.verdicts import Verdict
from common.scorestore.sqlite.rows import LAST_LIFE_COLUMNS, TALLY_COLUMNS, tally_row
from common.scorestore.tally import RunTally

Rows: TypeAlias = Iterable[tuple[Any, ...]]

ON_CYCLES: Final = tuple(verdict for verdict in Verdict if not verdict.of_message)
PLACES: Final = {verdict: place for place, verdict in enumerate(ON_CYCLES)}
COUNTS_ON_CYCLES: Final = tuple(f"n_{verdict.value}" for verdict in ON_CYCLES)

READ: Final = {
    "fleet": "?",
    "first_cycle": "ifnull(first_cycle, ?)",
    "last_cycle": "?",
    "last_ts_us": "?",
    "arrived_ms": "CASE WHEN ? > ifnull(arrived_ms, 0) THEN ? ELSE arrived_ms END",
    **{name: f"{name} + ?" for name in COUNTS_ON_CYCLES},
}
"""By column, what becomes of it; each ``?`` is the value of the new verdicts."""
SCORED: Final = READ | {
    **dict.fromkeys(("last_scored_cycle", "last_score", "last_level", "last_severity"), "?"),
    **dict.fromkeys(LAST_LIFE_COLUMNS, "?"),
    **{
        peak: f"CASE WHEN ? > {peak} THEN ? ELSE ifnull({peak}, ?) END"
        for peak in ("peak_score", "peak_severity")
    },
}
"""Likewise, where some of the new verdicts have a score."""
OF_READ: Final = tuple(name for name in TALLY_COLUMNS if name in READ)
OF_SCORED: Final = tuple(name for name in TALLY_COLUMNS if name in SCORED)
READ_PART: Final = itemgetter(*map(TALLY_COLUMNS.index, OF_READ))
SCORED_PART: Final = itemgetter(*map(TALLY_COLUMNS.index, OF_SCORED))


def _update(names: Sequence[str]) -> str:
    """Return a statement that takes the values of some columns, and the run's number."""
    new = (
        f"{name} = {SCORED[name].replace('?', f'?{place}')}" for place, name in enumerate(names, 1)
    )
    return f"UPDATE run SET {', '.join(new)} WHERE run_key = ?{len(names) + 1}"  # noqa: S608 - our names


UPDATE_READ: Final = _update(OF_READ)
UPDATE_SCORED: Final = _update(OF_SCORED)


def added(tally: RunTally, run_key: int) -> tuple[Any, ...]:
    """Return values for ``UPDATE_SCORED``, or for ``UPDATE_READ`` if it has no score.

    Args:
        tally: A summary of nothing but the new verdicts.
        run_key: The number of their run.
    """
    part = READ_PART if tally.last_score is None else SCORED_PART
    return (*part(tally_row(tally)), run_key)


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
        new = {
            "first_cycle": self._firsts,
            "last_cycle": self._lasts,
            "last_ts_us": part.ts_us[self._ends - 1],
            "arrived_ms": np.maximum.reduceat(np.array(part.published_ts_ms), self._begins),
            **dict(zip(COUNTS_ON_CYCLES, self._counted(), strict=True)),
            "run_key": np.array(run_keys),
        }
        rest: Rows = ()
        if not scored.all():
            rest = self._in_order(OF_READ, {name: each[~scored] for name, each in new.items()})
            new = {name: each[scored] for name, each in new.items()}
            first, behind = first[scored], behind[scored]
        last = behind - 1
        lives = np.full((3, len(last)), None) if found.life is None else found.life[last].T
        new |= {
            "last_scored_cycle": part.cycles[part.scored][last],
            "last_score": found.scores[last],
            "last_level": found.ranks[last],
            "last_severity": found.severities[last],
            **dict(zip(LAST_LIFE_COLUMNS, lives, strict=True)),
            "peak_score": np.maximum.reduceat(found.scores, first),
            "peak_severity": np.maximum.reduceat(found.severities, first),
        }
        return self._in_order(OF_SCORED, new), rest

    def _in_order(self, names: Sequence[str], values: Mapping[str, NDArray[Any]]) -> Rows:
        """Return the rows of some columns, then the run's number."""
        lists = {name: each.tolist() for name, each in values.items()}
        lists["fleet"] = [self._part.fleet] * len(values["run_key"])
        return zip(*map(lists.__getitem__, names), lists["run_key"], strict=True)

    def _counted(self) -> NDArray[np.int64]:
        """Return how many of each of ``ON_CYCLES`` there are, shape ``(n_kinds, n_runs)``."""
        n, part = len(self._counts), self._part
        kinds = np.fromiter(map(PLACES.__getitem__, part.statuses), np.int64, len(part))
        places = kinds * n + np.repeat(np.arange(n), self._counts)
        return np.bincount(places, minlength=n * len(PLACES)).reshape(len(PLACES), n)
