"""The commands ``surgeline train`` and ``surgeline evaluate``.

Everything heavy is imported inside the commands, so that ``surgeline --help`` answers at once and
the rest of the command line works without the ``train`` extra.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from common.atomic_file import write_report
from common.cli import error_console, friendly_errors, output_console
from common.errors import DatasetError, UserError
from models.artifact_cli import calibrate, card, export
from models.cli_support import (
    RULE_HELP,
    DataDir,
    DatasetName,
    check_folder,
    check_name,
    load,
    parse_rule_option,
    prepare,
    require,
    show_artifact,
)
from models.tracking.command import open_tracker, promote

if TYPE_CHECKING:
    from common.cmapss import Dataset
    from models.comparison import Measured, Spread
    from models.preparation import Prepared
    from models.training import EpochReport, OnEpoch

app = typer.Typer(help="Train and measure models.", no_args_is_help=True)
app.command()(calibrate)
app.command()(export)
app.command()(card)
app.command()(promote)


class MeasuredOn(StrEnum):
    """Which engines count."""

    HELDOUT = "heldout"
    TEST = "test"


@app.command()
@friendly_errors
def train(
    dataset: DatasetName = "FD001",
    out: Annotated[
        Path | None, typer.Option(help="Folder to write. Default: var/artifacts/NAME.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the artifact. Default: the data set's, lower case.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Decides first weights and order; same seed, same artifact.")
    ] = 0,
    epochs: Annotated[int, typer.Option(min=1, max=10_000, help="Passes over the windows.")] = 80,
    model: Annotated[
        str,
        typer.Option(
            help="auto, or one of mse, residual_trend, input_trend, hybrid, hybrid_upper, iforest, "
            "iforest_flat, pca_spe, pca_t2, mahalanobis, input_mse, last_row, patchtst, "
            "patchtst_trend."
        ),
    ] = "auto",
    warning: Annotated[
        str, typer.Option(help=f"How the lower threshold is chosen: {RULE_HELP}")
    ] = "capped_quantile",
    critical: Annotated[
        str, typer.Option(help="How the higher threshold is chosen, likewise.")
    ] = "best_f1",
    track: Annotated[
        bool | None,
        typer.Option(
            "--track/--no-track",
            help="Keep parameters, metrics, report and artifact in MLflow. "
            "Default: SURGELINE_TRACKING__ENABLED.",
            show_default=False,
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Train a model and write an artifact the detector can load.

    Fits on the first 64 % of the engines, chooses thresholds on the next 16 %, measures on the
    rest. `auto` trains the reference network and takes the score of it, or of the inputs alone,
    that ranks the first 80 % best. FD001 takes about a minute on one core.

    Examples:
        surgeline train --dataset FD001 --out my-model --seed 0

        surgeline train --dataset FD001 --model iforest --warning quantile:q=0.995

        surgeline train --dataset FD001 --track

        SURGELINE_DETECTOR__ARTIFACT=./my-model surgeline up
    """
    require("train", "torch", "onnx", "sklearn")
    tracker = open_tracker(track)
    name = name or (dataset.lower() if model == "auto" else f"{dataset.lower()}-{model}")
    check_name(name)
    _check_model(model)
    rules = parse_rule_option("warning", warning), parse_rule_option("critical", critical)
    folder = out or Path("var/artifacts") / name
    check_folder(folder)
    training_data = load(dataset, "train", data_dir)
    prepared = prepare(training_data)

    from models import tables
    from models.artifact import save_artifact
    from models.comparison import is_published
    from models.recipe import build_artifact
    from models.training import TrainingConfig

    config = TrainingConfig(seed=seed, epochs=epochs)
    try:
        with _epoch_progress(f"training {name}", epochs) as on_epoch:
            heard = tracker.hears(on_epoch) if tracker else on_epoch
            artifact = build_artifact(prepared, name, config, model, *rules, on_epoch=heard)
    except ValueError as exc:
        raise UserError(f"{name} cannot be calibrated: {exc}. Choose another strategy.") from exc
    save_artifact(artifact, folder)
    show_artifact(artifact)
    if not is_published(training_data):
        output_console().print(tables.UNPUBLISHED_NOTE, style="bold")
    output_console().print(f"written to  {folder}", soft_wrap=True)
    if tracker:
        run_id = tracker.keep(artifact, training_data)
        output_console().print(f"tracked as  {run_id}", soft_wrap=True)


