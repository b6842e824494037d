"""``surgeline ack`` and ``surgeline shelve``: what an operator does about an alarm."""

from __future__ import annotations

import itertools
import re
from typing import Annotated, Final

import typer

from api.alarms.desk import Outcome
from api.commands.server.asking import UrlOption, connect, say, told
from api.commands.server.client import ApiClient
from api.commands.server.targets import ALARMS, alarms_of, path_of
from api.commands.shown.stamps import span, whole
from api.views.alarms.alarms import AlarmDetail, AlarmView, BulkResult
from api.views.alarms.requests import LONGEST_SHELF_S, MOST_AT_ONCE
from common.errors import UserError
from common.terminal.cli import friendly_errors
from common.terminal.printable import one_line

UNITS_S: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
SPAN: Final = re.compile(r"(?:\d{1,6}(?:min|[smhd]))+")
PART: Final = re.compile(r"(\d+)(min|[smhd])")

OperatorOption = Annotated[
    str | None,
    typer.Option(
        "--operator",
        help="Who you are, where the api asks for no keys; with a key it is the key's name.",
        show_default=False,
    ),
]


@friendly_errors
def ack(
    targets: Annotated[
        list[str],
        typer.Argument(metavar="ALARM_OR_ASSET...", help="An asset, or an alarm's id; also many."),
    ],
    note: Annotated[str, typer.Option(help="Kept with it, such as what you are going to do.")] = "",
    operator: OperatorOption = None,
    url: UrlOption = None,
) -> None:
    """Acknowledge alarms: somebody has seen them.

    Of an asset all its alarms that stand are acknowledged. Of an alarm's id the first part is
    enough. It holds until the alarm escalates: what is worse than what was seen asks anew. Who,
    when and why is kept (docs/alarms.md).

    For example:

    - `surgeline ack FD001-test-031 --note "oil sample ordered"`
    - `surgeline ack P-101 P-102 P-103 --note "power cut"` acknowledges many with one note
    """
    client = connect(url)
    found = [alarm for target in targets for alarm in _standing(client, target)]
    wanted = list({alarm.alarm_id: alarm for alarm in found if not alarm.acknowledged}.values())
    for alarm in found:
        if alarm.acknowledged:
            say(_seen(alarm))
    for alarms in _groups(wanted):
        body = {
            "alarm_ids": [alarm.alarm_id for alarm in alarms],
            "note": note,
            "operator": operator,
        }
        result = told(BulkResult, client.post(f"{ALARMS}/acknowledge", body), client)
        for alarm, item in zip(alarms, result.items, strict=False):
            say(f"{_name(alarm)}: {OUTCOMES[item.outcome]}")


@friendly_errors
def shelve(
    target: Annotated[
        str, typer.Argument(metavar="ALARM_OR_ASSET", help="An asset, or an alarm's id.")
    ],
    reason: Annotated[str, typer.Option(help="Why it is set aside; kept with it.")],
    span_text: Annotated[
        str, typer.Option("--for", metavar="TIME", help="For how long: 30m, 8h, 2d or 1d12h.")
    ] = "1h",
    until_recovery: Annotated[
        bool,
        typer.Option(
            "--until-recovery", help="End earlier when the alarm clears, so the next is heard."
        ),
    ] = False,
    operator: OperatorOption = None,
    url: UrlOption = None,
) -> None:
    """Set a machine's alarms aside for a while, with a reason.

    It holds alarms up to the level that this one has now: what is worse is heard. It ends by
    itself, after 30 days at most; a shelved alarm stays in the list, marked ~.

    For example:

    - `surgeline shelve FD001-test-031 --for 8h --reason "sensor is replaced tonight"`
    - `surgeline shelve P-103 --for 2d --until-recovery --reason "bearing is on order"`
    """
    seconds = seconds_of(span_text)
    client = connect(url)
    alarms = _standing(client, target)
    if not alarms:
        return
    body = {
        "reason": reason,
        "duration_s": seconds,
        "ends_on_recovery": until_recovery,
        "operator": operator,
    }
    alarm = told(AlarmDetail, client.post(path_of(alarms[0].alarm_id, "shelve"), body), client)
    shelf = alarm.model_dump(mode="json")["shelved"]
    ends = f", until {whole(shelf['until'])}" if shelf else ""
    recovery = ", or until it clears" if until_recovery else ""
    say(f"{_name(alarm)}: shelved for {span(seconds)}{ends}{recovery}.")


def seconds_of(text: str) -> int:
    """Return the seconds meant by text such as ``30m``, ``8h`` or ``1d12h``.

    Raises:
        UserError: If it is none, or longer than a shelf may last.

    Example:
        >>> seconds_of("8h"), seconds_of("1d12h")
        (28800, 129600)
    """
    plain = text.strip().lower().replace(" ", "")
    seconds = 0
    if SPAN.fullmatch(plain):
        seconds = sum(int(amount) * UNITS_S[unit] for amount, unit in PART.findall(plain))
    if not 1 <= seconds <= LONGEST_SHELF_S:
        raise UserError(
            f"--for {text!r} came; expected a time such as 30m, 8h or 2d, "
            f"{span(LONGEST_SHELF_S)} at most."
        )
    return seconds


OUTCOMES: Final = {
    Outcome.ACKNOWLEDGED: "acknowledged.",
    Outcome.ALREADY: "somebody else had acknowledged it a moment before.",
    Outcome.CLOSED: "closed meanwhile; nothing is left to acknowledge.",
    Outcome.UNKNOWN: "removed meanwhile.",
}


def _standing(client: ApiClient, target: str) -> list[AlarmView]:
    found = alarms_of(client, target)
    if not found:
        say(f"{one_line(target)} has no alarm that asks for somebody.")
    return found


def _seen(alarm: AlarmView) -> str:
    seen = alarm.model_dump(mode="json")["acknowledgement"]
    by = "" if seen is None else f", by {one_line(seen['who'])} at {whole(seen['at'])}"
    return f"{_name(alarm)}: acknowledged already{by}."


def _name(alarm: AlarmView) -> str:
    return f"{one_line(alarm.asset_id)}, {alarm.level} (alarm {one_line(alarm.alarm_id)[:8]})"


def _groups(alarms: list[AlarmView]) -> list[list[AlarmView]]:
    rest = iter(alarms)
    return list(iter(lambda: list(itertools.islice(rest, MOST_AT_ONCE)), []))
