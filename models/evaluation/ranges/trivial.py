"""What anybody gets for nothing: one alarm over everything, chance, no alarm.

Shown in every table: where a figure of theirs is high, that figure says little.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Final

import numpy as np

from models.evaluation.series import BoolArray, FloatArray, SeriesResult

EVERYTHING: Final = "one alarm over everything"
CHANCE: Final = "random scores and alarms"
NOTHING: Final = "no alarm"
TRIVIAL: Final = (EVERYTHING, CHANCE, NOTHING)

CHANCE_SHARE: Final = 0.05
"""Rows that random alarms report: about what is tolerable."""

CHANCE_ROWS: Final = 100
"""Length of a random alarm; alarms of single rows would all be false, which proves nothing."""


def trivial_results(result: SeriesResult) -> tuple[SeriesResult, ...]:
    """Return the three of them for one series; of the model that came, nothing is used."""
    return everything(result), chance(result), nothing(result)


def everything(result: SeriesResult) -> SeriesResult:
    """Return one alarm that never ends; every row has the same score."""
    flags = np.ones(result.rows, np.bool_)
    return _of(result, EVERYTHING, np.ones(result.rows), 1.0, flags)


def nothing(result: SeriesResult) -> SeriesResult:
    """Return no alarm; every row has the same score."""
    flags = np.zeros(result.rows, np.bool_)
    return _of(result, NOTHING, np.zeros(result.rows), 1.0, flags)


def chance(result: SeriesResult) -> SeriesResult:
    """Return a score that is drawn for each row, and alarms of ``CHANCE_ROWS`` rows anywhere.

    The same series gets the same draws, on any machine.
    """
    draws = np.random.default_rng(zlib.crc32(result.label.encode()))
    score = draws.random(result.rows)
    blocks = -(-result.rows // CHANCE_ROWS)
    reported = draws.random(blocks) < CHANCE_SHARE
    flags = np.repeat(reported, CHANCE_ROWS)[: result.rows]
    return _of(result, CHANCE, score, 1.0 - CHANCE_SHARE, flags)


def _of(
    result: SeriesResult, name: str, score: FloatArray, threshold: float, flags: BoolArray
) -> SeriesResult:
    return replace(
        result,
        model=name,
        provisional=score,
        final=score,
        threshold=threshold,
        flags=flags,
        wait_rows=0,
    )
