"""``surgeline whatif``."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from common.errors import UserError
from common.settings import Settings
from common.terminal.cli import friendly_errors, output_console
from detector.tools.options import (
    ArtifactOption,
    DatasetOption,
    EnginesOption,
    JsonOption,
    RunOption,
    SourceOption,
    SplitOption,
    dataset_recording,
    tool_settings,
)

if TYPE_CHECKING:
    from detector.tools.recording import Recording
    from detector.tools.topic import Progress
    from detector.tools.whatif.report import WhatIfReport


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
            help="Another alarm rule, such as on_delay=5 or deadband=0.1; also off_delay, "
            "on_window, min_length and merge_gap.",
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
    fleet: Annotated[
        str | None,
        typer.Option(help="Which fleet of the run, where there are several.", show_default=False),
    ] = None,
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
    from common.files.atomic import write_report
    from detector.tools.progress import progress_bars
    from detector.tools.whatif.output import show_what_if
    from detector.tools.whatif.rule import check_thresholds, parse_alarm
    from models.alarm import AlarmPolicy

    if not (threshold or model or alarm or bridge is not None):
        raise UserError(
            "Nothing to change: give --threshold warning=0.6, --model ARTIFACT, "
            "--alarm on_delay=5 or --bridge 2."
        )
    settings = tool_settings()
    check_thresholds(threshold or [])
    parse_alarm(alarm or [], AlarmPolicy(**settings.detector.alarm.model_dump()))
    with progress_bars() as progress:
        recording = dataset_recording(settings, run_id, source, dataset, split, engines)
        if recording is None:
            found = asyncio.run(_from_topic(settings, run_id, progress))
        else:
            found = recording
        report = _what_if(
            settings, found, run_id, artifact, fleet, (threshold or [], model, alarm or [], bridge),
            window, progress,
        )  # fmt: skip
    show_what_if(report, output_console())
    if json_path is not None:
        write_report(json_path, report.as_json())


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
    fleet: str | None,
    changes: tuple[list[str], str | None, list[str], int | None],
    window: int,
    progress: Progress,
) -> WhatIfReport:
    from detector.tools.fleets import the_only, tool_fleets, with_artifact
    from detector.tools.whatif.report import what_if
    from detector.tools.whatif.rule import parse_alarm, parse_thresholds

    thresholds, model, alarm, bridge = changes
    fleets = tool_fleets(settings, artifact)
    before = the_only(fleets, recording.fleets_seen() if fleet is None else {fleet})
    other = before if model is None else with_artifact(before, model, settings)
    inputs = before.inputs
    after = replace(
        other,
        thresholds=parse_thresholds(thresholds, other.spec.thresholds),
        alarm=parse_alarm(alarm, before.alarm),
        own_alarms={each: parse_alarm(alarm, own) for each, own in before.own_alarms.items()},
        inputs=inputs if bridge is None else replace(inputs, bridge_cycles=bridge),
    )
    return what_if(recording, run_id, before, after, window_cycles=window, progress=progress)
