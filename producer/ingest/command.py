"""``surgeline ingest``. What it needs beyond Typer is imported when it runs."""

from __future__ import annotations

import asyncio
import logging
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from common.errors import BackendError, UserError
from common.settings import LogSettings, Settings, load_settings
from common.terminal.cli import FAILURE_EXIT, error_console, friendly_errors, output_console

if TYPE_CHECKING:
    from producer.ingest.app import IngestPlan
    from producer.ingest.ports import SourceMessage
    from producer.ingest.tally import Tally


class ProgressChoice(StrEnum):
    """How progress is told."""

    LINE = "line"
    JSON = "json"
    NONE = "none"


@friendly_errors
def ingest(
    map_file: Annotated[
        Path,
        typer.Option("--map", help="Where in the JSON the asset, the time and the channels are."),
    ],
    topic: Annotated[
        str | None,
        typer.Option(help="The topic of your messages; else the map's.", show_default=False),
    ] = None,
    machine: Annotated[
        str | None,
        typer.Option(
            help="The machine type that the names must fit; else that of the fleet's model, "
            "where it can be read.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show a few messages before and after; send nothing."),
    ] = False,
    messages: Annotated[int, typer.Option(min=1, max=10_000, help="How many --dry-run shows.")] = 5,
    from_file: Annotated[
        Path | None,
        typer.Option(
            help="With --dry-run: messages from a file, one a line, in place of the topic; needs "
            "no broker.",
            show_default=False,
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            help="Consumer group; else one of this fleet's and topic's own.", show_default=False
        ),
    ] = None,
    progress: Annotated[
        ProgressChoice, typer.Option(help="A line, JSON lines for programs, or nothing.")
    ] = ProgressChoice.LINE,
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Where /metrics for Prometheus listens; else nowhere.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Carry messages from a Kafka topic of your own over to Surgeline, as readings.

    Your messages are JSON, one reading each, or a list of them. The map says where in them the
    asset, the time and each channel are: as JMESPath (`data.flow`) or JSON pointer (`/data/flow`),
    with a factor and an offset where your unit is another one. docs/ingest.md shows a map.

    It runs until Ctrl-C or SIGTERM, commits what it has sent, and goes on there when it starts
    again. If it is killed it sends the last readings again; the detector knows them by asset, run
    and cycle (or time), and counts them as duplicates. What cannot be translated is counted and
    logged, with the reason.

    For example:

    - `surgeline ingest --map map.toml --dry-run` shows five messages, before and after

    - `surgeline ingest --map map.toml --dry-run --from-file samples.jsonl` needs no broker

    - `surgeline ingest --map map.toml --topic plant.telemetry --machine pumps.toml`
    """
    from producer.ingest.app import plan_ingest

    if from_file is not None and not dry_run:
        raise UserError("--from-file came without --dry-run, which it belongs to. Add --dry-run.")
    settings = load_settings()
    _configure_logging(settings.log)
    topic = topic if from_file is None else topic or from_file.name
    plan = plan_ingest(map_file, topic, machine, group, settings, trial=dry_run)
    if plan.note:
        error_console().print(f"note: {plan.note}", style="yellow")
    if dry_run:
        _try_out(plan, settings, messages, from_file)
    else:
        _run(plan, settings, progress, metrics)


def _try_out(plan: IngestPlan, settings: Settings, most: int, file: Path | None) -> None:
    from producer.ingest.app import first_lines, first_messages, why_no_topic
    from producer.ingest.dry_run import show
    from producer.ingest.translate import Translator

    async def look() -> tuple[str, list[SourceMessage]]:
        missing = await why_no_topic(plan.topic, settings.kafka)
        found = [] if missing else await first_messages(plan.topic, settings.kafka, most)
        return missing, found

    missing, found = asyncio.run(look()) if file is None else ("", first_lines(file, most))
    if not found:
        error_console().print(missing or f"{plan.topic} is empty: there is nothing to show.")
        raise typer.Exit(FAILURE_EXIT)
    tally = show(found, Translator(plan.wanted), plan.machine, output_console())
    if not tally.readings:
        error_console().print("Nothing could be translated: mend the map, and try again.")
        raise typer.Exit(FAILURE_EXIT)


def _run(
    plan: IngestPlan, settings: Settings, progress: ProgressChoice, metrics_address: str | None
) -> None:
    from common.clock import SystemClock
    from producer.ingest.app import run_ingest
    from producer.ingest.metrics import IngestMetrics, serving
    from producer.ingest.progress import JsonLines, Line
    from producer.ingest.tally import Tally

    clock = SystemClock()
    line = Line(plan.topic)
    as_json = JsonLines(clock.monotonic)
    latest = Tally()
    metrics = IngestMetrics()

    def report(tally: Tally) -> None:
        nonlocal latest
        latest = tally
        metrics(tally)
        if progress is ProgressChoice.LINE:
            line(tally)
        elif progress is ProgressChoice.JSON:
            as_json(tally)

    try:
        with (
            serving(metrics, metrics_address) if metrics_address else nullcontext(),
            line.shown() if progress is ProgressChoice.LINE else nullcontext(),
        ):
            asyncio.run(run_ingest(plan, settings.kafka, clock, report, settings.retention))
    except BackendError:
        _tell("unfinished", plan, latest)
        raise
    _tell("stopped", plan, latest)


def _tell(how: str, plan: IngestPlan, tally: Tally) -> None:
    error_console().print(
        f"{how}: {plan.topic} to fleet {plan.wanted.fleet}, {tally.in_words()}. The same command "
        f"goes on from there (group {plan.group_id})."
    )


def _configure_logging(settings: LogSettings) -> None:
    from common.logs import configure_logging

    configure_logging(settings, "ingest")
    if settings.level != "DEBUG":
        # what the driver complains of while it retries reaches the user as one error of ours
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
