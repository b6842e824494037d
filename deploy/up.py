"""``surgeline up``: the whole stack on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from common.settings import PREFIX, RetentionSettings, load_settings
from common.terminal.cli import friendly_errors, output_console
from deploy.local.logtail import MIB, LogBounds, LogTail
from deploy.local.screen import SUPERVISOR, Screen, unfailing, url_table
from deploy.local.stack import StackPlan, choose_addresses, empty_logs, forget
from deploy.local.statefile import OWN_SERVERS, Claim, StackState, claimed
from deploy.local.statekeeper import StateKeeper
from deploy.local.supervisor import Supervisor

MAX_WORKERS = 16


@friendly_errors
def up(
    workers: Annotated[
        int, typer.Option(min=1, max=MAX_WORKERS, help="Detectors sharing the partitions.")
    ] = 1,
    var: Annotated[
        Path | None,
        typer.Option(help="Folder of logs and stores; SURGELINE_VAR_DIR or ./var if left out."),
    ] = None,
    api_port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="The api's port; if left out 8080, or a free one if taken."
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Delete stored scores and alerts first.")
    ] = False,
) -> None:
    """Start broker, Valkey, detector and api on this machine, and keep them running.

    Listens on 127.0.0.1 only. A crashed process is started again. Ctrl-C takes everything down;
    a second Ctrl-C does not wait. Scores and alerts stay in the folder; the broker and Valkey keep
    everything in memory, so topics are gone after a stop.

    Commands in other terminals (in the same folder) find the running stack by themselves.

    For example, and then in another terminal:

        surgeline up --workers 2 --api-port 9000
        surgeline replay --dataset FD001 --engines 1-20
    """
    settings = load_settings()
    var_dir = (var or settings.var_dir).absolute()
    # a closed terminal, a full disk behind a redirection: neither may end the stack
    console = output_console(unfailing(sys.stdout), soft_wrap=True)
    with claimed(var_dir) as claim:
        if fresh:
            forget(var_dir)
        empty_logs(var_dir)
        plan = StackPlan.of(var_dir, choose_addresses(workers, _port(api_port)), os.environ)
        for name in OWN_SERVERS:
            if name in plan.environ:
                console.print(f"{name} is set; `surgeline up` starts a server of its own instead.")
        asyncio.run(run_stack(plan, claim, console, settings.retention))


async def run_stack(
    plan: StackPlan, claim: Claim, console: Console, retention: RetentionSettings
) -> None:
    """Run a stack in the foreground until SIGINT, SIGTERM or SIGHUP.

    Under ``nohup``, which has SIGHUP ignored, it goes on when its terminal closes.

    Raises:
        StackError: If it cannot be kept running. Nothing is left behind then either.
    """
    names = [spec.name for stage in plan.stages(0) for spec in stage]
    bounds = LogBounds(retention.logs_mib * MIB, retention.logs_kept)
    screen = Screen(console, {name: LogTail(plan.log(name), bounds) for name in names})
    keeper = StateKeeper(claim, lambda sentence: screen.say(SUPERVISOR, sentence))
    started_at = datetime.now(tz=UTC).replace(microsecond=0)

    def on_change(boot: int, pids: Mapping[str, int]) -> None:
        keeper.publish(_state(plan, boot, pids, started_at))

    supervisor = Supervisor(plan.stages, screen.say, on_change, room=plan.lack_of_room)

    def stop() -> None:
        screen.say(SUPERVISOR, "stopping; once more to stop at once")
        supervisor.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, stop)
    beside = [
        asyncio.create_task(work)
        for work in (screen.follow(), keeper.keep(), _announce(supervisor, plan, screen))
    ]
    try:
        await supervisor.run()
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
    screen.say(SUPERVISOR, "all stopped")


async def _announce(supervisor: Supervisor, plan: StackPlan, screen: Screen) -> None:
    await supervisor.until_ready()
    screen.print_new()
    screen.say(SUPERVISOR, f"everything is ready; logs are in {plan.log('api').parent}")
    screen.show(url_table(plan.urls))
    screen.say(SUPERVISOR, "Ctrl-C stops everything. Topics are in memory only.")


def _state(plan: StackPlan, boot: int, pids: Mapping[str, int], started_at: datetime) -> StackState:
    return StackState(
        pid=os.getpid(),
        urls=plan.urls,
        environment=plan.environment(boot),
        processes=dict(pids),
        started_at=started_at,
    )


def _port(option: int | None) -> int | None:
    """Return the port the user asked for, by option or by setting; none if by neither."""
    if option is None and f"{PREFIX}API__PORT" in os.environ:
        return load_settings().api.port or None
    return option
