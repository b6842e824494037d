"""``surgeline parity``, ``whatif`` and ``deadletter``: plain functions for Typer.

What they need beyond Typer is imported when they run, so that ``--help`` stays quick.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from common.cli import FAILURE_EXIT, friendly_errors, output_console
from common.errors import UserError
from common.settings import Settings, load_settings
from detector.tools.deadletter_cli import deadletter_app

if TYPE_CHECKING:
    from detector.tools.parity import ParityReport
    from detector.tools.recording import DatasetRecording, Recording
    from detector.tools.topic import Progress
    from detector.tools.whatif import WhatIfReport

__all__ = ["deadletter_app", "parity", "whatif"]

RunOption = Annotated[str, typer.Option("--run-id", help="Which run.")]
SourceOption = Annotated[
    Literal["topic", "dataset"] | None,
    typer.Option(
        help="Where the readings are read: the topic, or the data set that was replayed. By "
        "default the topic, unless --dataset is given.",
        show_default=False,
    ),
]
DatasetOption = Annotated[
    str | None,
    typer.Option(help="Data set that was replayed, FD001 if left out.", show_default=False),
]
SplitOption = Annotated[Literal["train", "test"], typer.Option(help="Which file of it.")]
EnginesOption = Annotated[
    str, typer.Option(help="Which engines of it were replayed: all, 1-20, or 1,5,7.")
]
JsonOption = Annotated[
    Path | None, typer.Option("--json", help="Write the whole report to this file, too.")
]
ArtifactOption = Annotated[
    str | None,
    typer.Option(
        help="Model: a shipped name, or a folder. By default the detector's, from the settings.",
        show_default=False,
    ),
]


@friendly_errors
def parity(
    run_id: RunOption,
    source: SourceOption = None,
    dataset: DatasetOption = None,
    split: SplitOption = "test",
    engines: EnginesOption = "all",
    artifact: ArtifactOption = None,
    tolerance: Annotated[
        float, typer.Option(help="Largest relative difference of two equal scores.")
    ] = 1e-6,
    alerts: Annotated[
        bool, typer.Option("--alerts/--no-alerts", help="Whether alerts are compared.")
    ] = True,
    json_path: JsonOption = None,
) -> None:
    """Prove of a run that live equals batch: every verdict, score and alert.

    Reads the run's readings, takes them through the batch path (whole engines cut into windows at
    once, the code that evaluation uses) and, for verdicts and alerts, once through the detector's
    core as one single batch; then compares with what the live detector left in the score store and
    on the alerts topic. Ends with exit code 1 on any difference beyond the bound.

    Do this when the run is at rest: a verdict still to come counts as missing. Settings (the alarm
    rule above all) must be those the detector ran with. It writes nothing.

    For example:

    - `surgeline parity --run-id night` reads the topic

    - `surgeline parity --run-id night --dataset FD001 --split test` reads the data set, which also
      works where the topic has forgotten; add `--no-alerts` where it has forgotten those, too
    """
    from common.atomic_file import write_report
    from detector.tools.output import show_parity
    from detector.tools.progress import progress_bars

    settings = _settings()
    with progress_bars() as progress:
        recording = _dataset_recording(settings, run_id, source, dataset, split, engines)
        report = asyncio.run(
            _parity(settings, run_id, recording, artifact, tolerance, alerts, progress)
        )
    show_parity(report, output_console())
    if json_path is not None:
        write_report(json_path, report.as_json())
    if not report.equal:
        raise typer.Exit(FAILURE_EXIT)


@friendly_errors
def whatif(
    run_id: RunOption,
    threshold: Annotated[
        list[str] | None,
        typer.Option(help="Another threshold: warning=0.6 or critical=1.8.", show_default=False),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Another model: a shipped name, or a folder.", show_default=False),
    ] = None,
    alarm: Annotated[
        list[str] | None,
        typer.Option(
            help="Another alarm rule: on_delay=5, off_delay=20 or deadband=0.1.",
            show_default=False,
        ),
    ] = None,
    bridge: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=1000,
            help="Another gap policy: windows span up to this many missing cycles; 0 refuses.",
            show_default=False,
        ),
    ] = None,
    source: SourceOption = None,
    dataset: DatasetOption = None,
    split: SplitOption = "test",
    engines: EnginesOption = "all",
    artifact: ArtifactOption = None,
    window: Annotated[
        int,
        typer.Option(min=0, help="Alerts with onsets this near are the same alert moved, cycles."),
    ] = 30,
    json_path: JsonOption = None,
) -> None:
    """Replay recorded readings under another threshold, model or rule, and say what differs.

    Both sides are computed from the same recorded readings with the detector's own core: first as
    it is set now, then as you say. Alerts of the same asset and kind whose onsets are near count as
    moved when cycle, onset or level differ; the rest are gained or lost. *Lead* is the remaining
    useful life at an asset's first alert, known for data sets only. Live states, topics and stores
    are not touched.

    For example:

    - `surgeline whatif --run-id night --threshold warning=0.6 --threshold critical=1.8`

    - `surgeline whatif --run-id night --alarm on_delay=5 --alarm off_delay=20`

    - `surgeline whatif --run-id night --dataset FD001 --model ./my-model` needs no broker and
      knows the lead times
    """
    from common.atomic_file import write_report
    from detector.tools.output import show_what_if
    from detector.tools.progress import progress_bars
    from detector.tools.rule import check_thresholds, parse_alarm

    if not (threshold or model or alarm or bridge is not None):
        raise UserError(
            "Nothing to change: give --threshold warning=0.6, --model ARTIFACT, "
            "--alarm on_delay=5 or --bridge 2."
        )
    settings = _settings()
    check_thresholds(threshold or [])
    parse_alarm(alarm or [], settings.detector.alarm)
    with progress_bars() as progress:
        recording = _dataset_recording(settings, run_id, source, dataset, split, engines)
        if recording is None:
            found = asyncio.run(_from_topic(settings, run_id, progress))
        else:
            found = recording
        report = _what_if(
            settings, found, run_id, artifact, (threshold or [], model, alarm or [], bridge),
            window, progress,
        )  # fmt: skip
    show_what_if(report, output_console())
    if json_path is not None:
        write_report(json_path, report.as_json())


async def _parity(
    settings: Settings,
    run_id: str,
    recording: DatasetRecording | None,
    artifact: str | None,
    tolerance: float,
    alerts: bool,
    progress: Progress,
) -> ParityReport:
    from detector.tools.parity import parity_report

    return await parity_report(
        run_id,
        settings,
        recording=recording,
        artifact=artifact,
        tolerance=tolerance,
        with_alerts=alerts,
        progress=progress,
    )


async def _from_topic(settings: Settings, run_id: str, progress: Progress) -> Recording:
    from detector.tools.recording import check_found, record_run

    recording = await record_run(settings.kafka, run_id, progress)
    check_found(recording)
    return recording


def _what_if(
    settings: Settings,
    recording: Recording,
    run_id: str,
    artifact: str | None,
    changes: tuple[list[str], str | None, list[str], int | None],
    window: int,
    progress: Progress,
) -> WhatIfReport:
    from detector.core.policy import InputPolicy
    from detector.tools.rule import Rule, parse_alarm, parse_thresholds
    from detector.tools.whatif import what_if
    from models.alarm import AlarmPolicy
    from models.artifact import load_artifact
    from models.serving import open_scorer

    thresholds, model, alarm, bridge = changes
    scorer = open_scorer(load_artifact(artifact or settings.detector.artifact))
    other = scorer if model is None else open_scorer(load_artifact(model))
    policy = AlarmPolicy(**settings.detector.alarm.model_dump())
    inputs = InputPolicy(**settings.detector.input.model_dump())
    return what_if(
        recording,
        run_id,
        Rule(scorer, scorer.thresholds, policy, inputs),
        Rule(
            other,
            parse_thresholds(thresholds, other.thresholds),
            parse_alarm(alarm, settings.detector.alarm),
            inputs if bridge is None else replace(inputs, bridge_cycles=bridge),
        ),
        window_cycles=window,
        progress=progress,
    )


def _dataset_recording(
    settings: Settings,
    run_id: str,
    source: Literal["topic", "dataset"] | None,
    dataset: str | None,
    split: Literal["train", "test"],
    engines: str,
) -> DatasetRecording | None:
    """Return the data set's recording, or none if the topic is to be read.

    Raises:
        UserError: If options contradict each other, or the data set cannot be read.
    """
    from common.cmapss import load_dataset
    from detector.tools.recording import DatasetRecording, parse_units

    if source == "topic" and dataset is not None:
        raise UserError("--source topic and --dataset contradict each other; leave one out.")
    if source == "topic" or (source is None and dataset is None):
        return None
    loaded = load_dataset(settings.data_dir, dataset or "FD001", split)
    return DatasetRecording(loaded, parse_units(engines, len(loaded.engines)), run_id)


def _settings() -> Settings:
    # what the driver complains of reaches the user as one error of ours
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    return load_settings()
