from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from common.errors import UserError
from models.cli.showing.report_files import ci95, show_uncertainty, write_html
from models.evaluation.measure import Scored, measure
from models.evaluation.splits import EngineRange
from models.report.comparison import Comparison, Measured
from models.report.uncertainty import Uncertainty, bootstrap, sentence, short, summary
from tests.support.fleets import fleet
from tests.support.scored import scored, windows_of
from tests.unit.models_report.conftest import Case

LIVES = [180] * 15


def compared(**scores: NDArray[np.float64]) -> Comparison:
    """The first is the default."""
    base = scored(LIVES)
    windows = windows_of(base.units, base.cycles, base.rul)
    kept = {
        name: Scored(base.units, base.cycles, base.rul, values, base.thresholds)
        for name, values in scores.items()
    }
    return Comparison(
        Measured(fleet(15), "heldout", EngineRange(1, 15)),
        next(iter(scores)),
        {name: measure(windows, one.scores, one.thresholds) for name, one in kept.items()},
        kept,
    )


@pytest.fixture(scope="module")
def three() -> tuple[Comparison, Uncertainty]:
    good = scored(LIVES, noise=15.0).scores
    rng = np.random.default_rng(1)
    comparison = compared(
        good=good, last_row=good + rng.normal(size=len(good)), input_mse=good * 0.2 - 40.0
    )
    noisy = scored(LIVES, noise=120.0, seed=9).scores
    comparison = compared(good=good, last_row=comparison.scored["last_row"].scores, input_mse=noisy)
    return comparison, bootstrap(comparison, 300)


def test_a_simple_model_as_good_is_called_not_significantly_worse(
    three: tuple[Comparison, Uncertainty],
) -> None:
    said = summary(*three)

    assert said[0] == (
        "The best model without a network, last_row, is not significantly worse than good in AUC, "
        "PR-AUC and F1: these 15 engines do not show that good is better."
    )
    assert "last_row is not significantly worse than good in any of AUC, PR-AUC and F1." in said
    assert short(three[1], "last_row") == "not significantly different"


def test_a_worse_one_is_called_worse_with_the_numbers(
    three: tuple[Comparison, Uncertainty],
) -> None:
    comparison, uncertainty = three

    said = sentence(comparison, uncertainty, "input_mse")

    own, default = (comparison.models[name].auc for name in ("input_mse", "good"))
    assert said.startswith(f"input_mse is, against good, significantly worse in AUC ({own:.3f} ")
    assert f"against {default:.3f}; difference -0." in said
    assert short(uncertainty, "input_mse") == "worse: AUC, PR-AUC, F1"
    assert "input_mse is significantly worse than good in all of" in summary(*three)[-1]


def test_a_better_one_is_called_better() -> None:
    comparison = compared(
        network=scored(LIVES, noise=120.0).scores, last_row=scored(LIVES, noise=15.0).scores
    )
    uncertainty = bootstrap(comparison, 300)

    assert summary(comparison, uncertainty)[0] == (
        "The best model without a network, last_row, is significantly better than network in AUC, "
        "PR-AUC and F1."
    )
    assert short(uncertainty, "last_row") == "better: AUC, PR-AUC, F1"


def test_the_same_seed_gives_the_same_intervals(three: tuple[Comparison, Uncertainty]) -> None:
    comparison, uncertainty = three

    assert bootstrap(comparison, 300) == uncertainty
    assert bootstrap(comparison, 300, seed=1).intervals != uncertainty.intervals


def test_json_is_keyed_like_the_report(three: tuple[Comparison, Uncertainty]) -> None:
    comparison, uncertainty = three

    found = json.loads(json.dumps(ci95(uncertainty)))["ci95"]

    assert (found["resamples"], found["engines"]) == (300, 15)
    assert list(found["models"]) == list(comparison.models)
    for name, metrics in comparison.models.items():
        low, high = found["models"][name]["auc"]
        assert metrics.auc is not None
        assert low <= metrics.auc <= high
        low, high = found["models"][name]["critical"]["f1"]
        assert low <= metrics.critical.f1 <= high
        assert set(found["models"][name]["warning"]) == set(found["models"][name]["critical"])
    assert found["default_minus"]["input_mse"]["auc"]["significant"] is True
    assert found["default_minus"]["last_row"]["auc"]["significant"] is False


def test_the_screen_shows_intervals_and_who_is_better(
    three: tuple[Comparison, Uncertainty],
) -> None:
    out = StringIO()

    shown = show_uncertainty(three[0], 100, Console(file=out, width=150))

    assert shown is not None
    text = out.getvalue()
    assert "100 draws of 15 engines" in text
    for name in three[0].models:
        assert name in text
    assert "not significantly worse than good" in text


def test_no_draws_no_intervals(three: tuple[Comparison, Uncertainty]) -> None:
    out = StringIO()

    assert show_uncertainty(three[0], 0, Console(file=out)) is None
    assert out.getvalue() == ""
    assert ci95(None) == {}


def test_a_page_that_cannot_be_written_is_a_user_s_mistake(case: Case, tmp_path: Path) -> None:
    (tmp_path / "a-file").touch()
    target = tmp_path / "a-file" / "report.html"

    with pytest.raises(UserError, match=r"report\.html cannot be written"):
        write_html(target, case.artifact, case.prepared, case.comparison, None, ["evaluate"])
