"""The threshold strategy ``return_level``: what healthy readings reach once in so many.

The largest score of each block of readings follows a Gumbel distribution, whose quantiles reach
beyond the data (Coles, "An Introduction to Statistical Modeling of Extreme Values", 2001, ch. 3).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from models.thresholding.strategies import CalibrationScores, Choice, Options, robust_quantile

BLOCK: Final = 300
"""Windows in a block: ten times as many as share a reading, so blocks are all but independent."""

MIN_BLOCKS: Final = 20
"""Fewer do not tell how the largest scores are spread."""

LOG_LOG_2: Final = math.log(math.log(2.0))
GUMBEL_QUARTILES: Final = math.log(math.log(4.0) / math.log(4.0 / 3.0))
"""Distance of a Gumbel distribution's quartiles, in its scale."""


def return_level(data: CalibrationScores, options: Options) -> Choice:
    """Choose the score that healthy windows reach once in ``readings``, by the tail of their peaks.

    Location and scale are those of a Gumbel distribution with the median and the quartiles of the
    block peaks: a few odd blocks move them little. Where healthy windows make fewer than
    :data:`MIN_BLOCKS` blocks, the tail is not known, and :func:`robust_quantile` with the other
    options is chosen instead; the sentence says so.

    Raises:
        ValueError: If there is no healthy window.
    """
    healthy, units = data.scores[data.healthy], data.units[data.healthy]
    peaks = np.array(
        [
            part.max()
            for unit in np.unique(units)
            if (blocks := int((units == unit).sum()) // BLOCK)
            for part in np.array_split(healthy[units == unit], blocks)
        ]
    )
    if len(peaks) < MIN_BLOCKS:
        stand_in = robust_quantile(data, options)
        return Choice(
            stand_in.value,
            stand_in.windows,
            f"{len(healthy)} healthy windows are too few to know how often they score high "
            f"({MIN_BLOCKS} blocks of {BLOCK} are needed), so {stand_in.reason}",
        )
    low, median, high = np.quantile(peaks, (0.25, 0.5, 0.75))
    scale = float(high - low) / GUMBEL_QUARTILES
    location = float(median) + scale * LOG_LOG_2
    # a block's peak reaches the level with probability 1 / period
    period = max(options["readings"] / BLOCK, 2.0)
    value = location - scale * math.log(-math.log1p(-1.0 / period))
    return Choice(
        value,
        len(healthy),
        f"healthy readings reach it once in {options['readings']:,.0f}, by a Gumbel tail of the "
        f"peaks of {len(peaks)} blocks of {BLOCK} windows",
    )
