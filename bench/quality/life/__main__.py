"""How good statements of remaining life are, on engines the model never saw.

    python -m bench.quality.life [--dataset FD001 ...] [--json FILE]

What ships, measured on the held-out engines of the training file and, where the official test file
is there, on that. "Joined" is what is said of held-out engines by a worker that has not seen their
first cycles. "Cross-validated" stands in for the test where there is none: fit and validation
engines, each predicted by trees that did not know it, with an interval calibrated on other engines,
each record cut off at random as in the official files. First warnings are those of the shipped
artifact, three readings in a row.

In brackets behind a coverage stands its 95 % interval. Engines count, not windows: those of one
engine resemble each other. "Cut off" is the cross-validated interval on such records: what is to be
expected of the official test, where early lives are more frequent than in records that run until
failure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from common.cmapss.files import PUBLISHED_SETS, file_name, find_file
from common.cmapss.reader import load_dataset
from common.files.atomic import write_report
from common.settings import load_settings
from common.terminal.cli import friendly_errors
from models.artifact.opening import open_scorer
from models.artifact.score_arrays import life_params
from models.artifact.store import load_artifact
from models.evaluation import life as figures
from models.evaluation.collection import collect_windows
from models.evaluation.intervals import Interval
from models.evaluation.splits import HEALTHY_RUL
from models.scoring.evidence import judge_windows
from models.scoring.life import Life, life_of, remaining_life
from models.scoring.measures.contributions import RECENT_ROWS, ScoreParams
from models.scoring.scorer import WARNING_SEVERITY, WindowScorer
from models.scoring.windows import WindowSet
from models.training.folds import folds_of
from models.training.life.band import COVERAGE, Course
from models.training.life.fit import (
    Crossed,
    cross_predict,
    fit_intervals,
    known_windows,
    life_limit,
)
from models.training.life.joined import join_after
from models.training.preparation.windows import Prepared, prepare

CAP: Final = float(HEALTHY_RUL)
SHORTEST_CUT, LONGEST_CUT = 7, 145
"""Cycles left where a record is cut off: the range of the official file of FD001."""

MISSED: Final = (20, 50, 100)
"""First cycles of each engine that a worker has not seen."""

DRAWS: Final = 20
BAND_FOLDS: Final = 10
SEED: Final = 0


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of some windows, and what is true of them.

    Attributes:
        units: Shape ``(n,)``.
        life: Shape ``(n,)``; true life left, cycles.
        scores: Shape ``(n,)``; the shipped artifact's.
        severities: Shape ``(n,)``; of all its evidence.
        ridge: Shape ``(n,)``; predicted by the baseline, cycles.
        said: Predicted by the model.
    """

    units: NDArray[np.int64]
    life: NDArray[np.int64]
    scores: NDArray[np.float64]
    severities: NDArray[np.float64]
    ridge: NDArray[np.float64]
    said: Life

    def where(self, mask: NDArray[np.bool_]) -> Said:
        """Return some of them."""
        said = Life(*(getattr(self.said, name)[mask] for name in Life.__slots__))
        return Said(
            self.units[mask],
            self.life[mask],
            self.scores[mask],
            self.severities[mask],
            self.ridge[mask],
            said,
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """Where something is critical: predicted life, the baseline's, the trend score."""

    life: float
    ridge: float
    score: float


def main(
    dataset: Annotated[list[str] | None, typer.Option(help="Default: all four.")] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the rows here.")] = None,
) -> None:
    """Print what the model says of each data set's engines, beside two baselines."""
    console = Console(highlight=False, soft_wrap=True)
    rows = []
    for name in dataset or PUBLISHED_SETS:
        for row in measured(name):
            rows.append(row)
            _print(console, row)
    if json_path:
        write_report(json_path, {"seed": SEED, "rows": rows})


def measured(name: str) -> Iterator[dict[str, Any]]:
    """Yield a row of figures for each group of engines."""
    data_dir = load_settings().data_dir
    prepared = prepare(load_dataset(data_dir, name, "train"))
    artifact = load_artifact(name.lower())
    scorer, params = open_scorer(artifact), life_params(artifact)
    learned = known_windows(prepared)
    weights = _ridge(learned.windows, learned.life_left)
    thresholds = scorer.spec.thresholds
    assert params is not None and thresholds.life is not None  # noqa: PT018 - of what ships
    crossed_ridge = _crossed_ridge(learned)
    ridge_limit = life_limit(Course(learned.units, learned.life_left, crossed_ridge))
    limits = Limits(thresholds.life, ridge_limit, thresholds.critical)

    def said(part: WindowSet) -> Said:
        found = scorer.score(part.windows, part.trail)
        assert found.life is not None
        severities = judge_windows(found, part, scorer.spec).severities
        ridge = _ridge_says(part.windows, weights)
        return Said(part.units, part.life_left, found.scores, severities, ridge, found.life)

    yield row_of(f"{name} held out", said(prepared.heldout), limits) | {
        "joined": joined(prepared.heldout, params)
    }
    if find_file(data_dir, file_name(name, "test")) and find_file(data_dir, file_name(name, "RUL")):
        yield official(name, prepared, scorer, said, limits)
    found = cross_predict(prepared, seed=SEED)
    crossed = _crossed(found, replace(said(learned), ridge=crossed_ridge))
    yield row_of(f"{name} cross-validated", crossed, limits) | _cut_off(crossed, limits)


def official(
    name: str, prepared: Prepared, scorer: WindowScorer, said: Any, limits: Limits
) -> dict[str, Any]:
    """Return the figures of the official test file."""
    dataset = load_dataset(load_settings().data_dir, name, "test")
    machine = scorer.spec.machine
    part = said(collect_windows(prepared.normaliser, machine, dataset))
    last = figures.last_windows(part.units)
    row = row_of(f"{name} official test", part, limits) | last_cycles(part)
    return row | {
        "without_window": len(dataset.engines) - len(last),
        "last_band": asdict(last_held(part)),
    }


def last_cycles(part: Said) -> dict[str, dict[str, float]]:
    """Return the errors at each engine's last cycle, and the baseline's."""
    at = figures.last_windows(part.units)
    return {
        key: asdict(figures.errors_of(predicted[at], part.life[at], CAP))
        for key, predicted in (("last", part.said.expected), ("last_ridge", part.ridge))
    }


def last_held(part: Said) -> figures.Held:
    """Return what the interval at each engine's last cycle is worth: one of each engine."""
    at, said = figures.last_windows(part.units), part.said
    return figures.held(said.low[at], said.high[at], part.life[at], part.units[at], CAP)


def joined(part: WindowSet, params: ScoreParams) -> dict[int, dict[str, Any]]:
    """Return what is said of engines whose first cycles nobody saw, by how many these are."""
    rows = {}
    for missed in MISSED:
        late = join_after(part, missed)
        said = remaining_life(part.windows[late.places], late.trail, params)
        life, units = part.life_left[late.places], part.units[late.places]
        by_life = figures.held_by_life(said.low, said.high, life, units, CAP)
        rows[missed] = {
            "rmse": figures.errors_of(said.expected, life, CAP).rmse,
            "band": asdict(figures.held(said.low, said.high, life, units, CAP)),
            "by_life": {key: asdict(value) for key, value in by_life.items()},
        }
    return rows


def row_of(name: str, part: Said, limits: Limits) -> dict[str, Any]:
    """Return all figures of some windows."""
    said, life, units = part.said, part.life, part.units
    inside = figures.holds(said.low, said.high, life, CAP)
    first = figures.first_warnings(part.severities, units, WARNING_SEVERITY)
    by_asset = figures.coverage_by_asset(inside, units)
    by_life = figures.held_by_life(said.low, said.high, life, units, CAP)
    alarm = figures.held(
        said.at_alarm_low[first], said.at_alarm_high[first], life[first], units[first], CAP
    )
    return {
        "engines": name,
        "n_engines": len(by_asset),
        "rmse": figures.errors_of(said.expected, life, CAP).rmse,
        "rmse_ridge": figures.errors_of(part.ridge, life, CAP).rmse,
        "band": asdict(figures.held(said.low, said.high, life, units, CAP)),
        "by_life": {key: asdict(value) for key, value in by_life.items()},
        "by_engine": [float(np.quantile(by_asset, part)) for part in (0, 0.1, 0.5)],
        "at_warning": asdict(alarm),
        **_rankings(part, limits),
    }


def _rankings(part: Said, limits: Limits) -> dict[str, Any]:
    return {
        "critical": asdict(figures.ranking(-part.said.expected, part.life, -limits.life)),
        "critical_ridge": asdict(figures.ranking(-part.ridge, part.life, -limits.ridge)),
        "critical_score": asdict(figures.ranking(part.scores, part.life, limits.score)),
        "limit": limits.life,
    }


def _crossed(found: Crossed, shipped: Said) -> Said:
    """Return what is said of engines by trees and by intervals that did not know them."""
    course = found.own
    marks = figures.first_warnings(shipped.severities, course.units, WARNING_SEVERITY)
    fold = folds_of(course.units, BAND_FOLDS, SEED + 1)
    columns = np.empty((len(Life.__slots__), len(fold)))
    for number in range(BAND_FOLDS):
        own = fold == number
        params: dict[str, NDArray[Any]] = {
            "cap": np.array([CAP]),
            "coverage": np.array([COVERAGE]),
            **fit_intervals(found.where(~own), marks[~own]),
        }
        said = life_of(course.predicted[own], found.whole[own], params)
        for row, each in enumerate(Life.__slots__):
            columns[row, own] = getattr(said, each)
    return replace(shipped, said=Life(*columns))


def _crossed_ridge(windows: WindowSet) -> NDArray[np.float64]:
    """Return what the baseline says of engines it did not know."""
    fold = folds_of(windows.units, BAND_FOLDS, SEED + 1)
    found = np.empty(len(fold))
    for number in range(BAND_FOLDS):
        own = fold == number
        weights = _ridge(windows.windows[~own], windows.life_left[~own])
        found[own] = _ridge_says(windows.windows[own], weights)
    return found


def _cut_off(part: Said, limits: Limits) -> dict[str, Any]:
    """Return the figures of records cut off at random, means over :data:`DRAWS`."""
    rng = np.random.default_rng(SEED)
    units = np.unique(part.units)
    longest = np.array([part.life[part.units == unit].max() for unit in units])
    lasts, last_bands, ranks, bands, by_life = [], [], [], [], []
    for _ in range(DRAWS):
        left = np.minimum(rng.integers(SHORTEST_CUT, LONGEST_CUT + 1, len(units)), longest)
        kept = part.where(part.life >= left[np.searchsorted(units, part.units)])
        lasts.append(last_cycles(kept))
        last_bands.append(last_held(kept))
        ranks.append(_rankings(kept, limits))
        said = kept.said
        ends = (said.low, said.high, kept.life, kept.units)
        bands.append(figures.held(*ends, CAP))
        by_life.append(figures.held_by_life(*ends, CAP))
    return {
        "band_cut_off": _mean_held(bands),
        "last_band": _mean_held(last_bands),
        "by_life_cut_off": {
            name: _mean_held([each[name] for each in by_life if name in each])
            for name in by_life[0]
        },
        **{
            name: {key: float(np.mean([each[name][key] for each in lasts])) for key in values}
            for name, values in lasts[0].items()
        },
        **{
            f"{name}_cut_off": {
                key: float(np.mean([each[name][key] for each in ranks])) for key in ranks[0][name]
            }
            for name in ("critical", "critical_ridge", "critical_score")
        },
    }


def _mean_held(found: list[figures.Held]) -> dict[str, Any]:
    """Return means over draws: of their intervals, too, since draws are of the same engines."""
    n, coverage, width, low, high = np.mean(
        [(one.n, one.coverage, one.width, one.interval.low, one.interval.high) for one in found],
        axis=0,
    ).tolist()
    return asdict(figures.Held(round(n), coverage, width, Interval(low, high)))


def _inputs(windows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return what the baseline looks at: level and slope of each channel, and one."""
    steps = np.arange(windows.shape[1]) - (windows.shape[1] - 1) / 2
    level = windows[:, -RECENT_ROWS:].mean(axis=1, dtype=np.float64)
    slope = np.einsum("nwc,w->nc", windows, steps / np.square(steps).sum())
    return np.concatenate([level, slope * len(steps), np.ones((len(windows), 1))], axis=1)


def _ridge(windows: NDArray[np.float32], life: NDArray[np.int64]) -> NDArray[np.float64]:
    X = _inputs(windows)
    penalty = 100.0 * np.eye(X.shape[1])
    penalty[-1, -1] = 0.0
    capped = np.minimum(life, CAP).astype(np.float64)
    return np.asarray(np.linalg.solve(X.T @ X + penalty, X.T @ capped), np.float64)


def _ridge_says(windows: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(_inputs(windows) @ weights, 0.0, CAP)


def _print(console: Console, row: dict[str, Any]) -> None:
    band, alarm = row["band"], row["at_warning"]
    console.print(f"[bold]{row['engines']}[/bold]: {row['n_engines']} engines, {band['n']} windows")
    if last := row.get("last"):
        missing, ridge = row.get("without_window", 0), row["last_ridge"]
        console.print(
            f"  last cycle      RMSE {last['rmse']:.2f}, score {last['score']:.0f} "
            f"(ridge {ridge['rmse']:.2f}, {ridge['score']:.0f}; {last['n']:.0f} engines"
            + (f"; {missing} more are shorter than a window)" if missing else ")")
        )
    if last_band := row.get("last_band"):
        console.print(f"    interval      holds {_held(last_band)}")
    console.print(f"  all windows     RMSE {row['rmse']:.2f} (ridge {row['rmse_ridge']:.2f})")
    least, tenth, half = row["by_engine"]
    console.print(
        f"  interval        holds {_held(band)}; by engine: least {least:.2f}, tenth {tenth:.2f}, "
        f"half {half:.2f}"
    )
    console.print(f"    by life left  {_bins(row['by_life'])}")
    if cut_off := row.get("band_cut_off"):
        console.print(f"  same, cut off   holds {_held(cut_off)}")
        console.print(f"    by life left  {_bins(row['by_life_cut_off'])}")
    console.print(f"  first warning   holds {_held(alarm)} ({alarm['n']} engines)")
    for missed, late in row.get("joined", {}).items():
        console.print(
            f"  joined after {missed:<3}RMSE {late['rmse']:.2f}; holds {_held(late['band'])}"
        )
        console.print(f"    by life left  {_bins(late['by_life'])}")
    for name, label in (
        ("critical", f"life <= {row['limit']:.1f}"),
        ("critical_ridge", "ridge"),
        ("critical_score", "trend score"),
    ):
        for suffix, words in (("", ""), ("_cut_off", ", cut off")):
            if found := row.get(name + suffix):
                console.print(
                    f"  {label + words:24} F1 {found['f1']:.3f}, precision {found['precision']:.3f}"
                    f", recall {found['recall']:.3f}, AP {found['average_precision']:.3f}"
                )


def _held(one: dict[str, Any]) -> str:
    return f"{one['coverage']:.3f} {_between(one)}, width {one['width']:.1f}"


def _between(one: dict[str, Any]) -> str:
    return f"({one['interval']['low']:.3f} to {one['interval']['high']:.3f})"


def _bins(by_life: dict[str, Any]) -> str:
    return ", ".join(
        f"{name}: {each['coverage']:.3f} {_between(each)}" for name, each in by_life.items()
    )


if __name__ == "__main__":
    typer.run(friendly_errors(main))
