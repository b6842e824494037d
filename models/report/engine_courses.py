"""Score curves of a few engines' whole records: alarms as bands, the loudest sensors underneath."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from numpy.typing import NDArray

from models.evaluation.measure import Scored
from models.evaluation.splits import FAULT_RUL, HEALTHY_RUL
from models.report.events import EngineStory, leads_of
from models.report.svg import (
    ACCENT,
    CRITICAL,
    GRID,
    INK,
    MUTED,
    SERIES,
    WARNING,
    canvas,
    house_style,
    to_svg,
)

TOP_SENSORS: Final = 4
LAST_CYCLES: Final = 10
"""Sensors are ranked by their share over the last cycles of the record."""


@dataclass(frozen=True, slots=True)
class SensorShare:
    """One sensor's part in the scores at the end of a record.

    Attributes:
        name: Of the channel.
        share: Mean over the last cycles, in [0, 1].
        direction: +1 above what the model expects, -1 below, 0 both.
    """

    name: str
    share: float
    direction: int

    def __str__(self) -> str:
        """Return such as ``Ps30 above, 24 %``."""
        word = {1: " above", -1: " below", 0: ""}[self.direction]
        return f"{self.name}{word}, {self.share:.0%}".replace("%", " %")


@dataclass(frozen=True, slots=True)
class Life:
    """One engine's drawing.

    Attributes:
        title: Why it was chosen.
        unit: Engine number.
        text: Its alarms in a sentence.
        sensors: The loudest, loudest first; none if shares are not known.
        svg: The drawing.
    """

    title: str
    unit: int
    text: str
    sensors: tuple[SensorShare, ...]
    svg: Markup


def choose_engines(stories: Sequence[EngineStory]) -> list[tuple[str, EngineStory]]:
    """Return the engines worth drawing, with why; none twice.

    Best, median and worst lead at the critical level (an engine never caught is the worst; ties go
    by the warning's lead), then the one with the most life left at its end, or the longest healthy
    stretch.
    """
    failing = sorted(
        (story for story in stories if story.failing),
        key=leads_of,
    )
    chosen: list[tuple[str, EngineStory]] = []
    if failing:
        places = {"worst lead": 0, "median lead": len(failing) // 2, "best lead": -1}
        for title in ("best lead", "median lead", "worst lead"):
            _add(chosen, title, failing[places[title]])
    rest = [story for story in stories if story.unit not in {kept.unit for _, kept in chosen}]
    if rest:
        healthiest = max(rest, key=lambda story: (int(story.rul[-1]), story.healthy_windows))
        ending = int(healthiest.rul[-1])
        title = (
            f"healthy-looking: {ending} cycles left at the end of its record"
            if ending > HEALTHY_RUL
            else f"longest healthy stretch: {healthiest.healthy_windows} healthy windows"
        )
        _add(chosen, title, healthiest)
    return chosen


def draw_lives(
    scored: Scored, stories: Sequence[EngineStory], channels: Sequence[str]
) -> list[Life]:
    """Return a drawing of each of :func:`choose_engines`.

    Args:
        scored: With its shares, if sensors are to be shown.
        stories: Of the same model.
        channels: Names of the shares' columns.
    """
    chosen = choose_engines(stories)
    return [_draw(title, story, scored, channels) for title, story in chosen]


def _draw(title: str, story: EngineStory, scored: Scored, channels: Sequence[str]) -> Life:
    own = scored.units == story.unit
    shares = scored.explained.shares[own] if scored.explained else None
    sensors: tuple[SensorShare, ...] = ()
    with house_style():
        if shares is None or scored.explained is None:
            figure = canvas(10.4, 2.4)
            upper = figure.add_subplot()
        else:
            figure = canvas(10.4, 3.5)
            upper, lower = figure.subplots(2, 1, height_ratios=(1.7, 1), sharex=True)
            sensors = _loudest(shares, scored.explained.directions[own], channels)
            _share_panel(lower, story, shares, [channels.index(s.name) for s in sensors], channels)
        _score_panel(upper, story, scored)
        figure.get_axes()[-1].set_xlabel("cycle")
        svg = to_svg(figure, f"engine{story.unit}", f"Scores of engine {story.unit} over its life")
    return Life(title, story.unit, _told(story), sensors, svg)


def _score_panel(axes: Axes, story: EngineStory, scored: Scored) -> None:
    for alarm in story.alarms:
        turn = alarm.ended if alarm.escalated is None else alarm.escalated
        axes.axvspan(alarm.raised, turn, color=WARNING, alpha=0.20, lw=0)
        if alarm.escalated is not None:
            axes.axvspan(alarm.escalated, alarm.ended, color=CRITICAL, alpha=0.16, lw=0)
    axes.plot(story.cycles, story.scores, color=ACCENT, lw=1.4)
    low = min(0.0, float(story.scores.min()))
    lines = [getattr(scored.thresholds, level) for level in scored.levels_of_score]
    axes.set_ylim(low, max(float(story.scores.max()), *lines, low) * 1.12)
    axes.set_xlim(int(story.cycles[0]), int(story.cycles[-1]) + 1)
    axes.set_ylabel("score")
    for level in scored.levels_of_score:
        colour = WARNING if level == "warning" else CRITICAL
        value: float = getattr(scored.thresholds, level)
        axes.axhline(value, color=colour, lw=1.1, ls="--")
        axes.annotate(
            level, (0, value), xycoords=("axes fraction", "data"), xytext=(4, 2),
            textcoords="offset points", color=colour, size=8,
        )  # fmt: skip
    for left, text in (
        (HEALTHY_RUL, "healthy until here"),
        (FAULT_RUL, "labelled faulty from here"),
    ):
        cycle = int(story.cycles[-1] + story.rul[-1]) - left
        first, last = int(story.cycles[0]), int(story.cycles[-1])
        near_start = cycle < first + 0.2 * (last - first)
        if first < cycle < last:
            axes.axvline(cycle, color=MUTED, lw=0.9, ls=":")
            axes.annotate(
                text, (cycle, 1.0), xycoords=("data", "axes fraction"),
                xytext=(3 if near_start else -3, 2), textcoords="offset points",
                color=MUTED, size=7.5, ha="left" if near_start else "right",
            )  # fmt: skip
    axes.grid(visible=False, axis="x")


def _share_panel(
    axes: Axes,
    story: EngineStory,
    shares: NDArray[np.float64],
    columns: Sequence[int],
    channels: Sequence[str],
) -> None:
    rest = 1.0 - shares[:, columns].sum(axis=1)
    axes.stackplot(
        story.cycles,
        *(shares[:, column] for column in columns),
        rest,
        colors=(*SERIES[: len(columns)], GRID),
        labels=(*(channels[column] for column in columns), "other sensors"),
        alpha=0.85,
        lw=0,
    )
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    axes.set_ylabel("share of score", color=INK)
    axes.grid(visible=False)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)


def _loudest(
    shares: NDArray[np.float64], directions: NDArray[np.int8], channels: Sequence[str]
) -> tuple[SensorShare, ...]:
    mean = shares[-LAST_CYCLES:].mean(axis=0)
    lean = np.sign(directions[-LAST_CYCLES:].astype(int).sum(axis=0))
    order = np.argsort(-mean, kind="stable")[:TOP_SENSORS]
    return tuple(SensorShare(channels[i], float(mean[i]), int(lean[i])) for i in order)


def _told(story: EngineStory) -> str:
    if not story.alarms:
        return f"No alarm in {len(story.cycles)} scored cycles."
    parts = [
        f"raised at cycle {alarm.raised}"
        + (f", critical at {alarm.escalated}" if alarm.escalated is not None else "")
        for alarm in story.alarms
    ]
    count = "1 alarm" if len(parts) == 1 else f"{len(parts)} alarms"
    end = int(story.cycles[-1])
    left = int(story.rul[-1])
    ending = f"it failed at cycle {end}" if left == 0 else f"{left} cycles left at cycle {end}"
    return f"{count}: {'; '.join(parts)}; {ending}."


def _add(chosen: list[tuple[str, EngineStory]], title: str, story: EngineStory) -> None:
    if story.unit not in {kept.unit for _, kept in chosen}:
        chosen.append((title, story))
