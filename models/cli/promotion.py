"""``surgeline promote``, and what ``surgeline train --track`` does after training."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from common.errors import UserError
from common.settings import TrackingSettings, load_settings
from common.terminal.cli import FAILURE_EXIT, friendly_errors, output_console
from models.cli.support import DataDir, TrainingSet, load_training_file, prepare, require
from models.tracking.resolve import registry_folder

if TYPE_CHECKING:
    from common.cmapss.reader import Dataset
    from models.artifact.store import Artifact
    from models.tracking.gate import Judgement
    from models.tracking.promotion import Outcome
    from models.tracking.registry import ModelRegistry
    from models.training.config import EpochReport, OnEpoch


@friendly_errors
def promote(
    run_id: Annotated[
        str | None, typer.Option(help="Run to promote, as `surgeline train --track` prints it.")
    ] = None,
    artifact: Annotated[
        str | None,
        typer.Option(help="Or: name of a shipped artifact, or a folder; tracked if accepted."),
    ] = None,
    force_reason: Annotated[
        str | None,
        typer.Option(
            help="Promote although the gate refuses; the reason is kept with the version."
        ),
    ] = None,
    dataset: TrainingSet = None,
    data_dir: DataDir = None,
) -> None:
    """Put a model into production, if it is not worse than what is there.

    Both are measured anew on the validation engines of the file they were trained on; held-out and
    test engines are not looked at. Accepted, it becomes the next version in the registry and the
    alias `production` moves to it. Refused, nothing changes and the exit code is 1.

    Examples:
        surgeline promote --run-id 0c1f...

        surgeline promote --artifact ./my-model

        surgeline promote --artifact ./my-model --force-reason "new fleet, new data set"
    """
    if (run_id is None) == (artifact is None):
        raise UserError("One of --run-id and --artifact was expected: what shall be promoted?")
    if force_reason is not None and not force_reason.strip():
        raise UserError("--force-reason came empty; a reason in words was expected.")
    require("promote", "sklearn")

    from models.artifact.store import load_artifact
    from models.tracking.mlflow_registry import MlflowRegistry
    from models.tracking.promotion import Candidate, propose

    settings = load_settings().tracking
    registry = MlflowRegistry(settings)
    model = (
        registry.artifact_of(run_id) if run_id else load_artifact(artifact or "", registry_folder)
    )
    training_data = load_training_file(model, dataset, data_dir)
    outcome = propose(Candidate(model, run_id), training_data, registry, force_reason)
    console = output_console(soft_wrap=True)
    console.print(gate_table(outcome.judgement, model))
    _say(outcome, settings, force_reason, console)


def gate_table(judgement: Judgement, candidate: Artifact) -> Table:
    """Return the comparison, a row per criterion."""
    training = candidate.manifest.training
    table = Table(
        title=f"{training.dataset} validation engines {training.validate_.first}-"
        f"{training.validate_.last}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("")
    for heading in ("production", "candidate", "difference", "tolerated", ""):
        table.add_column(heading, justify="right")
    for row in judgement.rows:
        both = row.candidate is not None and row.production is not None
        change = f"{(row.candidate or 0) - (row.production or 0):+.4g}" if both else "-"
        sign = "-" if row.criterion.higher_is_better else "+"
        table.add_row(
            row.criterion.name,
            _shown(row.production),
            _shown(row.candidate),
            change,
            f"{sign}{row.criterion.tolerance:g}" if row.criterion.tolerance else "0",
            "worse" if row.worse else "",
        )
    return table


def _say(
    outcome: Outcome, settings: TrackingSettings, force_reason: str | None, console: Console
) -> None:
    name, before = settings.model_name, outcome.replaced
    if outcome.unchanged and before is not None:
        console.print(f"This is version {before.version}, in production already.")
        return
    for reason in outcome.judgement.reasons:
        console.print(f"gate: {reason}")
    if outcome.version is None:
        console.print("refused: production stays as it is.", style="bold")
        raise typer.Exit(FAILURE_EXIT)
    how = f" (forced: {force_reason})" if not outcome.judgement.accepted else ""
    after = f", after version {before.version}" if before else ", the first"
    line = f"promoted: models:/{name}@production is version {outcome.version}{after}{how}"
    console.print(line)


class Tracker:
    """Keeps one training run.

    Args:
        settings: Where.
        registry: Opened before training, so that a server that is not there is told at once.
    """

    def __init__(self, settings: TrackingSettings, registry: ModelRegistry) -> None:
        self._settings = settings
        self._registry = registry
        self._losses: list[float] = []

    def hears(self, on_epoch: OnEpoch) -> OnEpoch:
        """Return a listener that notes each loss and passes it on."""

        def listen(report: EpochReport) -> None:
            self._losses.append(report.train_loss)
            on_epoch(report)

        return listen

    def keep(self, artifact: Artifact, training_data: Dataset) -> str:
        """Measure and keep what was trained; return the run's id."""
        from models.tracking.record import run_record
        from models.tracking.validation import validation_metrics

        record = run_record(artifact, validation_metrics(artifact, training_data), self._losses)
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.html" if self._settings.report else None
            if report:
                _write_report(report, artifact, training_data)
            return self._registry.log_run(record, artifact, report)


def tracking_asked() -> bool:
    """Return whether the settings ask for tracking."""
    return load_settings().tracking.enabled


def open_tracker(track: bool | None) -> Tracker | None:
    """Return what keeps a training run, or none if tracking is off.

    Args:
        track: What was asked for; none leaves it to the settings.

    Raises:
        UserError: If a library is missing.
        BackendError: If the server does not answer.
    """
    settings = load_settings().tracking
    if not (settings.enabled if track is None else track):
        return None
    if settings.report:
        require("train --track", "matplotlib", "jinja2")
    from models.tracking.mlflow_registry import MlflowRegistry
    from models.tracking.registry import PRODUCTION

    registry = MlflowRegistry(settings)
    registry.find(PRODUCTION)  # asks the server before minutes of training, not after
    return Tracker(settings, registry)


def _write_report(path: Path, artifact: Artifact, training_data: Dataset) -> None:
    from models.cli.showing.report_files import write_html
    from models.report.comparison import Measured, compare

    prepared = prepare(training_data)
    measured = Measured(training_data, "heldout", prepared.split.heldout)
    comparison = compare(artifact, prepared, measured)
    arguments = ["evaluate", "--dataset", training_data.name, "--artifact", "FOLDER"]
    write_html(path, artifact, prepared, comparison, None, [*arguments, "--html", path.name])


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"
