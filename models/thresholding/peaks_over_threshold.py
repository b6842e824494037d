"""The threshold strategy ``pot``: peaks over a threshold, with a model of the tail.

Siffer et al., "Anomaly Detection in Streams with Extreme Value Theory", KDD 2017: what exceeds a
high quantile follows a generalised Pareto distribution, whose quantiles reach beyond the data.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from models.thresholding.strategies import CalibrationScores, Choice, Options

MIN_EXCEEDANCES: Final = 30
"""Fewer do not tell the shape of a tail."""


def pot(data: CalibrationScores, options: Options) -> Choice:
    """Choose the score that a healthy window reaches with probability ``risk``.

    A generalised Pareto distribution is fitted to what healthy scores exceed their quantile
    ``tail`` by, and extrapolated. With fewer than :data:`MIN_EXCEEDANCES` of them the plain
    quantile ``1 - risk`` is chosen, and the sentence says so.

    Raises:
        ValueError: If there is no healthy window.
    """
    # scipy is slow to import and needed here alone
    from scipy.stats import genpareto

    healthy = data.scores[data.healthy]
    if not len(healthy):
        raise ValueError("no healthy window came; the pot strategy needs some")
    risk = options["risk"]
    start = float(np.quantile(healthy, options["tail"]))
    excess = healthy[healthy > start] - start
    share = len(excess) / len(healthy)
    if len(excess) < MIN_EXCEEDANCES or risk >= share:
        return Choice(
            float(np.quantile(healthy, 1 - risk)),
            len(healthy),
            f"{len(excess)} windows exceed the quantile {options['tail']:.4g}, too few to model "
            f"the tail at risk {risk:.4g} (at least {MIN_EXCEEDANCES} are needed); the plain "
            "quantile instead",
        )
    shape, _, scale = genpareto.fit(excess, floc=0)
    return Choice(
        start + float(genpareto.isf(risk / share, shape, loc=0, scale=scale)),
        len(healthy),
        f"a healthy window reaches it with probability {risk:.4g}, by a generalised Pareto tail of "
        f"{len(excess)} exceedances, shape {shape:.3f}",
    )
