"""False warnings that budgets promise, and those that new engines get.

    python -m bench.quality.alarm_rates [--dataset FD001 ...] [--splits 100] [--score network]
                                        [--fleets 20]
    python -m bench.quality.alarm_rates --score evidence [--seed 12]

Of a data set's training engines 80 % choose a threshold and 20 % are judged, over and over at
random. "capped_quantile" is fitted on 64 % and chosen on 16 %; "asset_budget" is cross-fitted over
all 80 %. Printed is the part of healthy lives (more than 125 cycles left) with a false warning,
three cycles in a row: its mean over splits, with 1.96 standard errors of so many splits (what other
splits of the same engines, ``--seed``, may change), its deviation and the worst split. The interval
is Wilson's for the mean, with the engines' healthy lives as observations: what other engines may
change. Lead is the life left at the first warning that is not false.

``input_trend`` is refitted wholly for each split. With ``--score network`` it is the shipped
artifact's score, of five networks trained once (``alarm_rates_measured.NetworkSplits`` says what
then is refitted for each split and what is not; takes minutes).
With ``--score evidence`` it is ``input_trend`` alone beside all evidence as ``surgeline train``
gathers it (``evidence.py``): the score, single channels and frozen ones, the first two
under one budget; then also which kind spoke when the first false warning was raised.
``SIM`` are simulated engines: each of ``--fleets`` fleets of 100 chooses a threshold, and the same
500 fresh engines are judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Protocol

import numpy as np
import typer
from rich.console import Console

from bench.quality.alarm_rates.evidence import EvidenceSplits
from bench.quality.alarm_rates.measured import Judged, NetworkSplits, TrendSplits, calibrated_split
from common.cmapss.files import SIMULATED_NAME
from common.cmapss.reader import load_dataset
from common.files.atomic import write_report
from common.recording import AssetRecord, Recording
from common.settings import load_settings
from common.terminal.cli import friendly_errors
from models.artifact.onnx_scorer import Reconstructor
from models.artifact.store import load_artifact
from models.evaluation.engines import recording_of
from models.evaluation.intervals import Z, proportion_interval
from models.training.build import train_network
from models.training.catalogue import LSTM_AUTOENCODER
from models.training.config import FOLDS, TrainingConfig
from models.training.preparation.windows import Prepared
from producer.simulator.simulate import simulate

DATASETS: Final = ("FD001", "FD002", "FD003", "FD004", SIMULATED_NAME)
FLEET: Final = 100
FLEET_FIT: Final = 80
FRESH: Final = 500
FRESH_SEED: Final = 7
FIRST_FLEET_SEED: Final = 1000
LINE: Final = "{:6} {:15} {:16} {:>6} {:>7} {:>6} {:>6} {:>7}   {:16} {:>6} {:>8}   {}"
FIRST_SEED: Final = 11
"""Of the splits; other seeds are other splits of the same engines."""


class Which(StrEnum):
    """Which score is measured."""

    trend = "trend"
    network = "network"
    evidence = "evidence"


class Splits(Protocol):
    """One score on one data set."""

    def today(self, fit: list[int], validate: list[int], judged: list[int]) -> Judged:
        """Choose by today's rule."""

    def budget(self, calibrate: list[int], judged: list[int], seed: int) -> Judged:
        """Choose by an asset-level budget, cross-fitted."""


@dataclass(frozen=True, slots=True)
class Parts:
    """One split.

    Attributes:
        fit: Engines to fit on.
        validate: Engines to choose today's threshold on; for a budget, with ``fit``.
        judged: The rest.
        seed: Of the folds.
    """

    fit: list[int]
    validate: list[int]
    judged: list[int]
    seed: int


@dataclass(frozen=True, slots=True)
class Way:
    """What is measured over the splits.

    Attributes:
        score: Which score.
        rule: How its threshold is chosen.
        judge: Does so on a split.
    """

    score: str
    rule: str
    judge: Callable[[Parts], Judged]


