"""The figures a report or a manifest holds of one model; ``evaluation/measure.py`` has the sums.

In a manifest they are claims of whoever trained it: nothing works them out again at load.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class LevelMetrics(BaseModel):
    """What one threshold does.

    An engine's alarm begins as in the live detector: at the last of ``on_delay`` anomalous cycles
    in a row, all of them with no more than ``HEALTHY_RUL`` cycles left (earlier is a false alarm).

    Attributes:
        threshold: Anomalous when ``score >= threshold``; of a critical level that remaining life
            decides, steps left: critical at most so many.
        precision: Part of anomalous windows that are faulty; 0 when none is anomalous.
        recall: Part of faulty windows that are anomalous.
        f1: Harmonic mean of the two; 0 when both are.
        false_alarms_per_1000: Anomalous among 1000 healthy windows; none without healthy windows.
        engines: Engines with at least one faulty window.
        engines_caught: Those of them whose alarm begins before their record ends.
        lead_mean: Mean life left when the alarm begins, over the caught, cycles; none if none is.
        lead_min: The shortest of them, cycles.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    threshold: float
    precision: Fraction
    recall: Fraction
    f1: Fraction
    false_alarms_per_1000: float | None
    engines: int
    engines_caught: int
    lead_mean: float | None
    lead_min: int | None


class Metrics(BaseModel):
    """What one model does on one set of engines.

    Attributes:
        auc: Area under the ROC curve, faulty against all other windows; none with one class only.
        pr_auc: Average precision; none as above.
        windows: Windows measured.
        healthy_windows: Of them, far from failure.
        faulty_windows: Of them, near failure.
        warning: At the warning threshold.
        critical: At the critical threshold.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    auc: Fraction | None
    pr_auc: Fraction | None
    windows: int
    healthy_windows: int
    faulty_windows: int
    warning: LevelMetrics
    critical: LevelMetrics
