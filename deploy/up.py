"""``surgeline up``: the whole stack on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from common.cli import friendly_errors
from common.settings import PREFIX, load_settings
from deploy.local.logtail import LogTail
from deploy.local.screen import SUPERVISOR, Screen, url_table
from deploy.local.stack import StackPlan, choose_addresses, empty_logs, forget
from deploy.local.statefile import OWN_SERVERS, StackState, claimed, publish
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
    console = Console(highlight=False, soft_wrap=True)
    with claimed(var_dir):
        if fresh:
            forget(var_dir)
        empty_logs(var_dir)
        plan = StackPlan.of(var_dir, choose_addresses(workers, _port(api_port)), os.environ)
        for name in OWN_SERVERS:
            if name in plan.environ:
                console.print(f"{name} is set; `surgeline up` starts a server of its own instead.")
        asyncio.run(run_stack(plan, console))


async def run_stack(plan: StackPlan, console: Console) -> None:
    """Run a stack in the foreground until SIGINT, SIGTERM or SIGHUP.

    Raises:
        StackError: If it cannot be kept running. Nothing is left behind then either.
    """
    names = [spec.name for stage in plan.stages(0) for spec in stage]
    screen = Screen(console, {name: LogTail(plan.log(name)) for name in names})
    supervisor = Supervisor(plan.stages, screen.say, lambda *now: _publish(plan, *now))

    def stop() -> None:
        screen.say(SUPERVISOR, "stopping; once more to stop at once")
        supervisor.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    following = asyncio.create_task(screen.follow())
    announcing = asyncio.create_task(_announce(supervisor, plan, screen))
    try:
        await supervisor.run()
    finally:
        announcing.cancel()
        following.cancel()
        await asyncio.gather(following, announcing, return_exceptions=True)
    screen.say(SUPERVISOR, "all stopped")


async def _announce(supervisor: Supervisor, plan: StackPlan, screen: Screen) -> None:
    await supervisor.until_ready()
    screen.print_new()
    screen.say(SUPERVISOR, f"everything is ready; logs are in {plan.log('api').parent}")
    screen.show(url_table(plan.urls))
    screen.say(SUPERVISOR, "Ctrl-C stops everything. Topics are in memory only.")


def _publish(plan: StackPlan, boot: int, pids: Mapping[str, int]) -> None:
    state = StackState(
        pid=os.getpid(), urls=plan.urls, environment=plan.environment(boot), processes=dict(pids)
    )
    publish(plan.var_dir, state)


def _port(option: int | None) -> int | None:
    """Return the port the user asked for, by option or by setting; none if by neither."""
    if option is None and f"{PREFIX}API__PORT" in os.environ:
        return load_settings().api.port or None
    return option
