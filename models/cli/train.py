"""``surgeline train``.

What trains is imported inside the command, so that its help answers at once and the rest of the
command line works without the extra ``train``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from common.cli import friendly_errors, output_console
from common.errors import UserError
from models.cli.epochs import epoch_progress
from models.cli.promotion import open_tracker
from models.cli.support import (
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
from models.thresholding.rule import CRITICAL_RULE, WARNING_RULE
from models.training.catalogue import AUTO, MODELS


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
        typer.Option(help=f"{AUTO}, or one of {', '.join(MODELS)}."),
    ] = AUTO,
    warning: Annotated[
        str, typer.Option(help=f"How the lower threshold is chosen: {RULE_HELP}")
    ] = WARNING_RULE.strategy,
    critical: Annotated[
        str, typer.Option(help="How the higher threshold is chosen, likewise.")
    ] = CRITICAL_RULE.strategy,
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
    name = name or (dataset.lower() if model == AUTO else f"{dataset.lower()}-{model}")
    check_name(name)
    _check_model(model)
    rules = parse_rule_option("warning", warning), parse_rule_option("critical", critical)
    folder = out or Path("var/artifacts") / name
    check_folder(folder)
    training_data = load(dataset, "train", data_dir)
    prepared = prepare(training_data)

    from models.artifact.store import save_artifact
    from models.cli import tables
    from models.report.comparison import is_published
    from models.training.build import build_artifact
    from models.training.networks.loop import TrainingConfig

    config = TrainingConfig(seed=seed, epochs=epochs)
    try:
        with epoch_progress(f"training {name}", epochs) as on_epoch:
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


def _check_model(model: str) -> None:
    if model not in (AUTO, *MODELS):
        raise UserError(f"--model {model} came; one of {', '.join((AUTO, *MODELS))} was expected.")
