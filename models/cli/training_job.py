"""One training: prepared data in, an artifact in a folder out, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import UserError
from common.terminal.cli import output_console
from models.cli.showing.epochs import epoch_progress
from models.cli.support import show_artifact
from models.thresholding.rule import Rule
from models.training.config import FOLDS

if TYPE_CHECKING:
    from models.artifact.store import Artifact
    from models.cli.promotion import Tracker
    from models.training.config import OnEpoch
    from models.training.preparation.windows import Prepared
    from models.training.sanity import SanityReport


@dataclass(frozen=True, slots=True)
class Job:
    """What to train.

    Attributes:
        name: Of the artifact.
        model: One of the catalogue, or ``auto``.
        warning: How the lower threshold is chosen; none for the default for the data.
        critical: How the higher one is chosen, likewise.
        seed: Decides first weights and order.
        epochs: Passes over the windows.
        folder: Where to write.
        folds: Into how many parts assets are cut to choose when to warn.
    """

    name: str
    model: str
    warning: Rule | None
    critical: Rule | None
    seed: int
    epochs: int
    folder: Path
    folds: int = FOLDS


def run_job(job: Job, prepared: Prepared, tracker: Tracker | None = None) -> Artifact:
    """Train, write and show an artifact.

    Raises:
        UserError: If the model or a rule needs what the data do not have.
        ArtifactError: If the folder cannot be written.
    """
    from models.artifact.store import save_artifact

    reports: list[SanityReport] = []
    with epoch_progress(f"training {job.name}", _epochs(job)) as on_epoch:
        artifact = fit(
            job, prepared, tracker.hears(on_epoch) if tracker else on_epoch, reports.append
        )
    for report in reports:
        _show(report)
    save_artifact(artifact, job.folder)
    show_artifact(artifact)
    output_console().print(f"written to  {job.folder}", soft_wrap=True)
    return artifact


def fit(
    job: Job,
    prepared: Prepared,
    on_epoch: OnEpoch = lambda _report: None,
    on_report: Callable[[SanityReport], None] = lambda _report: None,
) -> Artifact:
    """Train an artifact; nothing is written or shown.

    Raises:
        UserError: If the model or a rule needs what the data do not have, or the model is unsound.
    """
    from models.training.build import build_artifact
    from models.training.config import TrainingConfig
    from models.training.sanity import UnsoundModelError

    config = TrainingConfig(seed=job.seed, epochs=job.epochs)
    try:
        return build_artifact(
            prepared,
            job.name,
            config,
            job.model,
            job.warning,
            job.critical,
            on_epoch=on_epoch,
            folds=job.folds,
            on_report=on_report,
        )
    except UnsoundModelError as exc:
        raise UserError(f"{job.name} is not fit to be used and is not written: {exc}.") from exc
    except ValueError as exc:
        raise UserError(
            f"{job.name} cannot be trained so: {exc}. Choose otherwise with --model, --warning or "
            "--critical."
        ) from exc


def _show(report: SanityReport) -> None:
    console = output_console(soft_wrap=True)
    console.print(f"checked     {report.summary}", markup=False)
    for note in report.notes:
        console.print(f"note: {note}.", style="dim", markup=False)


def _epochs(job: Job) -> int:
    """Return how many passes there will be; a model without network has none."""
    from models.training.catalogue import AUTO, MODELS

    return job.epochs if job.model == AUTO or MODELS[job.model].network else 0
