from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from models.evaluation.splits import EngineRange
from models.report.comparison import Measured, compare
from models.report.page import render_report
from models.report.roles import DESIGN, roles_of
from models.report.uncertainty import bootstrap
from tests.support.fleets import cut_short, fleet
from tests.support.outline import Outline
from tests.unit.models_report.conftest import Case

SECTIONS = (
    "headline", "provenance", "models", "ranking", "thresholds", "confusion", "events", "engines",
    "limits",
)  # fmt: skip


def rendered(case: Case, resamples: int = 50) -> str:
    uncertainty = bootstrap(case.comparison, resamples) if resamples else None
    return render_report(
        case.artifact, case.prepared, case.comparison, uncertainty, "surgeline evaluate"
    )


@pytest.fixture(scope="module")
def page(case: Case) -> str:
    return rendered(case)


def test_it_has_every_section_and_every_model(case: Case, page: str) -> None:
    outline = Outline(page)

    assert not set(SECTIONS) - set(outline.ids)
    assert not outline.open
    for name, metrics in case.comparison.models.items():
        assert f'<th scope="row">{name}</th>' in page
        assert f"{metrics.pr_auc:.3f}" in page
    for key in ("roc-", "pr-", "sweep-", "lead-", "false-"):
        assert any(found.startswith(key) for found in outline.ids), key


def test_it_names_data_model_and_split(case: Case, page: str) -> None:
    text = Outline(page).text

    assert case.artifact.sha256 in text
    assert case.comparison.measured.dataset.sha256 in text
    assert "Fit: engines 1-6" in text
    assert "Held out: 9-10" in text
    assert "The label is a proxy" in text
    assert "per life" in text


def test_it_says_which_engines_chose_what_and_that_the_design_saw_them_all(
    case: Case, page: str
) -> None:
    text = " ".join(Outline(page).text.split())
    manifest = case.artifact.manifest

    assert manifest.thresholds.critical.engines != manifest.training.validate_
    assert "no choice of its own Held out" in text
    assert "Fit and validation engines together: warning threshold, critical threshold" in text
    assert "nothing was fitted or chosen" not in text
    assert DESIGN in text


def test_both_thresholds_of_validation_engines_alone_are_called_so(case: Case) -> None:
    manifest = case.artifact.manifest
    thresholds = manifest.thresholds
    alone = {"engines": manifest.training.validate_}
    both = {
        "warning": thresholds.warning.model_copy(update=alone),
        "critical": thresholds.critical.model_copy(update=alone),
    }
    update = {
        "thresholds": thresholds.model_copy(update=both),
        "selection": None,
        "channel": None,
        "life": None,
    }

    roles = roles_of(manifest.model_copy(update=update))

    assert roles.validate == "warning threshold, critical threshold"
    assert roles.shared == "No engine served both."


def test_records_that_stop_before_failure_are_not_called_lives(case: Case) -> None:
    test = replace(case.comparison.measured, split="test")
    page = rendered(replace(case, comparison=replace(case.comparison, measured=test)), 0)

    text = " ".join(Outline(page).text.split())

    assert "records, which stop before failure:" in text
    assert "engine lives" not in text
    assert "per life" not in text


def test_one_row_of_the_table_is_bold_in_each_column_at_least(page: str) -> None:
    body = page.split('<table class="ranking">')[1].split("</table>")[0]
    rows = [re.findall(r'<td class="([^"]*)">', row) for row in body.split("<tr")[3:]]

    columns = list(zip(*(row[:12] for row in rows), strict=True))

    assert len(columns) == 12
    assert all(any("best" in cell for cell in column) for column in columns)


def test_it_loads_nothing(page: str) -> None:
    outline = Outline(page)

    assert not re.search(r"https?:|//[a-z]|@import|<script|<link|<iframe|<img", page)
    assert all(link.startswith("#") for link in outline.links)
    assert not re.search(r"url\((?!#)", page)


def test_every_reference_inside_has_its_target_and_ids_are_unique(page: str) -> None:
    outline = Outline(page)
    targets = {link[1:] for link in outline.links} | set(re.findall(r"url\(#([^)]+)\)", page))

    assert targets <= set(outline.ids)
    assert len(outline.ids) == len(set(outline.ids))


def test_the_same_numbers_give_the_same_page(case: Case, page: str) -> None:
    assert rendered(case) == page


def test_simulated_data_are_called_so_at_the_top(page: str) -> None:
    assert page.index('<p class="banner">Simulated or altered data:') < page.index("<h1>")
    assert "toy on TOY (simulated or altered)</h1>" in page


def test_names_are_escaped(case: Case) -> None:
    strange = replace(
        case.comparison,
        models={_strange(name): found for name, found in case.comparison.models.items()},
        scored={_strange(name): found for name, found in case.comparison.scored.items()},
    )

    page = render_report(case.artifact, case.prepared, strange, None, "surgeline <b>&")

    assert "<b>" not in page
    assert "<i>" not in page
    assert "surgeline &lt;b&gt;&amp;" in page
    assert '<th scope="row">&lt;i&gt;$last_row</th>' in page
    assert re.search(r"&lt;i&gt;\$\w+</text>", page)  # in a legend


def _strange(name: str) -> str:
    return name if name == "toy" else f"<i>${name}"


def test_without_intervals_it_says_so(case: Case) -> None:
    page = rendered(case, 0)

    assert "Intervals were not asked for" in page
    assert 'class="range"' not in page
    assert "Wilson" not in page


def test_a_split_without_windows_near_failure_is_measured_as_far_as_it_can(case: Case) -> None:
    healthy = cut_short(fleet(10), np.full(10, 60))
    measured = Measured(healthy, "test", EngineRange(1, 10))
    alone = replace(case, comparison=compare(case.artifact, case.prepared, measured))

    page = rendered(alone)

    text = Outline(page).text
    assert "ROC and precision-recall curves are not shown" in text
    assert "Lead times are not shown" in text
    assert "No window is near failure here" in text
    assert "healthy windows" in text
    assert "nan" not in text.lower()


def test_without_the_training_file_there_are_no_baselines(case: Case) -> None:
    name = case.comparison.default
    comparison = replace(
        case.comparison,
        models={name: case.comparison.models[name]},
        scored={name: case.comparison.scored[name]},
    )

    page = render_report(case.artifact, None, comparison, bootstrap(comparison, 20), "surgeline")

    assert "the training file was not there" in page
    assert "stands alone" in page
