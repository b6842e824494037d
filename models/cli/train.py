"""``surgeline train``: of C-MAPSS engines, or of somebody's own machines.

What trains is imported inside the command, so that its help answers at once and the rest of the
command line works without the extra ``train``.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from common.errors import UserError
from common.machines.files import load_machine
from common.machines.machine import MachineType
from common.readers.options import AssetColumn, Ignore, TimeColumn, columns_given, roles_given
from common.telemetry.files import spacecraft_of
from common.terminal.cli import error_console, friendly_errors, output_console
from models.cli.parts import PartsRequest, train_parts_of, train_several, training_readings
from models.cli.promotion import Tracker, open_tracker, tracking_asked
from models.cli.support import (
    RULE_HELP,
    DataDir,
    check_folder,
    check_model,
    check_name,
    load,
    parse_rule_option,
    prepare,
    prepare_own,
    require_for_training,
)
from models.cli.training_job import Job, run_job
from models.thresholding.rule import CRITICAL_RULE, OWN_CRITICAL, OWN_WARNING, WARNING_RULE, Rule
from models.training.catalogue import AUTO, MODELS, OWN_DEFAULT
from models.training.config import FOLDS

if TYPE_CHECKING:
    from common.recording import Recording

FIRST_SET: Final = "FD001"


class SplitOption(StrEnum):
    """How parts of one's own data are told from each other."""

    AUTO = "auto"
    ASSET = "asset"
    TIME = "time"


@friendly_errors
def train(
    dataset: Annotated[
        str | None,
        typer.Option(
            help="Data set: FD001 to FD004, one of the simulator's, SMAP, MSL or SMAP,MSL. "
            f"Default: {FIRST_SET}."
        ),
    ] = None,
    machine: Annotated[
        str | None,
        typer.Option(help="Machine type of your own data: a shipped name, or a TOML file."),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(help="File of your own readings; may be given more than once."),
    ] = None,
    healthy_until: Annotated[
        str | None,
        typer.Option(
            help="Readings up to this time are of sound machines; of later ones nothing is known. "
            "Default: all are of sound ones."
        ),
    ] = None,
    label_column: Annotated[
        str | None,
        typer.Option(help="Column that is 0 where a machine is sound, above 0 where it fails."),
    ] = None,
    time_column: TimeColumn = None,
    asset_column: AssetColumn = None,
    ignore: Ignore = None,
    split: Annotated[
        SplitOption,
        typer.Option(
            help="Choose thresholds on other assets, or on later readings of the same. auto: on "
            "other assets where five or more ran until they failed."
        ),
    ] = SplitOption.AUTO,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write. Default: var/artifacts/NAME.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the artifact. Default: the data set's, or the machine type's."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Decides first weights and order; same seed, same artifact.")
    ] = 0,
    epochs: Annotated[int, typer.Option(min=1, max=10_000, help="Passes over the windows.")] = 80,
    model: Annotated[
        str | None,
        typer.Option(
            help=f"{AUTO}, or one of {', '.join(MODELS)}. Default: {AUTO}; for your own data "
            f"{OWN_DEFAULT}."
        ),
    ] = None,
    warning: Annotated[
        str | None,
        typer.Option(
            help=f"How the lower threshold is chosen: {RULE_HELP} Default: "
            f"{WARNING_RULE.strategy}; {OWN_WARNING.strategy} where no fault is known."
        ),
    ] = None,
    critical: Annotated[
        str | None,
        typer.Option(
            help=f"How the higher one is chosen, likewise. Default: {CRITICAL_RULE.strategy}; "
            f"{OWN_CRITICAL.strategy} where no fault is known."
        ),
    ] = None,
    folds: Annotated[
        int,
        typer.Option(
            min=0,
            max=20,
            help="Parts into which assets are cut, each scored by what the others taught, so that "
            "all of them speak for when to warn. 0: those set aside alone, by a rule for windows.",
        ),
    ] = FOLDS,
    per_asset: Annotated[
        bool | None,
        typer.Option(
            "--per-asset/--one-for-all",
            help="A part of its own for each asset: normalisation, what the score learns, "
            "thresholds; or one model for all of them, which workers load. Default: parts for SMAP "
            "and MSL, one model for your own data.",
            show_default=False,
        ),
    ] = None,
    finetune: Annotated[
        bool,
        typer.Option(
            "--finetune",
            help="With parts: one network of all assets, its last layer fitted to each.",
        ),
    ] = False,
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

    C-MAPSS engines: fits on the first 64 %, chooses thresholds on the next 16 %, measures on the
    rest. `auto` trains the reference network and takes the score of it, or of the inputs alone,
    that ranks the first 80 % best. FD001 takes about a minute on one core.

    Your own machines (--machine and --data): no failure and no label need be in the data. Fits on
    the first 80 % of each asset's healthy readings, and chooses thresholds on the rest.

    Examples:
        surgeline train --dataset FD001 --out my-model --seed 0

        surgeline train --dataset FD001 --model iforest --warning quantile:q=0.995

        surgeline train --machine pump.toml --data pumps.csv

        surgeline train --machine pump.toml --data pumps.csv --healthy-until "2026-03-01 00:00"

        surgeline train --machine pump.toml --data pumps.csv --label-column broken

        surgeline train --dataset SMAP,MSL

        surgeline train --dataset SMAP --finetune

        surgeline train --dataset SMAP --one-for-all --out ./smap

        SURGELINE_DETECTOR__ARTIFACT=./my-model surgeline up
    """
    telemetry = spacecraft_of(dataset) if dataset is not None else ()
    own = (healthy_until, label_column, time_column, asset_column, ignore)
    parts = bool(telemetry) if per_asset is None else per_asset
    if parts:
        _refuse_rules(warning, critical, track)
        kind = None if telemetry else _own_machine(machine, data, dataset, own)
        recording = None if kind is None else _read_own(kind, data, *own)
        first = telemetry[0] if telemetry else None
        asked = PartsRequest(first, model, name, out, seed, finetune, data_dir)
        if len(telemetry) > 1:
            train_several(asked, telemetry)
        else:
            train_parts_of(asked, recording)
        return
    if finetune:
        raise UserError("--finetune came; it is of models with a part for each asset.")
    if telemetry:
        model = model or TELEMETRY_DEFAULT
    check_model(model)
    own_data = machine is not None or bool(telemetry)
    require_for_training(own=own_data, model=model, labels=label_column is not None)
    rules = _rule("warning", warning), _rule("critical", critical)
    if telemetry:
        recording = training_readings(_stream_set(telemetry) or "", data_dir)
        kind = recording.machine
    else:
        kind, recording = _own_machine(machine, data, dataset, own), None
    stem, usual = (kind.name, OWN_DEFAULT) if kind else ((dataset or FIRST_SET).lower(), AUTO)
    tracker = open_tracker(_tracked(track) if kind else track)
    name = name or (stem if model in (None, usual) else f"{stem}-{model}")
    check_name(name)
    folder = out or Path("var/artifacts") / name
    check_folder(folder)
    job = Job(name, model or usual, *rules, seed, epochs, folder, folds)
    if kind:
        artifact = run_job(job, prepare_own(recording or _read_own(kind, data, *own), split.value))
        training = artifact.manifest.training
        if training.own and not training.own.faulty_rows:
            output_console().print(UNMEASURED_NOTE, style="dim")
        return
    _train_of_engines(job, dataset or FIRST_SET, data_dir, tracker)


TELEMETRY_DEFAULT: Final = "three_views"


def _refuse_rules(warning: str | None, critical: str | None, track: bool | None) -> None:
    if warning or critical or track:
        raise UserError(
            "--warning, --critical and --track are not of models with a part for each asset: each "
            "has a threshold of its own that follows it."
        )


def _stream_set(telemetry: tuple[str, ...]) -> str | None:
    """Return the one data set of telemetry that was named; none for none."""
    if len(telemetry) > 1:
        raise UserError(
            f"--dataset {','.join(telemetry)} came; with --one-for-all one of them was expected: "
            "each has a machine type, and so a model, of its own."
        )
    return telemetry[0] if telemetry else None


UNMEASURED_NOTE: Final = (
    "No fault is known in these data, so how much it catches is not known either. Thresholds are "
    "what healthy readings rarely reach, judged by those at the end."
)


def _read_own(
    kind: MachineType,
    data: list[Path] | None,
    healthy_until: str | None,
    label_column: str | None,
    time_column: str | None,
    asset_column: str | None,
    ignore: list[str] | None,
) -> Recording:
    """Read somebody's own files, and say how they were read."""
    from models.cli.own_recording import Health, read_own

    recording, remarks = read_own(
        kind,
        data or [],
        Health(healthy_until, label_column is not None),
        roles_given(time_column, asset_column, label_column),
        columns_given(ignore),
    )
    for remark in remarks:
        error_console().print(f"note: {remark}.", style="dim", soft_wrap=True, markup=False)
    return recording


