"""``surgeline parity``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from common.settings import Settings
from common.terminal.cli import FAILURE_EXIT, friendly_errors, output_console
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
    from detector.tools.parity.report import ParityReport
    from detector.tools.recording import DatasetRecording
    from detector.tools.topic import Progress


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
    evidence: Annotated[
        bool,
        typer.Option("--evidence/--no-evidence", help="Whether what alerts rest on is, too."),
    ] = True,
    json_path: JsonOption = None,
) -> None:
    """Prove of a run that live equals batch: every verdict, score and alert, and its evidence.

    Reads the run's readings, takes them through the batch path (whole engines cut into windows at
    once, the code that evaluation uses) and, for verdicts, alerts and evidence, once through the
    detector's core as one single batch; then compares with what the live detector left in the
    score store and on the topics of alerts and evidence. Ends with exit code 1 on any difference
    beyond the bound.

    Do this when the run is at rest: a verdict still to come counts as missing. Settings (the alarm
    rule above all) must be those the detector ran with. It writes nothing.

    For example:

    - `surgeline parity --run-id night` reads the topic

    - `surgeline parity --run-id night --dataset FD001 --split test` reads the data set, which also
      works where the topic has forgotten; add `--no-alerts` where it has forgotten those, too, or
      `--no-evidence` where it has forgotten what they rest on
    """
    from common.files.atomic import write_report
    from detector.tools.parity.output import show_parity
    from detector.tools.progress import progress_bars

    settings = tool_settings()
    with progress_bars() as progress:
        recording = dataset_recording(settings, run_id, source, dataset, split, engines)
        report = asyncio.run(
            _parity(settings, run_id, recording, artifact, tolerance, alerts, evidence, progress)
        )
    show_parity(report, output_console())
    if json_path is not None:
        write_report(json_path, report.as_json())
    if not report.equal:
        raise typer.Exit(FAILURE_EXIT)


async def _parity(
    settings: Settings,
    run_id: str,
    recording: DatasetRecording | None,
    artifact: str | None,
    tolerance: float,
    alerts: bool,
    evidence: bool,
    progress: Progress,
) -> ParityReport:
    from detector.tools.parity.report import parity_report

    return await parity_report(
        run_id,
        settings,
        recording=recording,
        artifact=artifact,
        tolerance=tolerance,
        with_alerts=alerts,
        with_evidence=evidence,
        progress=progress,
    )
