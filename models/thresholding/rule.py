"""Threshold strategies by name, with their options: what a command line or a manifest names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from models.thresholding import asset_conformal
from models.thresholding import strategies as thresholds
from models.thresholding.peaks_over_threshold import pot
from models.thresholding.return_level import return_level
from models.thresholding.strategies import CalibrationScores, Choice, Choose, Options


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way to choose a threshold.

    Attributes:
        choose: Chooses.
        defaults: All its options, with the value of those not given.
        limits: Least and greatest value of each option.
        labelled: Whether it looks at faulty windows, if there are any.
        needs_faults: Whether it cannot do without.
        unasked: Chooses where no option was given, and makes do with what the data allow; none
            where that is no different.
    """

    choose: Choose
    defaults: Options
    limits: Mapping[str, tuple[float, float]]
    labelled: bool = False
    needs_faults: bool = False
    unasked: Choose | None = None


_PART = (0.0, 1.0)
_ANY_K = (0.0, 1000.0)
_QUANTILE_LIMITS: Final = {"q": _PART, "spread": _ANY_K, "pieces": (1.0, 100.0)}
_OWN_QUANTILE: Final = {"q": 0.99, "pieces": 5.0}

STRATEGIES: Final[Mapping[str, Strategy]] = MappingProxyType(
    {
        "quantile": Strategy(thresholds.quantile, {"q": 0.99}, {"q": _PART}),
        "robust_quantile": Strategy(
            thresholds.robust_quantile,
            {"q": 0.99, "spread": 2.0, "pieces": 1.0},
            _QUANTILE_LIMITS,
        ),
        "capped_quantile": Strategy(
            thresholds.capped_quantile,
            {"q": 0.99, "spread": 3.0},
            {"q": _PART, "spread": _ANY_K},
        ),
        "zscore": Strategy(thresholds.zscore, {"k": 3.0}, {"k": _ANY_K}),
        "maximum": Strategy(thresholds.maximum, {"margin": 1.0}, {"margin": (0.1, 1000.0)}),
        "pot": Strategy(
            pot, {"risk": 0.001, "tail": 0.95}, {"risk": (1e-12, 0.5), "tail": (0.5, 0.999)}
        ),
        "return_level": Strategy(
            return_level,
            {"readings": 100_000.0, **_OWN_QUANTILE, "spread": 1.0},
            {"readings": (1000.0, 1e12), **_QUANTILE_LIMITS},
        ),
        "alarm_budget": Strategy(
            thresholds.alarm_budget,
            {"per_1000": 5.0, "coverage": 1.0},
            {"per_1000": (0.0, 1000.0), "coverage": _PART},
            labelled=True,
        ),
        "asset_budget": Strategy(
            asset_conformal.asset_budget,
            {"alpha": asset_conformal.ALPHA},
            {"alpha": (0.001, 0.5)},
            unasked=asset_conformal.least_asset_budget,
        ),
        "best_f1": Strategy(thresholds.best_f1, {}, {}, labelled=True, needs_faults=True),
        "precision_floor": Strategy(
            thresholds.precision_floor,
            {"precision": 0.9},
            {"precision": _PART},
            labelled=True,
            needs_faults=True,
        ),
    }
)
"""Every strategy by name."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Which strategy with which options.

    Attributes:
        strategy: Name in :data:`STRATEGIES`.
        options: Its options by name; the rest have their defaults.
    """

    strategy: str
    options: Options = field(default_factory=dict)

    def choose(self, data: CalibrationScores) -> Choice:
        """Return the threshold this rule chooses.

        Raises:
            ValueError: If the strategy or an option is unknown or out of its limits, or the data
                lack what it needs.
        """
        strategy, options = self._strategy(), self.all_options()
        choose = strategy.choose if self.options else strategy.unasked or strategy.choose
        return choose(data, options)

    def all_options(self) -> dict[str, float]:
        """Return every option with its value.

        Raises:
            ValueError: If the strategy or an option is unknown, or a value out of its limits.
        """
        strategy = self._strategy()
        for name, value in self.options.items():
            if name not in strategy.limits:
                raise ValueError(
                    f"option {name!r} came; strategy {self.strategy!r} has "
                    f"{', '.join(strategy.defaults) or 'none'}"
                )
            least, greatest = strategy.limits[name]
            if not least <= value <= greatest:
                raise ValueError(f"{name}={value:g} came; {least:g} to {greatest:g} was expected")
        return {**strategy.defaults, **self.options}

    @property
    def labelled(self) -> bool:
        """Whether it looks at faulty windows, if there are any."""
        return self._strategy().labelled

    @property
    def needs_faults(self) -> bool:
        """Whether it cannot do without faulty windows."""
        return self._strategy().needs_faults

    def _strategy(self) -> Strategy:
        if self.strategy not in STRATEGIES:
            raise ValueError(
                f"threshold strategy {self.strategy!r} came; one of {', '.join(STRATEGIES)} "
                "was expected"
            )
        return STRATEGIES[self.strategy]


def parse_rule(text: str) -> Rule:
    """Return the rule written as ``STRATEGY`` or ``STRATEGY:option=value,option=value``.

    Raises:
        ValueError: Saying what came and what was expected.

    Example:
        >>> parse_rule("quantile:q=0.995")
        Rule(strategy='quantile', options={'q': 0.995})
    """
    name, _, rest = text.partition(":")
    options: dict[str, float] = {}
    for part in filter(None, rest.split(",")):
        option, _, value = part.partition("=")
        try:
            options[option.strip()] = float(value)
        except ValueError as exc:
            raise ValueError(f"{part!r} came; option=number was expected") from exc
    rule = Rule(name.strip(), options)
    rule.all_options()
    return rule


WARNING_RULE: Final = Rule("capped_quantile")
CRITICAL_RULE: Final = Rule("best_f1")
"""Where faulty windows are known."""

OWN_WARNING: Final = Rule("return_level", {"readings": 100_000.0, "spread": 1.0})
OWN_CRITICAL: Final = Rule("return_level", {"readings": 10_000_000.0, "spread": 3.0})
OWN_CHANNEL: Final = OWN_CRITICAL
"""Where none are. ``spread`` counts where the data are few: ``python -m bench.quality.skab`` prints
what other spreads would do to real pumps. Single channels warn as rarely as the score is critical:
a second kind of warning must not double the false ones."""
