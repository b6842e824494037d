"""From scores of engines whose fate is known to two thresholds: named strategies.

``warning`` needs no labels but "healthy"; ``critical`` uses the fault label too. Anomalous is
``score >= threshold``. To add a strategy: write a function of :class:`CalibrationScores` and
enter it in :data:`STRATEGIES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class CalibrationScores:
    """Scores of windows with what is known of each.

    Attributes:
        scores: Shape ``(n,)``, finite.
        units: Shape ``(n,)``; engine number.
        healthy: Shape ``(n,)``; true far from failure.
        faulty: Shape ``(n,)``; true near failure. Never true where ``healthy`` is.
    """

    scores: NDArray[np.float64]
    units: NDArray[np.int64]
    healthy: NDArray[np.bool_]
    faulty: NDArray[np.bool_]


Options = Mapping[str, float]
Strategy = Callable[[CalibrationScores, Options], float]


def quantile(data: CalibrationScores, options: Options) -> float:
    """Return the quantile ``q`` of all healthy windows' scores, pooled over engines.

    Args:
        data: Engines to choose on.
        options: ``q``, 0 to 1.

    Raises:
        ValueError: If there is no healthy window.
    """
    healthy = data.scores[data.healthy]
    if not len(healthy):
        raise ValueError("no healthy window came; the quantile strategy needs some")
    return float(np.quantile(healthy, options["q"]))


def best_f1(data: CalibrationScores, options: Options) -> float:
    """Return the score at which calling ``score >= threshold`` faulty has the highest F1.

    All windows count: those neither healthy nor faulty are negatives. Among equals the highest
    threshold wins, which has the fewest alarms.

    Args:
        data: Engines to choose on.
        options: None are used.

    Raises:
        ValueError: If there is no faulty window.
    """
    n_faulty = int(data.faulty.sum())
    if not n_faulty:
        raise ValueError("no faulty window came; the best_f1 strategy needs some")
    order = np.argsort(-data.scores, kind="stable")
    descending = data.scores[order]
    hits = np.cumsum(data.faulty[order])
    alarms = np.arange(1, len(order) + 1)
    f1 = 2.0 * hits / (alarms + n_faulty)
    # a threshold takes in every window of equal score: only the last of equals is a candidate
    last_of_equals = np.append(descending[:-1] != descending[1:], True)
    return float(descending[np.argmax(np.where(last_of_equals, f1, -1.0))])


STRATEGIES: Final[Mapping[str, Strategy]] = MappingProxyType(
    {"quantile": quantile, "best_f1": best_f1}
)
"""Every strategy by name."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Which strategy with which options.

    Attributes:
        strategy: Name in :data:`STRATEGIES`.
        options: Its options by name.
    """

    strategy: str
    options: Options = field(default_factory=dict)

    def threshold(self, data: CalibrationScores) -> float:
        """Return the threshold this rule chooses.

        Raises:
            ValueError: If the strategy is unknown, or the data lack what it needs.
        """
        if self.strategy not in STRATEGIES:
            raise ValueError(
                f"threshold strategy {self.strategy!r} came; one of {sorted(STRATEGIES)} "
                "was expected"
            )
        return STRATEGIES[self.strategy](data, self.options)


WARNING_RULE: Final = Rule("quantile", {"q": 0.99})
CRITICAL_RULE: Final = Rule("best_f1")
