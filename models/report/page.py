"""Puts the report together: one HTML file, no other file, no other host.

What a section shows is prepared here as plain values; how it looks is ``report.html.j2`` and
``report.css``. Everything that comes from data or an artifact is escaped by the template engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from common.settings import AlarmSettings
from models.artifact.metrics import Metrics
from models.artifact.store import Artifact
from models.evaluation.intervals import Interval, proportion_interval
from models.evaluation.measure import Scored
from models.evaluation.splits import FAULT_RUL, HEALTHY_RUL
from models.report import curves, engine_courses, figures
from models.report.bootstrap import LEVELS
from models.report.comparison import Comparison
from models.report.events import EngineStory, engine_stories
from models.report.main_findings import Finding, main_findings
from models.report.ranking import RankingRow, ranking
from models.report.roles import DESIGN, roles_of
from models.report.templates import environment, style
from models.report.uncertainty import FEW_ENGINES, Uncertainty, sentence, summary
from models.training.preparation.windows import Prepared

FOLDER: Final = Path(__file__).parent
TEMPLATE: Final = "report.html.j2"


@dataclass(frozen=True, slots=True)
class LevelEvents:
    """What one level did over whole engines.

    Attributes:
        level: Its name.
        threshold: Its value.
        caught: Engines whose alarm began in time.
        failing: Engines with a faulty window.
        caught_range: 95 % for the caught fraction, Wilson.
        leads: Of the caught, cycles, ascending.
        false_windows: Healthy windows reported.
        healthy_windows: Healthy windows.
        false_engines: Engines with a healthy window reported.
        engines: Engines with a healthy window.
        false_range: 95 % for the fraction of engines with one, Wilson.
    """

    level: str
    threshold: float
    caught: int
    failing: int
    caught_range: Interval | None
    leads: tuple[int, ...]
    false_windows: int
    healthy_windows: int
    false_engines: int
    engines: int
    false_range: Interval | None

    @property
    def per_1000(self) -> float | None:
        """Healthy windows reported, of a thousand."""
        return 1000 * self.false_windows / self.healthy_windows if self.healthy_windows else None

    def lead(self, q: float) -> float | None:
        """Return a quantile of the leads; none if no engine was caught."""
        return float(np.quantile(self.leads, q)) if self.leads else None


def render_report(
    artifact: Artifact,
    prepared: Prepared | None,
    comparison: Comparison,
    uncertainty: Uncertainty | None,
    command: str,
) -> str:
    """Return the whole page.

    Args:
        artifact: The default model.
        prepared: The training file the baselines were fitted and calibrated on; none if there was
            none.
        comparison: With its scores.
        uncertainty: Intervals; none leaves them out.
        command: How to make the report again.
    """
    scored = comparison.scored[comparison.default]
    stories = engine_stories(scored)
    return (
        environment(FOLDER)
        .get_template(TEMPLATE)
        .render(
            **_provenance(artifact, prepared, comparison, command),
            **_standing(comparison, uncertainty),
            **_drawings(artifact, comparison, scored, stories),
            css=style(),
            roles=roles_of(artifact.manifest),
            design=DESIGN,
            alarm=AlarmSettings(),
            fault_rul=FAULT_RUL,
            healthy_rul=HEALTHY_RUL,
            few_engines=FEW_ENGINES,
            many_engines=figures.MANY_ENGINES,
        )
    )


def level_events(stories: Sequence[EngineStory], scored: Scored) -> list[LevelEvents]:
    """Return warning and critical over whole engines."""
    found = []
    failing = [story for story in stories if story.failing]
    with_healthy = [story for story in stories if story.healthy_windows]
    for level in LEVELS:
        leads = sorted(lead for s in failing if (lead := s.lead(level)) is not None)
        false = [
            story.false_warnings if level == "warning" else story.false_criticals
            for story in with_healthy
        ]
        reported = sum(count > 0 for count in false)
        found.append(
            LevelEvents(
                level,
                scored.limit(level),
                len(leads),
                len(failing),
                proportion_interval(len(leads), len(failing)),
                tuple(leads),
                sum(false),
                sum(story.healthy_windows for story in with_healthy),
                reported,
                len(with_healthy),
                proportion_interval(reported, len(with_healthy)),
            )
        )
    return found


def _provenance(
    artifact: Artifact, prepared: Prepared | None, comparison: Comparison, command: str
) -> dict[str, object]:
    manifest = artifact.manifest
    return {
        "measured": comparison.measured,
        "manifest": manifest,
        "artifact": artifact,
        "prepared": prepared,
        "same_training": prepared is None or manifest.training.data_sha256 == prepared.sha256,
        "command": command,
    }


def _standing(comparison: Comparison, uncertainty: Uncertainty | None) -> dict[str, object]:
    rows: list[RankingRow] = ranking(comparison, uncertainty)
    others = [row.name for row in rows if not row.is_default]
    cards: list[Finding] = main_findings(comparison, uncertainty)
    return {
        "default": comparison.default,
        "metrics": comparison.models[comparison.default],
        "uncertainty": uncertainty,
        "findings": cards,
        "ranked": rows,
        "summary": summary(comparison, uncertainty) if uncertainty else [],
        "sentences": [sentence(comparison, uncertainty, name) for name in others]
        if uncertainty and rankable(comparison)
        else [],
    }


def _drawings(
    artifact: Artifact,
    comparison: Comparison,
    scored: Scored,
    stories: Sequence[EngineStory],
) -> dict[str, object]:
    with_curves = rankable(comparison)
    failing = any(story.failing for story in stories)
    order = _by_quality(comparison.models, comparison.default)
    return {
        "ranking": figures.ranking_figures(comparison.scored, comparison.default, order)
        if with_curves
        else None,
        "sweep": figures.sweep_figure(scored) if with_curves else None,
        "confusions": [curves.confusion(scored, level) for level in LEVELS],
        "lead": figures.lead_figure(stories) if failing else None,
        "false_alarms": figures.false_alarm_figure(scored, stories),
        "events": level_events(stories, scored),
        "stories": stories,
        "alarms": sum(len(story.alarms) for story in stories),
        "early_alarms": sum(story.early for story in stories),
        "lives": engine_courses.draw_lives(scored, stories, artifact.manifest.channels),
    }


def rankable(comparison: Comparison) -> bool:
    """Return whether every model has both windows near failure and others."""
    return all(curves.rankable(scored) for scored in comparison.scored.values())


def _by_quality(models: Mapping[str, Metrics], default: str) -> list[str]:
    others = [name for name in models if name != default]
    return sorted(others, key=lambda name: -(models[name].pr_auc or 0.0))
