"""Somebody's own pump without labels: the default model on SKAB, beside others and published rows.

    python -m bench.quality.skab [--no-network] [--folder FOLDER]

The benchmark's protocol: learn from the record without faults and from the first 400 rows of each
experiment, without a label; judge the rest, row by row as readings come. Thresholds are chosen by
the default rule on the last fifth of what is learned from. Only the figures look at labels. One
file is one asset; one model, one rule for all files. "best F1" is that of the threshold which
labels would have chosen: no model may use it. Trains networks for about five minutes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.quality.skab.data import ALL_FILES, FIT_ROWS, Experiments, labels, load_experiments
from bench.quality.skab.models import (
    WINDOW,
    Figures,
    Verdicts,
    calibrated,
    candidates,
    default_verdicts,
    figures,
    judged_by,
    never_seen,
    one_model_each,
    other_thresholds,
    prepared_of,
    so_far,
    trivial,
)
from models.training.catalogue import OWN_DEFAULT

LINE = "{:46}{:>8}{:>8}{:>8}{:>8}{:>8}"
PUBLISHED = (
    ("Conv-AE (published)", ".78", "13.6 %", "28.0 %"),
    ("MSET (published)", ".78", "", ""),
    ("T2 + Q (published)", ".76", "", ""),
    ("LSTM-AE (published)", ".74", "30.0 %", "25.9 %"),
    ("Isolation forest (published)", ".29", "", ""),
)
"""Of the benchmark's own table, over all its files; its authors' thresholds."""

SPREADS = (0.0, 1.0, 2.0, 3.0, 4.0)
LENGTHS = (10, 20, 60)


def main(
    folder: Annotated[Path | None, typer.Option(help="Of the files, if not ../skab.")] = None,
    network: Annotated[bool, typer.Option(help="Train the LSTM autoencoder too.")] = True,
) -> None:
    """Print the default per file and pooled, then everything that was tried."""
    console = Console(highlight=False, soft_wrap=True)
    data = load_experiments(folder)
    default = default_verdicts(data)
    _say_what(console, data, default)
    console.print(f"\n{OWN_DEFAULT}, the default, at its warning threshold")
    console.print(LINE.format("file", "F1", "FAR", "MAR", "AUC", "best F1"))
    for record, told in zip(data.judged, default, strict=True):
        _row(console, record.asset_id, figures([told]))
    _row(console, "all files", figures(default))

    console.print("\none model for all files, thresholds by the same rule")
    prepared = prepared_of(data, data.fitted())
    _row(console, OWN_DEFAULT, figures(default))
    for name, verdicts in candidates(data, prepared, network):
        _row(console, name, figures(verdicts))

    console.print("\na baseline for each asset, which the live detector has only with a model each")
    for name in ("input_mse", "last_row", OWN_DEFAULT, *(("mse",) if network else ())):
        shown = f"{name} (LSTM autoencoder)" if name == "mse" else name
        _row(console, f"{shown}, one model per file", figures(one_model_each(data, name)))
    _row(console, "no model: own deviations of a row", figures(trivial(data, of_means=False)))
    _row(console, "no model: own deviations of 30-row means", figures(trivial(data, of_means=True)))

    console.print("\nwithout the beginnings of experiments that were made later")
    for name in (OWN_DEFAULT, "input_mse"):
        _row(console, f"{name}, as on the day", figures(so_far(data, name)))

    console.print("\nassets that were not learned from")
    _row(console, f"{OWN_DEFAULT}, the file left out", figures(never_seen(data, OWN_DEFAULT)))
    unseen = prepared_of(data, data.fitted(), split="asset")
    by_asset = judged_by(calibrated(OWN_DEFAULT, unseen), unseen, data.judged)
    _row(console, f"{OWN_DEFAULT}, split by asset", figures(by_asset))

    console.print("\nother thresholds and windows of the default")
    for name, verdicts in other_thresholds(data, prepared, SPREADS):
        _row(console, name, figures(verdicts))
    for length in LENGTHS:
        _row(console, f"window of {length} instead of {WINDOW}", _of_length(data, length))

    console.print(f"\nfor comparison; published rows are over all {ALL_FILES} files")
    for name, f1, far, mar in PUBLISHED:
        console.print(LINE.format(name, f1, far, mar, "", ""))
    always = [Verdicts(v.scores * 0, v.faulty | True, v.faulty, 0) for v in default]
    _row(console, "an alarm at every row", figures(always))


def _of_length(data: Experiments, length: int) -> Figures:
    return figures(default_verdicts(data, length))


def _say_what(console: Console, data: Experiments, default: list[Verdicts]) -> None:
    judged = sum(len(told.faulty) for told in default)
    faulty = sum(int(told.faulty.sum()) for told in default)
    unscored = sum(told.unscored for told in default)
    early = [
        f"{int(mark[:FIT_ROWS].sum())} of {record.asset_id}"
        for record in data.judged
        if (mark := record.faulty) is not None and mark[:FIT_ROWS].any()
    ]
    console.print(
        f"SKAB: {len(data.judged)} of its {ALL_FILES} experiments and the record without faults\n"
        f"judged: {judged:,} rows, {faulty / judged:.1%} of them labelled faulty; {unscored} got "
        "no score, for want of 30 readings after a gap, and count as no alarm\n"
        f"labelled faulty among the first {FIT_ROWS} rows, and learned as healthy all the same: "
        f"{', '.join(early) or 'none'}"
    )
    assert all(len(labels(r)) == len(v.faulty) for r, v in zip(data.judged, default, strict=True))


def _row(console: Console, name: str, found: Figures) -> None:
    auc = "-" if found.auc is None else f"{found.auc:.3f}"
    cells = (f"{found.f1:.3f}", f"{found.far:.1%}", f"{found.mar:.1%}", auc, f"{found.best_f1:.3f}")
    console.print(LINE.format(name, *cells))


if __name__ == "__main__":
    typer.run(main)
