"""What receivers read, and that nobody's values become headers, lines or JSON of their own."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from aiosmtplib.email import extract_recipients, extract_sender
from hypothesis import given, settings
from hypothesis import strategies as st

from api.notifications.words import IN_FULL, Told, alert_mail, mail_of_test, webhook_body
from common.machines.turbofan import TURBOFAN
from common.records.alerts import Alert, ChannelShare, RemainingLife, Transition
from common.records.verdicts import Level
from common.settings.groups.address import LONGEST_ADDRESS, MAIL_ADDRESS
from tests.support.alerts import make_alert

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
URL = "https://surgeline.plant.org"
HEADERS = {
    "From", "To", "Subject", "Date", "Auto-Submitted", "Content-Type", "Content-Transfer-Encoding",
    "MIME-Version", "Message-ID", "References",
}  # fmt: skip


def mail_of(*alerts: Alert, url: str = URL) -> EmailMessage:
    """The mail as a receiver's program reads it off the wire."""
    told = [Told(alert, NOW, TURBOFAN) for alert in alerts]
    mail = alert_mail(told, "surgeline@plant.org", ["a@b.org", "c@d.org"], "shift", url, NOW)
    return message_from_bytes(mail.as_bytes(), policy=default)


def test_a_mail_that_one_reads() -> None:
    alert = make_alert(level=Level.CRITICAL, state=Transition.ESCALATED, onset_cycle=31).model_copy(
        update={
            "severity": 1.42,
            "life": RemainingLife(expected=60.0, low=40.2, high=84.6),
        }
    )

    mail = mail_of(alert)

    assert mail["Subject"] == "[Surgeline] Critical: FD001-test-001 (default) got worse"
    assert mail["To"] == "a@b.org, c@d.org"
    assert mail["Message-ID"] == f"<{alert.alert_id}@plant.org>"
    assert mail["References"] == f"<{alert.alarm_id}@plant.org>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content().splitlines() == [
        "Critical: FD001-test-001 (default) got worse.",
        "",
        "3 cycles in a row at or above the warning threshold",
        "",
        "When       2026-01-01 00:00:40 UTC, cycle 40",
        "Since      cycle 31",
        "How much   1.42 times its warning threshold (score 0.54, threshold 0.5)",
        "Sensors    T50 (total temperature at LPT outlet, °R) high, 75%; "
        "Ps30 (static pressure at HPC outlet, psia) low, 25%",
        "Left       40 to 85 cycles, in 90% of cases",
        "Run        run-1",
        "Model      fd001@1",
        f"Alert      {alert.alert_id}",
        "Look       https://surgeline.plant.org/#/machine/FD001-test-001",
        "",
        "-- ",
        'Surgeline tells you this because its file of receivers names you under "shift" '
        "(docs/notifications.md).",
    ]


def test_many_alerts_are_one_mail_with_the_worst_first() -> None:
    alerts = [make_alert(cycle, asset_id=f"a{cycle:02}") for cycle in range(1, 15)]
    alerts.append(make_alert(3, asset_id="bad", level=Level.CRITICAL))
    alerts.append(make_alert(9, asset_id="over", state=Transition.CLEARED, onset_cycle=1))

    mail = mail_of(*alerts)

    text = mail.get_content()
    lines = text.splitlines()
    assert mail["Subject"] == "[Surgeline] 16 alerts of 16 machines, 1 critical"
    assert lines[0] == "16 alerts came together, the worst first:"
    assert lines[2].endswith("Critical: bad (default) raised")
    assert lines[17].endswith("Warning: over (default) has cleared")
    assert text.count("Sensors ") == IN_FULL
    assert "The other 6 are in the console and the api." in text
    assert mail["References"] is None
    again = mail_of(*reversed(alerts))
    assert again["Message-ID"] == mail["Message-ID"]
    assert mail_of(*alerts[1:])["Message-ID"] != mail["Message-ID"]


anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=80) | st.sampled_from(
    [
        "x\r\nBcc: evil@x.org",
        "x\n\n<script>",
        "\x1b[2J",
        "\u202e",
        "a" * 5000,
        "=?utf-8?q?x?=",
        ".",
        ":",
    ]
)


def of_a_stranger(texts: tuple[str, str, str, str, str]) -> Alert:
    """An alert whose every free text is somebody else's."""
    alert_id, alarm_id, channel, reason, version = texts
    alert = make_alert()
    return alert.model_copy(
        update={
            "alert_id": alert_id,
            "alarm_id": alarm_id,
            "asset_id": channel,  # the wire lets no such name in; the mail must not rely on it
            "channels": (ChannelShare(name=channel, share=1.0, direction="high"),),
            "reason": reason,
            "model": alert.model.model_copy(update={"version": version}),
        }
    )


strangers = st.tuples(anything, anything, anything, anything, anything).map(of_a_stranger)


@settings(max_examples=30)
@given(st.lists(strangers, min_size=1, max_size=3))
def test_nobodys_values_become_headers_or_lines_of_a_mail(alerts: list[Alert]) -> None:
    mail = mail_of(*alerts)

    assert set(mail.keys()) <= HEADERS
    assert len(mail.keys()) == len(set(mail.keys()))
    assert mail["To"] == "a@b.org, c@d.org"
    text = mail.get_content()
    plain = mail_of(*(make_alert(cycle) for cycle in range(1, len(alerts) + 1)))
    lines = text.splitlines()
    # the same lines as of harmless alerts: no value has begun one of its own
    assert len(lines) == len(plain.get_content().splitlines())
    assert all(line.isprintable() for line in lines)
    assert len(text) < 10_000 * len(alerts)


addresses = st.from_regex(re.compile(MAIL_ADDRESS, re.ASCII), fullmatch=True).filter(
    lambda each: len(each) <= LONGEST_ADDRESS
)


@settings(max_examples=60)
@given(st.lists(addresses, min_size=1, max_size=3, unique=True), addresses)
def test_a_mail_goes_to_the_very_addresses_that_were_named(to: list[str], sender: str) -> None:
    mail = mail_of_test(sender, to, "shift", NOW, "key")

    assert extract_recipients(mail) == to
    assert extract_sender(mail) == sender
    found = message_from_bytes(mail.as_bytes(), policy=default)
    assert (found["To"], found["From"]) == (", ".join(to), sender)


@settings(max_examples=60)
@given(strangers)
def test_nobodys_values_break_the_json_of_a_webhook(alert: Alert) -> None:
    body = webhook_body(Told(alert, NOW), URL)

    found = json.loads(body)
    assert found["type"] == "alert.raised"
    assert found["timestamp"] == "2026-01-02T03:04:05Z"
    assert found["data"]["alert"] == json.loads(alert.to_json())
    assert found["data"]["sentence"].isprintable()
    assert found["data"]["link"].startswith(f"{URL}/#/machine/")
    assert body == webhook_body(Told(alert, NOW), URL)


def test_without_an_address_of_the_console_there_is_no_link() -> None:
    assert "Look" not in mail_of(make_alert(), url="").get_content()
    assert json.loads(webhook_body(Told(make_alert(), NOW), ""))["data"]["link"] is None


def test_a_test_says_that_nothing_is_wrong() -> None:
    mail = mail_of_test("surgeline@plant.org", ["a@b.org"], "shift", NOW, "key")

    assert mail["Subject"] == "[Surgeline] test of notifications"
    assert "Nothing is wrong with any machine" in mail.get_content()
