"""How the console does before a large fleet: painted, scrolled, weighed, in a real browser.

    python -m bench.api.console                     10,000 assets, 10,000 alarms, 1,000,000 scores
    python -m bench.api.console --runs 5 --json figures.json
    python -m bench.api.console --folder /tmp/fleet keeps the stores there, and uses them again

Fills the stores of an api, starts it, opens its pages in Chromium with an empty cache, and scrolls
the fleet and the alarms from the first row to the last with the mouse's wheel, while an alarm is
acknowledged and the page fetches all machines anew. Figures come from the browser's own trace.
Needs no broker: the api says that it has none, and serves what it holds. ``fleet.py`` fills,
``visit.py`` opens and scrolls, ``trace.py`` reads what Chromium recorded.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bench.api.console.fleet import Fleet, acknowledge_one, act, fill, new_fleet
from bench.api.console.visit import Visit, visit
from common.settings import KafkaSettings
from deploy.local.programs import free_port
from tests.support.api_process import ApiProcess
from tests.support.browser import chromium

FILLED = "filled.json"


def main(
    assets: Annotated[int, typer.Option(min=1, max=100_000, help="Machines.")] = 10_000,
    alarms: Annotated[int, typer.Option(min=1, max=100_000, help="Alarms.")] = 10_000,
    scores: Annotated[int, typer.Option(min=1, help="Verdicts, over all machines.")] = 1_000_000,
    runs: Annotated[int, typer.Option(min=1, max=50, help="Visits; medians are printed.")] = 3,
    folder: Annotated[
        Path | None, typer.Option(help="Keep the stores here, and use them if they are there.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures of each visit here.")
    ] = None,
) -> None:
    """Measure the console on a fleet, in Chromium. The stores take a minute and 300 MB."""
    # what is forked must have one thread, and numpy starts more as it is imported
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with ExitStack() as stack:
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        place.mkdir(parents=True, exist_ok=True)
        with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
            _fill(new_fleet(assets, alarms, scores), place, progress)
            nobody = KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}")
            api = ApiProcess(nobody, place)
            api.start()
            stack.callback(api.stop)
            act(api.url)
            browser = stack.enter_context(chromium())
            line = progress.add_task("visits", total=runs)
            seen = []
            for _ in range(runs):
                load = os.getloadavg()[0]
                seen.append(visit(browser, api.url, lambda: acknowledge_one(api.url)))
                seen[-1].figures["load of the machine"] = load
                progress.advance(line)
    _show(seen)
    if json_file is not None:
        _write(json_file, seen)


def _fill(fleet: Fleet, folder: Path, progress: Progress) -> None:
    """Fill the stores, unless they hold such a fleet already."""
    wanted = [fleet.assets, fleet.alarms, fleet.scores]
    note = folder / FILLED
    if note.exists():
        held = json.loads(note.read_text())
        if held != wanted:
            raise typer.BadParameter(
                f"{folder} holds {held[0]} assets, {held[1]} alarms and {held[2]} scores, not "
                f"{wanted}. Name another folder, or empty this one.",
                param_hint="--folder",
            )
        return
    if any(folder.iterdir()):
        raise typer.BadParameter(
            f"{folder} holds files, and no fleet of this benchmark. Name an empty folder.",
            param_hint="--folder",
        )
    scores = progress.add_task("scores", total=fleet.assets * fleet.cycles)
    alarms = progress.add_task("alarms", total=fleet.alarms)
    asyncio.run(
        fill(
            fleet,
            folder,
            lambda number: progress.advance(scores, number),
            lambda number: progress.advance(alarms, number),
        )
    )
    note.write_text(json.dumps(wanted))


def _show(seen: list[Visit]) -> None:
    print(f"Medians of {len(seen)} visits, and the worst")
    for name in seen[0].figures:
        values = [each.figures[name] for each in seen]
        print(f"  {name:44} {statistics.median(values):10,.1f} {max(values):10,.1f}")
    print("Longest tasks over 50 ms, and what they hold, ms")
    for each in seen:
        for name, tasks in each.long_tasks.items():
            for task in tasks[:5]:
                print(f"  {name:8} {task.wall_ms:7.0f}, processor {task.cpu_ms:5.0f}: {task.holds}")
    print("Weight as sent, bytes")
    for path, size in sorted(seen[0].weights.items(), key=lambda each: -each[1]):
        print(f"  {path:44} {size:10,}")
    print(f"  {'all of it':44} {sum(seen[0].weights.values()):10,}")


def _write(path: Path, seen: list[Visit]) -> None:
    visits = [
        {
            "figures": each.figures,
            "weights_bytes": each.weights,
            "long_tasks": {
                name: [
                    {"wall_ms": task.wall_ms, "cpu_ms": task.cpu_ms, "holds": task.holds}
                    for task in tasks
                ]
                for name, tasks in each.long_tasks.items()
            },
        }
        for each in seen
    ]
    path.write_text(json.dumps({"visits": visits}, indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)
