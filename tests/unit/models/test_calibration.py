from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.artifact.onnx_scorer import ZeroReconstructor
from models.scoring.scores import SCORES
from models.thresholding.asset_conformal import least_alpha
from models.thresholding.rule import Rule
from models.training.calibration import calibrate, choose_thresholds, fit_score
from models.training.preparation.windows import Prepared, healthy


def test_warning_is_chosen_on_healthy_validation_windows(prepared: Prepared) -> None:
    fitted = fit_score(SCORES["input_mse"], ZeroReconstructor(), prepared)
    calibrated = choose_thresholds(fitted, prepared, warning_rule=Rule("quantile"))

    scores = calibrated.scores(healthy(prepared.validate))
    assert calibrated.warning.value == pytest.approx(np.quantile(scores, 0.99))
    assert calibrated.warning.engines == prepared.split.validate
    assert calibrated.warning.windows == len(scores)


def test_heldout_engines_change_no_threshold(prepared: Prepared) -> None:
    heldout = replace(prepared.heldout, windows=prepared.heldout.windows + 100)

    for score in (SCORES[name] for name in ("last_row", "input_trend", "iforest", "pca_t2")):
        first = calibrate(score, ZeroReconstructor(), prepared)
        second = calibrate(score, ZeroReconstructor(), replace(prepared, heldout=heldout))
        assert first.thresholds == second.thresholds


def test_critical_is_raised_to_warning_and_says_so(prepared: Prepared) -> None:
    validate = prepared.validate
    rows = validate.windows.copy()
    rows[validate.healthy] *= 50  # healthy validation engines that look worse than any fault
    odd = replace(prepared, validate=replace(validate, windows=rows))

    fitted = fit_score(SCORES["input_mse"], ZeroReconstructor(), odd)
    calibrated = choose_thresholds(fitted, odd, warning_rule=Rule("quantile"))

    assert calibrated.critical.value == calibrated.warning.value
    assert calibrated.critical.reason.startswith("raised to the warning threshold")


def test_critical_is_above_warning_on_an_ordinary_fleet(prepared: Prepared) -> None:
    calibrated = calibrate(SCORES["input_mse"], ZeroReconstructor(), prepared)

    assert calibrated.critical.value > calibrated.warning.value
    assert calibrated.critical.engines.first == prepared.split.fit.first
    assert calibrated.critical.engines.last == prepared.split.validate.last


def test_a_rule_without_labels_looks_at_validation_engines_alone(prepared: Prepared) -> None:
    fitted = fit_score(SCORES["input_mse"], ZeroReconstructor(), prepared)

    calibrated = choose_thresholds(fitted, prepared, critical_rule=Rule("zscore", {"k": 9.0}))

    assert calibrated.critical.engines == prepared.split.validate
    assert calibrated.critical.rule.options == {"k": 9.0}


def test_an_alarm_budget_stores_the_part_that_its_assets_allow(prepared: Prepared) -> None:
    fitted = fit_score(SCORES["input_mse"], ZeroReconstructor(), prepared)
    assets = len(np.unique(healthy(prepared.validate).units))

    warning = choose_thresholds(fitted, prepared, warning_rule=Rule("asset_budget")).warning

    possible = least_alpha(assets)
    assert possible > 0.05  # so the default cannot be kept
    assert warning.rule == Rule("asset_budget", {"alpha": possible})
    again = choose_thresholds(fitted, prepared, warning_rule=warning.rule).warning
    assert again.value == warning.value
    with pytest.raises(ValueError, match=f"{assets} assets came; 19 are needed"):
        choose_thresholds(fitted, prepared, Rule("asset_budget", {"alpha": 0.05}))
