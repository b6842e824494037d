"""``surgeline whatif``."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from common.cli import friendly_errors, output_console
from common.errors import UserError
from common.settings import Settings
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
    from detector.tools.progress import progress_bars
    from detector.tools.whatif.output import show_what_if
    from detector.tools.whatif.rule import check_thresholds, parse_alarm

    if not (threshold or model or alarm or bridge is not None):
        raise UserError(
            "Nothing to change: give --threshold warning=0.6, --model ARTIFACT, "
            "--alarm on_delay=5 or --bridge 2."
        )
    settings = tool_settings()
    check_thresholds(threshold or [])
    parse_alarm(alarm or [], settings.detector.alarm)
    with progress_bars() as progress:
        recording = dataset_recording(settings, run_id, source, dataset, split, engines)
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
    from detector.tools.whatif.report import what_if
    from detector.tools.whatif.rule import Rule, parse_alarm, parse_thresholds
    from models.alarm import AlarmPolicy
    from models.artifact.opening import open_scorer
    from models.artifact.store import load_artifact
    from models.tracking.resolve import registry_folder

    thresholds, model, alarm, bridge = changes
    scorer = open_scorer(load_artifact(artifact or settings.detector.artifact, registry_folder))
    other = scorer if model is None else open_scorer(load_artifact(model, registry_folder))
    policy = AlarmPolicy(**settings.detector.alarm.model_dump())
    inputs = InputPolicy(**settings.detector.input.model_dump())
    return what_if(
        recording,
        run_id,
        Rule(scorer, scorer.spec.thresholds, policy, inputs),
        Rule(
            other,
            parse_thresholds(thresholds, other.spec.thresholds),
            parse_alarm(alarm, settings.detector.alarm),
            inputs if bridge is None else replace(inputs, bridge_cycles=bridge),
        ),
        window_cycles=window,
        progress=progress,
    )
