"""``surgeline calibrate``, ``export``, ``card``, ``confidence``: an existing artifact in hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from common.errors import ArtifactError, UserError
from common.files.atomic import write_text
from common.terminal.cli import friendly_errors, output_console
from models.cli.support import (
    RULE_HELP,
    DataDir,
    TrainingSet,
    check_folder,
    load,
    load_training_file,
    parse_rule_option,
    require,
    show_artifact,
)
from models.tracking.resolve import registry_folder

if TYPE_CHECKING:
    from common.cmapss.reader import Dataset

AnyArtifact = Annotated[str, typer.Option(help="Name of a shipped artifact, or a folder.")]


@friendly_errors
def calibrate(
    out: Annotated[Path, typer.Option(help="Folder to write the new artifact to.")],
    artifact: AnyArtifact = "fd001",
    warning: Annotated[
        str | None,
        typer.Option(help=f"How the lower threshold is chosen: {RULE_HELP} Default: as before."),
    ] = None,
    critical: Annotated[
        str | None,
        typer.Option(help="How the higher threshold is chosen, likewise. Default: as before."),
    ] = None,
    dataset: TrainingSet = None,
    data_dir: DataDir = None,
) -> None:
    """Choose the thresholds of an existing artifact anew, without training.

    The file it was trained on must be there: thresholds are chosen on its validation engines, and
    a strategy that looks at faults also on those it was fitted on. Nothing is chosen on the rest.

    Examples:
        surgeline calibrate --artifact fd001 --warning pot:risk=0.001 --out var/fd001-pot

        surgeline calibrate --artifact fd004 --critical precision_floor:precision=0.9 --out mine
    """
    require("calibrate", "sklearn")
    rules = [
        None if text is None else parse_rule_option(option, text)
        for option, text in (("warning", warning), ("critical", critical))
    ]
    check_folder(out)

    from models.artifact.store import load_artifact, save_artifact
    from models.training.recalibration import recalibrate

    before = load_artifact(artifact, registry_folder)
    try:
        after = recalibrate(before, load_training_file(before, dataset, data_dir), *rules)
    except ValueError as exc:
        raise UserError(f"{artifact} cannot be calibrated so: {exc}.") from exc
    save_artifact(after, out)
    show_artifact(after)
    _written(out)


@friendly_errors
def export(
    out: Annotated[Path, typer.Option(help="Folder to write to: one folder per precision.")],
    artifact: AnyArtifact = "fd001",
    int8: Annotated[bool, typer.Option("--int8", help="Also make a dynamic int8 network.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Write an artifact's ONNX network in float32, and in int8 with what that changes.

    int8 is smaller. Its scores depend a little on how many windows are scored in one call, so it is
    flagged, and live scores of it are not compared with batch scores.

    Examples:
        surgeline export --artifact fd001 --out exported

        surgeline export --artifact fd001 --int8 --out exported
    """
    require("export", "sklearn", *(("onnx",) if int8 else ()))
    check_folder(out)

    from models.artifact.store import load_artifact, save_artifact
    from models.cli.showing.tables import precision_table

    model = load_artifact(artifact, registry_folder)
    if model.network is None:
        raise ArtifactError(
            f"{model.manifest.name} has no network: its folder is all there is to export."
        )
    save_artifact(model, out / model.manifest.name)
    _written(out / model.manifest.name)
    if int8:
        from models.training.quantise import compare_precisions, quantise
        from models.training.recalibration import prepare_as

        prepared = prepare_as(model, load_training_file(model, None, data_dir))
        small = quantise(model, prepared)
        save_artifact(small, out / small.manifest.name)
        _written(out / small.manifest.name)
        output_console().print(precision_table(compare_precisions(model, small, prepared)))


@friendly_errors
def card(
    artifact: AnyArtifact = "fd001",
    out: Annotated[
        Path | None, typer.Option(help="File to write. Default: CARD.md in the artifact's folder.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Write an artifact's model card: data, split, metrics with intervals, limits.

    Measures the artifact on its held-out engines, and on the official test file if that is there.

    Examples:
        surgeline card --artifact fd001
    """
    require("card", "sklearn")

    from models.artifact.store import artifact_folder, load_artifact
    from models.report.card import write_card

    model = load_artifact(artifact, registry_folder)
    name = model.manifest.training.dataset
    text = write_card(model, load_training_file(model, None, data_dir), _test_file(name, data_dir))
    path = out or artifact_folder(artifact, registry_folder) / "CARD.md"
    write_text(path, text)
    _written(path)


@friendly_errors
def confidence(artifact: AnyArtifact = "fd001", data_dir: DataDir = None) -> None:
    """Write beside an artifact how sure it is: what it holds against healthy windows.

    The api answers with it which part of the healthy validation windows a window stands out from.
    Training does this by itself; this is for artifacts that were made before. The manifest stays as
    it is, and with it digest and version: nothing that runs is changed.

    Examples:
        surgeline confidence --artifact fd001
    """
    from models.artifact.confidence import CONFIDENCE_FILE
    from models.artifact.store import artifact_folder, load_artifact
    from models.training.confidence import with_confidence
    from models.training.recalibration import prepare_as

    before = load_artifact(artifact, registry_folder)
    after = with_confidence(before, prepare_as(before, load_training_file(before, None, data_dir)))
    if after.confidence is None:
        raise UserError(f"{artifact} has no healthy validation windows to be measured on.")
    path = artifact_folder(artifact, registry_folder) / CONFIDENCE_FILE
    write_text(path, after.confidence.decode())
    _written(path)


def _test_file(name: str, data_dir: Path | None) -> Dataset | None:
    from common.errors import DatasetError

    try:
        return load(name, "test", data_dir)
    except DatasetError:
        return None


def _written(path: Path) -> None:
    output_console().print(f"written to  {path}", soft_wrap=True)