def _train_of_engines(
    job: Job, dataset: str, data_dir: Path | None, tracker: Tracker | None
) -> None:
    from models.cli.showing import tables
    from models.report.comparison import is_published

    training_data = load(dataset, "train", data_dir)
    artifact = run_job(job, prepare(training_data), tracker)
    if not is_published(training_data):
        output_console().print(tables.UNPUBLISHED_NOTE, style="bold")
    if tracker:
        run_id = tracker.keep(artifact, training_data)
        output_console().print(f"tracked as  {run_id}", soft_wrap=True)


def _rule(option: str, text: str | None) -> Rule | None:
    return None if text is None else parse_rule_option(option, text)


def _own_machine(
    machine: str | None,
    data: list[Path] | None,
    dataset: str | None,
    said_of_data: tuple[object, ...],
) -> MachineType | None:
    """Return the type of somebody's own machines, none for C-MAPSS engines."""
    if bool(machine) != bool(data):
        came, lacking = ("--machine", "--data") if machine else ("--data", "--machine")
        raise UserError(f"{came} came without {lacking}; your own data need both.")
    if machine is None:
        if any(said_of_data):
            raise UserError(
                "--healthy-until, --label-column, --time-column, --asset-column and --ignore are "
                "of your own data: --machine and --data were expected too."
            )
        return None
    if dataset is not None:
        raise UserError("--dataset and --data came; one of the two was expected.")
    if all(said_of_data[:2]):
        raise UserError("--healthy-until and --label-column came; one of the two was expected.")
    return load_machine(machine)


def _tracked(track: bool | None) -> bool:
    """Return false, and say so: the gate compares models on C-MAPSS engines alone."""
    if track:
        raise UserError("--track came with your own data; only C-MAPSS models can be tracked yet.")
    if track is None and tracking_asked():
        error_console().print("Not tracked: only C-MAPSS models can be yet.", style="yellow")
    return False
