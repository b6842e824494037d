"""The commands ``surgeline train`` and ``surgeline evaluate``.

Everything heavy is imported inside the commands, so that ``surgeline --help`` answers at once and
the rest of the command line works without the ``train`` extra.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from common.cli import error_console, friendly_errors
from common.errors import ArtifactError, UserError
from common.settings import load_settings

if TYPE_CHECKING:
    from common.cmapss import Dataset
    from models.artifact import Artifact
    from models.comparison import Measured, Spread
    from models.preparation import Prepared
    from models.training import EpochReport, OnEpoch

app = typer.Typer(help="Train and measure models.", no_args_is_help=True)

DatasetName = Annotated[
    str, typer.Option(help="Data set: FD001 to FD004, or one of the simulator's.")
]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder of the data files. Default: SURGELINE_DATA_DIR, else ./data/cmapss."),
]


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
    data_dir: DataDir = None,
) -> None:
    """Train the reference network and write an artifact the detector can load.

    Fits on the first 64 % of the engines, chooses thresholds on the next 16 %, measures on the
    rest. FD001 takes about a minute on one core.

    Examples:
        surgeline train --dataset FD001 --out my-model --seed 0

        SURGELINE_DETECTOR__ARTIFACT=./my-model surgeline up
    """
    _require("train", "torch", "onnx", "sklearn")
    name = name or dataset.lower()
    _check_name(name)
    folder = out or Path("var/artifacts") / name
    _check_folder(folder)
    training_data = _load(dataset, "train", data_dir)
    prepared = _prepare(training_data)

    from models import tables
    from models.artifact import save_artifact
    from models.comparison import is_published
    from models.recipe import build_artifact
    from models.training import TrainingConfig

    config = TrainingConfig(seed=seed, epochs=epochs)
    with _epoch_progress(f"training {name}", epochs) as on_epoch:
        artifact = build_artifact(prepared, name, config, on_epoch=on_epoch)
    save_artifact(artifact, folder)
    _show_artifact(artifact)
    if not is_published(training_data):
        Console().print(tables.UNPUBLISHED_NOTE, style="bold")
    Console().print(f"written to  {folder}", highlight=False, soft_wrap=True, markup=False)


@app.command()
@friendly_errors
def evaluate(
    dataset: DatasetName = "FD001",
    split: Annotated[
        MeasuredOn,
        typer.Option(help="Training engines nothing was chosen on, or the official test file."),
    ] = MeasuredOn.HELDOUT,
    artifact: Annotated[
        str, typer.Option(help="Name of a shipped artifact, or a folder.")
    ] = "fd001",
    seeds: Annotated[
        int,
        typer.Option(
            min=0, max=50, help="Also train this many networks, seeds 0, 1, ..., and show spread."
        ),
    ] = 0,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the numbers to this file too.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Measure a model on engines it has not seen, beside the simple baselines.

    Examples:
        surgeline evaluate --dataset FD001

        surgeline evaluate --dataset FD001 --split test --artifact ./my-model

        surgeline evaluate --dataset FD001 --seeds 3 --json report.json
    """
    _require("evaluate", "sklearn", *(("torch", "onnx") if seeds else ()))

    from models import tables
    from models.artifact import load_artifact
    from models.comparison import compare

    model = load_artifact(artifact)
    training_data = _load(dataset, "train", data_dir)
    prepared = _prepare(training_data)
    measured = _measured(split, prepared, training_data, data_dir)
    comparison = compare(model, prepared, measured)
    console = Console(highlight=False)
    _show_artifact(model)
    if model.manifest.training.data_sha256 != prepared.sha256:
        console.print(
            f"note: {model.manifest.name} was trained on {model.manifest.training.dataset}, not on "
            f"this {dataset} file."
        )
    console.print(tables.ranking_table(comparison))
    console.print(tables.thresholds_table(comparison))
    console.print(tables.verdict(comparison))
    spreads = _seed_spreads(seeds, prepared, measured) if seeds else {}
    numbers = tuple(range(seeds))
    if spreads:
        console.print(tables.seeds_table(spreads, numbers))
    console.print(tables.PROXY_NOTE, style="dim")
    if not measured.published:
        console.print(tables.UNPUBLISHED_NOTE, style="bold")
    if json_path:
        _write_json(json_path, tables.report_json(model, comparison, numbers, spreads))


def _seed_spreads(seeds: int, prepared: Prepared, measured: Measured) -> dict[str, Spread]:
    from models.comparison import Spread, measure_scorer
    from models.recipe import build_artifact
    from models.serving import open_scorer
    from models.training import TrainingConfig

    rows: dict[str, list[float]] = {}
    for seed in range(seeds):
        config = TrainingConfig(seed=seed)
        with _epoch_progress(f"seed {seed} ({seed + 1} of {seeds})", config.epochs) as on_epoch:
            artifact = build_artifact(prepared, "seed", config, on_epoch=on_epoch)
        metrics = measure_scorer(open_scorer(artifact), measured)
        training = artifact.manifest.training
        for label, value in (
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


def _measured(
    split: MeasuredOn, prepared: Prepared, training_data: Dataset, data_dir: Path | None
) -> Measured:
    from models.comparison import Measured
    from models.splits import EngineRange

    if split is MeasuredOn.HELDOUT:
        return Measured(training_data, "heldout", prepared.split.heldout)
    test = _load(training_data.name, "test", data_dir)
    return Measured(test, "test", EngineRange(1, len(test.engines)))


def _load(name: str, split: str, data_dir: Path | None) -> Dataset:
    from common.cmapss import load_dataset

    folder = data_dir or load_settings().data_dir
    return load_dataset(folder, name, "test" if split == "test" else "train")


def _prepare(dataset: Dataset) -> Prepared:
    from models.preparation import prepare

    return prepare(dataset)


def _show_artifact(artifact: Artifact) -> None:
    from models.tables import artifact_lines

    for line in artifact_lines(artifact):
        Console().print(line, highlight=False, soft_wrap=True, markup=False)


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


def _require(command: str, *modules: str) -> None:
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise UserError(
            f"`surgeline {command}` needs {', '.join(missing)}, not installed here. Install with "
            "pip install 'surgeline[train]'"
        )


def _check_name(name: str) -> None:
    from models.manifest import SLUG_PATTERN

    if not re.match(SLUG_PATTERN, name):
        raise ArtifactError(
            f"The name {name!r} came; letters, digits and . _ + - were expected, at most 64, the "
            "first a letter or digit. Choose another with --name."
        )


def _check_folder(folder: Path) -> None:
    """Fail before training rather than after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ArtifactError(
            f"{folder} cannot be made: {exc.strerror}. Choose another folder with --out."
        ) from exc


def _write_json(path: Path, report: object) -> None:
    try:
        path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    except OSError as exc:
        raise UserError(f"{path} cannot be written: {exc.strerror}.") from exc
