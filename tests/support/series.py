"""Results of made-up series whose anomalies are known."""

from __future__ import annotations

import zlib

import numpy as np

from models.evaluation.series import SeriesResult, Span, mask_of


def series_result(
    series: str,
    true: tuple[Span, ...] = ((40, 60),),
    found: tuple[Span, ...] = (),
    rows: int = 120,
    spacecraft: str = "SMAP",
    model: str = "model",
    clean: bool = True,
) -> SeriesResult:
    """Return a result whose scores are higher where it is anomalous; the same each time."""
    draws = np.random.default_rng(zlib.crc32(f"{spacecraft} {series} {model}".encode()))
    truth = mask_of(true, rows)
    signal = np.sin(np.arange(rows) / 5) + truth
    final = draws.random(rows) + 0.8 * truth
    provisional = final + draws.random(rows)
    provisional[:5] = np.nan
    return SeriesResult(
        series=series,
        spacecraft=spacecraft,
        clean=clean,
        model=model,
        signal=signal,
        true=true,
        provisional=provisional,
        final=final,
        threshold=1.0,
        flags=mask_of(found, rows),
    )