@dataclass(frozen=True, slots=True)
class Row:
    """What one rule did over all splits.

    Attributes:
        dataset: Which engines.
        score: Which score.
        rule: How the threshold was chosen.
        splits: How many.
        mean: Part of healthy lives with a false warning.
        of_splits: 1.96 standard errors of the mean over so many splits.
        deviation: Over splits.
        worst: Over splits.
        low: Wilson's 95 % interval of the mean.
        high: Likewise.
        lead: Mean life left at the first warning, cycles; none where it was not looked at.
        caught: Part of the failing engines with one.
        spoke: Part of healthy lives with a false warning, by the kind that spoke; empty for a score
            alone.
    """

    dataset: str
    score: str
    rule: str
    splits: int
    mean: float
    of_splits: float
    deviation: float
    worst: float
    low: float
    high: float
    lead: float | None
    caught: float | None
    spoke: dict[str, float]


def main(
    dataset: Annotated[
        list[str] | None, typer.Option(help=f"Default: {', '.join(DATASETS)}.")
    ] = None,
    splits: Annotated[int, typer.Option(min=1, help="Random splits of each data set.")] = 100,
    fleets: Annotated[int, typer.Option(min=1, help="Simulated fleets.")] = 20,
    alpha: Annotated[float, typer.Option(help="The budget.")] = 0.05,
    score: Annotated[
        Which, typer.Option(help="Of no network; the artifact's; or all evidence together.")
    ] = Which.trend,
    folds: Annotated[int, typer.Option(min=2, help="Of the cross-fit, for all evidence.")] = FOLDS,
    epochs: Annotated[int, typer.Option(min=1, help="Of each fold's network.")] = 80,
    seed: Annotated[int, typer.Option(min=0, help="Of the splits.")] = FIRST_SEED,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the rows here.")] = None,
) -> None:
    """Print two rows for each data set: today's rule and the budget, or the budget of two."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        LINE.format(
            "",
            "score",
            "rule",
            "splits",
            "mean",
            "+-",
            "sd",
            "worst",
            "95 %",
            "lead",
            "caught",
            "by",
        )
    )
    rows = []
    for name in dataset or DATASETS:
        for row in measured(name, splits, fleets, alpha, score, epochs, folds, seed):
            rows.append(row)
            console.print(_line(row))
    if json_path:
        write_report(json_path, {"alpha": alpha, "rows": [asdict(row) for row in rows]})


def measured(
    name: str,
    splits: int,
    fleets: int,
    alpha: float,
    which: Which,
    epochs: int,
    folds: int = FOLDS,
    first_seed: int = FIRST_SEED,
) -> Iterator[Row]:
    """Yield the rows of one data set."""
    if name == SIMULATED_NAME:
        yield from _simulated(fleets, alpha, which, folds)
        return
    recording = recording_of(load_dataset(load_settings().data_dir, name, "train"))
    ways = _ways(recording, alpha, which, folds, epochs)
    units = range(1, len(recording.assets) + 1)
    runs = (
        (ways, Parts(*calibrated_split(units, np.random.default_rng([first_seed, seed])), seed))
        for seed in range(splits)
    )
    yield from _rows(name, runs, _lives(recording.assets, recording.machine.window.length))


def _ways(
    recording: Recording, alpha: float, which: Which, folds: int, epochs: int
) -> tuple[Way, Way]:
    if which is Which.network:
        name = recording.name
        score = load_artifact(name.lower()).manifest.score.name
        nets = NetworkSplits(recording, _trainer(epochs), score, alpha, _say_fold(name))
        return _today(score, nets), _budget(score, nets)
    trend = TrendSplits(recording, alpha)
    if which is Which.trend:
        return _today("input_trend", trend), _budget("input_trend", trend)
    all_of_it = EvidenceSplits(recording, alpha, folds)
    return (
        _budget("input_trend", trend),
        Way(
            "all evidence",
            "asset_budget",
            lambda its: all_of_it.together(its.fit, its.validate, its.judged, its.seed),
        ),
    )


def _today(score: str, splits: Splits) -> Way:
    return Way(
        score, "capped_quantile", lambda its: splits.today(its.fit, its.validate, its.judged)
    )


def _budget(score: str, splits: Splits) -> Way:
    return Way(
        score,
        "asset_budget",
        lambda its: splits.budget(its.fit + its.validate, its.judged, its.seed),
    )


def _rows(name: str, runs: Iterable[tuple[Sequence[Way], Parts]], lives: int) -> Iterator[Row]:
    found: dict[tuple[str, str], list[Judged]] = {}
    for ways, parts in runs:
        for way in ways:
            found.setdefault((way.score, way.rule), []).append(way.judge(parts))
    for (score, rule), judged in found.items():
        yield row_of(name, score, rule, judged, lives)


def _simulated(fleets: int, alpha: float, which: Which, folds: int) -> Iterator[Row]:
    which = Which.evidence if which is Which.evidence else Which.trend  # no artifact has its score
    fresh = recording_of(simulate(FRESH, FRESH_SEED))
    judged = list(range(FLEET + 1, FLEET + FRESH + 1))
    fit, validate = list(range(1, FLEET_FIT + 1)), list(range(FLEET_FIT + 1, FLEET + 1))

    def run(seed: int) -> tuple[Sequence[Way], Parts]:
        fleet = recording_of(simulate(FLEET, FIRST_FLEET_SEED + seed))
        both = replace(fleet, assets=(*fleet.assets, *fresh.assets))
        return _ways(both, alpha, which, folds, 0), Parts(fit, validate, judged, seed)

    lives = _lives(fresh.assets, fresh.machine.window.length)
    yield from _rows(SIMULATED_NAME, map(run, range(fleets)), lives)


def _lives(assets: Sequence[AssetRecord], window_length: int) -> int:
    """Return how many engines have a healthy window."""
    sound = [asset.healthy.sum() for asset in assets if asset.healthy is not None]
    return sum(int(rows) >= window_length for rows in sound)


def row_of(name: str, score: str, rule: str, found: list[Judged], lives: int) -> Row:
    """Return what a rule did over some splits, each of which judged some of ``lives`` engines."""
    parts = np.array([each.false / each.lives for each in found])
    mean = sum(each.false for each in found) / sum(each.lives for each in found)
    leads = [lead for each in found for lead in each.leads]
    failing = sum(each.failing for each in found)
    bounds = proportion_interval(mean * lives, lives)
    assert bounds is not None
    return Row(
        name, score, rule, len(found), mean, float(Z * parts.std() / np.sqrt(len(found))),
        float(parts.std()), float(parts.max()),
        bounds.low, bounds.high, float(np.mean(leads)) if leads else None,
        len(leads) / failing if failing else None, _spoke(found),
    )  # fmt: skip


def _spoke(found: list[Judged]) -> dict[str, float]:
    lives = sum(each.lives for each in found)
    kinds = {kind for each in found for kind in each.spoke}
    return {kind: sum(each.spoke.get(kind, 0) for each in found) / lives for kind in sorted(kinds)}


def _trainer(epochs: int) -> Callable[[Prepared], Reconstructor]:
    config = TrainingConfig(epochs=epochs)
    return lambda prepared: train_network(prepared, LSTM_AUTOENCODER, config).reconstructor


def _say_fold(name: str) -> Callable[[int], None]:
    console = Console(stderr=True)
    return lambda fold: console.print(f"{name}: network of fold {fold + 1}")


def _line(row: Row) -> str:
    return LINE.format(
        row.dataset, row.score, row.rule, row.splits, f"{row.mean:.2%}",
        f"{row.of_splits:.2%}", f"{row.deviation:.1%}",
        f"{row.worst:.1%}", f"{row.low:.1%} to {row.high:.1%}",
        "-" if row.lead is None else f"{row.lead:.1f}",
        "-" if row.caught is None else f"{row.caught:.1%}",
        ", ".join(f"{kind} {part:.1%}" for kind, part in row.spoke.items()),
    )  # fmt: skip


if __name__ == "__main__":
    typer.run(friendly_errors(main))
