"""Records as the columns that mean the same."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from common.records.verdict_batch import LEVELS, Findings, VerdictColumns
from common.records.verdicts import ScoreRecord
from common.scorestore.paging import epoch_us


def columns_of(records: Sequence[ScoreRecord]) -> VerdictColumns:
    """Return some records of one fleet and model, run by run, as columns.

    All that are scored have the same channels, the same critical threshold, and a life or none.
    """
    first = records[0]
    runs = [
        (run, len(list(rows)))
        for run, rows in groupby((row.asset_id, row.run_id) for row in records)
    ]
    scored = [row for row in records if row.score is not None]
    lives = [row.life for row in scored if row.life is not None]
    channels = tuple(scored[0].shares) if scored else ()
    shares = [list(row.shares.values()) for row in scored]
    return VerdictColumns(
        first.fleet,
        first.model,
        first.timed,
        [run for run, _ in runs],
        [count for _, count in runs],
        np.array([row.cycle for row in records], np.int64),
        np.array([epoch_us(row.ts) for row in records], np.int64),
        [row.status for row in records],
        [row.detail for row in records],
        [row.source for row in records],
        [row.published_ts_ms for row in records],
        np.array([row.score is not None for row in records], np.bool_),
        Findings(
            np.array([row.score for row in scored], np.float64),
            np.array([row.warning_threshold for row in scored], np.float64),
            scored[0].critical_threshold if scored else None,
            np.array([LEVELS.index(row.level) for row in scored], np.int64),
            [row.evidence for row in scored if row.evidence is not None],
            np.array([row.severity for row in scored], np.float64),
            np.array(lives, np.float64) if lives else None,
            channels,
            np.array(shares, np.float64).reshape(len(scored), len(channels)),
        ),
    )
