"""``surgeline evaluate``."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from common.cmapss.files import SIMULATED_NAME
from common.errors import DatasetError, UserError
from common.files.atomic import write_report
from common.telemetry.files import spacecraft_of
from common.terminal.cli import error_console, friendly_errors, output_console
from models.cli.series import SeriesRequest, evaluate_series
from models.cli.showing.epochs import epoch_progress
from models.cli.simulated import (
    FRESH_ENGINES,
    FRESH_SEED,
    Fresh,
    is_simulated,
    simulator_of,
)
from models.cli.support import (
    DataDir,
    load,
    prepare,
    require,
    require_networks,
    show_artifact,
)
from models.tracking.resolve import registry_folder

if TYPE_CHECKING:
    from common.cmapss.reader import Dataset
    from models.report.comparison import Measured, Spread
    from models.training.preparation.windows import Prepared


OF_ENGINES: Final = (
    "split", "artifact", "also", "seeds", "bootstrap", "faults", "engines", "seed", "html_path",
)  # fmt: skip
SHORT: Final = ("html_path", "models")
"""Parameters whose options are called otherwise: ``--html``, ``--model``."""

OF_TELEMETRY: Final = ("models", "threshold", "out", "jobs")


class MeasuredOn(StrEnum):
    """Which engines count."""

    HELDOUT = "heldout"
    TEST = "test"


@friendly_errors
def evaluate(
    ctx: typer.Context,
    dataset: Annotated[
        str,
        typer.Option(
            help="Data set: FD001 to FD004, or one of the simulator's; or SMAP, MSL or SMAP,MSL."
        ),
    ] = "FD001",
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
    faults: Annotated[
        bool,
        typer.Option(
            "--faults",
            help="Instead: put known faults into healthy records of these engines, single sensors "
            "and several, and print which are seen, how soon, and which sensor is named. With "
            "--dataset SIM and no --data-dir: into engines simulated for this.",
        ),
    ] = False,
    engines: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=f"How many are simulated for --faults --dataset SIM. Default: {FRESH_ENGINES}.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Of the simulator, likewise; engines the model was trained on are refused. "
            f"Default: {FRESH_SEED}.",
            show_default=False,
        ),
    ] = None,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the numbers to this file too.")
    ] = None,
    html_path: Annotated[
        Path | None,
        typer.Option("--html", help="Write a report with plots: one file that opens offline."),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            help="Of telemetry: a model to run; may be given more than once. Default: all.",
            show_default=False,
        ),
    ] = None,
    threshold: Annotated[
        str | None,
        typer.Option(
            help="Of telemetry: from scores to flags. trailing:k=5,length=1440 is the default; "
            "quantile, maximum and zscore look at scores of the training readings.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Of telemetry: folder of report, CSVs and scores; what is there is not computed "
            "again. Default: series/ in SURGELINE_VAR_DIR.",
            show_default=False,
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=64,
            help="Of telemetry: processes at a time. Default: one per core.",
            show_default=False,
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Measure a model on engines it has not seen, beside the simple baselines.

    Of telemetry: every model over every stream, with trivial and published rows beside.

    Examples:
        surgeline evaluate --dataset FD001

        surgeline evaluate --dataset FD001 --split test --artifact ./my-model

        surgeline evaluate --dataset FD001 --html report.html

        surgeline evaluate --dataset FD001 --seeds 3 --json report.json

        surgeline evaluate --dataset FD001 --faults

        surgeline evaluate --dataset SIM --faults --engines 200 --seed 8

        surgeline evaluate --dataset SMAP,MSL --json telemetry.json
    """
    if spacecraft_of(dataset):
        _refuse_given(ctx, OF_ENGINES, "engines, not of telemetry")
        require("evaluate", "sklearn", "matplotlib", "jinja2")
        require_networks(models)
        evaluate_series(
            SeriesRequest(dataset, models or (), threshold, out, jobs, json_path, data_dir)
        )
        return
    _refuse_given(ctx, OF_TELEMETRY, "telemetry: --dataset SMAP, MSL or SMAP,MSL")
    made = faults and data_dir is None and is_simulated(dataset)
    if (engines, seed) != (None, None) and not made:
        raise UserError(
            "--engines and --seed are of engines simulated for this: give them with "
            f"--faults --dataset {SIMULATED_NAME}, and without --data-dir."
        )
    if faults:
        source = _simulated(ctx, engines, seed) if made else None
        _faults(split, dataset, data_dir, artifact, json_path, source)
        return
    drawing = ("matplotlib", "jinja2") if html_path else ()
    require("evaluate", "sklearn", *(("torch", "onnx") if seeds else ()), *drawing)

    from models.artifact.store import load_artifact
    from models.artifact.suggestion import suggest_artifact
    from models.cli.showing import tables
    from models.cli.showing.report_files import ci95, show_uncertainty, write_html
    from models.report.comparison import companions, compare

    named = None if artifact is None else load_artifact(artifact, registry_folder)
    training_data, measured = _engines(split, dataset, data_dir)
    model = named or suggest_artifact(training_data or measured.dataset)
    others = [*(load_artifact(other, registry_folder) for other in also or []), *companions(model)]
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


def _refuse_given(ctx: typer.Context, names: Collection[str], whose: str) -> None:
    """Refuse options that mean nothing here, rather than pass over them.

    Raises:
        UserError: Naming the first.
    """
    for name in names:
        source = ctx.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            option = name.removesuffix("_path").removesuffix("s") if name in SHORT else name
            raise UserError(f"--{option} came; it is of {whose}.")


def _simulated(ctx: typer.Context, engines: int | None, seed: int | None) -> Fresh:
    return Fresh(
        simulator_of(ctx),
        FRESH_ENGINES if engines is None else engines,
        FRESH_SEED if seed is None else seed,
    )


def _faults(
    split: MeasuredOn,
    dataset: str,
    data_dir: Path | None,
    artifact: str | None,
    json_path: Path | None,
    fresh: Fresh | None,
) -> None:
    from models.artifact.store import load_artifact
    from models.artifact.suggestion import suggest_artifact
    from models.cli.faults import show_faults
    from models.cli.showing.tables import UNPUBLISHED_NOTE

    if fresh is None:
        training_data, measured = _engines(split, dataset, data_dir)
    else:
        training_data, measured = None, fresh.measured(split.value)
    model = (
        suggest_artifact(training_data or measured.dataset)
        if artifact is None
        else load_artifact(artifact, registry_folder)
    )
    console = output_console()
    if fresh is not None:
        fresh.refuse_known(model, measured.dataset.split)
        console.print(fresh.told(measured.dataset), soft_wrap=True)
    found = show_faults(model, measured, console, None if fresh is None else fresh.seed)
    if not measured.published:
        console.print(UNPUBLISHED_NOTE, style="bold")
    if json_path:
        write_report(json_path, found)


def _seed_spreads(
    seeds: int, prepared: Prepared, measured: Measured, score: str
) -> dict[str, Spread]:
    from models.artifact.opening import open_scorer
    from models.report.comparison import Spread, measure_plain_error, measure_scorer
    from models.training.build import build_artifact
    from models.training.config import TrainingConfig

    rows: dict[str, list[float]] = {}
    for seed in range(seeds):
        config = TrainingConfig(seed=seed)
        with epoch_progress(f"seed {seed} ({seed + 1} of {seeds})", config.epochs) as on_epoch:
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
    from models.evaluation.splits import EngineRange, split_engines
    from models.report.comparison import Measured

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
