from __future__ import annotations

import pytest

from models.artifact.metrics import LevelMetrics, Metrics
from models.artifact.store import Artifact
from models.tracking.gate import CRITERIA, Criterion, incomparable, judge

LEVEL = LevelMetrics(
    threshold=3.0,
    precision=0.8,
    recall=0.8,
    f1=0.8,
    false_alarms_per_1000=10.0,
    engines=16,
    engines_caught=16,
    lead_mean=70.0,
    lead_min=40,
)
PRODUCTION = Metrics(
    auc=0.99,
    pr_auc=0.95,
    windows=2000,
    healthy_windows=900,
    faulty_windows=500,
    warning=LEVEL,
    critical=LEVEL,
)


def changed(criterion: str, value: float | None) -> Metrics:
    """Production's numbers but for one."""
    level, _, name = criterion.rpartition(".")
    names = {"false_alarms": "false_alarms_per_1000", "caught": "engines_caught"}
    update = {names.get(name, name): value}
    if not level:
        return PRODUCTION.model_copy(update=update)
    return PRODUCTION.model_copy(update={level: LEVEL.model_copy(update=update)})


def number(criterion: str) -> float:
    read = next(each.read for each in CRITERIA if each.name == criterion)
    value = read(PRODUCTION)
    assert value is not None
    return value


def test_the_first_candidate_is_accepted() -> None:
    judgement = judge(PRODUCTION, None)

    assert judgement.accepted
    assert [row.production for row in judgement.rows] == [None] * len(CRITERIA)


def test_an_equal_candidate_is_accepted() -> None:
    assert judge(PRODUCTION, PRODUCTION).accepted


@pytest.mark.parametrize("rule", CRITERIA, ids=lambda rule: rule.name)
def test_worse_by_the_tolerance_passes_and_by_more_does_not(rule: Criterion) -> None:
    worse = -1 if rule.higher_is_better else 1
    step = 1 if rule.tolerance == 0 else rule.tolerance * 0.01
    limit = number(rule.name) + worse * rule.tolerance

    assert judge(changed(rule.name, limit), PRODUCTION).accepted
    refused = judge(changed(rule.name, limit + worse * step), PRODUCTION)
    assert [row.criterion.name for row in refused.rows if row.worse] == [rule.name]
    assert refused.reasons[0].startswith(f"{rule.name} ")
    better = judge(changed(rule.name, number(rule.name) - worse * 10 * step), PRODUCTION)
    assert better.accepted


def test_one_criterion_cannot_buy_another() -> None:
    """A far better AUC does not make up for a lost engine."""
    lost = LEVEL.model_copy(update={"engines_caught": 15})
    candidate = PRODUCTION.model_copy(update={"auc": 1.0, "warning": lost})

    assert judge(candidate, PRODUCTION).reasons == (
        "warning.caught 15 is 1 below production's 16; 0 is tolerated",
    )


def test_what_only_production_can_show_is_missed() -> None:
    judgement = judge(changed("auc", None), PRODUCTION)

    assert judgement.reasons == ("auc is not defined for the candidate, and is for production",)


def test_what_production_cannot_show_is_not_asked_for() -> None:
    assert judge(changed("auc", 0.1), changed("auc", None)).accepted


def test_models_of_one_file_can_be_compared(good: Artifact, other: Artifact) -> None:
    assert incomparable(good.manifest.training, other.manifest.training) == ()


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        pytest.param("data_sha256", "f" * 64, "training file", id="another file"),
        pytest.param("fault_rul", 20, "faulty up to 20 cycles here, 30 cycles", id="other label"),
    ],
)
def test_models_of_other_data_cannot_be_compared(
    good: Artifact, field: str, value: object, says: str
) -> None:
    training = good.manifest.training

    (reason,) = incomparable(training.model_copy(update={field: value}), training)

    assert says in reason
