"""Drawings of unusual fleets; what the usual one looks like is tested with the page."""

from __future__ import annotations

import numpy as np
import pytest

from models.report.curves import (
    confusion,
    operating_point,
    precision_recall,
    roc,
    score_span,
    sweep,
)
from models.report.engine_courses import choose_engines, draw_lives
from models.report.events import engine_stories
from models.report.figures import (
    MANY_ENGINES,
    false_alarm_engines,
    false_alarm_figure,
    lead_figure,
    sweep_figure,
)
from models.scoring.scorer import Thresholds
from tests.support.scored import scored


def test_many_engines_get_a_histogram_of_leads() -> None:
    source = scored([140] * (MANY_ENGINES + 5), noise=20.0)

    drawn = lead_figure(engine_stories(source))

    assert "engines</text>" in drawn
    assert "one line per engine" not in drawn


def test_of_many_engines_only_those_with_false_alarms_are_shown() -> None:
    source = scored([150] * (MANY_ENGINES + 5))
    scores = np.where((source.units == 7) & (source.rul > 130), 0.0, source.scores)
    stories = engine_stories(scored([150] * (MANY_ENGINES + 5), scores))

    assert [story.unit for story in false_alarm_engines(stories)] == [7]


@pytest.mark.parametrize("shift", [1e6, -1e6])
def test_a_model_far_out_of_its_depth_is_drawn_all_the_same(shift: float) -> None:
    plain = scored([140, 150], noise=5.0)
    source = scored([140, 150], plain.scores + shift, thresholds=Thresholds(3.0, 9.0))
    stories = engine_stories(source)

    assert "<svg" in false_alarm_figure(source, stories)
    assert "<svg" in sweep_figure(source)
    assert "<svg" in lead_figure(stories)
    assert len(draw_lives(source, stories, ())) == 2


def test_one_score_for_all_is_drawn() -> None:
    source = scored([140], np.zeros(140), thresholds=Thresholds(0.0, 0.0))

    low, high = score_span(source)

    assert low < high
    assert "<svg" in false_alarm_figure(source, engine_stories(source))


def test_the_engines_drawn_are_best_median_worst_and_a_healthy_one() -> None:
    source = scored([140, 150, 160, 170, 300], noise=0.0)
    shift = np.array([0.0, 10.0, 20.0, -10.0, 5.0])[source.units - 1]  # higher warns earlier
    stories = engine_stories(scored([140, 150, 160, 170, 300], source.scores + shift))

    chosen = [(title, story.unit) for title, story in choose_engines(stories)]

    assert chosen[:3] == [("best lead", 3), ("median lead", 5), ("worst lead", 4)]
    assert len({unit for _, unit in chosen}) == len(chosen) == 4
    assert chosen[3][0].startswith("longest healthy stretch")


def test_an_engine_that_ends_healthy_is_called_healthy_looking() -> None:
    (chosen,) = choose_engines(engine_stories(scored([60], left=130)))

    assert chosen[0] == "healthy-looking: 130 cycles left at the end of its record"


def test_confusion_counts_windows_by_the_life_left() -> None:
    source = scored([200], thresholds=Thresholds(-60.0, -30.0))

    found = confusion(source, "warning")

    assert found.rows == (("near failure", 31, 31), ("between", 30, 95), ("healthy", 0, 74))


def test_the_sweep_meets_the_curves_at_the_threshold() -> None:
    source = scored([180, 200], noise=20.0, thresholds=Thresholds(-60.0, -30.0))
    false, recall, precision = operating_point(source, "critical")
    found = sweep(source)
    at = int(np.argmin(np.abs(found.thresholds + 30.0)))

    assert found.recall[at] == pytest.approx(recall, abs=0.05)
    assert found.precision[at] == pytest.approx(precision, abs=0.05)
    assert np.interp(false, roc(source).x, roc(source).y) == pytest.approx(recall, abs=0.05)
    assert precision_recall(source).x.max() == 1.0
    assert (np.diff(found.recall) <= 0).all()
    assert (np.diff(found.false_alarms_per_1000) <= 0).all()
