"""E-mail to a real server on this machine: TLS, login, one mail or many alerts, refusals."""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from api.adapters.receivers.opening import open_ways
from api.notifications.ports import Failure, Way
from api.notifications.receivers import Mail, Receiver
from api.notifications.words import Told
from common.machines.turbofan import TURBOFAN
from common.settings import MailSettings, NotifySettings
from common.settings.groups.notify import MailTls
from deploy.local.programs import LOOPBACK, free_port
from tests.support.alerts import START, batch, make_alert
from tests.support.api import Fakes, eventually, running
from tests.support.clock import FakeClock
from tests.support.receivers import MailServer, mail_server
from tests.support.secure.certificates import Authority

SHIFT = Receiver("shift", Mail(("a@plant.org", "b@plant.org")))
PASSWORD = "open-mail-1f"  # noqa: S105 - of a server that lives as long as the test


def settings_for(port: int, **changes: object) -> NotifySettings:
    given = {"host": LOOPBACK, "port": port, "security": "none", "sender": "us@plant.org"}
    return NotifySettings(
        mail=MailSettings(**(given | changes)),
        public_url="https://plant.example",
        timeout_s=5,
        retry_initial_s=0.01,
        digest_s=0.05,
    )


@asynccontextmanager
async def way_by(settings: NotifySettings) -> AsyncIterator[Way]:
    async with open_ways([SHIFT], settings, FakeClock()) as ways:
        yield ways["shift"]


async def test_a_mail_arrives() -> None:
    alert = make_alert()
    async with mail_server() as server, way_by(settings_for(server.port)) as way:
        assert await way.tell([Told(alert, START, TURBOFAN)]) == [None]

    [mail] = server.mails
    assert mail["From"] == "us@plant.org"
    assert mail["To"] == "a@plant.org, b@plant.org"
    assert mail["Subject"] == "[Surgeline] Warning: FD001-test-001 (default) raised"
    assert mail["Message-ID"] == f"<{alert.alert_id}@plant.org>"
    assert "T50 (total temperature at LPT outlet, °R) high, 75%" in mail.get_content()


async def test_many_alerts_are_one_mail() -> None:
    told = [Told(make_alert(cycle), START) for cycle in range(1, 41)]
    async with mail_server() as server, way_by(settings_for(server.port)) as way:
        assert way.most >= 40
        assert await way.tell(told) == [None] * 40

    [mail] = server.mails
    assert mail["Subject"] == "[Surgeline] 40 alerts of FD001-test-001"


async def test_tls_and_a_login(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.vouch("mail")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.cert, pair.key)
    login = {"username": "surgeline", "security": "starttls"}
    trusted = {"tls": MailTls(ca_file=authority.file)} | login
    told = [Told(make_alert(), START)]
    async with mail_server(context) as server:

        async def tell(**changes: object) -> str:
            async with way_by(settings_for(server.port, **changes)) as way:
                [found] = await way.tell(told)
            return "" if found is None else found.why

        assert await tell(password=SecretStr(PASSWORD), **trusted) == ""
        assert server.logins == [(b"surgeline", PASSWORD.encode())]
        wrong = await tell(password=SecretStr("hunter2"), **trusted)
        assert "it refuses the login (535" in wrong
        assert "hunter2" not in wrong
        untrusted = await tell(password=SecretStr(PASSWORD), **login)
        assert "an authority that is not trusted here" in untrusted
        assert "Must issue a STARTTLS" in await tell(security="none")

    assert len(server.mails) == 1


async def test_without_starttls_nothing_goes_in_the_clear() -> None:
    async with (
        mail_server() as server,
        way_by(settings_for(server.port, security="starttls")) as way,
    ):
        [failure] = await way.tell([Told(make_alert(), START)])

    assert failure is not None
    assert "STARTTLS" in failure.why
    assert server.mails == []


async def test_what_the_server_says_is_told_on_one_line() -> None:
    async with mail_server() as server, way_by(settings_for(server.port)) as way:
        server.refusals.append("451 busy\x1b[2J now")
        [failure] = await way.tell([Told(make_alert(), START)])
        assert await way.test() == "taken as 4711"

    assert failure == Failure(f"{LOOPBACK}:{server.port}: 451 busy\\x1b[2J now")
    [mail] = server.mails
    assert mail["Subject"] == "[Surgeline] test of notifications"


async def test_no_server_at_all() -> None:
    port = free_port()
    async with way_by(settings_for(port)) as way:
        assert await way.test() == Failure(f"{LOOPBACK}:{port}: no connection")


@pytest.mark.parametrize("refusals", [0, 3])
async def test_a_flood_is_few_mails_that_tell_every_alert(refusals: int) -> None:
    names = [f"engine-{number:03}" for number in range(1, 101)]
    fakes = Fakes(receivers=(SHIFT,))
    async with mail_server() as server:
        server.refusals += ["451 not now"] * refusals
        settings = settings_for(server.port)
        async with open_ways([SHIFT], settings, fakes.clock) as ways:
            fakes.ways = ways
            async with running(fakes, notify=settings):
                for number, name in enumerate(names, 1):
                    alert = make_alert(number, asset_id=name)
                    fakes.feed.put(batch([alert], next_offset=number))
                await eventually(lambda: told_of(server) == set(names), 20)

    assert len(server.mails) <= 10


def told_of(server: MailServer) -> set[str]:
    """Every machine that a mail has named."""
    text = "".join(mail.get_content() for mail in server.mails)
    return set(re.findall(r"engine-\d{3}", text))
