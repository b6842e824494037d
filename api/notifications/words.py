"""What receivers get to read: JSON for programs, a sentence and a mail for people. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import quote

from api.notifications.signing import message_id
from common.machines.machine import MachineType
from common.records.alerts import Alert, ChannelShare, Transition
from common.records.times import utc_text
from common.records.verdicts import Level
from common.terminal.printable import one_line

TOP_CHANNELS: Final = 3
IN_FULL: Final = 10
"""Alerts of one mail that are told in full; of the others each has a line."""

LONGEST_SUBJECT: Final = 150
LONGEST_TEXT: Final = 600
"""Characters of a text of somebody else, such as a reason."""

_STATES: Final = {
    Transition.RAISED: "raised",
    Transition.ESCALATED: "got worse",
    Transition.CLEARED: "has cleared",
}


@dataclass(frozen=True, slots=True)
class Told:
    """An alert, and what is needed to tell it.

    Attributes:
        alert: The alert.
        noted_at: When it was noted that somebody is to be told, UTC.
        machine: The machine type of its fleet; none where it is not known.
    """

    alert: Alert
    noted_at: datetime
    machine: MachineType | None = None


def sentence(told: Told) -> str:
    """Return the alert in a sentence or two."""
    alert = told.alert
    return f"{_headline(alert)}: {_cut(alert.reason)}"


def webhook_body(told: Told, public_url: str) -> bytes:
    """Return the JSON of a webhook: the same on every try.

    The alert has all fields of this version, as on the wire; what the topic's message had beside
    them is left out.
    """
    alert = told.alert
    data: dict[str, Any] = {
        "alert": alert.model_dump(mode="json"),
        "sentence": sentence(told),
        "link": link(alert, public_url),
    }
    return _json(f"alert.{alert.state}", told.noted_at, data)


def webhook_test_body(now: datetime, public_url: str) -> bytes:
    """Return the JSON of a test."""
    data = {"alert": None, "sentence": TEST_SENTENCE, "link": public_url or None}
    return _json("test", now, data)


TEST_SENTENCE: Final = (
    "This is a test of Surgeline's notifications. Nothing is wrong with any machine."
)


def _json(kind: str, moment: datetime, data: dict[str, Any]) -> bytes:
    body = {"type": kind, "timestamp": utc_text(moment), "data": data}
    return json.dumps(body, ensure_ascii=True, allow_nan=False).encode()


def link(alert: Alert, public_url: str) -> str | None:
    """Return where the console shows the alert's machine; none where its address is not known.

    Example:
        >>> link(Alert.model_construct(asset_id="a:1"), "https://plant.example")
        'https://plant.example/#/machine/a%3A1'
    """
    return f"{public_url}/#/machine/{quote(alert.asset_id, safe='')}" if public_url else None


def alert_mail(
    told: Sequence[Told], sender: str, to: Sequence[str], name: str, public_url: str, now: datetime
) -> EmailMessage:
    """Return one mail about one alert, or about several.

    Its ``Message-ID`` is derived from the alerts' ids, so that a mail that is sent again can be
    recognised; mails of one alarm refer to the alarm, so that programs show them together.

    Args:
        told: The alerts, at least one, in their order of arrival.
        sender: Whom it is from.
        to: Whom it is to.
        name: The receiver, as the file names it.
        public_url: Where the console is; empty where that is not known.
        now: The time.
    """
    worst = sorted(told, key=lambda each: _weight(each.alert), reverse=True)
    if len(told) == 1:
        subject, text = _headline(told[0].alert), _paragraph(told[0], public_url)
    else:
        subject = _digest_subject([each.alert for each in told])
        text = _digest(worst, public_url)
    mail = _mail(subject, f"{text}\n{_footer(name)}", sender, to, now)
    ids = [message_id(each.alert.alert_id) for each in told]
    domain = sender.rpartition("@")[2]
    first = ids[0] if len(ids) == 1 else message_id("\n".join(sorted(ids)))
    mail["Message-ID"] = f"<{first}@{domain}>"
    alarms = dict.fromkeys(message_id(each.alert.alarm_id) for each in told)
    if len(alarms) == 1:
        mail["References"] = f"<{next(iter(alarms))}@{domain}>"
    return mail


def mail_of_test(
    sender: str, to: Sequence[str], name: str, now: datetime, key: str
) -> EmailMessage:
    """Return a mail that is a test; ``key`` tells it from any other."""
    mail = _mail("test of notifications", f"{TEST_SENTENCE}\n\n{_footer(name)}", sender, to, now)
    mail["Message-ID"] = f"<{message_id(key)}@{sender.rpartition('@')[2]}>"
    return mail


def _mail(subject: str, text: str, sender: str, to: Sequence[str], now: datetime) -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    # the library refuses line breaks in headers; one_line makes them visible instead
    mail["Subject"] = one_line(f"[Surgeline] {subject}")[:LONGEST_SUBJECT]
    mail["Date"] = format_datetime(now)
    mail["Auto-Submitted"] = "auto-generated"  # no out-of-office answers (RFC 3834)
    mail.set_content(text, cte="quoted-printable")
    return mail


def _footer(name: str) -> str:
    return (
        f'-- \nSurgeline tells you this because its file of receivers names you under "{name}" '
        "(docs/notifications.md).\n"
    )


def _headline(alert: Alert) -> str:
    """Return level, machine and what happened, such as ``Critical: pump-7 (pumps) got worse``."""
    return _cut(
        f"{alert.level.capitalize()}: {alert.asset_id} ({alert.fleet}) {_STATES[alert.state]}"
    )


def _paragraph(told: Told, public_url: str) -> str:
    alert, step = told.alert, "cycle" if told.machine is None else told.machine.step.word
    lines = [
        f"{_headline(alert)}.",
        "",
        _cut(alert.reason),
        "",
        f"When       {alert.ts:%Y-%m-%d %H:%M:%S} UTC, {step} {alert.cycle}",
        f"Since      {step} {alert.onset_cycle}",
        f"How much   {_how_much(alert)}",
    ]
    if alert.channels:
        lines.append(f"Sensors    {_sensors(alert.channels, told.machine)}")
    if alert.life is not None:
        least, most = f"{alert.life.low:.0f}", f"{alert.life.high:.0f}"
        left = f"over {least}" if alert.life.at_least else f"{least} to {most}"
        lines.append(f"Left       {left} {step}s, in {alert.life.coverage:.0%} of cases")
    lines += [
        f"Run        {one_line(alert.run_id)}",
        f"Model      {_cut(alert.model.label)}",
        f"Alert      {_cut(alert.alert_id)}",
    ]
    if (where := link(alert, public_url)) is not None:
        lines.append(f"Look       {where}")
    return "\n".join(lines) + "\n"


def _how_much(alert: Alert) -> str:
    threshold = f"score {alert.score:.3g}, threshold {alert.threshold:.3g}"
    if alert.severity is None:
        return threshold
    return f"{alert.severity:.3g} times its warning threshold ({threshold})"


def _sensors(channels: Sequence[ChannelShare], machine: MachineType | None) -> str:
    known = {} if machine is None else {each.name: each for each in machine.channels}
    found = []
    for share in channels[:TOP_CHANNELS]:
        channel = known.get(share.name)
        words = (
            [] if channel is None else [each for each in (channel.meaning, channel.unit) if each]
        )
        meaning = f" ({', '.join(words)})" if words else ""
        found.append(_cut(f"{share.name}{meaning} {share.direction}, {share.share:.0%}"))
    return "; ".join(found)


def _digest_subject(alerts: Sequence[Alert]) -> str:
    assets = {alert.asset_id for alert in alerts}
    critical = sum(
        alert.level is Level.CRITICAL and alert.state is not Transition.CLEARED for alert in alerts
    )
    told = f", {critical} critical" if critical else ""
    machines = f"{len(assets)} machines" if len(assets) > 1 else one_line(alerts[0].asset_id)
    return f"{len(alerts)} alerts of {machines}{told}"


def _digest(worst: Sequence[Told], public_url: str) -> str:
    lines = [f"{len(worst)} alerts came together, the worst first:", ""]
    lines += [f"  {each.alert.ts:%Y-%m-%d %H:%M:%S} UTC  {_headline(each.alert)}" for each in worst]
    parts = ["\n".join(lines) + "\n"]
    parts += [_paragraph(each, public_url) for each in worst[:IN_FULL]]
    if len(worst) > IN_FULL:
        parts.append(f"The other {len(worst) - IN_FULL} are in the console and the api.\n")
    return f"\n{'-' * 60}\n\n".join(parts)


def _weight(alert: Alert) -> tuple[bool, int, float]:
    severity = alert.severity
    if severity is None:
        severity = alert.score / alert.threshold if alert.threshold > 0 else 0.0
    return alert.state is not Transition.CLEARED, alert.level.rank, severity


def _cut(text: str) -> str:
    """Return somebody else's text on one line, and no longer than a screen takes."""
    shown = one_line(text[: LONGEST_TEXT + 1])
    return shown if len(shown) <= LONGEST_TEXT else f"{shown[:LONGEST_TEXT]}…"