@app.command()
@friendly_errors
def evaluate(
    dataset: DatasetName = "FD001",
    split: Annotated[
        MeasuredOn,
        typer.Option(help="Training engines nothing was chosen on, or the official test file."),
    ] = MeasuredOn.HELDOUT,
    artifact: Annotated[
        str | None,
        typer.Option(
            help="Name of a shipped artifact, or a folder. Default: the one that fits the data set."
        ),
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(help="Another artifact to measure beside it; may be given more than once."),
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(
            min=0, max=50, help="Also train this many networks, seeds 0, 1, ..., and show spread."
        ),
    ] = 0,
    bootstrap: Annotated[
        int,
        typer.Option(
            min=0,
            max=100_000,
            help="Draws of engines for 95 % intervals and for who is better; 0 leaves both out.",
        ),
    ] = 1000,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the numbers to this file too.")
    ] = None,
    html_path: Annotated[
        Path | None,
        typer.Option("--html", help="Write a report with plots: one file that opens offline."),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Measure a model on engines it has not seen, beside the simple baselines.

    Examples:
        surgeline evaluate --dataset FD001

        surgeline evaluate --dataset FD001 --split test --artifact ./my-model

        surgeline evaluate --dataset FD001 --html report.html

        surgeline evaluate --dataset FD001 --seeds 3 --json report.json
    """
    drawing = ("matplotlib", "jinja2") if html_path else ()
    require("evaluate", "sklearn", *(("torch", "onnx") if seeds else ()), *drawing)

    from models import tables
    from models.artifact import load_artifact
    from models.comparison import companions, compare
    from models.report.command import ci95, show_uncertainty, write_html
    from models.suggestion import suggest_artifact

    named = None if artifact is None else load_artifact(artifact)
    training_data, measured = _engines(split, dataset, data_dir)
    model = named or suggest_artifact(training_data or measured.dataset)
    others = [*(load_artifact(other) for other in also or []), *companions(model)]
    prepared = prepare(training_data) if training_data else None
    comparison = compare(model, prepared, measured, others)
    console = output_console()
    show_artifact(model)
    if prepared and model.manifest.training.data_sha256 != prepared.sha256:
        console.print(
            f"note: {model.manifest.name} was trained on {model.manifest.training.dataset}, not on "
            f"this {dataset} file."
        )
    console.print(tables.ranking_table(comparison))
    console.print(tables.thresholds_table(comparison))
    console.print(tables.verdict(comparison))
    uncertainty = show_uncertainty(comparison, bootstrap, console)
    spreads = (
        _seed_spreads(seeds, prepared, measured, model.manifest.score.name)
        if seeds and prepared
        else {}
    )
    numbers = tuple(range(seeds))
    if spreads:
        console.print(tables.seeds_table(spreads, numbers))
    console.print(tables.PROXY_NOTE, style="dim")
    if not measured.published:
        console.print(tables.UNPUBLISHED_NOTE, style="bold")
    if json_path:
        report = tables.report_json(model, comparison, numbers, spreads)
        write_report(json_path, report | ci95(uncertainty))
    if html_path:
        arguments = ["evaluate", "--dataset", dataset, "--split", split.value]
        arguments += ["--bootstrap", str(bootstrap), "--html", html_path.name]
        arguments += ["--artifact", artifact] if artifact else []
        arguments += [part for other in also or [] for part in ("--also", other)]
        write_html(html_path, model, prepared, comparison, uncertainty, arguments)
        console.print(f"report: {html_path}", soft_wrap=True)


def _seed_spreads(
    seeds: int, prepared: Prepared, measured: Measured, score: str
) -> dict[str, Spread]:
    from models.comparison import Spread, measure_plain_error, measure_scorer
    from models.recipe import build_artifact
    from models.serving import open_scorer
    from models.training import TrainingConfig

    rows: dict[str, list[float]] = {}
    for seed in range(seeds):
        config = TrainingConfig(seed=seed)
        with _epoch_progress(f"seed {seed} ({seed + 1} of {seeds})", config.epochs) as on_epoch:
            artifact = build_artifact(prepared, "seed", config, score, on_epoch=on_epoch)
        metrics = measure_scorer(open_scorer(artifact), measured)
        training, network = artifact.manifest.training, artifact.manifest.network
        plain = measure_plain_error(artifact, prepared, measured) if network else None
        for label, value in (
            ("parameters", network.parameters if network else None),
            ("mse_auc", plain.auc if plain else None),
            ("mse_warning_threshold", plain.warning.threshold if plain else None),
            ("auc", metrics.auc),
            ("pr_auc", metrics.pr_auc),
            ("warning_threshold", metrics.warning.threshold),
            ("critical_threshold", metrics.critical.threshold),
            ("critical_f1", metrics.critical.f1),
            ("train_loss", training.train_loss),
            ("validation_loss", training.validation_loss),
        ):
            if value is not None:
                rows.setdefault(label, []).append(value)
    return {label: Spread(tuple(values)) for label, values in rows.items()}


def _engines(
    split: MeasuredOn, name: str, data_dir: Path | None
) -> tuple[Dataset | None, Measured]:
    """Return the training file, and the engines to measure on.

    The official test file can be measured without its training file, but without baselines.
    """
    from models.comparison import Measured
    from models.splits import EngineRange, split_engines

    if split is MeasuredOn.HELDOUT:
        training_data = load(name, "train", data_dir)
        try:
            heldout = split_engines(len(training_data.engines)).heldout
        except ValueError as exc:
            raise DatasetError(f"{name} cannot be split: {exc}.") from exc
        return training_data, Measured(training_data, "heldout", heldout)
    test = load(name, "test", data_dir)
    measured = Measured(test, "test", EngineRange(1, len(test.engines)))
    try:
        return load(name, "train", data_dir), measured
    except DatasetError as exc:
        error_console().print(f"No baselines: {exc}", style="yellow")
        return None, measured


def _check_model(model: str) -> None:
    from models.catalogue import AUTO, MODELS

    if model not in (AUTO, *MODELS):
        raise UserError(f"--model {model} came; one of {', '.join((AUTO, *MODELS))} was expected.")


@contextmanager
def _epoch_progress(description: str, epochs: int) -> Iterator[OnEpoch]:
    """Show passes done, loss and time left, on standard error."""
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} epochs"),
        TextColumn("loss {task.fields[loss]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=error_console(),
    )
    with progress:
        task = progress.add_task(description, total=epochs, loss="-")

        def on_epoch(report: EpochReport) -> None:
            progress.update(task, completed=report.epoch, loss=f"{report.train_loss:.4f}")

        yield on_epoch
