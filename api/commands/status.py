"""``surgeline status``: is the stack well, what became of the readings, which alarms are open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import typer
from rich.console import Console
from rich.text import Text

from api.commands.assets import ALARMS_PAGE, ASSETS_PAGE, JsonOption
from api.commands.server.asking import UrlOption, connect, told
from api.commands.server.client import ApiClient, Query
from api.commands.server.targets import ALARMS, ASSETS
from api.views.alarms.alarms import AlarmView
from api.views.assets import Asset
from api.views.system import Readiness
from common.errors import BackendUnavailableError, SurgelineError
from common.files.atomic import write_report
from common.redaction import without_credentials
from common.terminal.cli import USER_ERROR_EXIT, error_console, friendly_errors, output_console
from common.terminal.printable import one_line

NOT_READY_EXIT: Final = 1

WHAT_TO_DO: Final = {
    "broker": "see that it runs (`surgeline up`), and SURGELINE_KAFKA__BOOTSTRAP_SERVERS",
    "score_store": "see its server or file; `surgeline settings` shows which",
    "alert_history": "see its server or file, and SURGELINE_ALERTS__URL",
    "detector": "see that a worker runs, and SURGELINE_API__DETECTOR_URL",
    "detector_group": "see the workers' logs (docs/runbooks.md)",
}
STYLES: Final = {"ready": "green", "degraded": "yellow", "not_ready": "bold red"}
WORDS: Final = {
    "ready": "ready",
    "degraded": "degraded: what is stored can be read, but new readings may not be judged",
    "not_ready": "not ready",
}


@dataclass(frozen=True, slots=True)
class Found:
    """What was found out; a text is why something was not.

    Attributes:
        ready: Each dependency.
        readings: Machines, and their readings by verdict, or why not known.
        alarms: Those that stand, or why not known.
    """

    ready: Readiness
    readings: tuple[int, Counter[str]] | str
    alarms: list[AlarmView] | str


@friendly_errors
def status(json_path: JsonOption = None, url: UrlOption = None) -> None:
    """Say whether the stack is well: each part, readings by verdict, alarms that stand.

    Exit code 0 if it is ready, or works in part (degraded); 1 if it is not ready; 2 if no api
    answers. So a script can wait for it.

    For example:

    - `surgeline status`
    - `until surgeline status; do sleep 1; done` waits until it is ready
    """
    client = connect(url)
    try:
        answer = client.get("/ready", {}, also=(HTTPStatus.SERVICE_UNAVAILABLE,))
    except BackendUnavailableError as exc:
        said = without_credentials(str(exc))
        error_console().print(Text.assemble(("failed:", "bold red"), " ", said))
        raise typer.Exit(USER_ERROR_EXIT) from exc
    found = Found(
        told(Readiness, answer, client),
        _or_why(lambda: _readings(client)),
        _or_why(lambda: _alarms(client)),
    )
    if json_path is not None:
        write_report(json_path, _as_json(found))
    show_status(found, client.url, output_console(soft_wrap=True))
    if found.ready.status == "not_ready":
        raise typer.Exit(NOT_READY_EXIT)


def show_status(found: Found, url: str, console: Console) -> None:
    """Print what was found."""
    state = found.ready.status
    console.print(Text.assemble(f"api at {url}: ", (WORDS[state], STYLES[state])))
    wide = max((len(name) for name in found.ready.dependencies), default=0)
    for name, each in found.ready.dependencies.items():
        word = ("ok", "green") if each.ok else ("DOWN", "bold red" if each.needed else "yellow")
        line = Text.assemble(f"  {one_line(name):<{wide}}  ", word, f"  {each.latency_ms:.0f} ms")
        console.print(line)
        if not each.ok:
            console.print(f"    {one_line(each.error or 'no reason given')}")
            if name in WHAT_TO_DO:
                console.print(f"    what to do: {WHAT_TO_DO[name]}")
    for note in found.ready.notes:
        console.print(f"  note: {one_line(note)}")
    console.print(f"readings  {_of_readings(found.readings)}")
    console.print(f"alarms    {_of_alarms(found.alarms)}")


def _of_readings(readings: tuple[int, Counter[str]] | str) -> str:
    if isinstance(readings, str):
        return f"not known: {one_line(readings)}"
    machines, verdicts = readings
    if not verdicts:
        return "none so far; `surgeline replay` sends some"
    counts = ", ".join(f"{count:,} {kind}" for kind, count in verdicts.most_common())
    return f"{counts}; of the latest runs of {machines:,} machine{'' if machines == 1 else 's'}"


def _of_alarms(alarms: list[AlarmView] | str) -> str:
    if isinstance(alarms, str):
        return f"not known: {one_line(alarms)}"
    if not alarms:
        return "none asks for anybody"
    levels = Counter(str(alarm.level) for alarm in alarms)
    counts = ", ".join(f"{levels[level]:,} {level}" for level in ("critical", "warning"))
    asking = sum(not alarm.acknowledged for alarm in alarms)
    shelved = sum(alarm.shelved is not None for alarm in alarms)
    said = f"{len(alarms):,} stand: {counts}; {asking:,} not acknowledged, {shelved:,} shelved"
    silent = sum(alarm.evidence.is_silence for alarm in alarms)
    return said + (f"; {silent:,} of machines that are silent or not scored" if silent else "")


def _readings(client: ApiClient) -> tuple[int, Counter[str]]:
    verdicts: Counter[str] = Counter()
    machines = 0
    for each in client.items(ASSETS, {"limit": ASSETS_PAGE}):
        asset = told(Asset, each, client)
        machines += 1
        verdicts.update({str(kind): count for kind, count in asset.verdicts.items()})
    return machines, verdicts


def _alarms(client: ApiClient) -> list[AlarmView]:
    query: Query = {"standing": "true", "limit": ALARMS_PAGE}
    return [told(AlarmView, each, client) for each in client.items(ALARMS, query)]


def _or_why(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except SurgelineError as exc:
        return without_credentials(str(exc))


def _as_json(found: Found) -> dict[str, Any]:
    known = None if isinstance(found.readings, str) else found.readings
    return {
        **found.ready.model_dump(mode="json"),
        "machines": None if known is None else known[0],
        "readings": None if known is None else dict(known[1]),
        "alarms": None
        if isinstance(found.alarms, str)
        else [each.model_dump(mode="json") for each in found.alarms],
    }
