"""The ``surgeline`` command: one table of commands, each imported only when called."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

import typer

from deploy.lazy import CommandEntry, LazyGroup

if TYPE_CHECKING:
    from common.cmapss.files import Split
    from common.cmapss.reader import Dataset

TRY, ASK, LEARN, DATA = "Try it", "Ask it", "Models", "Data"
PROVE = "Check and mend it"
KNOW = "About this installation"

COMMANDS: Final = (
    CommandEntry(
        "demo", "deploy.demo.command:demo", "Run everything once and show what it found.", TRY
    ),
    CommandEntry("up", "deploy.up:up", "Run broker, Valkey, detector and api until Ctrl-C.", TRY),
    CommandEntry(
        "replay", "producer.cli:replay", "Send recorded engines as a live fleet.", TRY, True
    ),
    CommandEntry(
        "assets", "api.commands.assets:assets", "List the machines, worst first.", ASK, True
    ),
    CommandEntry("asset", "api.commands.asset:asset", "Show all about one machine.", ASK, True),
    CommandEntry("ack", "api.commands.acting:ack", "Acknowledge alarms: seen.", ASK, True),
    CommandEntry(
        "shelve", "api.commands.acting:shelve", "Set alarms aside for a while.", ASK, True
    ),
    CommandEntry(
        "status", "api.commands.status:status", "Say whether the stack is well.", ASK, True
    ),
    CommandEntry("kpis", "api.commands.kpis:kpis", "Judge the alarms by figures.", ASK, True),
    CommandEntry("alerts", "api.commands.alerts:alerts", "List alerts, or follow them.", ASK, True),
    CommandEntry(
        "scores", "api.commands.scores:scores", "List or draw one asset's scores.", ASK, True
    ),
    CommandEntry(
        "report", "api.commands.report:report", "Write what a run found as HTML.", ASK, True
    ),
    CommandEntry(
        "keys", "api.commands.keys:app", "Make, list and revoke the api's keys.", KNOW, True
    ),
    CommandEntry("notify", "api.commands.notify:app", "Try who is told of alerts.", KNOW, True),
    CommandEntry(
        "machines",
        "api.commands.machines:machines",
        "Show what each fleet's machines report.",
        ASK,
        True,
    ),
    CommandEntry(
        "parity",
        "detector.tools.parity.command:parity",
        "Prove that live equals batch.",
        PROVE,
        True,
    ),
    CommandEntry(
        "whatif",
        "detector.tools.whatif.command:whatif",
        "Replay under another rule or model.",
        PROVE,
        True,
    ),
    CommandEntry(
        "deadletter",
        "detector.tools.deadletter.command:deadletter_app",
        "List, show and retry unusable messages.",
        PROVE,
        True,
    ),
    CommandEntry("train", "models.cli.train:train", "Train a model and write its artifact.", LEARN),
    CommandEntry(
        "evaluate",
        "models.cli.evaluate:evaluate",
        "Measure a model on engines it never saw.",
        LEARN,
    ),
    CommandEntry(
        "calibrate", "models.cli.artifacts:calibrate", "Choose a model's thresholds anew.", LEARN
    ),
    CommandEntry(
        "export", "models.cli.artifacts:export", "Write a model's network, also in int8.", LEARN
    ),
    CommandEntry("card", "models.cli.artifacts:card", "Write a model's card.", LEARN),
    CommandEntry(
        "confidence", "models.cli.artifacts:confidence", "Write how sure a model is.", LEARN
    ),
    CommandEntry(
        "promote",
        "models.cli.promotion:promote",
        "Put a model into production, if it is no worse.",
        LEARN,
    ),
    CommandEntry(
        "init",
        "producer.own_data.command:init",
        "Describe your own machines from their data.",
        DATA,
    ),
    CommandEntry(
        "check",
        "detector.tools.check.command:check",
        "Say how much of your data would be scored.",
        DATA,
    ),
    CommandEntry(
        "ingest",
        "producer.ingest.command:ingest",
        "Carry your own Kafka messages over as readings.",
        DATA,
        True,
    ),
    CommandEntry("data", "producer.cli:data_app", "Fetch and check the C-MAPSS files.", DATA),
    CommandEntry("simulate", "producer.cli:simulate", "Write simulated engines as files.", DATA),
    CommandEntry(
        "provision",
        "deploy.provision:provision",
        "Make missing topics, bucket and tables.",
        KNOW,
    ),
    CommandEntry("settings", "deploy.about:settings", "Show every setting and its value.", KNOW),
    CommandEntry(
        "env", "deploy.about:env", "Print how to reach the running stack, for `eval`.", KNOW
    ),
    CommandEntry("version", "deploy.about:version", "Print the version.", KNOW),
)


class SurgelineGroup(LazyGroup):
    """All commands."""

    entries: ClassVar[Sequence[CommandEntry]] = COMMANDS

    @classmethod
    def before(cls, entry: CommandEntry) -> None:
        """Lead commands that talk to servers to the stack of ``surgeline up``, if one runs."""
        if entry.uses_stack:
            from deploy.local.adoption import adopt_running_stack

            adopt_running_stack(os.environ)


app = typer.Typer(
    cls=SurgelineGroup,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _show_version(asked: bool) -> None:
    if asked:
        from deploy.about import version

        version()
        raise typer.Exit


def _simulate(n_engines: int, seed: int, split: Split) -> Dataset:
    """Hand the producer's simulator to commands that may not import it."""
    from producer.simulator.simulate import simulate

    return simulate(n_engines, seed, split)


@app.callback()
def surgeline(
    ctx: typer.Context,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Streaming anomaly detection for fleets of machines.

    Start with [bold]surgeline demo[/]; then [bold]surgeline up[/] in one terminal and
    [bold]surgeline replay[/] in another.
    """
    ctx.obj = _simulate


def run() -> None:
    """Run the command line."""
    app(prog_name="surgeline")
